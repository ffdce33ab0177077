#include "plan/saved.h"

#include "model/ignore.h"
#include "plan/hold.h"

#include <string.h>

#define MAGIC "reconcile_plan" /* the first member: what tells a saved plan from a spec */
#define MAGIC_WITHIN 64        /* bytes of the file */
#define HASH_LEN 32            /* hexadecimal digits of a field's hash that are kept: 128 bits */
#define ABSENT_BODY "absent"
#define UNKNOWN_BODY "unknown"
#define UNSEEN_BODY "unseen"
#define OWNER "(owner)" /* beside the fields: whether the live object is the cluster's own */

/* Hashing */

/* Random, and told only to those who may ask a manager's API anyway, as in kinds/secret/secret.c. */
static const char *key_of(const struct saved_view *v)
{
	const json_t *info = snapshot_get(v->snap, "engine/info", NULL);
	const char *swarm = json_str(json_path(info, "Swarm.Cluster"), "ID"), *engine = json_str(info, "ID");

	return swarm && *swarm ? swarm : engine ? engine : "";
}

/* With what it is of in the hash, equal values of two fields do not show. */
static json_t *keyed_hash(const struct saved_view *v, const char *key, const char *field, const json_t *value)
{
	_cleanup_json_ json_t *hashed = json_object();
	char hex[65];

	json_set_str(hashed, "key", key_of(v));
	json_set_str(hashed, "of", key);
	json_set_str(hashed, "field", field);
	json_set(hashed, "value", json_incref((json_t *)value));
	v->fingerprint(hashed, hex);
	return json_stringn(hex, strnlen(hex, HASH_LEN));
}

static json_t *hash_fields(const struct saved_view *v, const char *key, const json_t *body)
{
	json_t *out = json_object(), *value;
	const char *field;

	json_object_foreach ((json_t *)body, field, value)
		json_set(out, field, keyed_hash(v, key, field, value));
	return out;
}

static const struct kind *find_kind(const struct saved_view *v, const char *name)
{
	for (size_t i = 0; i < v->n_kinds; i++)
		if (strcmp(v->kinds[i]->name, name) == 0)
			return v->kinds[i];
	return NULL;
}

/* Members of a live field that the spec does not name are somebody else's (labels of a node). */
static void keep_named_members(json_t *live, const json_t *desired, const char *field)
{
	json_t *of_live = json_object_get(live, field), *value, *kept = json_object();
	const json_t *named = json_object_get(desired, field);
	const char *name;

	json_object_foreach (of_live, name, value)
		if (json_object_get(named, name))
			json_object_set(kept, name, value);
	json_set(live, field, kept);
}

/* The live body as far as the diff looks at it, without what is left to others. New reference. */
static json_t *comparable_live(const struct kind *k, const struct resource *desired, const struct resource *live)
{
	if (!desired)
		return json_deep_copy(live->body);
	struct resource masked = *desired;
	masked.body = live->body;
	json_t *body = resource_own_body(&masked);

	for (size_t i = 0; k && i < k->n_fields; i++) {
		const struct field *f = &k->fields[i];
		bool set = json_object_get(desired->body, f->name) != NULL;
		if (f->flags & FIELD_CREATE_ONLY || (f->flags & FIELD_IF_SET && !set))
			json_object_del(body, f->name);
		else if (f->flags & FIELD_MERGE && json_is_object(json_object_get(body, f->name)))
			keep_named_members(body, desired->body, f->name);
	}
	return body;
}

static json_t *live_json(const struct saved_view *v, const struct kind *k, const char *key,
			 const struct resource *desired, const struct resource *live)
{
	if (!live || live->presence == ABSENT)
		return json_string(ABSENT_BODY);
	if (live->presence == UNKNOWN)
		return json_string(UNKNOWN_BODY);
	_cleanup_json_ json_t *body = comparable_live(k, desired, live);
	json_t *out = hash_fields(v, key, body);
	_cleanup_json_ json_t *owned = json_boolean(live->owned);
	json_set(out, OWNER, keyed_hash(v, key, OWNER, owned));
	return out;
}

