#include "run/window.h"

#include "policy/window.h"

#include <string.h>
#include <sys/stat.h>

#define ZONEINFO "/usr/share/zoneinfo"
#define ALL_DAYS 0x7fU
#define DAY_S 86400
#define CLOCK_CHANGE_S ((time_t)7200) /* more than any zone shifts its clocks by */

struct zone {
	char *before; /* of TZ; NULL: was not set */
};

/* UTC is known without the zones' files. */
static int zone_set(const char *name, struct zone *z, struct err *err)
{
	_cleanup_free_ char *path = xasprintf(ZONEINFO "/%s", name);
	bool utc = strcmp(name, "UTC") == 0;
	struct stat st;

	if (!utc && (strstr(name, "..") || stat(path, &st) < 0 || !S_ISREG(st.st_mode)))
		return err_set(err, ERR_SPEC,
			       "policy.maintenance: this machine does not know the time zone '%s' (" ZONEINFO
			       "): correct its name, or install tzdata",
			       name);
	const char *tz = getenv("TZ");
	z->before = tz ? xstrdup(tz) : NULL;
	setenv("TZ", utc ? "UTC0" : name, 1);
	tzset();
	return 0;
}

static void zone_restore(struct zone *z)
{
	if (z->before)
		setenv("TZ", z->before, 1);
	else
		unsetenv("TZ");
	tzset();
	free(z->before);
}

struct windows {
	struct window *v;
	size_t n, cap;
};

static void read_windows(const struct snode *list, struct windows *out)
{
	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *item = list->items[i], *days = snode_get(item, "days");
		struct window w = {
			.from = window_time(snode_str(item, "from")),
			.to = window_time(snode_str(item, "to")),
		};
		for (size_t k = 0; k < snode_count(days); k++)
			w.days |= window_day(snode_scalar(days->items[k]));
		w.days = w.days ? w.days : ALL_DAYS;
		vec_push(out, w);
	}
}

static bool is_open_at(const struct windows *w, time_t t)
{
	struct tm local;
	return localtime_r(&t, &local) && window_is_open(w->v, w->n, &local);
}

/* A wall time that is skipped when clocks change, or comes twice, is not where mktime says: the first that is open
 * counts. */
static time_t opening(const struct windows *w, time_t now)
{
	struct tm at;

	if (!localtime_r(&now, &at))
		return now;
	at.tm_min += window_next(w->v, w->n, &at);
	at.tm_sec = 0;
	at.tm_isdst = -1;
	time_t t = mktime(&at);
	for (time_t early = t - CLOCK_CHANGE_S; early < t + CLOCK_CHANGE_S; early += 60)
		if (early > now && is_open_at(w, early))
			return early;
	return t;
}

/* In how many seconds the open one ends; 0: not within a day, which no pass lasts. */
static int64_t closes_in(const struct windows *w, time_t now)
{
	for (time_t t = now - now % 60 + 60; t <= now + DAY_S; t += 60)
		if (!is_open_at(w, t))
			return (int64_t)(t - now);
	return 0;
}

int window_state(const struct spec *spec, int64_t now, char **why, int64_t *turns_s, struct err *err)
{
	const struct snode *maintenance = snode_path(spec_root(spec), "policy.maintenance");
	const char *name = snode_str(maintenance, "timezone");
	struct windows w = {0};
	struct zone zone = {0};

	*why = NULL;
	*turns_s = 0;
	if (!maintenance)
		return 0;
	name = name ? name : "UTC";
	if (zone_set(name, &zone, err) < 0)
		return -1;
	read_windows(snode_get(maintenance, "windows"), &w);
	if (is_open_at(&w, (time_t)now)) {
		*turns_s = closes_in(&w, (time_t)now);
	} else {
		time_t t = opening(&w, (time_t)now);
		struct tm local = {0};
		char text[64] = "";
		if (localtime_r(&t, &local))
			strftime(text, sizeof(text), "%a %Y-%m-%d %H:%M", &local);
		*turns_s = (int64_t)t - now;
		*why = xasprintf("outside the maintenance windows; the next one opens %s (%s)", text, name);
	}
	vec_free(&w);
	zone_restore(&zone);
	return 0;
}
