/* Compiles a schema: every object of it becomes a struct rule, and every keyword must be known. */
#include "spec/rule.h"

#include <string.h>

struct schema {
	json_t *json; /* rules borrow their strings and values from it */
	struct rule *root;
	struct property_list defs; /* sorted by name */
	struct rule_list rules;    /* all, for free */
	VEC(struct regex *) regexes;
};

struct compiler {
	struct schema *schema;
	const char *keyword; /* being compiled, for messages */
	struct err *err;
};

static int compile_rule(struct compiler *c, const json_t *j, struct rule **out);

static int wrong(const struct compiler *c, const char *what)
{
	return err_set(c->err, ERR_FAILED, "%s %s", c->keyword, what);
}

static int compare_properties(const void *a, const void *b)
{
	return strcmp(((const struct property *)a)->name, ((const struct property *)b)->name);
}

/* Keyword compilers: field points at the member of struct rule that the table names. */

static int keep_nothing(struct compiler *c, void *field, const json_t *v)
{
	(void)c, (void)field, (void)v;
	return 0;
}

static int keep_json(struct compiler *c, void *field, const json_t *v)
{
	(void)c;
	*(const json_t **)field = v;
	return 0;
}

static int keep_array(struct compiler *c, void *field, const json_t *v)
{
	*(const json_t **)field = v;
	return json_is_array(v) ? 0 : wrong(c, "must be an array");
}

static int keep_strings(struct compiler *c, void *field, const json_t *v)
{
	if (keep_array(c, field, v) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(v); i++)
		if (!json_is_string(json_array_get(v, i)))
			return wrong(c, "must be an array of strings");
	return 0;
}

static int keep_string(struct compiler *c, void *field, const json_t *v)
{
	*(const char **)field = json_string_value(v);
	return json_is_string(v) ? 0 : wrong(c, "must be a string");
}

static int keep_bool(struct compiler *c, void *field, const json_t *v)
{
	*(bool *)field = json_is_true(v);
	return json_is_boolean(v) ? 0 : wrong(c, "must be true or false");
}

static int keep_limit(struct compiler *c, void *field, const json_t *v)
{
	*(struct limit *)field = (struct limit){true, json_number_value(v)};
	return json_is_number(v) ? 0 : wrong(c, "must be a number");
}

static int keep_count(struct compiler *c, void *field, const json_t *v)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return wrong(c, "must be a whole number, 0 or more");
	*(struct count *)field = (struct count){true, (size_t)json_integer_value(v)};
	return 0;
}

static int keep_rule(struct compiler *c, void *field, const json_t *v)
{
	return compile_rule(c, v, field);
}

static int keep_ref(struct compiler *c, void *field, const json_t *v)
{
	static const char prefix[] = "#/$defs/";
	const char *ref = json_string_value(v);

	if (!ref || !str_starts(ref, prefix))
		return wrong(c, "must be \"#/$defs/NAME\"");
	*(const char **)field = ref + strlen(prefix);
	return 0;
}

static int keep_format(struct compiler *c, void *field, const json_t *v)
{
	const struct format *f = json_is_string(v) ? format_find(json_string_value(v)) : NULL;

	*(const struct format **)field = f;
	return f ? 0 : wrong(c, "is not one that is known");
}

static int keep_types(struct compiler *c, void *field, const json_t *v)
{
	static const struct {
		const char *name;
		enum snode_type type;
	} types[] = {
		{"array", SNODE_SEQ},     {"boolean", SNODE_BOOL}, {"integer", SNODE_INT},   {"null", SNODE_NULL},
		{"number", SNODE_NUMBER}, {"object", SNODE_MAP},   {"string", SNODE_STRING},
	};
	size_t n = json_is_array(v) ? json_array_size(v) : 1;

	for (size_t i = 0; i < n; i++) {
		const json_t *name = json_is_array(v) ? json_array_get(v, i) : v;
		size_t t = 0;
		while (t < ARRAY_SIZE(types) && !str_eq(json_string_value(name), types[t].name))
			t++;
		if (t == ARRAY_SIZE(types))
			return wrong(c, "is not a type");
		*(unsigned *)field |= TYPE(types[t].type);
	}
	return 0;
}

/* ECMA's classes such as \d would silently mean something else in a POSIX expression. */
static bool is_common_subset(const char *pattern)
{
	for (const char *p = pattern; (p = strchr(p, '\\')); p += 2)
		if (p[1] == '\0' || (p[1] >= '0' && p[1] <= '9') || (p[1] >= 'A' && p[1] <= 'Z') ||
		    (p[1] >= 'a' && p[1] <= 'z'))
			return false;
	return !strstr(pattern, "(?") && !strstr(pattern, "*?") && !strstr(pattern, "+?");
}

/* NULL: no regular expression, or not of the common subset. */
static struct regex *new_regex(struct compiler *c, const char *pattern)
{
	regex_t compiled;

