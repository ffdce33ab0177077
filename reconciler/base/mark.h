/* A position in a text the user wrote. */
#ifndef RECONCILE_BASE_MARK_H
#define RECONCILE_BASE_MARK_H

#include <stdbool.h>

/* What messages say in place of an environment variable's value. */
#define HIDDEN_VALUE "(value of a variable)"

/* line and col count from 1, col in characters (code points), as editors do.
 * line 0: no position. file is borrowed and outlives the mark. */
struct mark {
	const char *file;
	int line;
	int col;
	bool hidden; /* what stands there holds an environment variable's value: plans do not show it */
};

#endif