/*
 * The name of a secret whose content a dry run does not look at, or a name that uses it: the change is shown without
 * it, and the spec, which is the recorded commit's, is all that it can become.
 */
static bool is_unseen(const struct saved_view *v, const struct resource *desired)
{
	for (size_t i = 0; i < desired->refs.n; i++) {
		const struct resource *target = resource_find_key(v->want, desired->refs.v[i].target);
		if (desired->refs.v[i].type == REF_REQUIRES && target && target->unseen)
			return true;
	}
	return desired->unseen;
}

static json_t *spec_json(const struct saved_view *v, const char *key, const struct resource *desired)
{
	if (!desired)
		return json_string(ABSENT_BODY);
	if (is_unseen(v, desired))
		return json_string(UNSEEN_BODY);
	_cleanup_json_ json_t *own = resource_own_body(desired);
	return hash_fields(v, key, own);
}

/*
 * {"spec": {field: hash}, "live": {field: hash}}. A gate has no live side: it is never written, and looked at again
 * right before what waits for it.
 */
static json_t *use_json(const struct saved_view *v, const char *key)
{
	const struct resource *desired = resource_find_key(v->want, key), *live = resource_find_key(v->live, key);
	const struct kind *k = desired || live ? find_kind(v, desired ? desired->kind : live->kind) : NULL;
	json_t *use = json_object();

	json_set(use, "spec", spec_json(v, key, desired));
	if (!k || !k->gate || k->apply)
		json_set(use, "live", live_json(v, k, key, desired, live));
	return use;
}

/* Saving */

/* Everything that key requires, directly or not. */
static void add_use(const struct saved_view *v, json_t *uses, const char *key)
{
	const struct resource *desired = resource_find_key(v->want, key);

	if (json_object_get(uses, key))
		return;
	json_set(uses, key, use_json(v, key));
	for (size_t i = 0; desired && i < desired->refs.n; i++)
		if (desired->refs.v[i].type == REF_REQUIRES)
			add_use(v, uses, desired->refs.v[i].target);
}

static json_t *swarm_hash(const struct saved_view *v)
{
	_cleanup_json_ json_t *nothing = json_null();
	return keyed_hash(v, "", "", nothing);
}

json_t *saved_plan_make(const struct saved_view *v, const struct saved_source *src)
{
	json_t *saved = json_object(), *uses = json_object();

	json_set_int(saved, MAGIC, SAVED_PLAN_FORMAT);
	json_set_str(saved, "cluster", v->cluster);
	json_set(saved, "swarm", swarm_hash(v));
	json_set_int(saved, "made", src->now);
	json_set(saved, "origin", src->origin);
	json_set_str(saved, "spec", src->spec);
	if (src->refresh_images)
		json_set_bool(saved, "refresh_images", true);
	for (size_t i = 0; i < v->plan->changes.n; i++)
		add_use(v, uses, v->plan->changes.v[i].key);
	json_set(saved, "uses", uses);
	json_set(saved, "plan", src->plan);
	return saved;
}

void saved_plan_text(const json_t *saved, struct str *out)
{
	_cleanup_free_ char *text = json_dumps(saved, JSON_INDENT(1));

	str_adds(out, text);
	str_addc(out, '\n');
}

/* Reading */

bool saved_plan_is(const char *text, size_t len)
{
	static const char blanks[] = " \t\r\n";
	size_t i = 0, end = len < MAGIC_WITHIN ? len : MAGIC_WITHIN;

	while (i < end && strchr(blanks, text[i]) && text[i])
		i++;
	return i < end && text[i] == '{' && memmem(text + i, end - i, "\"" MAGIC "\"", strlen(MAGIC) + 2);
}

