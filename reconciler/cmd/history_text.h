/* What `history` and `show` print, from what the store gives (state/store.h). Pure. */
#ifndef RECONCILE_CMD_HISTORY_TEXT_H
#define RECONCILE_CMD_HISTORY_TEXT_H

#include "cmd/text.h"

/* at_work: the newest run has no end because its process still is at work. */
void history_text(const json_t *runs, bool at_work, const struct text_style *style, struct str *out);
void show_text(const json_t *run, bool at_work, const struct text_style *style, struct str *out);

/* "converged", "failed", …, "killed"; how it is painted. */
const char *outcome_of_run(const json_t *run, bool at_work, enum paint *paint);
/* "3 done, 1 unhealthy"; appends. */
void outcomes_text(const json_t *run, struct str *out);

#endif
