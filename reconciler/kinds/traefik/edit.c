#include "kinds/traefik/edit.h"

#include "kinds/traefik/merge.h"
#include "kinds/traefik/splice.h"
#include "kinds/traefik/static.h"

#include <string.h>

/* One run needs at most: rename, two removals or renames of keys, an addition. */
#define STEPS_MAX 8

void static_edit_free(struct static_edit *e)
{
	str_free(&e->text);
	for (size_t i = 0; i < e->splices.n; i++) {
		free(e->splices.v[i].removed);
		free(e->splices.v[i].inserted);
	}
	vec_free(&e->splices);
}

/* Trees */

/* A mapping that may be edited: what it says depends on nothing but itself. */
static int check_map(struct step *s, const struct ynode *n, const char *name)
{
	if (!n || ynode_is_null(n)) {
		if (n && (n->anchored || n->tagged))
			return step_refuse(s, n, "an anchor or tag is in the way");
		return 0;
	}
	if (n->type == YNODE_ALIAS || n->anchored || n->tagged)
		return step_refuse(s, n, "an anchor, alias or tag is in the way");
	if (n->type != YNODE_MAP) {
		_cleanup_free_ char *what = xasprintf("%s is not a mapping", name);
		return step_refuse(s, n, what);
	}
	if (ynode_get(n, "<<"))
		return step_refuse(s, n, "a merge key is in the way");
	return 0;
}

/* Keys that differ in case only are one key for Traefik, and it takes any of them. */
static int check_spelling(struct step *s, const struct ynode *n)
{
	for (size_t i = 0; n && n->type == YNODE_MAP && i < n->n; i++)
		if (ynode_index(n, n->keys[i]->text) != (int)i)
			return step_refuse(s, n->keys[i], "the same key in another spelling");
	return 0;
}

static const struct ynode *map_or_null(const struct ynode *n)
{
	return ynode_is_null(n) ? NULL : n;
}

static int step_parse(struct step *s)
{
	static const char *const names[] = {"the file", "providers", "providers.docker", "providers.swarm"};

	if (ynode_parse(s->text, s->len, &s->root, s->err) < 0)
		return -1;
	const struct ynode *providers = ynode_get(s->root, "providers");
	const struct ynode *const path[] = {s->root, providers, ynode_get(providers, "docker"),
					    ynode_get(providers, "swarm")};
	for (size_t i = 0; i < ARRAY_SIZE(path); i++)
		if (check_map(s, path[i], names[i]) < 0 || check_spelling(s, path[i]) < 0)
			return -1;
	s->providers = map_or_null(path[1]);
	s->docker = map_or_null(path[2]);
	s->swarm = map_or_null(path[3]);
	return 0;
}

/* What is to be done */

static bool has(const struct ynode *map, const char *name)
{
	return !ynode_is_null(ynode_get(map, name));
}

static int mode_of(struct step *s, bool *on)
{
	const struct ynode *n = ynode_get(s->docker, "swarmMode");

	*on = n && n->type == YNODE_SCALAR && static_is_true(n->text);
	return n && n->type != YNODE_SCALAR ? step_not_editable(s, n) : 0;
}

static int step_v2(struct step *s, bool want)
{
	const char *value = want ? "true" : "false";
	struct addition a = {.pairs = {{"swarmMode", (char *)value}}, .n_pairs = 1};
	bool on;

	if (mode_of(s, &on) < 0)
		return -1;
	if (on == want)
		return 0;
	if (ynode_get(s->docker, "swarmMode"))
		return step_set(s, s->docker, "swarmMode", value);
	if (!s->docker) {
		a.pairs[0] = (struct pair){"exposedByDefault", (char *)"false"};
		a.pairs[a.n_pairs++] = (struct pair){"swarmMode", (char *)value};
	}
	step_add_below(s, "docker", s->docker, &a);
	return 0;
}

/* As it is written in the docker provider. */
static int copy_scalar(struct step *s, const char *name, struct addition *a)
{
	const struct ynode *n = ynode_get(s->docker, name);

	if (ynode_is_null(n))
		return 0;
	if (n->type != YNODE_SCALAR || n->anchored || n->tagged)
		return step_not_editable(s, n);
	a->pairs[a->n_pairs++] = (struct pair){name, xasprintf("%.*s", (int)(n->end - n->start), s->text + n->start)};
	return 0;
}

