/* Where specs come from, and how a record brings one back. Repositories: tests/e2e/67-rollback.t. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/observe.h"
#include "run/origin.h"
#include "run/planfile.h"
#include "sys/file.h"

static const char spec_text[] = "version: 1\n"
				"cluster: shop\n"
				"nodes: { m: { address: 10.0.0.1, role: manager } }\n"
				"configs: { motd: { file: motd } }\n"
				"secrets: { key: { file: key }, other: { file: ./copy } }\n"
				"services:\n"
				"  web: { image: 'x:1', env_file: web.env, configs: [motd], secrets: [key, other] }\n";

static const char *const names[] = {"cluster.yaml", "motd", "key", "copy", "web.env", "plan"};

struct place {
	char dir[64];
};

static void put(const struct place *p, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", p->dir, name);
	struct err err = {0};
	if (file_write_atomic(path, text, strlen(text), 0600, &err) < 0)
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/reconcile-origin-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	put(p, "cluster.yaml", spec_text);
	put(p, "motd", "welcome");
	put(p, "key", "hunter2");
	put(p, "copy", "hunter3");
	put(p, "web.env", "A=1\n");
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", p->dir, names[i]);
		unlink(path);
	}
	rmdir(p->dir);
	free(p);
	return 0;
}

/* A pass's way through: open, load, decode. */
struct loaded {
	struct origin *origin;
	struct spec *spec;
	struct resource_set *want, *live;
};

static void loaded_free(struct loaded *l)
{
	resource_set_free(l->want);
	resource_set_free(l->live);
	spec_free(l->spec);
	origin_close(l->origin);
}

static struct loaded load(const char *path, const json_t *recorded)
{
	const struct source_options o = {.path = path};
	CLEANUP(diags_free) struct diags diags = {0};
	struct loaded l = {0};
	struct err err = {0};

	if (origin_open(&o, recorded, &l.origin, &err) < 0)
		fail_msg("%s", err.msg);
	const struct spec_input in = origin_input(l.origin, NULL);
	if (spec_load(&in, &l.spec, &diags, &err) < 0)
		fail_msg("%s: %s", err.msg, diags.list.n ? diags.list.v[0].message : "");
	/* The swarm's id is what a secret's name is made with: without it no payload would be known either. */
	struct snapshot *snap = snapshot_new();
	snapshot_put(snap, "engine/info",
		     json_pack("{s:{s:s,s:b,s:{s:s}}}", "Swarm", "LocalNodeState", "active", "ControlAvailable", 1,
			       "Cluster", "ID", "qx2l7"));
	if (build_resources(l.spec, snap, &l.want, &l.live, &err) < 0)
		fail_msg("%s", err.msg);
	snapshot_free(snap);
	return l;
}

static const char *content_of(const struct loaded *l, const char *key)
{
	const struct resource *r = resource_find_key(l->want, key);
	return r && r->payload ? r->payload : "";
}

static void a_file_is_recorded_whole(void **state)
{
	const struct place *p = *state;
	CLEANUP(loaded_free) struct loaded l = load(p->dir, NULL);
	_cleanup_json_ json_t *record = origin_record(l.origin, l.spec, l.want);
	const json_t *files = json_object_get(record, "files");

	assert_string_equal(json_str(record, "text"), spec_text);
	assert_string_equal(json_str(files, "motd"), "d2VsY29tZQ==");
	assert_string_equal(json_str(files, "web.env"), "QT0xCg==");
	assert_int_equal(strlen(json_str(record, "spec")), 64);
	assert_int_equal(strlen(json_str(record, "content")), 64);
	assert_string_equal(json_str(record, "spec"), origin_sha256(l.origin));
	assert_null(origin_commit(l.origin));
}

/* Neither by the spec's word for it nor by another one. */
static void secrets_are_not_recorded(void **state)
{
	const struct place *p = *state;
	CLEANUP(loaded_free) struct loaded l = load(p->dir, NULL);

	assert_string_equal(content_of(&l, "secret/key"), "aHVudGVyMg==");
	_cleanup_json_ json_t *record = origin_record(l.origin, l.spec, l.want);
	_cleanup_free_ char *text = json_dumps(record, 0);
	assert_null(strstr(text, "aHVudGVy")); /* hunter */
	assert_int_equal(json_object_size(json_object_get(record, "files")), 2);

	/* Also when it could not be decoded: nothing of want tells then. */
	struct resource_set *nothing = resource_set_new();
	_cleanup_json_ json_t *blind = origin_record(l.origin, l.spec, nothing);
	_cleanup_free_ char *blind_text = json_dumps(blind, 0);
	resource_set_free(nothing);
	assert_null(strstr(blind_text, "aHVudGVy"));
}

