/* From the spec's services to desired resources: plain fields, references, and what a service needs of others. */
#include "client/engine/engine.h"
#include "kinds/route/route.h"
#include "kinds/service/service.h"
#include "kinds/traefik/traefik.h"
#include "kinds/util.h"
#include "policy/replicas.h"

#include <string.h>

void mark_member(struct service_decoder *s, const char *field, const char *key, struct mark m)
{
	bool plain = *key && key[strspn(key, "abcdefghijklmnopqrstuvwxyz_")] == '\0'; /* as plan/diff.c writes paths */
	_cleanup_free_ char *path = xasprintf(plain ? "%s.%s" : "%s[%s]", field, key);
	resource_mark(s->d->out, s->r, path, m);
}

void decoder_needs_api(struct service_decoder *s, int minor, const char *what)
{
	const json_t *version = snapshot_get(s->d->snap, "engine/version", NULL);
	const char *api = json_str(version, "ApiVersion");
	int major = 0, have = 0;

	if (api && sscanf(api, "%d.%d", &major, &have) == 2 && major == 1 && have < minor)
		resource_block(s->d->out, s->r,
			       "%s needs an Engine with API 1.%d, this one has %s and would ignore it: "
			       "upgrade the Engine or take the setting out",
			       what, minor, api);
}

/* Plain fields */

static json_t *decode_list(const struct snode *n)
{
	json_t *list = json_array();

	if (n->type != SNODE_SEQ)
		json_array_append_new(list, json_string(n->text));
	for (size_t i = 0; n->type == SNODE_SEQ && i < n->n_items; i++)
		if (snode_scalar(n->items[i]))
			json_array_append_new(list, json_string(snode_scalar(n->items[i])));
	return list;
}

static json_t *decode_argv(struct service_decoder *s, const struct snode *n)
{
	if (n->type == SNODE_SEQ)
		return decode_list(n);
	json_t *words = words_split(n->text);
	if (!words)
		resource_block(s->d->out, s->r, "%s of line %d: a quote is not closed", n->key, n->mark.line);
	return words;
}

static json_t *decode_set(struct service_decoder *s, const struct row *row, const struct snode *n)
{
	_cleanup_json_ json_t *list = decode_list(n);
	_cleanup_str_ struct str buf = {0};
	json_t *set = json_object(), *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);
		const char *key = row->canon ? row->canon(text, &buf) : text;
		json_set_bool(set, key, true);
		mark_member(s, row->field, key, n->type == SNODE_SEQ ? n->items[i]->mark : n->mark);
	}
	return set;
}

static json_t *decode_value(struct service_decoder *s, const struct row *row, const struct snode *n)
{
	switch (row->type) {
	case ROW_STRING:
		return json_string(n->text);
	case ROW_INT:
		return json_integer(n->integer);
	case ROW_BOOL:
	case ROW_TRISTATE:
		return json_boolean(n->boolean);
	case ROW_RATIO:
		return ratio_canonical(n->number);
	case ROW_LIST:
		return decode_list(n);
	case ROW_ARGV:
		return decode_argv(s, n);
	case ROW_MAP:
		mark_members(s->d->out, s->r, row->field, n);
		return string_map(n);
	case ROW_SET:
		return decode_set(s, row, n);
	}
	return NULL;
}

static void decode_rows(struct service_decoder *s)
{
	for (size_t i = 0; i < service_n_rows; i++) {
		const struct row *row = &service_rows[i];
		const struct snode *n = row->spec ? snode_path(s->node, row->spec) : NULL;
		if (!n || n->type == SNODE_NULL)
			continue;
		row_set(s->body, row, decode_value(s, row, n));
		if (row->member)
			mark_member(s, row->field, row->member, n->key_mark);
		else
			resource_mark(s->d->out, s->r, row->field, n->key_mark);
		if (row->api_minor)
			decoder_needs_api(s, row->api_minor, row->spec);
	}
}

/* Image, labels, replicas */

/*
 * What a tag is to mean now: what it meant in the run that is rolled back to, else what it means by now. Or NULL. The
 * service may have had another image at the end of that run, which did not get so far.
 */
static const char *asked_digest(const struct service_decoder *s, const char *familiar)
{
	_cleanup_free_ char *key = xasprintf("service/%s", s->r->name);
	const char *then = json_str(snapshot_get(s->d->snap, ROLLBACK_DIGESTS, NULL), key);
	const char *at = then ? strchr(then, '@') : NULL;

	if (at && strlen(familiar) == (size_t)(at - then) && strncmp(then, familiar, strlen(familiar)) == 0)
		return at + 1;
	return json_str(snapshot_get(s->d->snap, FRESH_DIGESTS, NULL), familiar);
}

