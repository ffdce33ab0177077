#include "run/suspension.h"

#include "sys/clock.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

const json_t *suspension_of(const json_t *sections, const char *key, int64_t now)
{
	const json_t *entry = json_object_get(json_object_get(sections, "suspended"), key);
	int64_t until = json_int(entry, "until", 0);

	return entry && (until == 0 || now < until) ? entry : NULL;
}

json_t *suspension_json(const struct suspension *s)
{
	json_t *entry = json_object();

	json_set_str(entry, "reason", s->reason);
	json_set_str(entry, "by", s->by);
	json_set_int(entry, "since", s->since);
	if (s->until)
		json_set_int(entry, "until", s->until);
	if (s->run)
		json_set_int(entry, "run", s->run);
	json_set_str(entry, "commit", s->commit);
	return entry;
}

void suspension_text(const json_t *entry, struct str *out)
{
	const char *by = json_str(entry, "by"), *reason = json_str(entry, "reason");
	int64_t since = json_int(entry, "since", 0), until = json_int(entry, "until", 0);
	char time[32];

	str_adds(out, "suspended");
	if (since) {
		clock_rfc3339(since, time);
		str_addf(out, " since %s", time);
	}
	if (by)
		str_addf(out, " by %s", by);
	if (until) {
		clock_rfc3339(until, time);
		str_addf(out, " until %s", time);
	}
	if (reason)
		str_addf(out, ": %s", reason);
}

static int refuse(const json_t *entry, const char *what, enum err_code code, struct err *err)
{
	_cleanup_str_ struct str text = {0};

	suspension_text(entry, &text);
	return err_set(err, code, "stopped before this step: while this run was at work, %s was %s", what,
		       str_cstr(&text));
}

int suspension_check(const json_t *sections, const json_t *own, const char *key, int64_t now, struct err *err)
{
	const json_t *all = suspension_of(sections, SUSPEND_ALL, now);
	const json_t *one = key ? suspension_of(sections, key, now) : NULL;

	if (all && !(own && json_same(all, own)))
		return refuse(all, "the cluster", ERR_LOCKED, err);
	return one ? refuse(one, "it", ERR_SUSPENDED, err) : 0;
}

/* SUDO_USER is set by sudo, to root as well; a name out of the environment is only for people to read. */
char *suspension_by(void)
{
	const struct passwd *pw = getpwuid(geteuid());
	const char *sudo = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) < 0 || !*host)
		host[0] = '?';
	if (sudo && *sudo)
		return xasprintf("%s@%s", sudo, host);
	return pw ? xasprintf("%s@%s", pw->pw_name, host) : xasprintf("uid %u@%s", (unsigned)geteuid(), host);
}
