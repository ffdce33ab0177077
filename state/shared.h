/*
 * What any reconciler must know before it acts, wherever it runs. It is kept in
 * Swarm's Raft store, in the labels of one config object, one label for each
 * section, and updated by the object's version index (run/shared.h does that).
 * This file is the pure part. Deleting the local state loses nothing of it.
 *
 * In the program it is one JSON object of sections; an empty section is left out:
 *
 *   lease      {"holder": "<128 random bits, hex>", "host": "gmktec", "pid": 412, "boot_id": …, "started": …,
 *               "ttl_s": 30, "count": 7}: who may change things; see run/lease.h
 *   suspended  {"*" or "kind/name": {"reason": …, "by": "root@gmktec", "since": wall, "until": wall,
 *               "run": 12, "commit": …}}: until missing: until `resume`; run and commit: a rollback holds
 *   applied    {"commit": … , "spec": "<sha256 of the spec's text>", "source": …, "at": wall, "complete": true}:
 *               the spec that last changed something, written before it does; complete: to its end
 *   attempts   {"kind/name": {"spec": "<fingerprint>", "at": wall}}: writes that were begun and not yet seen
 *               to converge
 *   failed     {"kind/name": {"spec": "<fingerprint>", "reason": …, "at": wall, "past": true}}: that spec of
 *               it is not tried again; past: another one runs well
 *   adopted    {"kind/name": "<id>"}: adopted objects that cannot carry the ownership label
 *   reverts    {"kind/name": {"<path>": {"value": "<fingerprint>", "at": [wall, …], "last": wall}}}: what was
 *               written last to a field that had something else, and when the same was written again; three
 *               times in an hour: contested
 *   approved   {"<fingerprint of a change>": {"resource": "kind/name", "by": …, "at": wall}}
 *   report     {"kind/name": {"<field>": "<fingerprint>"}}: of resources with `drift: report`: what was
 *               applied last
 *   hidden     {"kind/name": ["<path>", …]}: where values of variables stand in what was applied last: a plan shows
 *               none of them, also when the spec no longer has the variable; paths only, never a value
 *   kept       {"absent/haproxy": {"id", "node", "containers" | "service" | "unit", …}}: what a rollback needs to start
 *               again what an `absent` entry has stopped (kinds/kept.c), until it is removed or is back
 *   gates      {"kind/name": …, "unmet": {"kind/name": true}}: evidence of gates (kinds' evidence_get and
 *               evidence_put), and those that did not hold when they were last asked
 *
 * Times (wall) are seconds since the epoch. "fingerprint": SHA-256 of the canonical desired body, without what `ignore`
 * and the scaler own. docs/state-format.md documents the labels.
 */
#ifndef RECONCILE_STATE_SHARED_H
#define RECONCILE_STATE_SHARED_H

#include "base/err.h"
#include "base/json.h"

/* The label that marks the object, value: the cluster's name; the sections are "io.reconcile.state.<section>". */
#define SHARED_LABEL "io.reconcile.state"

/* "reconcile-<cluster>-state"; malloc'ed. */
char *shared_name(const char *cluster);

/*
 * The sections of the object's labels; new reference. No labels: an empty
 * object. A section that is no JSON object: ERR_PROTOCOL, naming the label and
 * what to do: nothing may be changed on a guess about a suspension.
 */
int shared_from_labels(const json_t *labels, const char *cluster, json_t **out, struct err *err) MUST_CHECK;

/* The labels for the sections; labels of before that are none of ours stay. New reference. */
json_t *shared_to_labels(const json_t *before, const char *cluster, const json_t *sections);

#endif
