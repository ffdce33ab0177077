/* User-defined checks: what cannot be asked, or could never be answered as expected. */
#include "spec/check_util.h"

#include "base/url.h"

#include <string.h>

#define TIMEOUT_MAX_NS (60 * INT64_C(1000000000))

static void request(struct checker *c, const struct snode *check)
{
	const struct snode *request = snode_get(check, "request"), *url = snode_get(request, "url"),
			   *body = snode_get(request, "body"), *expect = snode_get(check, "expect");
	const char *method = snode_str(request, "method");
	struct url at = {0};

	if (snode_scalar(url) && str_starts(url->text, "http") && !url_parse(url->text, &at))
		check_error(c, url->mark,
			    "check '%s': '%s' does not say whom to ask: http://host:port/path, with a host of letters, "
			    "digits, '.', '-' and '_', and without a user (write the header Authorization)",
			    check->key, snode_shown(url));
	url_free(&at);
	if (body && !str_eq(method, "POST"))
		check_error(c, body->key_mark, "check '%s': a body is sent with method POST only", check->key);
	if (str_eq(method, "HEAD") && (snode_get(expect, "body") || snode_get(expect, "json")))
		check_error(c, expect->key_mark, "check '%s': the answer to HEAD has no body; use GET", check->key);
}

static void where(struct checker *c, const struct snode *check)
{
	const struct snode *timeout = snode_get(check, "timeout"), *node = snode_get(check, "node");
	char who[WHO_SIZE];

	if (node)
		check_name(c, node, "nodes", who_is(who, "check", check));
	if (timeout && timeout->type == SNODE_INT && (timeout->integer <= 0 || timeout->integer > TIMEOUT_MAX_NS))
		check_error(c, timeout->mark,
			    "check '%s': expected a timeout of more than 0s and at most 1m, found '%s'", check->key,
			    snode_shown(timeout));
}

const struct check_row checks_checks[] = {
	{"checks", true, request},
	{"checks", true, where},
	{NULL, false, NULL},
};
