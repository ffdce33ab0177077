/* See readyaml.h. */
#include "readyaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static json_t *json_of_scalar(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	char *end;
	long long number = strtoll(text, &end, 10);

	if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return json_string(text);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_boolean(*text == 't');
	if (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
		return json_null();
	return *end == '\0' ? json_integer(number) : json_string(text);
}

static json_t *json_of_node(yaml_document_t *document, int index)
{
	yaml_node_t *node = yaml_document_get_node(document, index);
	json_t *json;

	if (!node || node->type == YAML_SCALAR_NODE)
		return node ? json_of_scalar(node) : json_null();
	if (node->type == YAML_SEQUENCE_NODE) {
		json = json_array();
		for (int *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++)
			json_array_append_new(json, json_of_node(document, *item));
		return json;
	}
	json = json_object();
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(document, pair->key);

		if (key && key->type == YAML_SCALAR_NODE)
			json_object_set_new(json, (char *)key->data.scalar.value, json_of_node(document, pair->value));
	}
	return json;
}

json_t *read_yaml(const char *path)
{
	FILE *file = fopen(path, "r");
	yaml_document_t document;
	yaml_parser_t parser;
	json_t *json = NULL;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	yaml_parser_initialize(&parser);
	yaml_parser_set_input_file(&parser, file);
	if (yaml_parser_load(&parser, &document)) {
		json = json_of_node(&document, 1);
		yaml_document_delete(&document);
	} else {
		fprintf(stderr, "%s:%zu: %s\n", path, parser.problem_mark.line + 1, parser.problem);
	}
	yaml_parser_delete(&parser);
	fclose(file);
	return json;
}