static void a_record_brings_it_back(void **state)
{
	const struct place *p = *state;
	_cleanup_json_ json_t *record = NULL;
	{
		CLEANUP(loaded_free) struct loaded l = load(p->dir, NULL);
		record = origin_record(l.origin, l.spec, l.want);
	}
	json_set_int(record, "rollback_of", 3);
	put(p, "cluster.yaml", "version: 1\ncluster: other\n");
	put(p, "motd", "goodbye");

	CLEANUP(loaded_free) struct loaded again = load(p->dir, record);
	assert_string_equal(spec_cluster(again.spec), "shop");
	assert_string_equal(content_of(&again, "config/motd"), "d2VsY29tZQ==");
	assert_string_equal(content_of(&again, "secret/key"), "");
	const struct resource *key = resource_find_key(again.want, "secret/key");
	assert_non_null(key->blocked);
	assert_non_null(strstr(key->blocked, "not in the record"));

	_cleanup_json_ json_t *copy = origin_record(again.origin, again.spec, again.want);
	assert_true(json_equal(record, copy));
}

/* What decides whether two runs applied the same. */
static void content_tells_specs_apart(void **state)
{
	const struct place *p = *state;
	CLEANUP(loaded_free) struct loaded a = load(p->dir, NULL), b = load(p->dir, NULL);
	_cleanup_json_ json_t *first = origin_record(a.origin, a.spec, a.want),
			      *same = origin_record(b.origin, b.spec, b.want);

	assert_string_equal(json_str(first, "content"), json_str(same, "content"));
	put(p, "motd", "welcome back");
	CLEANUP(loaded_free) struct loaded c = load(p->dir, NULL);
	_cleanup_json_ json_t *other = origin_record(c.origin, c.spec, c.want);
	assert_string_not_equal(json_str(first, "content"), json_str(other, "content"));
	assert_string_equal(json_str(first, "spec"), json_str(other, "spec"));
}

static void a_reference_names_the_place(void **state)
{
	const struct place *p = *state;
	CLEANUP(loaded_free) struct loaded l = load(p->dir, NULL);
	_cleanup_json_ json_t *reference = origin_reference(l.origin);

	assert_int_equal(json_object_size(reference), 1);
	assert_string_equal(json_str(reference, "path"), p->dir);
	CLEANUP(loaded_free) struct loaded again = load("/nonexistent", reference);
	assert_string_equal(spec_cluster(again.spec), "shop");
	/* It is read now, so it can be recorded whole. */
	_cleanup_json_ json_t *record = origin_record(again.origin, again.spec, again.want);
	assert_string_equal(json_str(record, "text"), spec_text);
}

static void what_cannot_be_opened(void **state)
{
	(void)state;
	const struct source_options o = {.path = ".", .helper = "/nonexistent"};
	_cleanup_json_ json_t *nothing = json_object(),
			      *password = json_pack("{s:s,s:s}", "repo", "https://***@git.lan/x.git", "commit", "0123");
	struct origin *origin;
	struct err err = {0};

	assert_int_equal(origin_open(&o, nothing, &origin, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(origin_open(&o, password, &origin, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_non_null(strstr(err.msg, "settings"));
}

static void digests_of_pinned_images(void **state)
{
	(void)state;
	struct snapshot *snap = snapshot_new();
	json_t *services = json_array();
	static const struct {
		const char *name, *owner, *image;
	} all[] = {
		{"web", "shop", "lab/web:1@sha256:aa"},
		{"tag", "shop", "lab/web:1"},
		{"theirs", "other", "lab/web:1@sha256:bb"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		json_array_append_new(services, json_pack("{s:{s:s,s:{s:s},s:{s:{s:s}}}}", "Spec", "Name", all[i].name,
							  "Labels", "io.reconcile.cluster", all[i].owner,
							  "TaskTemplate", "ContainerSpec", "Image", all[i].image));
	snapshot_put(snap, "engine/services", services);
	_cleanup_json_ json_t *digests = digests_of(snap, "shop");
	assert_int_equal(json_object_size(digests), 1);
	assert_string_equal(json_str(digests, "service/web"), "lab/web:1@sha256:aa");
	snapshot_free(snap);
}

static void plan_files(void **state)
{
	const struct place *p = *state;
	_cleanup_free_ char *plan = xasprintf("%s/plan", p->dir), *spec = xasprintf("%s/cluster.yaml", p->dir);
	_cleanup_json_ json_t *broken = json_pack("{s:i}", "reconcile_plan", 1);
	json_t *saved;
	struct err err = {0};

	/* No saved plan: a spec, a directory, nothing. */
	const char *const others[] = {spec, p->dir, "/nonexistent"};
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(planfile_read(others[i], &saved, &err), 0);
		assert_null(saved);
	}
	assert_int_equal(planfile_write(plan, broken, &err), 0);
	assert_int_equal(planfile_write(plan, broken, &err), 0); /* another one over it */
	assert_int_equal(planfile_read(plan, &saved, &err), -1);
	assert_non_null(strstr(err.msg, plan));
	assert_int_equal(planfile_write(spec, broken, &err), -1);
	assert_non_null(strstr(err.msg, "not overwritten"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_recorded_whole),    TEST(secrets_are_not_recorded),
		TEST(a_record_brings_it_back),     TEST(content_tells_specs_apart),
		TEST(a_reference_names_the_place), TEST(what_cannot_be_opened),
		TEST(digests_of_pinned_images),    TEST(plan_files),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
