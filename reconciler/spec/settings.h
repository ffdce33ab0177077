/*
 * This machine's settings, /etc/reconcile/reconcile.yaml: defaults for the
 * command line, and what a spec may use of this machine (DESIGN §5: a spec is
 * data, also in review). schema/settings.schema.json says what the keys mean.
 * Read by the YAML reader and the schema checker of the spec.
 */
#ifndef RECONCILE_SPEC_SETTINGS_H
#define RECONCILE_SPEC_SETTINGS_H

#include "spec/spec.h"

#define SETTINGS_FILE "/etc/reconcile/reconcile.yaml"

struct settings_command {
	const char *name;
	const char *const *argv; /* NULL-terminated; "{name}" in it stands for a secret's entry */
	bool takes_entry;        /* argv has "{name}"; else the encrypted file comes on stdin */
};

struct settings {
	const char *file; /* where they come from; NULL: there is no such file */
	/* Defaults; NULL: none. */
	const char *repo, *ref, *path, *spec, *docker_host, *state_dir;
	/* What a spec may use; never NULL, NULL-terminated. */
	const char *const *allow_env; /* with those of the command line */
	const char *const *allow_files;
	const char *const *command_env;
	const struct settings_command *commands;
	size_t n_commands;
	struct arena *arena; /* everything above lives in it */
};

/*
 * in: name, text and len. The result is never without a settings object on success; an empty text is no settings.
 * Else ERR_USAGE, *err says how many findings there are, and diags has them all.
 */
int settings_parse(const struct spec_input *in, struct settings **out, struct diags *diags, struct err *err) MUST_CHECK;
struct settings *settings_none(void);
void settings_free(struct settings *s); /* NULL-safe */

/* From the command line: one more variable that a spec may use. */
void settings_allow_env(struct settings *s, const char *name);

/* s may be NULL: nothing is allowed then. */
const struct settings_command *settings_command(const struct settings *s, const char *name); /* NULL */
bool settings_allows_env(const struct settings *s, const char *name);

#endif
