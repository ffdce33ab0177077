#include "model/snapshot.h"

struct snapshot {
	json_t *docs;    /* name -> document */
	json_t *unknown; /* name -> reason */
};

struct snapshot *snapshot_new(void)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));
	s->docs = json_object();
	s->unknown = json_object();
	return s;
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	json_decref(s->docs);
	json_decref(s->unknown);
	free(s);
}

void snapshot_put(struct snapshot *s, const char *doc, json_t *stolen)
{
	json_object_del(s->unknown, doc);
	json_set(s->docs, doc, stolen);
}

void snapshot_put_unknown(struct snapshot *s, const char *doc, const struct err *why)
{
	json_object_del(s->docs, doc);
	json_set_str(s->unknown, doc, why->msg);
}

json_t *snapshot_get(const struct snapshot *s, const char *doc, const char **why)
{
	json_t *j = json_object_get(s->docs, doc);
	if (!j && why) {
		const char *reason = json_str(s->unknown, doc);
		*why = reason ? reason : "it was not looked at";
	}
	return j;
}

bool snapshot_has(const struct snapshot *s, const char *doc)
{
	return json_object_get(s->docs, doc) || json_object_get(s->unknown, doc);
}

int snapshot_from_json(const json_t *j, struct snapshot **out, struct err *err)
{
	const char *doc;
	json_t *value;

	if (!json_is_object(j))
		return err_set(err, ERR_PROTOCOL, "a snapshot is a JSON object of documents");
	struct snapshot *s = snapshot_new();
	json_object_foreach ((json_t *)j, doc, value) {
		const char *reason = json_object_size(value) == 1 ? json_str(value, "unknown") : NULL;
		if (reason)
			json_set_str(s->unknown, doc, reason);
		else
			json_set(s->docs, doc, json_incref(value));
	}
	*out = s;
	return 0;
}
