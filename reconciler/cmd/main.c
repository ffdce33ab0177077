#include "base/json.h"
#include "cmd/cmd.h"
#include "kinds/cluster.h"
#include "sys/mutation.h"
#include "sys/trace.h"

#include <ctype.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_MISTYPED 2

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static const char *closest(const char *word)
{
	const char *name = NULL;
	uint32_t best = MAX_MISTYPED + 1;

	for (size_t i = 0; i < n_commands; i++) {
		uint32_t d = str_distance(commands[i].name, word);
		if (d < best) {
			best = d;
			name = commands[i].name;
		}
	}
	return name;
}

/* A mistyped command is not taken for a spec that happens to be missing. */
static bool is_mistyped_command(const char *arg)
{
	return islower((unsigned char)*arg) && !strpbrk(arg, "./") && access(arg, F_OK) < 0;
}

static int refuse_word(const char *word)
{
	const char *meant = closest(word);

	fprintf(stderr, "reconcile: '%s' is neither a command nor a file", word);
	if (meant)
		fprintf(stderr, "; did you mean '%s'?\n", meant);
	else
		fputs("; see reconcile help\n", stderr);
	return 64;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	struct err err = {0};

	setlocale(LC_CTYPE, "");
	json_init();
	engine_use_ssh(&host_ssh);
	trace_open_from_env();
	if (mutation_check_env(&err) < 0)
		return fail_with(&err);

	if (asks_for_help(argc, argv))
		return cmd_help(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "--version") == 0)
		return cmd_version(argc - 1, argv + 1);
	/* `apply` is the default: an option or a spec may follow at once. */
	const struct command *c = argc > 1 ? find(argv[1]) : NULL;
	if (!c && argc > 1 && is_mistyped_command(argv[1]))
		return refuse_word(argv[1]);
	char **args = c ? argv + 1 : argv;
	args[0] = "reconcile"; /* what getopt's messages begin with */
	return c ? c->main(argc - 1, args) : cmd_apply(argc, args);
}