static const struct {
	const char *name;
	json_type type;
} members[] = {
	{"cluster", JSON_STRING}, {"origin", JSON_OBJECT}, {"plan", JSON_OBJECT},
	{"spec", JSON_STRING},    {"swarm", JSON_STRING},  {"uses", JSON_OBJECT},
};

/* A change: its resource, what is done to it, and what it was made from. */
static bool is_sound_change(const json_t *saved, const json_t *change)
{
	const char *key = json_str(change, "resource");
	return key && json_str(change, "action") &&
	       json_is_object(json_object_get(json_object_get(saved, "uses"), key));
}

static const json_t *changes_of(const json_t *saved)
{
	return json_object_get(json_object_get(saved, "plan"), "changes");
}

static bool is_sound(const json_t *saved)
{
	json_t *change;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(members); i++) {
		const json_t *m = json_object_get(saved, members[i].name);
		if (!m || json_typeof(m) != members[i].type)
			return false;
	}
	if (!json_is_array(changes_of(saved)))
		return false;
	json_array_foreach ((json_t *)changes_of(saved), i, change)
		if (!is_sound_change(saved, change))
			return false;
	return true;
}

int saved_plan_read(const char *text, size_t len, json_t **out, struct err *err)
{
	_cleanup_json_ json_t *saved = NULL;
	struct err why = {0};

	if (json_parse(text, len, &saved, &why) < 0)
		return err_set(err, ERR_PROTOCOL, "it is damaged: %s; make a new one with --dry-run --out", why.msg);
	int64_t format = json_int(saved, MAGIC, 0);
	if (format > SAVED_PLAN_FORMAT)
		return err_set(err, ERR_UNSUPPORTED,
			       "it has format %lld, and this version knows %d: apply it with the version that made it, "
			       "or make "
			       "a new one",
			       (long long)format, SAVED_PLAN_FORMAT);
	if (format < SAVED_PLAN_FORMAT || !is_sound(saved))
		return err_set(err, ERR_PROTOCOL,
			       "it is damaged: something is missing in it; make a new one with --dry-run "
			       "--out");
	*out = json_incref(saved);
	return 0;
}

const char *saved_plan_cluster(const json_t *saved)
{
	return json_str(saved, "cluster");
}

const json_t *saved_plan_origin(const json_t *saved)
{
	return json_object_get(saved, "origin");
}

bool saved_plan_refreshes(const json_t *saved)
{
	return json_bool(saved, "refresh_images");
}

static const json_t *saved_change(const json_t *saved, const char *key)
{
	const json_t *change;
	size_t i;

	json_array_foreach ((json_t *)changes_of(saved), i, change)
		if (strcmp(json_str(change, "resource"), key) == 0)
			return change;
	return NULL;
}

/* Requirements point backwards: one walk from the end reaches all of them. */
void saved_plan_narrow(const json_t *saved, struct plan *p)
{
	bool *kept = xcalloc(p->changes.n, sizeof(*kept));

	for (size_t i = p->changes.n; i-- > 0;) {
		const struct change *c = &p->changes.v[i];
		kept[i] |= saved_change(saved, c->key) != NULL;
		for (size_t k = 0; kept[i] && k < c->requires.n; k++)
			kept[c->requires.v[k]] = true;
	}
	hold_keep(p, kept);
	free(kept);
}

/* Comparing */

static void add_name(struct str *names, const char *name)
{
	str_addf(names, "%s%s", names->len ? ", " : "", name);
}

/* Names of the fields whose hashes differ, each once. */
static void differing_fields(const json_t *was, const json_t *is, struct str *names)
{
	_cleanup_json_ json_t *all = json_object();
	size_t n;

	json_object_update_missing(all, (json_t *)was);
	json_object_update_missing(all, (json_t *)is);
	const char **fields = json_sorted_keys(all, &n);
	for (size_t i = 0; i < n; i++)
		if (!json_equal(json_object_get(was, fields[i]), json_object_get(is, fields[i])))
			add_name(names, strcmp(fields[i], OWNER) == 0 ? "its ownership label" : fields[i]);
	free(fields);
}