static int add_swarm(struct step *s, bool was_on)
{
	static const char *const by_hand[] = {"tls", "username", "password"};
	struct addition a = {0};

	for (size_t i = 0; i < ARRAY_SIZE(by_hand); i++)
		if (has(s->docker, by_hand[i]))
			return step_refuse(s, step_key(s->docker, by_hand[i]),
					   "providers.swarm needs the same credentials; add it by hand");
	int rc = copy_scalar(s, "endpoint", &a);
	if (rc == 0)
		rc = copy_scalar(s, "exposedByDefault", &a);
	if (rc == 0 && !has(s->docker, "exposedByDefault"))
		a.pairs[a.n_pairs++] = (struct pair){"exposedByDefault", xstrdup("false")};
	if (rc == 0 && was_on)
		rc = copy_scalar(s, "network", &a);
	if (rc == 0)
		step_add_below(s, "swarm", s->swarm, &a);
	for (size_t i = 0; i < a.n_pairs; i++)
		free(a.pairs[i].value);
	return rc;
}

/* v3 refuses what only v2 knew, in either provider. */
static int remove_v2_keys(struct step *s)
{
	static const char *const keys[] = {"swarmMode", "swarmModeRefreshSeconds"};
	const struct {
		const struct ynode *map;
		const char *name;
	} providers[] = {{s->docker, "docker"}, {s->swarm, "swarm"}};

	if (has(s->swarm, keys[1]) && !ynode_get(s->swarm, "refreshSeconds")) {
		step_rename(s, s->swarm, keys[1], "refreshSeconds");
		return 0;
	}
	for (size_t p = 0; p < ARRAY_SIZE(providers); p++)
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			if (has(providers[p].map, keys[k]))
				return step_remove(s, providers[p].map, step_key(s->providers, providers[p].name),
						   keys[k]);
	return 0;
}

/* Nothing but what adding it would write again: settings of the docker provider, and exposedByDefault: false. */
static bool says_nothing_of_its_own(const struct step *s)
{
	static const char *const names[] = {"endpoint", "exposedByDefault", "network"};

	for (size_t i = 0; i < s->swarm->n; i++) {
		const struct ynode *item = s->swarm->items[i];
		bool known = false;
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			known |= strcasecmp(s->swarm->keys[i]->text, names[k]) == 0;
		const struct ynode *docker = ynode_get(s->docker, s->swarm->keys[i]->text);
		const char *same = ynode_is_null(docker) ? "false" : docker->type == YNODE_SCALAR ? docker->text : "";
		if (!known || item->type != YNODE_SCALAR || strcmp(item->text, same) != 0)
			return false;
	}
	return s->docker != NULL;
}

static int step_v3(struct step *s, bool want)
{
	bool on;

	if (mode_of(s, &on) < 0)
		return -1;
	if (!want && s->swarm && says_nothing_of_its_own(s))
		return step_remove(s, s->providers, step_key(s->root, "providers"), "swarm");
	if (!want && s->swarm)
		return step_refuse(s, step_key(s->providers, "swarm"),
				   "remove providers.swarm by hand: its settings would be lost");
	if (want && !s->swarm && on && !ynode_get(s->providers, "swarm")) {
		step_rename(s, s->providers, "docker", "swarm");
		return 0;
	}
	if (want && !s->swarm)
		return add_swarm(s, on);
	return remove_v2_keys(s);
}

/* Doing it */

static int by_position(const void *a, const void *b)
{
	const struct splice *x = a, *y = b;
	return x->at < y->at ? 1 : x->at > y->at ? -1 : 0;
}

/* From the last to the first, so that positions hold. */
static void apply_splices(struct step *s, struct str *out)
{
	qsort(s->splices.v, s->splices.n, sizeof(*s->splices.v), by_position);
	str_add(out, s->text, s->len);
	for (size_t i = 0; i < s->splices.n; i++) {
		const struct splice *p = &s->splices.v[i];
		_cleanup_str_ struct str next = {0};
		str_add(&next, str_cstr(out), p->at);
		str_add(&next, str_cstr(&p->text), p->text.len);
		str_add(&next, str_cstr(out) + p->at + p->len, out->len - p->at - p->len);
		struct str old = *out;
		*out = next;
		next = old;
	}
}

static bool is_intended(const struct step *s, const struct str *text)
{
	struct ynode *root = NULL;

	if (ynode_parse(str_cstr(text), text->len, &root, NULL) < 0)
		return false;
	_cleanup_json_ json_t *tree = ynode_json(root);
	ynode_free(root);
	return json_equal(tree, s->intent);
}

static void record(struct step *s, struct static_edit *e, struct str *text)
{
	for (size_t i = 0; i < s->splices.n; i++) {
		struct splice *p = &s->splices.v[i];
		struct static_splice done = {.at = p->at, .removed_len = p->len, .inserted_len = p->text.len};
		done.removed = xmalloc(p->len + 1);
		memcpy(done.removed, s->text + p->at, p->len);
		done.removed[p->len] = '\0';
		done.inserted = str_steal(&p->text);
		vec_push(&e->splices, done);
	}
	str_free(&e->text);
	e->text = *text;
	*text = (struct str){0};
}

