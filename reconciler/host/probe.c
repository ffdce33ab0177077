/* The probe: one script, its requests on stdin, one answer. */
#include "host/internal.h"

#include "base/base64.h"
#include "sys/clock.h"

#include <string.h>

#define MAX_FILE ((size_t)1 << 20)

/*
 * Its first words come once sudo has let it begin. When they do not come over a connection that is there already, its
 * other end may be long dead, or the way to it: ssh would find that out by its ServerAlive messages in 20 seconds, and
 * then try a new one. The host itself gets all the time that there is.
 */
#define SILENT_MS 4000

extern const char host_probe_script[]; /* probe.sh */

struct probe {
	const struct host *host;
	struct proc *proc; /* NULL: nothing was asked */
	struct str input;
	int64_t started, deadline;
	int64_t listen_until;         /* 0: it was listened to, or needs not be */
	json_t *dirs, *files, *looks; /* arrays of paths, and of looks, in the order asked */
	bool exports;
};

static void probe_free(struct probe *p)
{
	json_decref(p->dirs);
	json_decref(p->files);
	json_decref(p->looks);
	str_free(&p->input);
	free(p);
}

/* Only letters that mean nothing to read, printf's %b or a shell stay themselves. */
static void escape(const char *s, struct str *out)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+=,:@";

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

/* The name as it is, its argument escaped. */
static json_t *ask_looks(struct str *input, const char *const *looks)
{
	json_t *asked = json_array();

	for (; looks && *looks; looks++) {
		size_t name = strcspn(*looks, " ");
		json_array_append_new(asked, json_string(*looks));
		str_addf(input, "look %.*s", (int)name, *looks);
		if ((*looks)[name]) {
			str_addc(input, ' ');
			escape(*looks + name + 1, input);
		}
		str_addc(input, '\n');
	}
	return asked;
}

static int ask_host(struct probe *p, bool shared, struct err *err)
{
	CLEANUP(command_free) struct command c = {0};
	const char *const argv[] = {"sh", "-c", host_probe_script, "probe", NULL};
	int64_t left = clock_left(p->deadline);

	if (command_build(&c, p->host, argv, left > 0 ? left : 1, shared, err) < 0)
		return -1;
	const struct proc_options o = {
		.argv = c.argv.v,
		.input = p->input.data,
		.input_len = p->input.len,
		.since = p->started,
		.deadline = p->deadline,
		.max_output = (json_array_size(p->files) + json_array_size(p->looks) + 16) * 2 * MAX_FILE,
	};
	return proc_start(&o, &p->proc, err);
}

int host_probe_start(struct host *h, const struct probe_request *q, int64_t deadline, struct probe **out,
		     struct err *err)
{
	struct probe *p = xcalloc(1, sizeof(*p));

	p->host = h;
	p->started = clock_ms();
	p->deadline = deadline;
	p->dirs = ask(&p->input, "dir", q->dirs);
	p->files = ask(&p->input, "file", q->files);
	p->looks = ask_looks(&p->input, q->looks);
	p->exports = q->exports;
	if (q->exports)
		str_adds(&p->input, "exports\n");
	if (p->input.len > 0 && host_is_connected(h))
		p->listen_until = clock_ms() + SILENT_MS;
	if (p->input.len > 0 && ask_host(p, true, err) < 0) {
		probe_free(p);
		return on_node(h, -1, err);
	}
	*out = p;
	return 0;
}

void host_probe_listen(struct probe *p)
{
	int64_t until = p->listen_until;
	struct proc *silent = p->proc;
	struct err ignored;

	p->listen_until = 0;
	if (until == 0 || proc_wait_output(silent, until) || clock_left(p->deadline) == 0)
		return;
	if (ask_host(p, false, &ignored) == 0)
		proc_kill(silent);
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

/* Appends a block's bytes. */
static bool next_block(struct reply *r, struct str *out)
{
	char line[24], *end;

	if (!next_line(r, line, sizeof(line)))
		return false;
	unsigned long long n = strtoull(line, &end, 10);
	if (end == line || *end || n >= (unsigned long long)(r->end - r->at) || r->at[n] != '\n') {
		r->bad = true;
		return false;
	}
	str_add(out, r->at, (size_t)n);
	r->at += n + 1;
	return true;
}

/* Appends the bytes of a file: lines of base64 until one that is a dot. */
static bool next_content(struct reply *r, struct str *out)
{
	_cleanup_str_ struct str text = {0};
	const char *nl;

	while (!r->bad && (nl = memchr(r->at, '\n', (size_t)(r->end - r->at)))) {
		const char *line = r->at;
		r->at = nl + 1;
		if (nl - line == 1 && *line == '.')
			return !(r->bad = !base64_decode(str_cstr(&text), text.len, out));
		str_add(&text, line, (size_t)(nl - line));
	}
	r->bad = true;
	return false;
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

	if (!next_line(r, line, sizeof(line)))
		return NULL;
	bool there = sscanf(line, "file ok %o", &mode) == 1;
	if (!(there ? next_content : next_block)(r, &block))
		return NULL;
	if (strcmp(line, "file none") == 0)
		return json_null();
	if (!there)
		return strcmp(line, "file error") == 0 ? error_of(str_cstr(&block)) : NULL;
	json_t *content = text_of(&block);
	if (!content)
		return error_of("it is not UTF-8 text");
	_cleanup_free_ char *octal = xasprintf("%04o", mode);
	return json_pack("{s:o,s:s}", "content", content, "mode", octal);
}

static json_t *read_look(struct reply *r)
{
	_cleanup_str_ struct str block = {0};
	char line[32];

	if (!next_line(r, line, sizeof(line)) || !next_block(r, &block))
		return NULL;
	if (strcmp(line, "look none") == 0)
		return json_null();
	if (strcmp(line, "look error") == 0)
		return error_of(str_cstr(&block));
	if (strcmp(line, "look ok") != 0)
		return NULL;
	json_t *text = text_of(&block);
	return text ? text : error_of("it is not UTF-8 text");
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
	if (!(part = read_all(r, p->looks, read_look)))
		goto broken;
	json_set(out, "looks", part);
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

int host_probe_finish(struct probe *p, json_t **out, struct err *err)
{
	_cleanup_proc_result_ struct proc_result res = {0};
	const struct host *h = p->host;
	int rc = 0;

	host_probe_listen(p);
	struct proc *proc = p->proc;
	p->proc = NULL;
	if (!proc) {
		*out = json_object();
	} else if (proc_finish(proc, &res, err) < 0) {
		rc = -1;
	} else if (res.exit_status != 0 && (res.out.len == 0 || h->become)) {
		rc = command_error(h, "the probe", res.exit_status, res.signal, &res.err, err);
	} else {
		struct reply r = {.at = str_cstr(&res.out), .end = str_cstr(&res.out) + res.out.len};
		json_t *j = res.exit_status == 0 ? read_reply(p, &r) : NULL;
		if (j)
			*out = j;
		else
			rc = err_set(err, ERR_PROTOCOL, "the probe's answer is broken (exit status %d): %.400s",
				     res.exit_status, str_cstr(&res.err));
	}
	probe_free(p);
	return on_node(h, rc, err);
}

int host_probe(struct host *h, const struct probe_request *q, int64_t deadline, json_t **out, struct err *err)
{
	struct probe *p;

	if (host_probe_start(h, q, deadline, &p, err) < 0)
		return -1;
	return host_probe_finish(p, out, err);
}
