#include "kinds/model/name.h"

#include <string.h>
#include <strings.h>

#define DEFAULT_HOST "registry.ollama.ai"
#define PUBLIC_HOST "ollama.com"
#define DEFAULT_SPACE "library"
#define DEFAULT_TAG "latest"

#define ALNUM_ "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

static bool is_part(const char *s, const char *also, size_t max)
{
	size_t n = strlen(s);
	_cleanup_free_ char *set = xasprintf(ALNUM_ "-%s", also);

	return n > 0 && n <= max && strchr(ALNUM_, *s) && strspn(s, set) == n;
}

/* What follows the last separator, cut off s; NULL: there is none. */
static char *cut_last(char *s, char separator)
{
	char *at = strrchr(s, separator);

	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

static char *copy(const char *s, const char *otherwise)
{
	return xstrdup(s ? s : otherwise);
}

bool model_name_parse(const char *text, struct model_name *out)
{
	_cleanup_free_ char *rest = xstrdup(text);
	char *colon = strrchr(rest, ':'), *slash = strrchr(rest, '/'), *host = NULL, *space = NULL;
	struct model_name n = {0};

	char *tag = colon && (!slash || colon > slash) ? cut_last(rest, ':') : NULL;
	char *model = cut_last(rest, '/');
	if (model) {
		space = cut_last(rest, '/');
		host = space ? rest : NULL;
		space = space ? space : rest;
	}
	n.insecure = host && str_starts(host, "http://");
	if (host && (n.insecure || str_starts(host, "https://")))
		host = strstr(host, "://") + 3;
	n.host = copy(host, DEFAULT_HOST);
	n.space = copy(space, DEFAULT_SPACE);
	n.model = copy(model, rest);
	n.tag = copy(tag, DEFAULT_TAG);
	if (is_part(n.host, ".:", 350) && is_part(n.space, "", 80) && is_part(n.model, ".", 80) &&
	    is_part(n.tag, ".", 80)) {
		*out = n;
		return true;
	}
	model_name_free(&n);
	return false;
}

void model_name_free(struct model_name *n)
{
	free(n->host);
	free(n->space);
	free(n->model);
	free(n->tag);
	*n = (struct model_name){0};
}

static bool is_default_host(const struct model_name *n)
{
	return strcasecmp(n->host, DEFAULT_HOST) == 0;
}

char *model_name_short(const struct model_name *n)
{
	if (!is_default_host(n))
		return xasprintf("%s/%s/%s:%s", n->host, n->space, n->model, n->tag);
	if (strcasecmp(n->space, DEFAULT_SPACE) != 0)
		return xasprintf("%s/%s:%s", n->space, n->model, n->tag);
	return xasprintf("%s:%s", n->model, n->tag);
}

static void add(struct str *out, const char *root, const char *host, const struct model_name *n)
{
	str_addf(out, "%s/%s/%s/%s/%s ", root, host, n->space, n->model, n->tag);
}

void model_name_manifests(const struct model_name *n, struct str *out)
{
	bool public = is_default_host(n) || strcasecmp(n->host, PUBLIC_HOST) == 0;

	add(out, "manifests-v2", public ? PUBLIC_HOST : n->host, n);
	add(out, "manifests", n->host, n);
	if (public)
		add(out, "manifests", is_default_host(n) ? PUBLIC_HOST : DEFAULT_HOST, n);
}
