#include "kinds/traefik/yaml.h"

#include <string.h>
#include <strings.h>
#include <yaml.h>

#define DEPTH_MAX 64

struct reader {
	yaml_parser_t parser;
	const char *text;
	size_t len;
	/* libyaml counts characters without a byte order mark; its marks only grow. */
	size_t index, offset;
	struct err *err;
};

static int complain(struct reader *r, size_t line, const char *what)
{
	return err_set(r->err, ERR_FAILED, "line %zu: %s", line + 1, what);
}

static int parse_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	bool has_mark = p->error == YAML_SCANNER_ERROR || p->error == YAML_PARSER_ERROR;

	if (has_mark)
		return complain(r, p->problem_mark.line, p->problem);
	return err_set(r->err, ERR_FAILED, "byte %zu: %s", p->problem_offset, p->problem ? p->problem : "not readable");
}

static int next_event(struct reader *r, yaml_event_t *ev)
{
	return yaml_parser_parse(&r->parser, ev) ? 0 : parse_error(r);
}

static size_t char_len(unsigned char lead)
{
	return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* The byte of a mark. Marks come in ascending order but for the few that look back. */
static size_t byte_at(struct reader *r, const yaml_mark_t *m)
{
	if (m->index < r->index) {
		r->index = 0;
		r->offset = r->len >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	}
	while (r->index < m->index && r->offset < r->len) {
		r->offset += char_len((unsigned char)r->text[r->offset]);
		r->index++;
	}
	return r->offset < r->len ? r->offset : r->len;
}

static struct ynode *node_new(struct reader *r, enum ynode_type type, const yaml_event_t *ev)
{
	struct ynode *n = xcalloc(1, sizeof(*n));
	n->type = type;
	n->start = byte_at(r, &ev->start_mark);
	n->end = byte_at(r, &ev->end_mark);
	n->column = (int)ev->start_mark.column;
	return n;
}

static struct ynode *read_node(struct reader *r, yaml_event_t *ev, int depth);

static void add_item(struct ynode *n, struct ynode *key, struct ynode *item)
{
	if ((n->n & (n->n - 1)) == 0) {
		size_t cap = n->n ? n->n * 2 : 1;
		n->items = xrealloc(n->items, cap * sizeof(*n->items));
		n->keys = xrealloc(n->keys, cap * sizeof(*n->keys));
	}
	n->keys[n->n] = key;
	n->items[n->n++] = item;
}

/* Traefik's parser refuses duplicates as well. seen: the keys so far. */
static int check_key(struct reader *r, json_t *seen, const struct ynode *key, size_t line)
{
	if (key->type != YNODE_SCALAR)
		return complain(r, line, "a key that is not a scalar is not supported");
	if (json_object_get(seen, key->text))
		return complain(r, line, "duplicate key");
	json_set(seen, key->text, json_true());
	return 0;
}

static int read_members(struct reader *r, struct ynode *n, int depth)
{
	yaml_event_type_t end = n->type == YNODE_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	_cleanup_json_ json_t *seen = json_object();

	for (;;) {
		struct ynode *key = NULL, *item = NULL;
		yaml_event_t ev;
		if (next_event(r, &ev) < 0)
			return -1;
		size_t line = ev.start_mark.line;
		if (ev.type == end) {
			if (n->flow)
				n->end = byte_at(r, &ev.end_mark);
			yaml_event_delete(&ev);
			return 0;
		}
		if (n->type == YNODE_MAP) {
			key = read_node(r, &ev, depth);
			if (!key)
				return -1;
		}
		if (!key || (check_key(r, seen, key, line) == 0 && next_event(r, &ev) == 0))
			item = read_node(r, &ev, depth);
		if (!item) {
			ynode_free(key);
			return -1;
		}
		add_item(n, key, item);
		n->end = item->end;
	}
}

static struct ynode *read_scalar(struct reader *r, const yaml_event_t *ev)
{
	if (strlen((const char *)ev->data.scalar.value) != ev->data.scalar.length) {
		complain(r, ev->start_mark.line, "a NUL character");
		return NULL;
	}
	struct ynode *n = node_new(r, YNODE_SCALAR, ev);
	n->text = xstrdup((const char *)ev->data.scalar.value);
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->tagged = ev->data.scalar.tag != NULL;
	n->anchored = ev->data.scalar.anchor != NULL;
	return n;
}

static struct ynode *read_collection(struct reader *r, const yaml_event_t *ev, int depth)
{
	bool map = ev->type == YAML_MAPPING_START_EVENT;
	struct ynode *n = node_new(r, map ? YNODE_MAP : YNODE_SEQ, ev);

	if (map) {
		n->flow = ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
		n->tagged = ev->data.mapping_start.tag != NULL;
		n->anchored = ev->data.mapping_start.anchor != NULL;
	} else {
		n->flow = ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
		n->tagged = ev->data.sequence_start.tag != NULL;
		n->anchored = ev->data.sequence_start.anchor != NULL;
	}
	int rc = depth >= DEPTH_MAX ? complain(r, ev->start_mark.line, "nested too deeply")
				    : read_members(r, n, depth + 1);
	if (rc == 0)
		return n;
	ynode_free(n);
	return NULL;
}

/* Takes the event. NULL: the error is set. */
static struct ynode *read_node(struct reader *r, yaml_event_t *ev, int depth)
{
	struct ynode *n;

	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		n = read_scalar(r, ev);
		break;
	case YAML_ALIAS_EVENT:
		n = node_new(r, YNODE_ALIAS, ev);
		n->text = xstrdup((const char *)ev->data.alias.anchor);
		break;
	default:
		n = read_collection(r, ev, depth);
	}
	yaml_event_delete(ev);
	return n;
}

