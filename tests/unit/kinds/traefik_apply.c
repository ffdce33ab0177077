#include "client/engine/engine.h"
#include "kinds/cluster.h"
#include "kinds/kinds.h"
#include "kinds/traefik/view.h"
#include "sys/clock.h"
#include "sys/file.h"

#include "tests/unit/client/traefik_standin.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define OFF "# \xf0\x9f\x9a\xa6\nproviders:\n  docker:\n    watch: true # 1\n    swarmMode: false # no\n"
#define ON "# \xf0\x9f\x9a\xa6\nproviders:\n  docker:\n    watch: true # 1\n    swarmMode: true # no\n"
#define TORN "# \xf0\x9f\x9a\xa6\nproviders:\n  docker:\n    watch: true # 1\n    swarmMode: trlse # no\n"

/* An engine with one container, whose static file is a file of this machine. */
struct world {
	struct traefik_standin standin;
	char dir[64], file[80], backups[80];
	const char *breaks_on; /* Traefik does not come up when its file says this; NULL: it always does */
	const char *shows;     /* what the container shows instead of the file */
	int lost_at;           /* the lease is lost before the n-th mutation; 0: never */
	int mutations, restarts;
	bool up;
	bool loses;      /* the router s@file, by the first restart */
	char routes[96]; /* file of the file provider on this machine */
};

static void read_file(const char *path, struct str *out)
{
	struct err err;
	if (file_read(path, 65536, out, &err) < 0)
		fail_msg("%s", err.msg);
}

static void write_file(const char *path, const char *text)
{
	struct err err;
	if (file_write_atomic(path, text, strlen(text), 0644, &err) < 0)
		fail_msg("%s", err.msg);
}

static void add_archive(const char *file, const char *shows, struct str *out)
{
	_cleanup_str_ struct str text = {0};
	char head[512] = {0}, zeros[512] = {0};

	if (shows)
		str_adds(&text, shows);
	else
		read_file(file, &text);
	snprintf(head, 100, "traefik.yml");
	snprintf(head + 124, 12, "%011zo", text.len);
	head[156] = '0';
	memcpy(head + 257, "ustar", 5);
	str_add(out, head, sizeof(head));
	str_add(out, str_cstr(&text), text.len);
	str_add(out, zeros, 512 - text.len % 512);
}

static void restart(struct world *w)
{
	_cleanup_str_ struct str text = {0};

	read_file(w->file, &text);
	w->restarts++;
	w->up = !w->breaks_on || !strstr(str_cstr(&text), w->breaks_on);
}

#define DOCKER_ROUTER "\"d@docker\": {\"rule\": \"Host(`d`)\", \"service\": \"api@internal\", \"status\": \"enabled\"}"
#define FILE_ROUTER "\"d@file\": {\"rule\": \"Host(`d`)\", \"service\": \"api@internal\", \"status\": \"enabled\"}"

#define STATS_ROUTER "\"s@file\": {\"status\": \"enabled\"}"
#define OTHER_ROUTER "\"api@internal\": {\"status\": \"enabled\"}"

static int answer(void *arg, const char *request, struct str *headers, struct str *body)
{
	static const char log[] = "\2\0\0\0\0\0\0\5boom\n";
	struct world *w = arg;

	(void)headers;
	if (str_starts(request, "GET /api/version")) {
		str_adds(body, "{\"Version\":\"2.11.53\"}");
		return w->up ? 200 : 503;
	}
	if (str_starts(request, "GET /api/rawdata")) {
		bool there = access(w->routes, F_OK) == 0;
		str_addf(body, "{\"routers\": {%s%s%s%s%s}}", w->restarts ? "" : DOCKER_ROUTER ",",
			 there ? FILE_ROUTER : "", there ? "," : "", w->restarts && w->loses ? "" : STATS_ROUTER ",",
			 OTHER_ROUTER);
		return 200;
	}
	if (str_starts(request, "POST ") && strstr(request, "/containers/traefik/restart?t=10"))
		restart(w);
	else if (strstr(request, "/containers/traefik/archive?path=%2Fetc%2Ftraefik%2Ftraefik.yml"))
		add_archive(w->file, w->shows, body);
	else if (strstr(request, "/archive?path=%2Fdyn%2F") && access(w->routes, F_OK) == 0)
		add_archive(w->routes, NULL, body);
	else if (strstr(request, "/containers/traefik/logs?"))
		str_add(body, log, sizeof(log) - 1);
	else if (strstr(request, "/containers/traefik/json"))
		str_addf(body,
			 "{\"State\":{\"Running\":%s,\"Restarting\":false,\"ExitCode\":3,\"StartedAt\":\"%d\"},"
			 "\"RestartCount\":0}",
			 w->up ? "true" : "false", w->restarts);
	else if (!strstr(request, "/_ping"))
		return 404;
	return 200;
}

