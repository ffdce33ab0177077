#include "spec/yaml.h"

#include "spec/anchor.h"
#include "spec/interpolate.h"
#include "spec/map.h"
#include "spec/text.h"
#include "spec/yaml_words.h"

#include <string.h>

#define TAG_PREFIX "tag:yaml.org,2002:"

/* A map or list that is being read. */
struct frame {
	struct snode *node;
	struct anchor *anchor;
	struct map_builder map;      /* of a map */
	VEC(struct snode *) entries; /* of a list */
	bool has_key;                /* of a map: a key was read, its value is next */
	bool drop;                   /* that value, because its key was wrong */
};

struct reader {
	struct arena *arena;
	struct diags *diags;
	struct text text;
	struct interpolation vars;
	struct anchors anchors;
	struct frame frames[YAML_DEPTH_MAX];
	size_t depth;
	struct snode *root;
	bool failed; /* nothing after this can be read */
	bool may_be_empty;
};

static struct mark mark_of(const struct reader *r, yaml_mark_t m)
{
	return text_mark(&r->text, m.index);
}

static struct frame *top(struct reader *r)
{
	return r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
}

static bool at_key(struct reader *r)
{
	const struct frame *f = top(r);
	return f && f->node->type == SNODE_MAP && !f->has_key;
}

/* A key that is no plain text: said, and dropped with its value. */
static void bad_key(struct reader *r, struct mark m, const char *what)
{
	diag_add(r->diags, DIAG_ERROR, m, "%s", what);
	top(r)->drop = true;
}

/* A complete node goes where it belongs: key position, map, list or root. */
static void put(struct reader *r, struct snode *n)
{
	struct frame *f = top(r);

	if (!f) {
		r->root = n;
	} else if (f->node->type == SNODE_SEQ) {
		n->key_mark = n->mark;
		vec_push(&f->entries, n);
	} else if (at_key(r)) {
		f->has_key = true;
	} else {
		if (!f->drop)
			map_put(&f->map, n, r->diags);
		f->has_key = f->drop = false;
	}
}

static struct snode *new_node(struct reader *r, enum snode_type type, struct mark m)
{
	struct snode *n = arena_alloc(r->arena, sizeof(*n));

	*n = (struct snode){.type = type, .mark = m, .key_mark = m};
	return n;
}

/* Types come from the schema; !!str (and "!") only says what quotes say. True: the tag is that. */
static bool read_tag(struct reader *r, const yaml_char_t *tag, struct mark m, bool scalar)
{
	const char *t = (const char *)tag;
	bool standard = t && str_starts(t, TAG_PREFIX);

	if (!t)
		return false;
	if (scalar && (strcmp(t, "!") == 0 || strcmp(t, TAG_PREFIX "str") == 0))
		return true;
	diag_add(r->diags, DIAG_ERROR, m, "tag '%s%s' is not supported: the schema decides a value's type",
		 standard ? "!!" : "", standard ? t + strlen(TAG_PREFIX) : t);
	return false;
}

/* Column by column as written: one line, nothing escaped or folded, and short enough to count in for each finding. */
static bool is_exact(const yaml_event_t *e, const char *text)
{
	size_t quotes = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? 0 : 2;

	return e->start_mark.line == e->end_mark.line && e->data.scalar.length < 4096 &&
	       e->end_mark.index - e->start_mark.index == utf8_count(text, e->data.scalar.length) + quotes;
}

static const char *scalar_text(struct reader *r, const yaml_event_t *e, struct snode *n)
{
	const char *text = (const char *)e->data.scalar.value;
	_cleanup_str_ struct str out = {0};

	if (strlen(text) != e->data.scalar.length) {
		diag_add(r->diags, DIAG_ERROR, n->mark, "a text cannot contain a NUL character");
		return NULL;
	}
	if (!strchr(text, '$'))
		return arena_strndup(r->arena, text, e->data.scalar.length);
	struct mark at = n->mark;
	at.col += e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE && is_exact(e, text);
	if (!interpolate(&r->vars, text, at, is_exact(e, text), &out, &n->from_env))
		return NULL;
	n->mark.hidden = n->from_env;
	n->quoted |= out.len == 0;
	return arena_strndup(r->arena, str_cstr(&out), out.len);
}

static void read_key(struct reader *r, const yaml_event_t *e)
{
	struct frame *f = top(r);
	struct mark m = mark_of(r, e->start_mark);
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	read_tag(r, e->data.scalar.tag, m, true);
	if (len == 0)
		bad_key(r, m, "an empty key");
	else if (strlen(text) != len)
		bad_key(r, m, "a key cannot contain a NUL character");
	else
		map_key(&f->map, arena_strndup(r->arena, text, len), m, plain && strcmp(text, "<<") == 0);
	f->has_key = true;
}

static void read_scalar(struct reader *r, const yaml_event_t *e)
{
	if (at_key(r)) {
		if (e->data.scalar.anchor)
			diag_add(r->diags, DIAG_ERROR, mark_of(r, e->start_mark), "a key cannot have an anchor");
		read_key(r, e);
		return;
	}
	struct snode *n = new_node(r, SNODE_STRING, mark_of(r, e->start_mark));
	bool str_tag = read_tag(r, e->data.scalar.tag, n->mark, true);
	n->quoted = str_tag || e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->text = scalar_text(r, e, n);
	if (e->data.scalar.anchor)
		anchors_add(&r->anchors, (const char *)e->data.scalar.anchor, n)->complete = true;
	put(r, n);
}

