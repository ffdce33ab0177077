#include "cmd/cmd.h"

#include <stdio.h>

const struct command commands[] = {
	{"apply", "make the cluster equal to its spec (the default command)", cmd_apply},
	{"bootstrap", "the same on a bare host: may create the swarm", cmd_bootstrap},
	{"help", "this text", cmd_help},
	{"validate", "check a spec; needs no cluster", cmd_validate},
	{"version", "print the version", cmd_version},
};
const size_t n_commands = ARRAY_SIZE(commands);

int cmd_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("usage: reconcile [COMMAND] [OPTIONS] [SPEC]\n");
	for (size_t i = 0; i < n_commands; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	puts("\nThe spec:\n"
	     "  SPEC                     a file, or a directory with a cluster.yaml (default: the current one)\n"
	     "  --repo URL [--ref REF] [--path FILE]\n"
	     "                           a file of a commit in a git repository, local or remote\n"
	     "  --allow-env NAME         let ${NAME} in the spec read this environment variable; repeatable\n"
	     "\napply and bootstrap:\n"
	     "  -n, --dry-run            show the plan, change nothing\n"
	     "      --detailed-exitcode  with --dry-run: exit 2 when there are changes\n"
	     "      --json, --markdown   the plan for machines, for a review comment\n"
	     "  -y, --yes                do not ask before destructive steps\n"
	     "  -w, --wait               wait until gates hold instead of ending with exit 3\n"
	     "      --timeout DURATION   of the whole pass, \"90s\" or \"30m\" (default 30m)\n"
	     "      --refresh-images     resolve tags to digests again\n"
	     "      --host URL           the Docker Engine (default: as the docker client finds it)\n"
	     "      --state-dir DIR      history and locks (default /var/lib/reconcile/CLUSTER)\n"
	     "\nvalidate:\n"
	     "      --json               findings for machines\n"
	     "\nExit status: 0 in sync or converged, 1 failed, 2 changes pending (--detailed-exitcode), 3 blocked,\n"
	     "waiting or unreachable, 4 spec invalid, 5 locked, 64 usage.");
	return 0;
}

int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("reconcile " RECONCILE_VERSION);
	return 0;
}