struct apply_case {
	const char *name;
	const char *file;    /* on disk */
	const char *planned; /* as it was when the plan was made */
	const char *backup;  /* the newest there is; NULL: none */
	const char *breaks_on, *shows;
	/* Expected */
	enum err_code code;
	const char *message;
	const char *result; /* the file afterwards */
	int restarts;
	size_t backups;
	int lost_at; /* as in the world */
};

static const struct apply_case cases[] = {
	{"edited", OFF, OFF, NULL, NULL, NULL, ERR_NONE, "", ON, 1, 1, 0},
	{"the last backup is the same file", OFF, OFF, OFF, NULL, NULL, ERR_NONE, "", ON, 1, 1, 0},
	{"the last backup is older", OFF, OFF, "api: {}\n", NULL, NULL, ERR_NONE, "", ON, 1, 2, 0},
	{"not read yet", ON, ON, NULL, NULL, NULL, ERR_NONE, "", ON, 1, 0, 0},
	{"does not come up", OFF, OFF, NULL, "true # no", NULL, ERR_FAILED, "said: boom; ", OFF, 2, 1, 0},
	{"comes up with neither", OFF, OFF, NULL, "providers", NULL, ERR_FAILED, "that either", OFF, 2, 1, 0},
	{"changed since the plan", ON, OFF, NULL, NULL, NULL, ERR_OUT_OF_SEQUENCE, "has changed", ON, 0, 0, 0},
	{"edit not seen inside", OFF, OFF, NULL, NULL, OFF, ERR_FAILED, "does not show the edit", OFF, 1, 1, 0},
	{"interrupted", TORN, TORN, OFF, NULL, NULL, ERR_NONE, "", ON, 1, 1, 0},
	{"interrupted, does not come up", TORN, TORN, OFF, "true # no", NULL, ERR_FAILED, "boom", OFF, 2, 1, 0},
	{"an earlier edit that nobody saw come up", ON, ON, OFF, "true # no", NULL, ERR_FAILED, "boom", OFF, 2, 1, 0},
	{"not read yet, does not come up", ON, ON, NULL, "true # no", NULL, ERR_FAILED, "exited with code 3", ON, 1, 0,
	 0},
	/* Without the lease nothing is put back; whoever comes next finds the edit that nobody has seen come up. */
	{"lease lost before the edit", OFF, OFF, NULL, NULL, NULL, ERR_LOCKED, "", OFF, 0, 1, 1},
	{"lease lost before the restart", OFF, OFF, NULL, NULL, NULL, ERR_LOCKED, "", ON, 0, 1, 2},
	/* The pass is out of time then: what is put back has a time of its own. */
	{"a router is lost", OFF, OFF, NULL, NULL, NULL, ERR_FAILED,
	 "it has lost routers that it had before: s@file; it said", OFF, 2, 1, 0},
	{"cannot be edited", "x: &a {}\n<<: *a\n", "x: &a {}\n<<: *a\n", NULL, NULL, NULL, ERR_BLOCKED, "merge key",
	 "x: &a {}\n<<: *a\n", 0, 0, 0},
};