	if (!pattern || !is_common_subset(pattern) || regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return NULL;
	struct regex *r = xcalloc(1, sizeof(*r));
	r->pattern = pattern;
	r->compiled = compiled;
	vec_push(&c->schema->regexes, r);
	return r;
}

static const char bad_pattern[] = "must be a regular expression that ECMA and POSIX read alike";

static int keep_pattern(struct compiler *c, void *field, const json_t *v)
{
	struct regex *r = new_regex(c, json_string_value(v));

	*(struct regex **)field = r;
	return r ? 0 : wrong(c, bad_pattern);
}

static int compile_properties(struct compiler *c, const json_t *v, struct property_list *list)
{
	const char *name;
	json_t *value;

	if (!json_is_object(v))
		return wrong(c, "must be an object");
	json_object_foreach ((json_t *)v, name, value) {
		struct property p = {name, NULL};
		if (compile_rule(c, value, &p.rule) < 0)
			return err_wrap(c->err, "%s", name);
		vec_push(list, p);
	}
	if (list->n > 0)
		qsort(list->v, list->n, sizeof(*list->v), compare_properties);
	return 0;
}

static int keep_properties(struct compiler *c, void *field, const json_t *v)
{
	return compile_properties(c, v, field);
}

static int keep_defs(struct compiler *c, void *field, const json_t *v)
{
	if (field != c->schema->root) /* the table has no offset for it */
		return wrong(c, "may stand at the top only");
	return compile_properties(c, v, &c->schema->defs);
}

static int keep_patterns(struct compiler *c, void *field, const json_t *v)
{
	struct pattern_list *list = field;
	const char *pattern;
	json_t *value;

	json_object_foreach ((json_t *)v, pattern, value) {
		struct pattern_property p = {new_regex(c, pattern), NULL};
		if (!p.regex)
			return wrong(c, bad_pattern);
		if (compile_rule(c, value, &p.rule) < 0)
			return err_wrap(c->err, "%s", pattern);
		vec_push(list, p);
	}
	return json_is_object(v) ? 0 : wrong(c, "must be an object");
}

static int keep_dependencies(struct compiler *c, void *field, const json_t *v)
{
	struct dependency_list *list = field;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)v, key, value) {
		struct dependency d = {key, NULL};
		if (keep_strings(c, &d.needs, value) < 0)
			return -1;
		vec_push(list, d);
	}
	return json_is_object(v) ? 0 : wrong(c, "must be an object");
}

static int keep_branches(struct compiler *c, void *field, const json_t *v)
{
	struct rule_list *list = field;

	if (json_array_size(v) == 0)
		return wrong(c, "must be an array that is not empty");
	if (list->n > 0)
		return wrong(c, "cannot stand beside another list of branches");
	for (size_t i = 0; i < json_array_size(v); i++) {
		struct rule *r;
		if (compile_rule(c, json_array_get(v, i), &r) < 0)
			return err_wrap(c->err, "%zu", i);
		vec_push(list, r);
	}
	return 0;
}

#define FIELD(f) offsetof(struct rule, f)
static const struct keyword {
	const char *name;
	size_t offset;
	int (*keep)(struct compiler *c, void *field, const json_t *v);
} keywords[] = {
	{"$comment", 0, keep_nothing},
	{"$defs", 0, keep_defs},
	{"$id", 0, keep_nothing},
	{"$ref", FIELD(ref_name), keep_ref},
	{"$schema", 0, keep_nothing},
	{"additionalProperties", FIELD(additional), keep_rule},
	{"anyOf", FIELD(branches), keep_branches},
	{"const", FIELD(constant), keep_json},
	{"default", FIELD(fallback), keep_json},
	{"dependentRequired", FIELD(dependencies), keep_dependencies},
	{"deprecated", FIELD(deprecated), keep_bool},
	{"description", 0, keep_nothing},
	{"enum", FIELD(values), keep_array},
	{"examples", 0, keep_nothing},
	{"exclusiveMaximum", FIELD(below), keep_limit},
	{"exclusiveMinimum", FIELD(above), keep_limit},
	{"format", FIELD(format), keep_format},
	{"items", FIELD(items), keep_rule},
	{"maxItems", FIELD(max_items), keep_count},
	{"maxLength", FIELD(max_length), keep_count},
	{"maximum", FIELD(max), keep_limit},
	{"minItems", FIELD(min_items), keep_count},
	{"minLength", FIELD(min_length), keep_count},
	{"minProperties", FIELD(min_properties), keep_count},
	{"minimum", FIELD(min), keep_limit},
	{"not", FIELD(banned), keep_rule},
	{"oneOf", FIELD(branches), keep_branches},
	{"pattern", FIELD(pattern), keep_pattern},
	{"patternProperties", FIELD(patterns), keep_patterns},
	{"properties", FIELD(properties), keep_properties},
	{"propertyNames", FIELD(names), keep_rule},
	{"required", FIELD(required), keep_strings},
	{"title", 0, keep_nothing},
	{"type", FIELD(types), keep_types},
	{"uniqueItems", FIELD(unique), keep_bool},
	{"x-error", FIELD(error), keep_string},
	{"x-message", FIELD(message), keep_string},
	{"x-warning", FIELD(warning), keep_string},
};

static int compare_keywords(const void *name, const void *keyword)
{
	return strcmp(name, ((const struct keyword *)keyword)->name);
}

