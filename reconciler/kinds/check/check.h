/*
 * check/<name>: a request of the spec and what must come back. A gate, as a route is: looked at, never written.
 */
#ifndef RECONCILE_KINDS_CHECK_CHECK_H
#define RECONCILE_KINDS_CHECK_CHECK_H

#include "model/kind.h"

int check_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err) MUST_CHECK;

/* No more of a body is read. */
#define CHECK_BODY_MAX ((size_t)1 << 20)

struct check_answer {
	int status;
	const char *body;
	size_t len;
};

/*
 * What is wrong with an answer: malloc'ed, one line whatever the answer is; NULL: it is as expected. check: the desired
 * resource. What holds a variable's value is not in it; nor is any text of the answer, once anything of the check does,
 * for an answer may repeat what it was asked. Pure.
 */
char *check_judge(const struct resource *check, const struct check_answer *answer);

/* Whether anything that is sent or expected holds a variable's value. */
bool check_hides(const struct resource *check);

#endif