static struct snapshot *make_snapshot(const struct world *w, const struct apply_case *c)
{
	json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:b}", "source", "file", "inside", "/etc/traefik/traefik.yml",
				"path", w->file, "content", c->planned, "single_file", 1);
	if (c->backup) {
		_cleanup_free_ char *path = xasprintf("%s/traefik-traefik-20200101T000000Z.yml", w->backups);
		json_set(doc, "backup", json_pack("{s:s, s:s}", "path", path, "content", c->backup));
		write_file(path, c->backup);
	}
	/* It does not run: not read yet. */
	_cleanup_json_ json_t *docs =
		json_pack("{s:{s:s}, s:{s:s}, s:{s:s, s:{s:b}}, s:{s:s}, s:o}", "host/gmktec", "hostname", "x",
			  "engine/info", "Name", "x", "engine/container/traefik", "Name", "/traefik", "State",
			  "Running", 0, "traefik/version", "Version", "2.11.53", "traefik/static", doc);
	struct snapshot *snap;
	struct err err;
	assert_int_equal(snapshot_from_json(docs, &snap, &err), 0);
	return snap;
}

static size_t count_and_remove(const char *dir)
{
	size_t n = 0;
	DIR *d = opendir(dir);

	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, e->d_name);
		n += e->d_name[0] != '.' && unlink(path) == 0;
	}
	closedir(d);
	return n;
}

__attribute__((format(printf, 2, 3))) static void ignore_progress(void *arg, const char *fmt, ...)
{
	(void)arg;
	(void)fmt;
}

static int before_mutation(void *arg, const char *what, struct err *err)
{
	struct world *w = arg;

	(void)what;
	return ++w->mutations == w->lost_at ? err_set(err, ERR_LOCKED, "the lease is lost") : 0;
}

static void check_case(struct world *w, const struct apply_case *c)
{
	struct cluster cluster = {.name = "lab",
				  .traefik_api = w->standin.url,
				  .backup_dir = w->backups,
				  .n_hosts = 1,
				  .engine_node = "gmktec"};
	struct engine_options eo = {.host = w->standin.engine, .config_dir = "/nonexistent"};
	struct resource_set *want = resource_set_new();
	struct resource *r = resource_add(want, "traefik", "traefik");
	struct change change = {.kind = &kind_traefik, .key = "traefik/traefik", .desired = r};
	_cleanup_str_ struct str result = {0};
	struct host *host;
	struct err err = {0};

	r->node = "gmktec";
	json_set_bool(r->body, "swarm_mode", true);
	write_file(w->file, c->file);
	w->breaks_on = c->breaks_on;
	w->shows = c->shows;
	w->lost_at = c->lost_at;
	w->loses = strstr(c->message, "has lost routers");
	w->mutations = w->restarts = 0;
	w->up = true;
	assert_int_equal(host_open(&(struct host_options){.node = "gmktec", .address = "127.0.0.1"}, &host, &err), 0);
	assert_int_equal(engine_open(&eo, &cluster.engine, &err), 0);
	cluster.hosts = &host;
	const struct mutation_hooks hooks = {.before = before_mutation, .arg = w};
	engine_set_hooks(cluster.engine, hooks);
	host_set_hooks(host, hooks);
	struct snapshot *snap = make_snapshot(w, c);
	struct apply a = {.cluster = &cluster,
			  .snap = snap,
			  .want = want,
			  .progress = ignore_progress,
			  .deadline = clock_ms() + (w->loses ? 4000 : 30000)};

	int rc = kind_traefik.apply(&a, &change, &err);
	read_file(w->file, &result);
	if ((rc < 0) != (c->code != ERR_NONE) || err.code != c->code || !strstr(err.msg, c->message))
		fail_msg("%s: %d %s: %s", c->name, rc, err_code_name(err.code), err.msg);
	if (strcmp(str_cstr(&result), c->result) != 0)
		fail_msg("%s: the file is\n%s", c->name, str_cstr(&result));
	if (w->restarts != c->restarts)
		fail_msg("%s: %d restarts", c->name, w->restarts);
	size_t backups = count_and_remove(w->backups);
	if (backups != c->backups)
		fail_msg("%s: %zu backups", c->name, backups);
	snapshot_free(snap);
	engine_close(cluster.engine);
	host_close(host);
	resource_set_free(want);
}

/* keep_container_routes */

