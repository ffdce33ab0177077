#include "cmd/cmd.h"

#include <stdio.h>

const struct command commands[] = {
	{"apply", "make the cluster equal to its spec (the default command)", cmd_apply},
	{"approve", "let the destructive changes of a saved plan be made", cmd_approve},
	{"bootstrap", "the same on bare hosts: may install packages, create the swarm", cmd_bootstrap},
	{"doctor", "known traps, seen in what runs: why they matter, how to mend them", cmd_doctor},
	{"help", "this text", cmd_help},
	{"history", "the runs that changed something", cmd_history},
	{"import", "what runs, as a spec whose plan changes nothing", cmd_import},
	{"resume", "lift what suspend and rollback hold", cmd_resume},
	{"rollback", "apply the spec of an earlier run again, and hold it", cmd_rollback},
	{"show", "one run: its plans, its steps, its end", cmd_show},
	{"status", "what runs, what failed, what waits, who is at work", cmd_status},
	{"suspend", "change nothing for a while: the cluster, or KIND/NAME", cmd_suspend},
	{"validate", "check a spec; needs no cluster", cmd_validate},
	{"verify", "is the cluster what its spec says, and well?", cmd_verify},
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
	     "  --config FILE            this machine's settings (default /etc/reconcile/reconcile.yaml)\n"
	     "\napply and bootstrap:\n"
	     "  -n, --dry-run            show the plan, change nothing\n"
	     "      --detailed-exitcode  with --dry-run: exit 2 when there are changes\n"
	     "      --json, --markdown   the plan for machines, for a review comment\n"
	     "  -y, --yes                do not ask before destructive steps\n"
	     "  -w, --wait               wait until gates hold instead of ending with exit 3\n"
	     "      --timeout DURATION   of the whole pass, \"90s\" or \"30m\" (default 30m)\n"
	     "      --refresh-images     resolve tags to digests again\n"
	     "      --only KIND/NAME     this and what it requires, nothing else; repeatable\n"
	     "      --retry[=KIND/NAME]  try again what failed or is contested (without a name: all of it)\n"
	     "      --host URL           the Docker Engine (default: as the docker client finds it)\n"
	     "      --state-dir DIR      history and locks (default /var/lib/reconcile/CLUSTER)\n"
	     "      --out FILE           with --dry-run: save the plan, for `reconcile apply FILE`\n"
	     "      --accept-new-host-keys\n"
	     "                           bootstrap only: trust hosts that ssh does not know yet\n"
	     "\nsuspend, resume, rollback, approve:\n"
	     "  suspend [KIND/NAME] [--for 2h] [--reason TEXT] [SPEC]\n"
	     "  resume [KIND/NAME | --all] [SPEC]\n"
	     "  rollback [RUN | --to COMMIT] [-n] [-y] [-w] [--timeout DURATION] [--json | --markdown] [SPEC]\n"
	     "  approve [-y] FILE        FILE is a saved plan\n"
	     "      --cluster NAME       instead of a spec that cannot be read (not for approve and --to)\n"
	     "\nstatus, history, show:\n"
	     "  status [-w, --watch] [--json] [SPEC]\n"
	     "                           looks only; --watch: until Ctrl-C; exit 1: something failed, 3: not ready\n"
	     "  history [-n, --limit N] [--json] [SPEC]\n"
	     "  show [RUN] [--json] [SPEC]\n"
	     "      --cluster NAME       as above; history and show need no spec with --state-dir either\n"
	     "\ndoctor:\n"
	     "  doctor [--json] [--no-spec] [SPEC]\n"
	     "                           looks only; without a spec at what the engine shows; exit 1: an error was "
	     "found,\n"
	     "                           3: something could not be looked at\n"
	     "\nimport:\n"
	     "  import [--cluster NAME] [--stack NAME=FILE[,FILE…]]... [--no-cluster] > cluster.yaml\n"
	     "                           looks only; --stack: this stack from its files; --no-cluster: nothing else;\n"
	     "                           exit 3: something is left for a person to decide, stderr says what\n"
	     "\nverify:\n"
	     "  verify [--json] [--timeout DURATION] [--disrupt[=SERVICE] [-y]] [SPEC]\n"
	     "                           looks only; again while something may still become well (default 60s; 0: "
	     "once);\n"
	     "                           exit 1: a check failed, 3: something is not known;\n"
	     "                           --disrupt: then kills a replica and watches it come back\n"
	     "\nvalidate:\n"
	     "      --json               findings for machines\n"
	     "\nExit status: 0 in sync or converged, 1 failed, 2 changes pending (--detailed-exitcode), 3 blocked,\n"
	     "waiting or unreachable, 4 spec invalid, 5 locked or suspended, 64 usage.");
	return 0;
}

int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("reconcile " RECONCILE_VERSION);
	return 0;
}
