#include "run/apply.h"

/* A gate behind changes of this very plan is asked when they have been made. */
static bool is_prepared_by_plan(const struct plan *p, const struct change *c, const bool *holds)
{
	for (size_t i = 0; i < c->after.n; i++) {
		size_t before = c->after.v[i];
		if (p->changes.v[before].state == CHANGE_READY && !holds[before])
			return true;
	}
	return false;
}

static int ask_gate(struct plan *p, size_t i, struct apply *a, bool *holds, struct err *err)
{
	struct change *c = &p->changes.v[i];
	struct gate g = {0};

	if (c->kind->gate(a, c, true, &g, err) < 0) {
		if (err->code == ERR_CANCELLED)
			return -1;
		plan_hold(p, i, CHANGE_BLOCKED, err->msg, 0);
	} else if (!g.met) {
		plan_hold(p, i, g.waiting ? CHANGE_WAITING : CHANGE_BLOCKED,
			  g.reason ? g.reason : "its gate does not hold", g.retry_after_s);
	} else if (c->action == ACTION_VERIFY) {
		*holds = true;
		c->effect = "holds now";
	}
	free(g.reason);
	return 0;
}

int ask_gates(struct plan *p, struct apply *a, struct err *err)
{
	bool *holds = xcalloc(p->changes.n, sizeof(*holds)); /* verified already: nothing that others wait for */
	int rc = 0;

	for (size_t i = 0; i < p->changes.n && rc == 0; i++) {
		struct change *c = &p->changes.v[i];
		if (c->state == CHANGE_READY && c->kind->gate && !is_prepared_by_plan(p, c, holds))
			rc = ask_gate(p, i, a, &holds[i], err);
	}
	free(holds);
	return rc;
}