static int compile_keyword(struct compiler *c, struct rule *rule, const char *name, const json_t *v)
{
	const struct keyword *k = bsearch(name, keywords, ARRAY_SIZE(keywords), sizeof(*keywords), compare_keywords);

	c->keyword = name;
	if (k)
		return k->keep(c, (char *)rule + k->offset, v);
	return str_starts(name, "x-") ? 0 : wrong(c, "is a keyword that this program does not know");
}

static struct rule *new_rule(struct compiler *c)
{
	struct rule *r = xcalloc(1, sizeof(*r));

	vec_push(&c->schema->rules, r);
	return r;
}

/* oneOf of nothing but "required": exactly one of the keys. */
static bool only_required(const json_t *branches)
{
	for (size_t i = 0; i < json_array_size(branches); i++) {
		const json_t *b = json_array_get(branches, i);
		if (json_object_size(b) != 1 || !json_object_get(b, "required"))
			return false;
	}
	return json_array_size(branches) > 0;
}

static int compile_rule(struct compiler *c, const json_t *j, struct rule **out)
{
	const char *name;
	json_t *value;

	*out = new_rule(c);
	if (json_is_boolean(j)) {
		(*out)->never = json_is_false(j);
		return 0;
	}
	if (!json_is_object(j))
		return wrong(c, "must be a schema: an object, true or false");
	json_object_foreach ((json_t *)j, name, value)
		if (compile_keyword(c, *out, name, value) < 0)
			return err_wrap(c->err, "%s", name);
	(*out)->branches_exclusive = only_required(json_object_get(j, "oneOf"));
	return 0;
}

static struct rule *find(const struct property_list *list, const char *name)
{
	const struct property wanted = {name, NULL};
	const struct property *p =
		list->n ? bsearch(&wanted, list->v, list->n, sizeof(*list->v), compare_properties) : NULL;

	return p ? p->rule : NULL;
}

/*
 * What types fit a rule, through its reference and branches. A rule that leads
 * to itself without going down the tree would never end.
 */
static int settle(struct rule *r, struct err *err)
{
	unsigned branches = 0;

	if (r->state == RULE_SETTLED)
		return 0;
	if (r->state == RULE_VISITED)
		return err_set(err, ERR_FAILED, "$ref: $defs/%s refers to itself", r->ref_name ? r->ref_name : "?");
	r->state = RULE_VISITED;
	if ((r->ref && settle(r->ref, err) < 0) || (r->banned && settle(r->banned, err) < 0))
		return -1;
	for (size_t i = 0; i < r->branches.n; i++) {
		if (settle(r->branches.v[i], err) < 0)
			return -1;
		branches |= r->branches.v[i]->fits;
	}
	r->fits = r->types ? r->types : TYPES_ANY;
	if (r->fits & TYPE(SNODE_NUMBER))
		r->fits |= TYPE(SNODE_INT);
	r->fits &= r->ref ? r->ref->fits : TYPES_ANY;
	r->fits &= r->branches.n ? branches : TYPES_ANY;
	r->state = RULE_SETTLED;
	return 0;
}

static int resolve(struct schema *s, struct err *err)
{
	for (size_t i = 0; i < s->rules.n; i++) {
		struct rule *r = s->rules.v[i];
		if (!r->ref_name)
			continue;
		r->ref = find(&s->defs, r->ref_name);
		if (!r->ref)
			return err_set(err, ERR_FAILED, "$ref: there is no $defs/%s", r->ref_name);
	}
	for (size_t i = 0; i < s->rules.n; i++)
		if (settle(s->rules.v[i], err) < 0)
			return -1;
	return 0;
}

int schema_parse(const char *text, size_t len, struct schema **out, struct err *err)
{
	struct schema *s = xcalloc(1, sizeof(*s));
	struct compiler c = {.schema = s, .keyword = "the schema", .err = err};

	if (json_parse(text, len, &s->json, err) < 0 || compile_rule(&c, s->json, &s->root) < 0 ||
	    resolve(s, err) < 0) {
		schema_free(s);
		return err_wrap(err, "read the spec's schema (an error of this program)");
	}
	*out = s;
	return 0;
}

static void free_rule(struct rule *r)
{
	vec_free(&r->properties);
	vec_free(&r->patterns);
	vec_free(&r->dependencies);
	vec_free(&r->branches);
	free(r);
}

static void free_regex(struct regex *r)
{
	regfree(&r->compiled);
	free(r);
}

void schema_free(struct schema *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->rules.n; i++)
		free_rule(s->rules.v[i]);
	for (size_t i = 0; i < s->regexes.n; i++)
		free_regex(s->regexes.v[i]);
	vec_free(&s->rules);
	vec_free(&s->regexes);
	vec_free(&s->defs);
	json_decref(s->json);
	free(s);
}

struct rule *schema_root(const struct schema *s)
{
	return s->root;
}

struct rule *rule_property(const struct rule *r, const char *name)
{
	return find(&r->properties, name);
}

bool regex_matches(const struct regex *r, const char *text)
{
	return regexec(&r->compiled, text, 0, NULL, 0) == 0;
}
