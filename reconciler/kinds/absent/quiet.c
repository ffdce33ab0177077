#include "kinds/absent/quiet.h"

#include "kinds/absent/phase.h"
#include "sys/clock.h"

#include <stdio.h>
#include <string.h>

#define OPEN_RETRY_S 30 /* open connections end when they end: look again soon, not after another `quiet` */

/* ---- counters ---- */

/* The n-th word of a line, n counted from 0; NULL when there are fewer. */
static const char *word_at(const char *line, size_t n)
{
	for (;;) {
		line += strspn(line, " ");
		if (*line == '\0' || *line == '\n')
			return NULL;
		if (n-- == 0)
			return line;
		line += strcspn(line, " \n");
	}
}

static bool word_is(const char *word, const char *text)
{
	size_t n = strlen(text);
	return strncmp(word, text, n) == 0 && strchr(" \n", word[n]);
}

/* The kernel writes a line of names and a line of values; columns are found by name. */
static bool counter(const char *names, const char *values, const char *name, int64_t *out)
{
	const char *word;

	for (size_t i = 1; (word = word_at(names, i)); i++) {
		if (!word_is(word, name))
			continue;
		const char *value = word_at(values, i);
		long long v;
		if (!value || sscanf(value, "%lld", &v) != 1)
			return false;
		*out = v;
		return true;
	}
	return false;
}

static const char *next_line(const char *s)
{
	s += strcspn(s, "\n");
	return *s ? s + 1 : s;
}

bool tcp_counters_parse(const char *snmp, struct tcp_counters *out)
{
	const char *names = snmp, *values;

	while (*names && !str_starts(names, "Tcp: "))
		names = next_line(names);
	values = next_line(names);
	return str_starts(values, "Tcp: ") && counter(names, values, "PassiveOpens", &out->accepted) &&
	       counter(names, values, "CurrEstab", &out->open);
}

/* ---- judgement ---- */

static bool is_same_run(const json_t *evidence, const struct quiet_reading *now)
{
	return str_eq(json_str(evidence, "container"), now->container) &&
	       str_eq(json_str(evidence, "started_at"), now->started_at) &&
	       str_eq(json_str(evidence, "boot_id"), now->boot_id) &&
	       json_bool(evidence, "sessions") == now->sessions &&
	       json_int(evidence, "looked_ms", INT64_MAX) <= now->uptime_ms &&
	       json_int(evidence, "accepted", INT64_MAX) <= now->tcp.accepted;
}

static json_t *new_evidence(const struct quiet_reading *now, int64_t since_ms, const char *since)
{
	json_t *e = json_object();

	json_set_str(e, "container", now->container);
	json_set_str(e, "started_at", now->started_at);
	json_set_str(e, "boot_id", now->boot_id);
	json_set_int(e, "accepted", now->tcp.accepted);
	if (now->sessions)
		json_set_bool(e, "sessions", true);
	json_set_int(e, "looked_ms", now->uptime_ms);
	json_set_int(e, "since_ms", since_ms);
	json_set_str(e, "since", since);
	return e;
}

static const char *noun_of(const struct quiet_reading *now)
{
	return now->sessions ? "session" : "connection";
}

static void add_seen(const char *name, const json_t *evidence, const struct quiet_reading *now, struct str *out)
{
	int64_t seen = now->tcp.accepted - json_int(evidence, "accepted", 0);
	const char *verb = now->sessions ? "served" : "accepted", *noun = noun_of(now);

	if (!evidence) {
		str_addf(out, "%s: watched since now", name);
	} else if (seen > 0) {
		str_addf(out, "%s %s %lld %s%s in the last ", name, verb, (long long)seen, noun, seen == 1 ? "" : "s");
		format_duration((now->uptime_ms - json_int(evidence, "looked_ms", 0)) / 1000, out);
	} else {
		str_addf(out, "%s %s no %s", name, verb, noun);
	}
}

static void add_quiet(int64_t for_ms, int64_t quiet_ms, struct str *out)
{
	str_adds(out, "; quiet for ");
	format_duration(for_ms / 1000, out);
	str_adds(out, " of ");
	format_duration(quiet_ms / 1000, out);
}

json_t *quiet_judge(const char *name, const json_t *evidence, const struct quiet_reading *now, int64_t quiet_ms,
		    struct gate *g)
{
	const json_t *before = is_same_run(evidence, now) ? evidence : NULL;
	bool silent = before && json_int(before, "accepted", -1) == now->tcp.accepted;
	int64_t since_ms = silent ? json_int(before, "since_ms", now->uptime_ms) : now->uptime_ms;
	int64_t for_ms = now->uptime_ms - since_ms, left_ms = quiet_ms - for_ms;
	char since[32];
	struct str reason = {0};

	clock_rfc3339(now->wall, since);
	json_t *after = new_evidence(now, since_ms, silent ? json_str(before, "since") : since);
	*g = (struct gate){.met = left_ms <= 0 && now->tcp.open == 0, .waiting = true};
	if (g->met)
		return after;
	add_seen(name, before, now, &reason);
	add_quiet(for_ms, quiet_ms, &reason);
	if (now->tcp.open > 0)
		str_addf(&reason, "; %lld open %s%s", (long long)now->tcp.open, noun_of(now),
			 now->tcp.open == 1 ? "" : "s");
	g->reason = str_steal(&reason);
	g->retry_after_s = left_ms > 0 ? (left_ms + 999) / 1000 : OPEN_RETRY_S;
	return after;
}
