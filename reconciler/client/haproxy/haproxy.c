#include "client/haproxy/haproxy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 8
#define COLUMNS_MAX 256

static json_t *member(json_t *obj, const char *key, json_t *(*make)(void))
{
	json_t *j = json_object_get(obj, key);

	if (!j) {
		j = make();
		json_set(obj, key, j);
	}
	return j;
}

static void add_unique(json_t *list, const char *text)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (str_eq(json_string_value(one), text))
			return;
	json_array_append_new(list, json_string(text));
}

/* ---- configuration ---- */

enum section { OTHER, FRONTEND, BACKEND, LISTEN };

struct reading {
	json_t *out;
	json_t *frontends; /* {"web": {"binds": […], "to": {"api": true}, "dynamic": true}} */
	enum section section;
	char *name; /* of the section */
};

/* Words of a line up to a comment; quotes are as good as not there: nothing that is looked at needs them. */
static size_t split(char *line, char *words[static WORDS_MAX])
{
	char *save = NULL;
	size_t n = 0;

	line[strcspn(line, "#")] = '\0';
	for (char *w = strtok_r(line, " \t\"'", &save); w && n < WORDS_MAX; w = strtok_r(NULL, " \t\"'", &save))
		words[n++] = w;
	return n;
}

static void begin_section(struct reading *r, enum section section, const char *name)
{
	r->section = section;
	free(r->name);
	r->name = xstrdup(name);
}

static void add_server(struct reading *r, const char *name, const char *address)
{
	json_t *backend = member(json_object_get(r->out, "backends"), r->name, json_object);

	if (r->section == BACKEND || r->section == LISTEN)
		add_unique(member(member(backend, "servers", json_object), name, json_array), address);
}

static void add_bind(struct reading *r, const char *addresses)
{
	_cleanup_free_ char *list = xstrdup(addresses);
	char *save = NULL;

	if (r->section != FRONTEND && r->section != LISTEN)
		return;
	for (char *b = strtok_r(list, ",", &save); b; b = strtok_r(NULL, ",", &save)) {
		add_unique(json_object_get(r->out, "binds"), b);
		add_unique(member(member(r->frontends, r->name, json_object), "binds", json_array), b);
	}
}

/* "%[req.hdr(host)]": any of them. */
static void add_use(struct reading *r, const char *backend)
{
	json_t *frontend = member(r->frontends, r->name, json_object);

	if (strchr(backend, '%'))
		json_set_bool(frontend, "dynamic", true);
	else
		json_set_bool(member(frontend, "to", json_object), backend, true);
}

static void read_line(struct reading *r, const char *text)
{
	static const struct {
		const char *word;
		enum section section;
	} sections[] = {{"backend", BACKEND}, {"cache", OTHER},     {"defaults", OTHER}, {"frontend", FRONTEND},
			{"global", OTHER},    {"listen", LISTEN},   {"mailers", OTHER},  {"peers", OTHER},
			{"program", OTHER},   {"resolvers", OTHER}, {"ring", OTHER},     {"userlist", OTHER}};
	_cleanup_free_ char *line = xstrdup(text);
	char *w[WORDS_MAX] = {0};
	size_t n = split(line, w);

	for (size_t i = 0; n > 0 && i < ARRAY_SIZE(sections); i++) {
		if (strcmp(w[0], sections[i].word) == 0) {
			begin_section(r, sections[i].section, n > 1 ? w[1] : "");
			return;
		}
	}
	if (n >= 3 && strcmp(w[0], "server") == 0)
		add_server(r, w[1], w[2]);
	else if (n >= 4 && strcmp(w[0], "server-template") == 0)
		add_server(r, w[1], w[3]);
	else if (n >= 2 && strcmp(w[0], "bind") == 0)
		add_bind(r, w[1]);
	else if (n >= 2 && (strcmp(w[0], "default_backend") == 0 || strcmp(w[0], "use_backend") == 0))
		add_use(r, w[1]);
}

/* Where each backend is reached. */
static void join_binds(struct reading *r)
{
	json_t *frontend, *backend, *one;
	const char *from, *to;
	size_t i;

	json_object_foreach (r->frontends, from, frontend) {
		json_object_foreach (json_object_get(r->out, "backends"), to, backend) {
			if (strcmp(from, to) != 0 && !json_bool(frontend, "dynamic") &&
			    !json_object_get(json_object_get(frontend, "to"), to))
				continue;
			json_array_foreach (json_object_get(frontend, "binds"), i, one)
				add_unique(member(backend, "binds", json_array), json_string_value(one));
		}
	}
}

