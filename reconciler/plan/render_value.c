#include "plan/render.h"

#include <string.h>

#define VALUE_MAX 160

static const struct {
	int64_t size;
	const char *unit;
} bytes_units[] = {{1LL << 40, "TiB"}, {1LL << 30, "GiB"}, {1LL << 20, "MiB"}, {1LL << 10, "KiB"}},
  time_units[] = {{3600000000000LL, "h"}, {60000000000LL, "m"}, {1000000000LL, "s"}, {1000000LL, "ms"}, {1000LL, "us"}};

static void render_bytes(int64_t n, struct str *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(bytes_units); i++) {
		if (n >= bytes_units[i].size && n % bytes_units[i].size == 0) {
			str_addf(out, "%lld %s", (long long)(n / bytes_units[i].size), bytes_units[i].unit);
			return;
		}
	}
	str_addf(out, "%lld bytes", (long long)n);
}

static void render_duration(int64_t ns, struct str *out)
{
	if (ns == 0)
		str_adds(out, "0s");
	for (size_t i = 0; i < ARRAY_SIZE(time_units) && ns > 0; i++) {
		if (ns < time_units[i].size)
			continue;
		str_addf(out, "%lld%s", (long long)(ns / time_units[i].size), time_units[i].unit);
		ns %= time_units[i].size;
	}
	if (ns > 0)
		str_addf(out, "%lldns", (long long)ns);
}

static void render_nanocpus(int64_t n, struct str *out)
{
	str_addf(out, "%g CPUs", (double)n / 1e9);
}

static const struct {
	const char *unit;
	void (*render)(int64_t, struct str *);
} units[] = {{"bytes", render_bytes}, {"nanocpus", render_nanocpus}, {"ns", render_duration}};

/* The unit stands in the field table at the path itself, or at its first part. */
static const char *unit_of(const struct kind *k, const char *path)
{
	const struct field *f = kind_field(k, path);
	if (f)
		return f->unit;
	_cleanup_free_ char *head = xstrdup(path);
	head[strcspn(head, ".[")] = '\0';
	f = kind_field(k, head);
	return f ? f->unit : NULL;
}

static void cut(struct str *out, size_t from)
{
	if (out->len - from <= VALUE_MAX)
		return;
	size_t n = from + VALUE_MAX;
	while (n > from && ((unsigned char)out->data[n] & 0xc0) == 0x80)
		n--;
	out->len = n;
	out->data[n] = '\0';
	str_adds(out, "…");
}

void render_value(const struct kind *k, const char *path, const json_t *value, struct str *out)
{
	size_t from = out->len;
	if (!value) {
		str_adds(out, "(not set)");
		return;
	}
	const char *unit = json_is_integer(value) ? unit_of(k, path) : NULL;
	for (size_t i = 0; unit && i < ARRAY_SIZE(units); i++) {
		if (strcmp(units[i].unit, unit) == 0) {
			units[i].render(json_integer_value(value), out);
			return;
		}
	}
	if (json_is_array(value) && json_array_size(value) == 0)
		str_adds(out, "[]");
	else
		json_canonical(value, out);
	cut(out, from);
}
