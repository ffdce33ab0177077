/*
 * Registry credentials as docker/cli keeps them (cli/config/configfile,
 * cli/config/credentials): auths, credHelpers, credsStore. They go into one
 * request header and nowhere else.
 */
#include "client/engine/internal.h"

#include "base/base64.h"
#include "sys/clock.h"
#include "sys/proc.h"

#include <string.h>

#define HUB_KEY "https://index.docker.io/v1/"
#define HELPER_MS 10000
#define NOT_FOUND "credentials not found in native keychain" /* the helper protocol's words */

/* The host of an auths key, which may be a URL in old files. */
static bool key_is_for(const char *key, const char *registry)
{
	const char *host = strstr(key, "://");
	host = host ? host + 3 : key;
	size_t n = strcspn(host, "/");
	return strlen(registry) == n && memcmp(host, registry, n) == 0;
}

static const json_t *find_entry(const json_t *auths, const char *registry, const char **found)
{
	const json_t *exact = json_object_get(auths, registry);
	const char *key;
	json_t *value;

	*found = registry;
	if (exact)
		return exact;
	json_object_foreach ((json_t *)auths, key, value) {
		*found = key;
		if (key_is_for(key, registry))
			return value;
	}
	return NULL;
}

static int from_file(const json_t *config, const char *registry, json_t *out, struct err *err)
{
	const char *key, *colon;
	const json_t *entry = find_entry(json_object_get(config, "auths"), registry, &key);
	const char *auth = json_str(entry, "auth");
	_cleanup_str_ struct str plain = {0};

	if (!entry)
		return 0;
	json_set_str(out, "username", json_str(entry, "username"));
	json_set_str(out, "password", json_str(entry, "password"));
	json_set_str(out, "identitytoken", json_str(entry, "identitytoken"));
	json_set_str(out, "registrytoken", json_str(entry, "registrytoken"));
	if (auth && *auth) {
		if (!base64_decode(auth, strlen(auth), &plain) || !(colon = strchr(str_cstr(&plain), ':')) ||
		    colon == plain.data)
			return err_set(err, ERR_USAGE, "the 'auth' of '%s' is not base64 of user:password", key);
		json_set(out, "username", json_stringn(plain.data, (size_t)(colon - plain.data)));
		json_set_str(out, "password", colon + 1);
	}
	if (json_object_size(out) > 0)
		json_set_str(out, "serveraddress", key);
	return 0;
}

/* What a failing helper prints is for people, but a secret may be among it: only its known words pass. */
static int helper_failed(const char *program, const struct proc_result *r, struct err *err)
{
	if (r->signal)
		return err_set(err, ERR_FAILED, "%s ended by signal %d", program, r->signal);
	return err_set(err, ERR_FAILED, "%s failed with status %d; try: echo REGISTRY | %s get", program,
		       r->exit_status, program);
}

static int from_helper(const char *helper, const char *registry, int64_t deadline, json_t *out, struct err *err)
{
	_cleanup_free_ char *program = xasprintf("docker-credential-%s", helper);
	_cleanup_proc_result_ struct proc_result r = {0};
	_cleanup_json_ json_t *answer = NULL;
	int64_t limit = clock_ms() + HELPER_MS;
	struct proc_options o = {
		.argv = (const char *const[]){program, "get", NULL},
		.input = registry,
		.input_len = strlen(registry),
		.deadline = limit < deadline ? limit : deadline,
	};

	if (strchr(helper, '/'))
		return err_set(err, ERR_USAGE, "'%s' is not the name of a credential helper", helper);
	if (proc_run(&o, &r, err) < 0)
		return err_wrap(err, "run %s", program);
	if (r.exit_status != 0)
		return strstr(str_cstr(&r.out), NOT_FOUND) ? 0 : helper_failed(program, &r, err);
	struct err parse;
	const char *user = NULL, *secret = NULL;
	if (json_parse(str_cstr(&r.out), r.out.len, &answer, &parse) == 0) {
		user = json_str(answer, "Username");
		secret = json_str(answer, "Secret");
	}
	if (!user || !secret)
		return err_set(err, ERR_PROTOCOL, "%s: its answer is not the helper protocol's JSON", program);
	if (strcmp(user, "<token>") == 0) {
		json_set_str(out, "identitytoken", secret);
	} else {
		json_set_str(out, "username", user);
		json_set_str(out, "password", secret);
	}
	json_set_str(out, "serveraddress", registry);
	return 0;
}

int registry_auth(const struct engine *e, const char *domain, int64_t deadline, char **out, struct err *err)
{
	const char *registry = strcmp(domain, "docker.io") == 0 ? HUB_KEY : domain;
	const char *helper = json_str(json_object_get(e->config, "credHelpers"), registry);
	_cleanup_json_ json_t *auth = json_object();
	_cleanup_str_ struct str text = {0}, encoded = {0};

	if (!helper)
		helper = json_str(e->config, "credsStore");
	int r = helper && *helper ? from_helper(helper, registry, deadline, auth, err)
				  : from_file(e->config, registry, auth, err);
	if (r < 0)
		return err_wrap(err, "credentials for %s (%s/config.json)", domain, e->config_dir);
	*out = NULL;
	if (json_object_size(auth) > 0) {
		json_canonical(auth, &text);
		base64url_encode(text.data, text.len, &encoded); /* what the daemon decodes */
		*out = str_steal(&encoded);
		explicit_bzero(text.data, text.len);
	}
	return 0;
}

int registry_auth_for_image(const struct engine *e, const char *image, int64_t deadline, char **out, struct err *err)
{
	struct image_ref ref;

	if (image_ref_parse(image, &ref, err) < 0)
		return -1;
	int r = registry_auth(e, ref.domain, deadline, out, err);
	image_ref_free(&ref);
	return r;
}