#define KEPT "providers:\n  docker:\n    swarmMode: false\n  file: { directory: /dyn }\n"

struct keep_case {
	const char *name;
	const char *routes; /* the file when it is applied; NULL: none */
	int lost_at;
	enum err_code code;
	bool moved, switched;
};

static const struct keep_case keeps[] = {
	{"moved, then switched", NULL, 0, ERR_NONE, true, true},
	{"somebody wrote the file since the plan", "http: {}\n", 0, ERR_OUT_OF_SEQUENCE, false, false},
	{"lease lost before the move", NULL, 1, ERR_LOCKED, false, false},
	{"lease lost before the edit", NULL, 2, ERR_LOCKED, true, false},
};

static void check_keep(struct world *w, const struct keep_case *c)
{
	struct cluster cluster = {
		.traefik_api = w->standin.url, .backup_dir = w->backups, .n_hosts = 1, .engine_node = "gmktec"};
	struct engine_options eo = {.host = w->standin.engine, .config_dir = "/nonexistent"};
	const struct mutation_hooks hooks = {.before = before_mutation, .arg = w};
	struct resource_set *want = resource_set_new();
	struct resource *r = resource_add(want, "traefik", "traefik");
	struct change change = {.kind = &kind_traefik, .key = "traefik/traefik", .desired = r};
	_cleanup_str_ struct str file = {0}, routes = {0};
	struct snapshot *snap;
	struct host *host;
	struct err err = {0};

	r->node = "gmktec";
	json_set_bool(r->body, "swarm_mode", true);
	json_set(r->body, "container_routes", json_pack("{s:s}", "d@docker", "d@file"));
	write_file(w->file, KEPT);
	unlink(w->routes);
	if (c->routes)
		write_file(w->routes, c->routes);
	w->breaks_on = w->shows = NULL;
	w->lost_at = c->lost_at;
	w->mutations = w->restarts = 0;
	w->up = true;
	_cleanup_json_ json_t *docs =
		json_pack("{s:{s:s}, s:{s:s}, s:{s:s, s:{s:b}, s:[{s:s, s:s}]}, s:{s:s}, s:[], s:[], s:{s:n}, s:{s:s, "
			  "s:s, s:s, s:s}}",
			  "host/gmktec", "hostname", "x", "engine/info", "Name", "x", "engine/container/traefik",
			  "Name", "/traefik", "State", "Running", 1, "Mounts", "Destination", "/dyn", "Source", w->dir,
			  "traefik/version", "Version", "2.11.53", "traefik/routers", "traefik/neighbours",
			  "traefik/dynamic", "content", "traefik/static", "source", "file", "inside",
			  "/etc/traefik/traefik.yml", "path", w->file, "content", KEPT);
	assert_non_null(docs);
	json_t *raw;
	assert_int_equal(json_parse("{\"routers\": {" DOCKER_ROUTER "}}", strlen("{\"routers\": {" DOCKER_ROUTER "}}"),
				    &raw, &err),
			 0);
	json_set(docs, "traefik/rawdata", raw);
	assert_int_equal(snapshot_from_json(docs, &snap, &err), 0);
	assert_int_equal(host_open(&(struct host_options){.node = "gmktec", .address = "127.0.0.1"}, &host, &err), 0);
	assert_int_equal(engine_open(&eo, &cluster.engine, &err), 0);
	cluster.hosts = &host;
	engine_set_hooks(cluster.engine, hooks);
	host_set_hooks(host, hooks);
	struct apply a = {.cluster = &cluster,
			  .snap = snap,
			  .want = want,
			  .progress = ignore_progress,
			  .deadline = clock_ms() + 30000};

	int rc = kind_traefik.apply(&a, &change, &err);
	read_file(w->file, &file);
	bool there = access(w->routes, F_OK) == 0;
	if (there)
		read_file(w->routes, &routes);
	if ((rc < 0) != (c->code != ERR_NONE) || err.code != c->code)
		fail_msg("%s: %d %s: %s", c->name, rc, err_code_name(err.code), err.msg);
	if ((strstr(str_cstr(&routes), "rule: \"Host(`d`)\"") != NULL) != c->moved)
		fail_msg("%s: routes are in the file: %d\n%s", c->name, !c->moved, str_cstr(&routes));
	if ((strstr(str_cstr(&file), "swarmMode: true") != NULL) != c->switched || w->restarts != c->switched)
		fail_msg("%s: switched: %d, %d restarts", c->name, !c->switched, w->restarts);
	count_and_remove(w->backups);
	unlink(w->routes);
	snapshot_free(snap);
	engine_close(cluster.engine);
	host_close(host);
	resource_set_free(want);
}

