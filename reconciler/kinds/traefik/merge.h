/*
 * Adds definitions to a file of Traefik's file provider; every byte that is
 * there stays. Pure. Source: docs of v2.11, providers/file: the file is a Go
 * template, so that "{{" is not text in it.
 */
#ifndef RECONCILE_KINDS_TRAEFIK_MERGE_H
#define RECONCILE_KINDS_TRAEFIK_MERGE_H

#include "base/err.h"
#include "base/json.h"

/*
 * add: {"http": {"routers": {"whoami": {…}}, …}, …}, with depth mappings above the definitions (2). What the text has
 * already, word for word, is left; a definition of the same name that says something else, a template, and what cannot
 * be edited without guessing (flow style, anchors, aliases, merge keys, tags on the way) is ERR_FAILED with the line.
 * The result is parsed again and compared with what was intended. Appends to out.
 */
int traefik_merge(const char *text, size_t len, const json_t *add, int depth, struct str *out,
		  struct err *err) MUST_CHECK;

/* The same of a file that is no template: Traefik's static configuration. */
int yaml_merge(const char *text, size_t len, const json_t *add, int depth, struct str *out, struct err *err) MUST_CHECK;

#endif
