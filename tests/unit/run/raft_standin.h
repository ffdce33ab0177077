/*
 * A stand-in for a manager that keeps one config and its version, and can be
 * told to fail. It is no evidence for how a real engine behaves.
 */
#ifndef RECONCILE_TESTS_RAFT_STANDIN_H
#define RECONCILE_TESTS_RAFT_STANDIN_H

#include "tests/unit/client/engine_standin.h"

#include "client/engine/engine.h"
#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define STATE_NAME "reconcile-shop-state"

struct raft {
	struct standin s;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t thawed;
	json_t *spec; /* NULL: there is no such config */
	int64_t version;
	int reads, writes; /* writes: as asked for, also the refused ones */
	bool frozen;
	/* How many of the next writes … */
	int lose;            /* … are done and not answered */
	int cut;             /* … are neither done nor answered */
	int out_of_sequence; /* … are refused */
	const char *refuse;  /* status line and body of every answer; NULL: none */
	/* What somebody else does, just before a read or a write is looked at. */
	void (*meanwhile)(struct raft *r, bool write);
};

static json_t *raft_sections_locked(struct raft *r)
{
	json_t *sections = json_object(), *value;
	const char *label;

	json_object_foreach (json_object_get(r->spec, "Labels"), label, value)
		if (str_starts(label, "io.reconcile.state."))
			json_set(sections, label + strlen("io.reconcile.state."),
				 json_loads(json_string_value(value), 0, NULL));
	return sections;
}

/* Somebody else's write of one section; NULL removes it. */
static void raft_put_locked(struct raft *r, const char *section, json_t *value)
{
	_cleanup_free_ char *label = xasprintf("io.reconcile.state.%s", section);

	if (!r->spec)
		r->spec = json_pack("{s:s,s:s,s:{s:s}}", "Name", STATE_NAME, "Data", "eA==", "Labels",
				    "io.reconcile.state", "shop");
	if (value) {
		char *text = json_dumps(value, 0); /* not as we would write it */
		json_set_str(json_object_get(r->spec, "Labels"), label, text);
		free(text);
		json_decref(value);
	} else {
		json_object_del(json_object_get(r->spec, "Labels"), label);
	}
	r->version++;
}

static void raft_put(struct raft *r, const char *section, json_t *value)
{
	pthread_mutex_lock(&r->lock);
	raft_put_locked(r, section, value);
	pthread_mutex_unlock(&r->lock);
}

static json_t *raft_sections(struct raft *r)
{
	pthread_mutex_lock(&r->lock);
	json_t *sections = raft_sections_locked(r);
	pthread_mutex_unlock(&r->lock);
	return sections;
}

static void raft_reply(int fd, const char *status, const char *body)
{
	_cleanup_free_ char *text =
		xasprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
			  strlen(body), body);
	standin_write(fd, text, strlen(text));
}

/* One that only begins with the name comes first: the engine's filter takes prefixes. */
static void raft_list(struct raft *r, int fd)
{
	_cleanup_json_ json_t *list =
		json_pack("[{s:s,s:{s:i},s:{s:s,s:{s:s}}}]", "ID", "other", "Version", "Index", 1, "Spec", "Name",
			  STATE_NAME "-2", "Labels", "io.reconcile.state.suspended", "{\"*\":{\"reason\":\"x\"}}");

	if (r->spec)
		json_array_append_new(list, json_pack("{s:s,s:{s:I},s:O}", "ID", "abc", "Version", "Index",
						      (json_int_t)r->version, "Spec", r->spec));
	char *text = json_dumps(list, 0);
	raft_reply(fd, "200 OK", text);
	free(text);
}

static bool raft_is_current(const struct raft *r, const char *request)
{
	const char *version = strstr(request, "?version=");
	return r->spec && version && strtoll(version + strlen("?version="), NULL, 10) == r->version;
}

static bool raft_write(struct raft *r, const char *request, int fd)
{
	bool create = str_starts(request, "POST /v1.41/configs/create");
	const char *body = strstr(request, "\r\n\r\n") + 4;

	r->writes++;
	if (r->cut > 0) {
		r->cut--;
		return false;
	}
	if (create && r->spec) {
		raft_reply(fd, "409 Conflict", "{\"message\":\"config " STATE_NAME " already exists\"}");
	} else if (!create && (r->out_of_sequence > 0 || !raft_is_current(r, request))) {
		r->out_of_sequence -= r->out_of_sequence > 0;
		raft_reply(fd, "500 Error",
			   "{\"message\":\"rpc error: code = Unknown desc = update out of sequence\"}");
	} else {
		json_decref(r->spec);
		r->spec = json_loads(body, JSON_DISABLE_EOF_CHECK, NULL);
		r->version++;
		if (r->lose > 0) {
			r->lose--;
			return false;
		}
		raft_reply(fd, create ? "201 Created" : "200 OK", create ? "{\"ID\":\"abc\"}" : "");
	}
	return true;
}

static bool raft_answer(void *arg, const char *request, int fd, bool *goes_on)
{
	struct raft *r = arg;
	bool write = str_starts(request, "POST /v1.41/configs/");

	if (!write && !str_starts(request, "GET /v1.41/configs?"))
		return false;
	pthread_mutex_lock(&r->lock);
	while (r->frozen)
		pthread_cond_wait(&r->thawed, &r->lock);
	if (r->meanwhile)
		r->meanwhile(r, write);
	*goes_on = true;
	if (r->refuse)
		raft_reply(fd, r->refuse, "{\"message\":\"no\"}");
	else if (write)
		*goes_on = raft_write(r, request, fd);
	else
		raft_list(r, fd);
	r->reads += !write;
	pthread_mutex_unlock(&r->lock);
	return true;
}

static void raft_start(struct raft *r)
{
	static const struct standin_rule rules[] = {PING_RULE, {0}};

	*r = (struct raft){.s = {.rules = rules, .answer = raft_answer, .arg = r}, .version = 10};
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->thawed, NULL);
	standin_run_in_thread(&r->s);
}

static void raft_freeze(struct raft *r, bool frozen)
{
	pthread_mutex_lock(&r->lock);
	r->frozen = frozen;
	pthread_cond_broadcast(&r->thawed);
	pthread_mutex_unlock(&r->lock);
}

static void raft_stop(struct raft *r)
{
	raft_freeze(r, false);
	standin_free(&r->s);
	json_decref(r->spec);
	pthread_cond_destroy(&r->thawed);
	pthread_mutex_destroy(&r->lock);
}

static struct engine *raft_engine(const struct raft *r)
{
	struct engine_options o = {.host = r->s.host, .config_dir = "/nonexistent"};
	struct engine *e;
	struct err err;

	if (engine_open(&o, &e, &err) < 0)
		fail_msg("%s", err.msg);
	return e;
}

static inline int raft_reads(struct raft *r)
{
	pthread_mutex_lock(&r->lock);
	int n = r->reads;
	pthread_mutex_unlock(&r->lock);
	return n;
}

static int64_t soon(void)
{
	return clock_ms() + 10000;
}

#endif
