#include "sys/mutation.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "RECONCILE_KILL_AT"

/* What the suffix of the number asks for. */
static const struct way {
	const char *suffix;
	int signal;
	bool after;
} ways[] = {{"", SIGKILL, false}, {"+", SIGKILL, true}, {"s", SIGSTOP, false}};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *malformed; /* NULL: it is not */
static unsigned long at;      /* 0: never */
static const struct way *way;
static atomic_ulong count;
static _Thread_local unsigned long mine; /* the number of the one that this thread is about to make */
static _Thread_local const char *subject;

static void parse(void)
{
	const char *text = getenv(VARIABLE);
	char *end;

	if (!text || !*text)
		return;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(end, ways[i].suffix) == 0)
			way = &ways[i];
	if (*text < '0' || *text > '9' || n == 0 || errno || !way)
		malformed = text;
	else
		at = n;
}

int mutation_check_env(struct err *err)
{
	pthread_once(&once, parse);
	if (!malformed)
		return 0;
	return err_set(err, ERR_USAGE,
		       VARIABLE "=%s: it takes the number of a change, such as 7, 7+ or 7s; unset it, it is for tests",
		       malformed);
}

void mutation_set_subject(const char *key)
{
	subject = key;
}

const char *mutation_subject(void)
{
	return subject;
}

void mutation_kill_before(void)
{
	pthread_once(&once, parse);
	if (at == 0)
		return;
	mine = atomic_fetch_add(&count, 1) + 1;
	if (mine == at && !way->after)
		raise(way->signal); /* to this thread: one for the process lets it run on until another one has taken it
				     */
}

void mutation_kill_after(void)
{
	if (at != 0 && mine == at && way->after)
		raise(way->signal);
}
