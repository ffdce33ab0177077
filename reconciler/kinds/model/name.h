/* Names of models as Ollama reads them (types/model/name.go, manifest/paths.go). Pure. */
#ifndef RECONCILE_KINDS_MODEL_NAME_H
#define RECONCILE_KINDS_MODEL_NAME_H

#include "base/str.h"

struct model_name {
	char *host, *space, *model, *tag; /* all there, with Ollama's defaults */
	bool insecure;                    /* "http://…": Ollama has to be told that it may */
};

/* "[[[http[s]://]HOST/]NAMESPACE/]MODEL[:TAG]"; false: Ollama does not take it. */
bool model_name_parse(const char *text, struct model_name *out);
void model_name_free(struct model_name *n);

/* The name without scheme, as Ollama's commands take and show it: what is a default is left out, but the tag. */
char *model_name_short(const struct model_name *n);

/*
 * Where its manifest can be, in a store's directory and in the order in which Ollama looks, each with a blank behind
 * it: recent versions write manifests-v2 and call the default registry ollama.com there. Appends.
 */
void model_name_manifests(const struct model_name *n, struct str *out);

#endif
