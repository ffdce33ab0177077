#include "run/import/import.h"

#include "kinds/cluster.h"
#include "model/kind.h"

static const struct {
	const char *doc, *path;
	json_type answer;
} lists[] = {
	{"engine/info", "/info", JSON_OBJECT},
	{"engine/swarm", "/swarm", JSON_OBJECT},
	{"engine/nodes", "/nodes", JSON_ARRAY},
	{"engine/networks", "/networks", JSON_ARRAY},
	{"engine/volumes", "/volumes", JSON_OBJECT},
	{"engine/configs", "/configs", JSON_ARRAY},
	{"engine/secrets", "/secrets", JSON_ARRAY},
	{"engine/services", "/services?status=true", JSON_ARRAY},
	{"engine/containers", "/containers/json?all=1", JSON_ARRAY},
};

/* Half of a cluster is none: a list that is missing would read as "there is nothing". */
static int fetch_lists(struct engine *e, int64_t deadline, struct snapshot *snap, struct err *err)
{
	const char *paths[ARRAY_SIZE(lists)];
	json_t *answers[ARRAY_SIZE(lists)];
	struct err errs[ARRAY_SIZE(lists)] = {0};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		paths[i] = lists[i].path;
	engine_get_all(e, deadline, paths, ARRAY_SIZE(lists), answers, errs);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (answers[i] && json_typeof(answers[i]) == lists[i].answer) {
			snapshot_put(snap, lists[i].doc, answers[i]);
			continue;
		}
		if (answers[i])
			err_set(&errs[i], ERR_PROTOCOL, "GET %s: the engine's answer is not of its API", paths[i]);
		json_decref(answers[i]);
		if (rc == 0) {
			*err = errs[i];
			rc = -1;
		}
	}
	return rc;
}

static int fetch_all(struct engine *e, int64_t deadline, struct snapshot *snap, struct err *err)
{
	struct cluster c = {.engine = e};
	struct fetch f = {.cluster = &c, .snap = snap, .deadline = deadline};

	if (fetch_lists(e, deadline, snap, err) < 0)
		return -1;
	snapshot_put(snap, "engine/version", json_pack("{s:s}", "ApiVersion", engine_api_version(e)));
	snapshot_put(snap, "run/options", json_pack("{s:b}", "may_init", 0));
	return kind_find("service")->fetch(&f, err);
}

int import_fetch(const struct import_options *o, int64_t deadline, struct snapshot **out, struct err *err)
{
	const struct engine_options eo = {.host = o->docker_host};
	struct snapshot *snap = snapshot_new();
	struct engine *e = NULL;

	int rc = engine_open(&eo, &e, err);
	if (rc == 0)
		rc = fetch_all(e, deadline, snap, err);
	engine_close(e);
	if (rc < 0) {
		snapshot_free(snap);
		return err_wrap(err, "looking at the cluster");
	}
	*out = snap;
	return 0;
}
