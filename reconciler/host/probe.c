#include "host/host.h"

#include "host/probe.h"

#include <string.h>

#define MAX_FILE ((size_t)1 << 20)

extern const char host_probe_script[]; /* probe.sh */

struct probe {
	char *node;
	struct proc *proc;    /* NULL: nothing was asked */
	json_t *dirs, *files; /* arrays of paths, in the order asked */
	bool exports;
};

static void probe_free(struct probe *p)
{
	free(p->node);
	json_decref(p->dirs);
	json_decref(p->files);
	free(p);
}

/* Only letters that mean nothing to read, printf's %b or a shell stay themselves. */
static void escape(const char *s, struct str *out)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-";

	for (; *s; s++) {
		if (strchr(plain, *s))
			str_addc(out, *s);
		else
			str_addf(out, "\\0%03o", (unsigned char)*s);
	}
}

static json_t *ask(struct str *input, const char *what, const char *const *paths)
{
	json_t *asked = json_array();

	for (; paths && *paths; paths++) {
		json_array_append_new(asked, json_string(*paths));
		str_addf(input, "%s ", what);
		escape(*paths, input);
		str_addc(input, '\n');
	}
	return asked;
}

int probe_start(const char *node, const struct probe_request *q, int64_t deadline, struct probe **out, struct err *err)
{
	_cleanup_str_ struct str input = {0};
	struct probe *p = xcalloc(1, sizeof(*p));

	p->node = xstrdup(node);
	p->dirs = ask(&input, "dir", q->dirs);
	p->files = ask(&input, "file", q->files);
	p->exports = q->exports;
	if (q->exports)
		str_adds(&input, "exports\n");
	const struct proc_options o = {
		.argv = (const char *const[]){"sh", "-c", host_probe_script, "probe", NULL},
		.input = input.data,
		.input_len = input.len,
		.deadline = deadline,
		.max_output = (json_array_size(p->files) + 16) * 2 * MAX_FILE,
	};
	if (input.len > 0 && proc_start(&o, &p->proc, err) < 0) {
		probe_free(p);
		return err_wrap(err, "look at node '%s'", node);
	}
	*out = p;
	return 0;
}

/* The answer, read from the front. Once something is wrong, every read fails. */
struct reply {
	const char *at, *end;
	bool bad;
};

/* The next line without its end, in buf; false at the end, and when it is longer than any header. */
static bool next_line(struct reply *r, char *buf, size_t size)
{
	const char *nl = r->bad ? NULL : memchr(r->at, '\n', (size_t)(r->end - r->at));

	if (!nl || (size_t)(nl - r->at) >= size) {
		r->bad = true;
		return false;
	}
	memcpy(buf, r->at, (size_t)(nl - r->at));
	buf[nl - r->at] = '\0';
	r->at = nl + 1;
	return true;
}

static int base64_value(char c)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(letters, c) : NULL;
	return p ? (int)(p - letters) : -1;
}

/* Appends a block's bytes. */
static bool next_block(struct reply *r, struct str *out)
{
	unsigned bits = 0, n = 0;

	for (; !r->bad && r->at < r->end && *r->at != '.'; r->at++) {
		int v = base64_value(*r->at);
		if (v < 0) {
			r->bad |= *r->at != '\n' && *r->at != '=';
			continue;
		}
		bits = bits << 6 | (unsigned)v;
		n += 6;
		if (n >= 8) {
			n -= 8;
			str_addc(out, (char)(bits >> n & 0xff));
		}
	}
	if (r->bad || r->end - r->at < 2 || r->at[1] != '\n') {
		r->bad = true;
		return false;
	}
	r->at += 2;
	return true;
}

/* NULL when it is not UTF-8. */
static json_t *text_of(const struct str *s)
{
	return json_stringn(str_cstr(s), s->len);
}

static json_t *error_of(const char *text)
{
	return json_pack("{s:s}", "error", text);
}

/* uid|gid|mode|type|user:group */
static json_t *parse_stat(const char *s)
{
	static const struct {
		const char *stat, *name;
	} types[] = {{"directory", "directory"}, {"regular", "file"}, {"symbolic link", "symlink"}};
	unsigned uid, gid, mode;
	char type[64], owner[600];
	const char *name = "other";

	if (sscanf(s, "%u|%u|%o|%63[^|]|%599[^\n]", &uid, &gid, &mode, type, owner) != 5)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_starts(type, types[i].stat))
			name = types[i].name;
	_cleanup_free_ char *octal = xasprintf("%04o", mode);
	return json_pack("{s:s,s:i,s:i,s:s,s:s}", "type", name, "uid", (int)uid, "gid", (int)gid, "mode", octal,
			 "owner", owner);
}