static bool is_body(const json_t *side, const char *word)
{
	return json_is_string(side) && strcmp(json_string_value(side), word) == 0;
}

/* "it was there, now it is not observed": for sides of which one is no body. */
static const char *presence_of(const json_t *side)
{
	if (json_is_object(side))
		return "there";
	if (is_body(side, UNSEEN_BODY))
		return "not looked at";
	return is_body(side, UNKNOWN_BODY) ? "not observed" : "not there";
}

static void describe_side(const char *side, const json_t *was, const json_t *is, struct str *out)
{
	_cleanup_str_ struct str names = {0};

	if (!was || json_equal(was, is) || (is_body(was, UNSEEN_BODY) && !is_body(is, ABSENT_BODY)))
		return;
	str_addf(out, "%s%s changed", out->len ? "; " : "", side);
	if (json_is_object(was) && json_is_object(is)) {
		differing_fields(was, is, &names);
		str_addf(out, " (%s)", str_cstr(&names));
	} else {
		str_addf(out, ": it was %s, now it is %s", presence_of(was), presence_of(is));
	}
}

static void describe_use(const struct saved_view *v, const char *key, const json_t *was, struct str *out)
{
	_cleanup_json_ json_t *is = use_json(v, key);
	_cleanup_str_ struct str text = {0};

	describe_side("the spec", json_object_get(was, "spec"), json_object_get(is, "spec"), &text);
	describe_side("the cluster", json_object_get(was, "live"), json_object_get(is, "live"), &text);
	if (text.len)
		str_addf(out, "\n  %s: %s", key, str_cstr(&text));
}

static void describe_uses(const json_t *saved, const struct saved_view *v, struct str *out)
{
	const json_t *uses = json_object_get(saved, "uses");
	size_t n;
	const char **keys = json_sorted_keys(uses, &n);

	for (size_t i = 0; i < n; i++)
		describe_use(v, keys[i], json_object_get(uses, keys[i]), out);
	free(keys);
}

/* Looking changes nothing, and whether tasks run well is no question of the plan. */
static void describe_change(const json_t *saved, const struct saved_view *v, const struct change *c, bool first,
			    struct str *out)
{
	const json_t *was = c->action == ACTION_VERIFY ? NULL : saved_change(saved, c->key);

	if (c->action == ACTION_VERIFY)
		return;
	if (!was)
		str_addf(out, "\n  %s: %s: the saved plan does not have this change", c->key, action_name(c->action));
	else if (strcmp(json_str(was, "action"), action_name(c->action)) != 0)
		str_addf(out, "\n  %s: the saved plan says %s, now it would be %s", c->key, json_str(was, "action"),
			 action_name(c->action));
	else if (!first)
		describe_use(v, c->key, json_object_get(json_object_get(saved, "uses"), c->key), out);
}

int saved_plan_check(const json_t *saved, const struct saved_view *v, bool first, struct err *err)
{
	_cleanup_str_ struct str changed = {0};
	_cleanup_json_ json_t *swarm = swarm_hash(v);

	if (strcmp(saved_plan_cluster(saved), v->cluster) != 0)
		return err_set(err, ERR_FAILED, "the saved plan is for cluster %s, and this is %s: nothing was changed",
			       saved_plan_cluster(saved), v->cluster);
	if (!json_equal(swarm, json_object_get(saved, "swarm")))
		return err_set(err, ERR_FAILED,
			       "the saved plan was made for another swarm than the one that answers here: nothing was "
			       "changed");
	if (first)
		describe_uses(saved, v, &changed);
	bool explained = changed.len > 0;
	for (size_t i = 0; i < v->plan->changes.n && !explained; i++)
		describe_change(saved, v, &v->plan->changes.v[i], first, &changed);
	if (changed.len == 0)
		return 0;
	return err_set(err, ERR_FAILED, "the saved plan is out of date, nothing %swas changed; make a new one:%s",
		       first ? "" : "more ", str_cstr(&changed));
}