/* ---- statistics ---- */

/* Splits a line of CSV in place; quotation marks around a value are taken away. */
static size_t columns_of(char *line, char *v[static COLUMNS_MAX])
{
	size_t n = 0;

	for (char *p = line; p && n < COLUMNS_MAX;) {
		char quote = *p == '"' ? '"' : '\0';
		v[n++] = quote ? ++p : p;
		if (quote) {
			p = strchr(p, '"');
			if (p)
				*p++ = '\0';
		}
		p = p ? strchr(p, ',') : NULL;
		if (p)
			*p++ = '\0';
	}
	return n;
}

struct columns {
	size_t proxy, server, open, queued, sessions, type, address;
};

static bool read_head(char *line, struct columns *c)
{
	const struct {
		const char *name;
		size_t *at;
	} wanted[] = {{"pxname", &c->proxy},  {"svname", &c->server}, {"scur", &c->open},   {"qcur", &c->queued},
		      {"stot", &c->sessions}, {"type", &c->type},     {"addr", &c->address}};
	char *v[COLUMNS_MAX];
	size_t n = columns_of(line + strspn(line, "# "), v);

	for (size_t k = 0; k < ARRAY_SIZE(wanted); k++) {
		*wanted[k].at = COLUMNS_MAX;
		for (size_t i = 0; i < n; i++)
			if (strcmp(v[i], wanted[k].name) == 0)
				*wanted[k].at = i;
	}
	return c->proxy < n && c->server < n && c->open < n && c->sessions < n && c->type < n;
}

static void count(json_t *out, const char *key, const char *more)
{
	json_set_int(out, key, json_int(out, key, 0) + strtoll(more, NULL, 10));
}

static void read_row(json_t *out, char *line, const struct columns *c)
{
	char *v[COLUMNS_MAX + 1];
	size_t n = columns_of(line, v);

	v[COLUMNS_MAX] = NULL;
	for (size_t i = n; i < COLUMNS_MAX; i++)
		v[i] = NULL;
	if (n <= c->type)
		return;
	if (strcmp(v[c->type], "1") == 0 && v[c->queued]) /* a backend */
		count(out, "open", v[c->queued]);
	if (strcmp(v[c->type], "2") != 0)
		return;
	json_t *backend = member(json_object_get(out, "backends"), v[c->proxy], json_object);
	json_t *addresses = member(member(backend, "servers", json_object), v[c->server], json_array);
	if (v[c->address] && *v[c->address])
		add_unique(addresses, v[c->address]);
	count(out, "sessions", v[c->sessions]);
	count(out, "open", v[c->open]);
}

/* ---- */

static void add_why(json_t *out, const char *what)
{
	const char *before = json_str(out, "why");
	_cleanup_free_ char *all = before ? xasprintf("%s; %s", before, what) : xstrdup(what);
	json_set_str(out, "why", all);
}

static void drop_without_servers(json_t *backends)
{
	const char *name;
	json_t *backend;
	void *next;

	json_object_foreach_safe(backends, next, name, backend) if (!json_object_get(backend, "servers"))
		json_object_del(backends, name);
}

json_t *haproxy_read(const char *look)
{
	struct reading r = {.out = json_pack("{s:{},s:[],s:[]}", "backends", "binds", "files"),
			    .frontends = json_object()};
	_cleanup_free_ char *text = xstrdup(look);
	struct columns columns = {0};
	bool config = false, head = false, rows = false;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '\t' && config) {
			read_line(&r, line + 1);
		} else if (*line == '\t' && head) {
			rows = read_head(line + 1, &columns);
			head = false;
		} else if (*line == '\t' && rows) {
			read_row(r.out, line + 1, &columns);
		} else if (*line != '\t') {
			config = str_starts(line, "config ");
			head = str_starts(line, "stats ");
			rows = false;
			if (config)
				json_array_append_new(json_object_get(r.out, "files"), json_string(line + 7));
			else if (head)
				json_set_str(r.out, "stats", line + 6);
			else
				add_why(r.out, line + strcspn(line, " ") + (strchr(line, ' ') != NULL));
			if (head) {
				json_set_int(r.out, "sessions", 0);
				json_set_int(r.out, "open", 0);
			}
		}
	}
	join_binds(&r);
	drop_without_servers(json_object_get(r.out, "backends"));
	json_decref(r.frontends);
	free(r.name);
	return r.out;
}
