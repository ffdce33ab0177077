/* What a store has of a model. Pure. */
#ifndef RECONCILE_KINDS_MODEL_STATE_H
#define RECONCILE_KINDS_MODEL_STATE_H

#include "base/err.h"
#include "base/json.h"

struct model_state {
	char *digest;   /* of the model: "sha256:" and the checksum of its manifest file, as Ollama does */
	char *manifest; /* the file, below the store's models/ */
	int64_t size;   /* of all its blobs, as the manifest says */
	char *damage;   /* what is not as the manifest says, for people; NULL: it is whole */
	json_t *wrong;  /* blobs that are there with a wrong size, which a pull would take for good: "sha256-…" */
};

/* From the answer of look_model (host/probe.sh). ERR_FAILED when a blob could not be looked at. */
int model_state_parse(const char *look, struct model_state *out, struct err *err) MUST_CHECK;
void model_state_free(struct model_state *s);

/* "4.1 GB", in powers of ten as Ollama counts. Appends. */
void model_size(int64_t bytes, struct str *out);

#endif
