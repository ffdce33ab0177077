#include "cmd/target.h"

#include "model/kind.h"
#include "run/observe.h"
#include "sys/clock.h"

#include <stdio.h>
#include <string.h>

bool target_args_take(struct target_args *a, int opt, const char *value)
{
	switch (opt) {
	case TARGET_CLUSTER:
		a->cluster = value;
		return true;
	case TARGET_HOST:
		a->host = value;
		return true;
	case TARGET_STATE:
		a->state_dir = value;
		return true;
	default:
		return source_args_take(&a->source, opt, value);
	}
}

int target_args_finish(struct target_args *a, int argc, char **argv, int first)
{
	if (a->cluster && (argc > first || a->source.options.repo_url)) {
		fputs("reconcile: --cluster does without a spec: name one or the other\n", stderr);
		return -1;
	}
	if (source_args_finish(&a->source, argc, argv, first) < 0)
		return -1;
	a->host = a->host ? a->host : a->source.settings->docker_host;
	a->state_dir = a->state_dir ? a->state_dir : a->source.settings->state_dir;
	return 0;
}

void target_args_free(struct target_args *a)
{
	source_args_free(&a->source);
}

static int load_spec(const struct target_args *a, struct target *t, struct err *err)
{
	CLEANUP(diags_free) struct diags diags = {0};

	if (origin_open(&a->source.options, NULL, &t->origin, err) < 0)
		return -1;
	const struct spec_input in = origin_input(t->origin, a->source.settings->allow_env);
	int rc = spec_load(&in, &t->spec, &diags, err);
	if (rc < 0)
		print_diags(&diags, in.text);
	return rc;
}

int target_open(const struct target_args *a, struct target *t, struct err *err)
{
	t->args = a;
	if (a->cluster) {
		t->cluster = xstrdup(a->cluster);
	} else if (load_spec(a, t, err) < 0) {
		size_t len = strlen(err->msg);
		snprintf(err->msg + len, sizeof(err->msg) - len, " (--cluster NAME does without the spec)");
		return -1;
	} else {
		t->cluster = xstrdup(spec_cluster(t->spec));
	}
	t->state_dir = a->state_dir ? xstrdup(a->state_dir) : xasprintf(STATE_ROOT "/%s", t->cluster);
	return 0;
}

void target_close(struct target *t)
{
	if (!t->session)
		engine_close(t->engine);
	session_close(t->session);
	spec_free(t->spec);
	origin_close(t->origin);
	free(t->cluster);
	free(t->state_dir);
}

int target_engine(struct target *t, struct err *err)
{
	const struct engine_options o = {.host = t->args->host};

	if (t->engine)
		return 0;
	if (!t->spec)
		return engine_open(&o, &t->engine, err);
	if (session_open(t->spec, o.host, false, &t->session, err) < 0 ||
	    session_require_answer(t->session, t->spec, err) < 0)
		return -1;
	t->engine = t->session->cluster.engine;
	return 0;
}

int target_now(struct target *t, int64_t deadline, int64_t *now, struct err *err)
{
	_cleanup_json_ json_t *info = NULL;

	if (target_engine(t, err) < 0 || engine_get(t->engine, deadline, &info, err, "/info") < 0)
		return -1;
	if (!clock_parse_rfc3339(json_str(info, "SystemTime"), now))
		return err_set(err, ERR_PROTOCOL, "GET /info: the engine at %s does not tell its time",
			       engine_address(t->engine));
	return 0;
}

bool target_is_resource(const char *arg)
{
	const char *slash = strchr(arg, '/');
	if (!slash || slash[1] == '\0' || strchr(slash + 1, '/'))
		return false;
	_cleanup_free_ char *kind = xasprintf("%.*s", (int)(slash - arg), arg);
	return kind_find(kind) != NULL;
}

/* Names do not depend on what was observed: an empty snapshot will do. */
int target_check_resource(const struct target *t, const char *command, const char *key, struct err *err)
{
	const char *const names[] = {key, NULL};
	struct resource_set *want = NULL, *live = NULL;

	if (!t->spec)
		return 0;
	struct snapshot *nothing = snapshot_new();
	int rc = build_resources(t->spec, nothing, &want, &live, err);
	if (rc == 0)
		rc = plan_check_names(want, command, names, err);
	resource_set_free(want);
	resource_set_free(live);
	snapshot_free(nothing);
	return rc;
}
