/* What `status` prints, from its document (run/status.h, docs/status-format.md). Pure. */
#ifndef RECONCILE_CMD_STATUS_TEXT_H
#define RECONCILE_CMD_STATUS_TEXT_H

#include "cmd/text.h"

/* The whole, what is in trouble first. */
void status_text(const json_t *doc, const struct text_style *style, struct str *out);

/*
 * For `--watch` without a terminal: one line a thing, {"service/web": "2/3 tasks, updating"}, without anything that
 * changes by itself. What the document does not know is taken from the lines before (NULL: none). New reference.
 */
json_t *status_lines(const json_t *doc, const json_t *before);
/* "14:03:22 service/web: 3/3 tasks, running" for each line that differs from before. Appends. */
void status_changes(const json_t *before, const json_t *now, int64_t wall, struct str *out);

#endif
