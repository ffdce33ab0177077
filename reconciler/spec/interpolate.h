/*
 * ${…} in scalars, as the Compose Specification has it (12-interpolation.md):
 * $VAR ${VAR} ${VAR:-default} ${VAR-default} ${VAR:?message} ${VAR?message}
 * ${VAR:+other} ${VAR+other}, nested, and $$ for a dollar sign. Only variables
 * on the allow-list may be read, and their values never appear in a message.
 *
 * Stack files are read as docker/cli does it (cli/compose/template): a default
 * ends at the first brace and stays as it is, dollar signs too, and there is no "+".
 */
#ifndef RECONCILE_SPEC_INTERPOLATE_H
#define RECONCILE_SPEC_INTERPOLATE_H

#include "spec/spec.h"

struct interpolation {
	const char *const *allow; /* NULL-terminated, or NULL */
	size_t room;              /* bytes that values may still add to the whole spec */
	struct diags *diags;
	bool stack_file;
};

/*
 * Appends text with its variables replaced to out; *from_env says whether one
 * was. Returns false after adding a finding. exact: at is where text's first
 * character stands, and the rest follows on the same line as written.
 */
bool interpolate(struct interpolation *ip, const char *text, struct mark at, bool exact, struct str *out,
		 bool *from_env);

#endif
