#include "base/json.h"

#include <string.h>

void json_init(void)
{
	json_set_alloc_funcs(xmalloc, free);
}

int json_parse(const char *text, size_t len, json_t **out, struct err *err)
{
	json_error_t jerr;
	json_t *j = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &jerr);
	if (!j)
		return err_set(err, ERR_PROTOCOL, "line %d, column %d: %s", jerr.line, jerr.column, jerr.text);
	*out = j;
	return 0;
}

const char *json_str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

int64_t json_int(const json_t *obj, const char *key, int64_t fallback)
{
	const json_t *v = json_object_get(obj, key);
	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

bool json_bool(const json_t *obj, const char *key)
{
	return json_is_true(json_object_get(obj, key));
}

json_t *json_path(const json_t *j, const char *path)
{
	char key[256];
	json_t *cur = (json_t *)j;

	while (cur && *path) {
		size_t n = strcspn(path, ".");
		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		cur = json_object_get(cur, key);
		path += n;
		path += *path == '.';
	}
	return cur;
}

void json_set(json_t *obj, const char *key, json_t *stolen)
{
	json_object_set_new(obj, key, stolen);
}

void json_set_str(json_t *obj, const char *key, const char *value)
{
	if (value)
		json_set(obj, key, json_string(value));
}

void json_set_int(json_t *obj, const char *key, int64_t value)
{
	json_set(obj, key, json_integer(value));
}

void json_set_bool(json_t *obj, const char *key, bool value)
{
	json_set(obj, key, json_boolean(value));
}

static int add_bytes(const char *buf, size_t size, void *s)
{
	str_add(s, buf, size);
	return 0;
}

void json_canonical(const json_t *j, struct str *out)
{
	json_dump_callback(j, add_bytes, out, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

static bool same_objects(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach ((json_t *)a, key, value)
		if (!json_same(value, json_object_get(b, key)))
			return false;
	return true;
}

static bool same_arrays(const json_t *a, const json_t *b)
{
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!json_same(json_array_get(a, i), json_array_get(b, i)))
			return false;
	return true;
}

bool json_same(const json_t *a, const json_t *b)
{
	if (!a || !b)
		return a == b;
	if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b))
		return json_number_value(a) == json_number_value(b);
	if (json_is_object(a) && json_is_object(b))
		return same_objects(a, b);
	if (json_is_array(a) && json_is_array(b))
		return same_arrays(a, b);
	return json_equal(a, b);
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **json_sorted_keys(const json_t *obj, size_t *n)
{
	const char **keys = xcalloc(json_object_size(obj), sizeof(*keys));
	const char *key;
	json_t *value;

	*n = 0;
	json_object_foreach ((json_t *)obj, key, value)
		keys[(*n)++] = key;
	qsort(keys, *n, sizeof(*keys), compare_strings);
	return keys;
}
