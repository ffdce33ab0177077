/* The subcommands. Each file implements one and its help; commands.c lists them. */
#ifndef RECONCILE_CMD_CMD_H
#define RECONCILE_CMD_CMD_H

#include "run/run.h"
#include "spec/settings.h"

struct command {
	const char *name;
	const char *summary;
	/* argv[0] is the command's name. Returns the exit status. */
	int (*main)(int argc, char **argv);
};

extern const struct command commands[];
extern const size_t n_commands;

int cmd_apply(int argc, char **argv);
int cmd_approve(int argc, char **argv);
int cmd_bootstrap(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_rollback(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_suspend(int argc, char **argv);
int cmd_validate(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_version(int argc, char **argv);

/*
 * Options that name the spec, shared by every command that reads one, and this
 * machine's settings, which they override. After source_args_finish:
 * settings is there (of an empty file when there is none), and its allow_env
 * has the command line's too.
 */
struct source_args {
	struct source_options options;
	VEC(const char *) allow_env; /* of the command line */
	const char *config;          /* --config; NULL: RECONCILE_CONFIG, else SETTINGS_FILE */
	struct settings *settings;
};
#define SETTINGS_OPTION \
	{ \
		"config", required_argument, NULL, 'c' \
	}
#define SOURCE_OPTIONS \
	SETTINGS_OPTION, {"repo", required_argument, NULL, 'r'}, {"ref", required_argument, NULL, 'R'}, \
		{"path", required_argument, NULL, 'p'}, {"file", required_argument, NULL, 'p'}, \
	{ \
		"allow-env", required_argument, NULL, 'e' \
	}
/* True when opt is one of them. */
bool source_args_take(struct source_args *a, int opt, const char *value);
/*
 * Takes the positional SPEC, reads the settings, fills in what is missing. -1 after a message on stderr: usage error,
 * also of the settings.
 */
int source_args_finish(struct source_args *a, int argc, char **argv, int optind_now);
void source_args_free(struct source_args *a);

/*
 * Settings alone, for commands that read no spec. file: as source_args.config. Refuses a file that others than its
 * owner, root or the caller, may write. -1 after messages on stderr: usage error.
 */
int settings_read(const char *file, struct settings **out);

/* The value of an option: "90s", "2h", "3d", "1h30m", up to a year. False after a message on stderr: usage error. */
bool duration_option(const char *option, const char *value, int64_t *seconds);
bool timeout_option(const char *value, int64_t *ms); /* of --timeout */

/* Prints "reconcile: error: …" and returns the exit status of the code. */
int fail_with(const struct err *err);
void print_diags(const struct diags *d, const char *text);

/* Events of a run as text on stdout and stderr; quiet keeps stdout for --json or --markdown. */
enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_MARKDOWN };
struct ui {
	enum output output;
	bool color, terminal; /* of stdout */
	bool status_shown;
	struct str plan;  /* the last one shown: while gates are waited for it is not repeated */
	json_t *progress; /* the last text of each change: repeated only when it differs */
	struct run_events events;
};
/* A question that y answers; anything else, and Ctrl-C, is no. The caller has made sure of a terminal. */
bool ui_ask(const char *question);
void ui_init(struct ui *ui, enum output output);
void ui_free(struct ui *ui);
void ui_finish(struct ui *ui, const struct run_options *o, const struct run_result *r);

#endif
