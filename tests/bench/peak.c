/*
 * Runs a program and prints its peak private memory in KiB on stderr's last
 * line: the highest resident size, less the pages of files (libraries, the
 * program itself), which the page cache holds once for everybody. Stopped by
 * ptrace at its exit, when its memory is still there to be read.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static long status_kib(pid_t pid, const char *name)
{
	char path[64], line[256];
	long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtol(line + strlen(name), NULL, 10);
	fclose(f);
	return kib;
}

static long peak_private(pid_t pid)
{
	return status_kib(pid, "VmHWM:") - status_kib(pid, "RssFile:") - status_kib(pid, "RssShmem:");
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2)
		return 64;
	pid_t pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT) < 0)
		return 1;
	for (int sig = 0;;) {
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)sig);
		if (waitpid(pid, &status, 0) < 0)
			return 1;
		if (WIFEXITED(status) || WIFSIGNALED(status))
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
		sig = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			fprintf(stderr, "%ld\n", peak_private(pid));
	}
}