static int read_stream(struct reader *r, struct ynode **root)
{
	for (;;) {
		yaml_event_t ev;
		if (next_event(r, &ev) < 0)
			return -1;
		yaml_event_type_t type = ev.type;
		size_t line = ev.start_mark.line;
		switch (type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
		case YAML_STREAM_END_EVENT:
			yaml_event_delete(&ev);
			break;
		default:
			if (*root) {
				yaml_event_delete(&ev);
				return complain(r, line, "a second document; Traefik reads the first only");
			}
			*root = read_node(r, &ev, 0);
			if (!*root)
				return -1;
		}
		if (type == YAML_STREAM_END_EVENT)
			return 0;
	}
}

int ynode_parse(const char *text, size_t len, struct ynode **out, struct err *err)
{
	struct reader r = {.text = text, .len = len, .err = err, .index = SIZE_MAX};
	struct ynode *root = NULL;

	if (len > YAML_TEXT_MAX)
		return err_set(err, ERR_LIMIT, "larger than 1 MiB");
	if (!yaml_parser_initialize(&r.parser))
		abort();
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	int rc = read_stream(&r, &root);
	if (rc == 0 && r.parser.encoding != YAML_UTF8_ENCODING)
		rc = err_set(err, ERR_FAILED, "it is UTF-16; convert it to UTF-8");
	yaml_parser_delete(&r.parser);
	if (rc < 0)
		ynode_free(root);
	else
		*out = root;
	return rc;
}

void ynode_free(struct ynode *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++) {
		ynode_free(n->keys[i]);
		ynode_free(n->items[i]);
	}
	free(n->keys);
	free(n->items);
	free(n->text);
	free(n);
}

int ynode_index(const struct ynode *n, const char *key)
{
	if (!n || n->type != YNODE_MAP)
		return -1;
	for (size_t i = 0; i < n->n; i++)
		if (strcasecmp(n->keys[i]->text, key) == 0)
			return (int)i;
	return -1;
}

struct ynode *ynode_get(const struct ynode *n, const char *key)
{
	int i = ynode_index(n, key);
	return i < 0 ? NULL : n->items[i];
}

bool ynode_is_null(const struct ynode *n)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

	if (!n)
		return true;
	for (size_t i = 0; n->type == YNODE_SCALAR && n->plain && i < ARRAY_SIZE(nulls); i++)
		if (strcmp(n->text, nulls[i]) == 0)
			return true;
	return false;
}

/* A quoted "true" is a string and differs from a plain one; tags and anchors count, too. */
static json_t *scalar_json(const struct ynode *n)
{
	bool null = ynode_is_null(n);
	char kind = n->type == YNODE_ALIAS ? '*' : null ? '~' : n->plain ? 'p' : 'q';
	_cleanup_free_ char *s =
		xasprintf("%c%c%c%s", kind, n->tagged ? '!' : '-', n->anchored ? '&' : '-', null ? "" : n->text);
	return json_string(s);
}

json_t *ynode_json(const struct ynode *n)
{
	if (!n)
		return json_null();
	if (n->type == YNODE_SCALAR || n->type == YNODE_ALIAS)
		return scalar_json(n);
	json_t *j = n->type == YNODE_MAP ? json_object() : json_array();
	for (size_t i = 0; i < n->n; i++) {
		json_t *item = ynode_json(n->items[i]);
		if (n->type == YNODE_MAP)
			json_set(j, n->keys[i]->text, item);
		else
			json_array_append_new(j, item);
	}
	return j;
}