static void decode_image(struct service_decoder *s)
{
	const char *image = snode_str(s->node, "image");
	const struct snode *n = snode_get(s->node, "image");
	struct image_ref ref = {0};
	struct err err = {0};

	if (!image)
		return;
	resource_mark(s->d->out, s->r, "image", n->key_mark);
	resource_mark(s->d->out, s->r, "image_digest", n->key_mark);
	if (image_ref_parse(image, &ref, &err) < 0) {
		resource_block(s->d->out, s->r, "%s",
			       n->from_env ? "image: the variable's value is not the name of an image" : err.msg);
		return;
	}
	json_set_str(s->body, "image", ref.familiar);
	json_set_str(s->body, "image_digest", ref.digest ? ref.digest : asked_digest(s, ref.familiar));
	image_ref_free(&ref);
}

static int decode_labels(struct service_decoder *s, struct err *err)
{
	const struct snode *n = snode_path(s->node, "deploy.labels");
	json_t *labels = string_map(n);

	if (!labels)
		labels = json_object();
	json_set(s->body, "labels", labels);
	mark_members(s->d->out, s->r, "labels", n);
	if (n)
		resource_mark(s->d->out, s->r, "labels", n->key_mark);
	return route_labels(s->d, s->node, s->r->name, labels, s->d->out, s->r, err);
}

/* Traefik must have taken a task out of routing before it ends: docs/spec.md, route.drain. */
static void decode_drain(struct service_decoder *s)
{
	const struct snode *drain = snode_path(s->node, "route.drain");

	if (!drain)
		return;
	json_set_str(s->body, "stop_signal", "SIGCONT");
	json_set_int(s->body, "stop_grace_period", drain->integer);
	resource_mark(s->d->out, s->r, "stop_signal", drain->key_mark);
	resource_mark(s->d->out, s->r, "stop_grace_period", drain->key_mark);
}

/* The live count; false when the service is not there or has none. */
static bool live_replicas(const struct service_decoder *s, int64_t *count)
{
	const json_t *n = json_path(s->live, "Spec.Mode.Replicated.Replicas");

	*count = json_integer_value(n);
	return json_is_integer(n);
}

static void decode_mode(struct service_decoder *s)
{
	const struct snode *deploy = snode_get(s->node, "deploy"), *scale = snode_get(s->node, "scale");
	const struct snode *replicas = snode_get(deploy, "replicas");
	const char *mode = snode_str(deploy, "mode");
	int64_t live, count = snode_int(deploy, "replicas", 1);

	if (snode_get(deploy, "mode"))
		resource_mark(s->d->out, s->r, "mode", snode_get(deploy, "mode")->key_mark);
	if (replicas)
		resource_mark(s->d->out, s->r, "replicas", replicas->key_mark);
	json_set_str(s->body, "mode", mode ? mode : "replicated");
	if (mode && (strcmp(mode, "global") == 0 || strcmp(mode, "global-job") == 0))
		return;
	if (scale) {
		bool exists = live_replicas(s, &live);
		int64_t min = snode_int(scale, "min", 1);
		count = replicas_kept(min, snode_int(scale, "max", INT64_MAX), exists ? &live : NULL);
		struct mark m = scale->key_mark;
		m.hidden = mark_of(snode_get(scale, "min"), m).hidden || mark_of(snode_get(scale, "max"), m).hidden;
		resource_mark(s->d->out, s->r, "replicas", m);
		vec_push(&s->r->floating, "replicas");
	}
	json_set_int(s->body, "replicas", count);
}

/* All of it */

static void keep_shape(struct service_decoder *s)
{
	_cleanup_json_ json_t *shape = stack_shape(s);
	_cleanup_str_ struct str text = {0};

	json_canonical(shape, &text);
	s->r->payload = arena_strdup(resource_set_arena(s->d->out), str_cstr(&text));
}

static int decode_service(struct decode *d, const struct snode *node, const json_t *live, struct err *err)
{
	struct service_decoder s = {.d = d, .node = node, .live = live, .body = json_object()};

	s.r = resource_add(d->out, "service", node->key);
	s.r->mark = node->key_mark;
	decode_rows(&s);
	decode_drain(&s);
	decode_image(&s);
	decode_mode(&s);
	decode_parts(&s);
	decode_mounts(&s);
	decode_ports(&s);
	traefik_own_entrypoints(d, node->key, s.r, s.body);
	decode_networks(&s);
	decode_files(&s);
	json_decref(s.r->body);
	s.r->body = s.body;
	if (decode_env(&s, err) < 0 || decode_labels(&s, err) < 0)
		return err_wrap(err, "service '%s'", node->key);
	if (snode_get(node, "stack"))
		keep_shape(&s);
	body_finish(s.body);
	common_keys(d, s.r, node);
	swarm_ref(d, s.r);
	return 0;
}

int service_decode(struct decode *d, struct err *err)
{
	const struct snode *services = snode_get(spec_root(d->spec), "services");
	_cleanup_json_ json_t *live = services_by_name(d->snap);

	for (size_t i = 0; i < snode_count(services); i++) {
		const struct snode *node = services->items[i];
		if (decode_service(d, node, json_object_get(live, node->key), err) < 0)
			return -1;
	}
	return 0;
}
