#include "kinds/model/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOB "sha256-"
#define DIGEST "sha256:"
#define HEX 64

void model_size(int64_t bytes, struct str *out)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
	double n = (double)bytes;
	size_t i = 0;

	for (; n >= 999.5 && i + 1 < ARRAY_SIZE(units); i++)
		n /= 1000;
	str_addf(out, i > 0 && n < 9.95 ? "%.1f %s" : "%.0f %s", n, units[i]);
}

static bool is_hex(const char *s, size_t n)
{
	return strspn(s, "0123456789abcdef") >= n;
}

static const char *next_line(const char *s)
{
	s += strcspn(s, "\n");
	return *s ? s + 1 : s;
}

/* "4109853184 blobs/sha256-…" into {"…": 4109853184}; what is not there is no line of its own but a complaint. */
static int read_sizes(const char **text, json_t *sizes, struct err *err)
{
	for (; **text && !str_starts(*text, ".\n"); *text = next_line(*text)) {
		size_t n = strcspn(*text, "\n");
		_cleanup_free_ char *line = xasprintf("%.*s", (int)n, *text);
		char *name = strchr(line, ' '), *end;
		long long size = strtoll(line, &end, 10);
		if (end != line && end == name && str_starts(name, " blobs/" BLOB))
			json_set_int(sizes, name + strlen(" blobs/" BLOB), size);
		else if (!str_ends(line, ": No such file or directory"))
			return err_set(err, ERR_FAILED, "%s", line);
	}
	if (!**text)
		return err_set(err, ERR_PROTOCOL, "the answer about the model is cut off");
	*text += 2;
	return 0;
}

struct damage {
	const json_t *sizes;
	struct model_state *out;
	size_t missing;
	char *first; /* what is wrong with the first blob */
};

/* text is freed here, or with the rest. */
static void note(struct damage *d, char *text)
{
	if (d->first)
		free(text);
	else
		d->first = text;
	d->missing++;
}

static void check_blob(struct damage *d, const json_t *layer)
{
	const char *digest = json_str(layer, "digest");
	int64_t size = json_int(layer, "size", -1);
	_cleanup_str_ struct str text = {0};

	if (!digest || !*digest)
		return; /* a model without configuration */
	const char *hex = str_starts(digest, DIGEST) ? digest + strlen(DIGEST) : "";
	const json_t *have = json_object_get(d->sizes, hex);
	if (size > 0)
		d->out->size += size;
	model_size(size, &text);
	if (have && json_integer_value(have) != size) {
		_cleanup_free_ char *blob = xasprintf(BLOB "%s", hex);
		_cleanup_str_ struct str found = {0};
		json_set_bool(d->out->wrong, blob, true);
		model_size(json_integer_value(have), &found);
		note(d, xasprintf("blob %.12s has %s instead of %s", hex, str_cstr(&found), str_cstr(&text)));
	} else if (!have) {
		note(d, xasprintf("blob %.12s (%s) is missing", *hex ? hex : digest, str_cstr(&text)));
	}
}

static void judge(struct model_state *s, const json_t *sizes, const char *manifest)
{
	struct damage d = {.sizes = sizes, .out = s};
	_cleanup_json_ json_t *j = json_loads(manifest, 0, NULL);
	const json_t *layers = json_object_get(j, "layers"), *config = json_object_get(j, "config");
	json_t *layer;
	size_t i;

	if (!json_is_array(layers)) {
		s->damage = xstrdup("its manifest is broken");
		return;
	}
	json_array_foreach ((json_t *)layers, i, layer)
		check_blob(&d, layer);
	if (config)
		check_blob(&d, config);
	if (d.missing > 1)
		s->damage = xasprintf("%s, and %zu more", d.first, d.missing - 1);
	else if (d.missing == 1)
		s->damage = xstrdup(d.first);
	free(d.first);
}

int model_state_parse(const char *look, struct model_state *out, struct err *err)
{
	_cleanup_json_ json_t *sizes = json_object();
	struct model_state s = {0};
	const char *text = next_line(look);

	if (!is_hex(look, HEX) || !*text)
		return err_set(err, ERR_PROTOCOL, "the answer about the model begins with no checksum");
	s.wrong = json_object();
	s.digest = xasprintf(DIGEST "%.*s", HEX, look);
	s.manifest = xasprintf("%.*s", (int)strcspn(text, "\n"), text);
	text = next_line(text);
	if (read_sizes(&text, sizes, err) < 0) {
		model_state_free(&s);
		return -1;
	}
	judge(&s, sizes, text);
	*out = s;
	return 0;
}

void model_state_free(struct model_state *s)
{
	free(s->digest);
	free(s->manifest);
	free(s->damage);
	json_decref(s->wrong);
	*s = (struct model_state){0};
}
