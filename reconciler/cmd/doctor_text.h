/* What `doctor` prints, from its document (run/doctor/doctor.h, docs/doctor.md). Pure. */
#ifndef RECONCILE_CMD_DOCTOR_TEXT_H
#define RECONCILE_CMD_DOCTOR_TEXT_H

#include "cmd/text.h"

void doctor_text(const json_t *doc, const struct text_style *style, struct str *out);

#endif