static void test_apply(void **state)
{
	(void)state;
	struct world w = {.standin.answer = answer, .standin.arg = &w, .dir = "/tmp/traefik-apply.XXXXXX"};
	struct err err;

	assert_non_null(mkdtemp(w.dir));
	snprintf(w.file, sizeof(w.file), "%s/t.yml", w.dir);
	snprintf(w.backups, sizeof(w.backups), "%s/b", w.dir);
	snprintf(w.routes, sizeof(w.routes), "%s/reconcile-container-routes.yml", w.dir);
	assert_int_equal(file_mkdirs(w.backups, 0700, &err), 0);
	traefik_standin_start(&w.standin);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_case(&w, &cases[i]);
	for (size_t i = 0; i < ARRAY_SIZE(keeps); i++)
		check_keep(&w, &keeps[i]);
	traefik_standin_stop(&w.standin);
	str_free(&w.standin.log);
	unlink(w.file);
	rmdir(w.backups);
	assert_int_equal(rmdir(w.dir), 0);
}

/* Torn writes: every page of the file may be new up to some byte and old, or not there yet, behind it. */

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void fill(struct str *s, const char *line, size_t times)
{
	for (size_t i = 0; i < times; i++)
		str_addf(s, "# %zu %s\n", i, line);
}

static void make_texts(bool grows, struct str *old, struct str *edited)
{
	fill(old, "before", 300);
	fill(edited, "before", 300);
	str_adds(old, grows ? "a: 1\n" : "a: 1\nswarmMode: false\nb: 2\n");
	str_adds(edited, grows ? "a: 1\nswarmMode: true\n" : "a: 1\nb: 2\n");
	fill(old, "behind", 300);
	fill(edited, "behind", 300);
}

static void test_torn(void **state)
{
	(void)state;
	uint32_t seed = 7;
	size_t mixes = 0;

	for (int grows = 0; grows < 2; grows++) {
		_cleanup_str_ struct str old = {0}, edited = {0};
		make_texts(grows, &old, &edited);
		size_t max = old.len > edited.len ? old.len : edited.len;
		assert_false(traefik_is_torn(old.data, old.len, old.data, old.len, edited.data, edited.len));
		assert_false(traefik_is_torn(edited.data, edited.len, old.data, old.len, edited.data, edited.len));
		/* A write in place never makes a file shorter than both. */
		assert_false(traefik_is_torn(edited.data, 8192, old.data, old.len, edited.data, edited.len));
		for (int round = 0; round < 200; round++) {
			_cleanup_str_ struct str text = {0};
			for (size_t at = 0; at < max; at++) {
				size_t page = at / 4096;
				uint32_t mixed = seed + (uint32_t)page * 7919u;
				bool is_new = next_random(&mixed) % 4096 > at % 4096;
				const struct str *from = is_new ? &edited : &old;
				str_addc(&text, at < from->len ? from->data[at] : '\0');
			}
			next_random(&seed);
			bool same = (text.len == old.len && memcmp(text.data, old.data, old.len) == 0) ||
				    (text.len == edited.len && memcmp(text.data, edited.data, edited.len) == 0);
			mixes += !same;
			assert_int_equal(!same, traefik_is_torn(text.data, text.len, old.data, old.len, edited.data,
								edited.len));
			/* One more character, and it is somebody's own edit. */
			text.data[text.len / 2] ^= 1;
			assert_false(traefik_is_torn(text.data, text.len, old.data, old.len, edited.data, edited.len));
		}
	}
	assert_true(mixes > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_apply),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