/* One step towards the goal. *done: nothing was left to do. */
static int take_step(struct static_edit *e, const struct static_goal *goal, bool *done, struct err *err)
{
	struct err why = {0};
	int rc = -1;

	*done = false;
	for (int variant = 0; variant < 2 && rc < 0; variant++) {
		struct step s = {.text = str_cstr(&e->text), .len = e->text.len, .variant = variant, .err = &why};
		_cleanup_str_ struct str text = {0};
		rc = step_parse(&s);
		if (rc == 0)
			rc = goal->major >= 3 ? step_v3(&s, goal->swarm_mode) : step_v2(&s, goal->swarm_mode);
		if (rc == 0 && s.splices.n == 0) {
			*done = true;
		} else if (rc == 0) {
			apply_splices(&s, &text);
			if (is_intended(&s, &text))
				record(&s, e, &text);
			else
				rc = step_not_editable(&s, s.providers ? s.providers : s.root);
		}
		step_free(&s);
	}
	return rc < 0 ? err_set(err, why.code, "%s", why.msg) : 0;
}

/* Entrypoints */

/* What is missing, as the tree that is added; refused when one is there with another address. */
static int missing_entrypoints(const char *text, size_t len, const json_t *want, json_t *missing, struct err *err)
{
	struct ynode *root = NULL;
	const char *name;
	json_t *address;
	int rc = 0;

	if (ynode_parse(text, len, &root, err) < 0)
		return -1;
	const struct ynode *map = ynode_get(root, "entryPoints");
	json_object_foreach ((json_t *)want, name, address) {
		const struct ynode *have = ynode_get(ynode_get(map, name), "address");
		if (ynode_index(map, name) < 0)
			json_set(missing, name, json_pack("{s:O}", "address", address));
		else if (rc == 0 && (!have || !str_eq(have->text, json_string_value(address))))
			rc = err_set(err, ERR_FAILED, "entryPoints.%s is there, with another address", name);
	}
	/* pkg/config/static, SetEffectiveConfiguration */
	if (ynode_is_null(map) && json_object_size(missing) > 0 && !json_object_get(missing, "http"))
		json_set(missing, "http", json_pack("{s:s}", "address", ":80"));
	ynode_free(root);
	return rc;
}

/* What differs between two texts, in one piece. */
static void record_difference(struct static_edit *e, struct str *text)
{
	const char *a = str_cstr(&e->text), *b = str_cstr(text);
	size_t n = e->text.len < text->len ? e->text.len : text->len, from = 0, to = 0;

	while (from < n && a[from] == b[from])
		from++;
	while (to < n - from && a[e->text.len - 1 - to] == b[text->len - 1 - to])
		to++;
	struct static_splice done = {
		.at = from, .removed_len = e->text.len - from - to, .inserted_len = text->len - from - to};
	done.removed = xasprintf("%.*s", (int)done.removed_len, a + from);
	done.inserted = xasprintf("%.*s", (int)done.inserted_len, b + from);
	vec_push(&e->splices, done);
	str_free(&e->text);
	e->text = *text;
	*text = (struct str){0};
}

static int add_entrypoints(struct static_edit *e, const json_t *want, struct err *err)
{
	_cleanup_json_ json_t *missing = json_object();
	_cleanup_str_ struct str text = {0};

	if (json_object_size(want) == 0)
		return 0;
	if (missing_entrypoints(str_cstr(&e->text), e->text.len, want, missing, err) < 0)
		return -1;
	if (json_object_size(missing) == 0)
		return 0;
	_cleanup_json_ json_t *add = json_pack("{s:O}", "entryPoints", missing);
	if (yaml_merge(str_cstr(&e->text), e->text.len, add, 1, &text, err) < 0)
		return -1;
	record_difference(e, &text);
	return 0;
}

int static_edit(const char *text, size_t len, const struct static_goal *goal, struct static_edit *out, struct err *err)
{
	struct static_edit e = {0};
	bool done = false;

	str_add(&e.text, text, len);
	int rc = add_entrypoints(&e, goal->entrypoints, err);
	for (int i = 0; i < STEPS_MAX && rc == 0 && !done; i++)
		rc = take_step(&e, goal, &done, err);
	if (rc == 0 && !done)
		rc = err_set(err, ERR_FAILED, "the edit does not come to an end; do it by hand");
	if (rc < 0)
		static_edit_free(&e);
	else
		*out = e;
	return rc;
}