static void open_container(struct reader *r, enum snode_type type, struct mark m, const yaml_char_t *anchor,
			   const yaml_char_t *tag)
{
	if (at_key(r))
		bad_key(r, m,
			"a key must be a text, not a map or a list (a text that starts with '{' or '[' needs quotes)");
	if (r->depth == YAML_DEPTH_MAX) {
		diag_add(r->diags, DIAG_ERROR, m, "nested too deep; the limit is %d levels", YAML_DEPTH_MAX);
		r->failed = true;
		return;
	}
	read_tag(r, tag, m, false);
	struct frame *f = &r->frames[r->depth++];
	f->node = new_node(r, type, m);
	f->anchor = anchor ? anchors_add(&r->anchors, (const char *)anchor, f->node) : NULL;
	f->has_key = f->drop = false;
	f->entries.n = 0;
	map_reset(&f->map);
}

/* A list's values are shown together, so one variable's value hides the list and the map that it stands in. */
static bool hide_list(struct snode *n)
{
	bool hidden = n->mark.hidden;

	for (size_t i = 0; i < n->n_items; i++)
		hidden |= hide_list(n->items[i]);
	n->mark.hidden = hidden;
	return hidden;
}

static void close_container(struct reader *r)
{
	struct frame *f = top(r);
	struct snode *n = f->node;

	if (n->type == SNODE_MAP) {
		map_finish(&f->map, n, r->arena, r->diags);
	} else if (f->entries.n > 0) {
		n->n_items = f->entries.n;
		n->items = arena_alloc(r->arena, n->n_items * sizeof(*n->items));
		memcpy(n->items, f->entries.v, n->n_items * sizeof(*n->items));
		hide_list(n);
	}
	if (f->anchor)
		f->anchor->complete = true;
	r->depth--;
	put(r, n);
}

static void read_alias(struct reader *r, const yaml_event_t *e)
{
	struct mark m = mark_of(r, e->start_mark);
	struct snode *n;

	if (at_key(r))
		bad_key(r, m, "a key must be a text, not an alias");
	if (anchors_copy(&r->anchors, (const char *)e->data.alias.anchor, m, r->depth, &n, r->diags) < 0)
		r->failed = true;
	else
		put(r, n);
}

static void second_document(struct reader *r, struct mark m)
{
	diag_add(r->diags, DIAG_ERROR, m, "a second document starts here: a spec is one YAML document");
}

/* Returns false at the end. */
static bool handle(struct reader *r, const yaml_event_t *e)
{
	struct mark m = mark_of(r, e->start_mark);

	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->root)
			second_document(r, m);
		return !r->root;
	case YAML_SCALAR_EVENT:
		read_scalar(r, e);
		break;
	case YAML_ALIAS_EVENT:
		read_alias(r, e);
		break;
	case YAML_SEQUENCE_START_EVENT:
		open_container(r, SNODE_SEQ, m, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		open_container(r, SNODE_MAP, m, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_container(r);
		break;
	default:
		return e->type != YAML_STREAM_END_EVENT;
	}
	return !r->failed;
}

static void read_events(struct reader *r)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool more = true;

	if (!yaml_parser_initialize(&parser)) {
		diag_add(r->diags, DIAG_ERROR, (struct mark){.file = r->text.file, .line = 0, .col = 0},
			 "out of memory");
		r->failed = true;
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)r->text.bytes, r->text.len);
	while (more) {
		if (!yaml_parser_parse(&parser, &event)) {
			yaml_add_error(&parser, &r->text, r->diags);
			r->failed = true;
			break;
		}
		more = handle(r, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

static bool is_empty(const struct snode *root)
{
	return !root || (root->type == SNODE_STRING && !root->quoted && root->text && root->text[0] == '\0');
}

static void read_text(struct reader *r)
{
	read_events(r);
	for (size_t i = 0; i < YAML_DEPTH_MAX; i++) {
		vec_free(&r->frames[i].entries);
		map_free(&r->frames[i].map);
	}
	if (!r->failed && is_empty(r->root)) {
		if (!r->may_be_empty)
			diag_add(r->diags, DIAG_ERROR, (struct mark){.file = r->text.file, .line = 1, .col = 1},
				 "the spec is empty: it needs at least 'version' and 'cluster'");
		r->failed = true;
	}
}

struct snode *yaml_read(const struct spec_input *in, struct arena *arena, struct diags *diags)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	struct snode *root = NULL;

	r->arena = arena;
	r->diags = diags;
	r->may_be_empty = in->may_be_empty;
	r->vars = (struct interpolation){in->allow_env, TEXT_MAX, diags, in->stack_file};
	anchors_init(&r->anchors, arena);
	if (text_init(&r->text, in->name, in->text, in->len, diags)) {
		read_text(r);
		root = r->failed ? NULL : r->root;
	}
	anchors_free(&r->anchors);
	text_free(&r->text);
	free(r);
	return root;
}