static json_t *read_dir(struct reply *r)
{
	_cleanup_str_ struct str block = {0};
	char line[1024];

	if (!next_line(r, line, sizeof(line)) || !next_block(r, &block))
		return NULL;
	if (strcmp(line, "dir none") == 0)
		return json_null();
	if (strcmp(line, "dir error") == 0)
		return error_of(str_cstr(&block));
	json_t *j = str_starts(line, "dir ok ") ? parse_stat(line + 7) : NULL;
	if (j && block.len)
		json_set(j, "real", text_of(&block));
	return j;
}

static json_t *read_file(struct reply *r)
{
	_cleanup_str_ struct str block = {0};
	char line[64];
	unsigned mode;

	if (!next_line(r, line, sizeof(line)) || !next_block(r, &block))
		return NULL;
	if (strcmp(line, "file none") == 0)
		return json_null();
	if (strcmp(line, "file error") == 0)
		return error_of(str_cstr(&block));
	if (sscanf(line, "file ok %o", &mode) != 1)
		return NULL;
	json_t *content = text_of(&block);
	if (!content)
		return error_of("it is not UTF-8 text");
	_cleanup_free_ char *octal = xasprintf("%04o", mode);
	return json_pack("{s:o,s:s}", "content", content, "mode", octal);
}

/* Members of an object by path, in the order they were asked for. NULL: the answer is broken. */
static json_t *read_all(struct reply *r, const json_t *paths, json_t *(*read_one)(struct reply *))
{
	json_t *all = json_object(), *path, *one;
	size_t i;

	json_array_foreach ((json_t *)paths, i, path) {
		one = read_one(r);
		if (!one) {
			json_decref(all);
			return NULL;
		}
		json_set(all, json_string_value(path), one);
	}
	return all;
}

/* What is not there is no text; what could not be read is an error of the whole. */
static bool add_text(json_t *out, const char *key, json_t *file, json_t **error)
{
	if (!file)
		return false;
	const char *why = json_str(file, "error");
	if (why && !*error) {
		_cleanup_free_ char *text = xasprintf("%s: %s", key, why);
		*error = error_of(text);
	} else if (json_is_object(file) && !why) {
		json_set(out, key, json_incref(json_object_get(file, "content")));
	}
	json_decref(file);
	return true;
}

static bool read_tables(struct reply *r, json_t *files, json_t **error)
{
	char line[64];

	while (next_line(r, line, sizeof(line)) && strcmp(line, "table") == 0) {
		_cleanup_str_ struct str path = {0};
		if (!next_block(r, &path) || !add_text(files, str_cstr(&path), read_file(r), error))
			return false;
	}
	return !r->bad && strcmp(line, "exports end") == 0;
}

static json_t *read_exports(struct reply *r)
{
	_cleanup_str_ struct str active = {0};
	json_t *out = json_object(), *files = json_object(), *error = NULL;
	char line[64];
	bool ok = next_line(r, line, sizeof(line)) && next_block(r, &active);

	json_set(out, "files", files);
	if (ok && strcmp(line, "exports error") == 0)
		error = error_of(str_cstr(&active));
	json_set_bool(out, "tool", strcmp(line, "exports none") != 0);
	json_set(out, "active", text_of(&active));
	ok = ok && add_text(out, "etab", read_file(r), &error) && read_tables(r, files, &error);
	if (ok && !error)
		return out;
	json_decref(out);
	if (ok)
		return error;
	json_decref(error);
	return NULL;
}

static json_t *read_reply(const struct probe *p, struct reply *r)
{
	json_t *out = json_object(), *part;
	char line[512], hostname[300];

	if (!next_line(r, line, sizeof(line)) || sscanf(line, "node %299s", hostname) != 1)
		goto broken;
	json_set_str(out, "hostname", hostname);
	if (!(part = read_all(r, p->dirs, read_dir)))
		goto broken;
	json_set(out, "dirs", part);
	if (!(part = read_all(r, p->files, read_file)))
		goto broken;
	json_set(out, "files", part);
	if (p->exports) {
		if (!(part = read_exports(r)))
			goto broken;
		json_set(out, "exports", part);
	}
	if (next_line(r, line, sizeof(line)) && strcmp(line, "end") == 0)
		return out;
broken:
	json_decref(out);
	return NULL;
}

int probe_finish(struct probe *p, json_t **out, struct err *err)
{
	_cleanup_proc_result_ struct proc_result res = {0};
	struct proc *proc = p->proc;
	int rc = 0;

	p->proc = NULL;
	if (!proc) {
		*out = json_object();
	} else if (proc_finish(proc, &res, err) < 0) {
		rc = err_wrap(err, "look at node '%s'", p->node);
	} else {
		struct reply r = {.at = str_cstr(&res.out), .end = str_cstr(&res.out) + res.out.len};
		json_t *j = res.exit_status == 0 ? read_reply(p, &r) : NULL;
		if (j)
			*out = j;
		else
			rc = err_set(err, ERR_PROTOCOL,
				     "look at node '%s': the probe's answer is broken (exit status %d): %.400s",
				     p->node, res.exit_status, str_cstr(&res.err));
	}
	probe_free(p);
	return rc;
}
