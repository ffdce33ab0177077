#include "kinds/traefik/static.h"

#include "kinds/traefik/yaml.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool static_is_true(const char *text)
{
	static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True"};

	for (size_t i = 0; text && i < ARRAY_SIZE(words); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

/* Keys of the state; also the settings of a provider that matter here. */
static const char *const settings[] = {"endpoint", "network", "swarmMode", "swarmModeRefreshSeconds"};
/* Those of them that v3 does not start with. */
static const char *const v2_settings[] = {"swarmMode", "swarmModeRefreshSeconds"};

static void assign(json_t *state, const char *provider, const char *setting, const char *value)
{
	json_set_bool(state, provider, true);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (strcasecmp(settings[i], setting) != 0)
			continue;
		_cleanup_free_ char *key = xasprintf("%s.%s", provider, settings[i]);
		json_set_str(state, key, value);
	}
}

static void assign_entrypoint(json_t *state, const char *name, size_t n, const char *address)
{
	_cleanup_free_ char *key = xasprintf("entrypoints.%.*s", (int)n, name);

	for (char *p = key; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	json_set_str(state, key, address);
}

const char *static_entrypoint(const json_t *state, const char *name)
{
	_cleanup_free_ char *key = xasprintf("entrypoints.%s", name);

	for (char *p = key; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return json_str(state, key);
}

/* "providers.docker.swarmMode", "entryPoints.web.address", in any case; others mean nothing here. */
static void assign_path(json_t *state, const char *path, const char *value)
{
	static const char *const prefixes[][2] = {{"providers.docker", "docker"}, {"providers.swarm", "swarm"}};
	static const char entrypoints[] = "entryPoints.", address[] = ".address";
	size_t len = strlen(path), fixed = strlen(entrypoints) + strlen(address);

	if (len > fixed && strncasecmp(path, entrypoints, strlen(entrypoints)) == 0 &&
	    strcasecmp(path + len - strlen(address), address) == 0)
		assign_entrypoint(state, path + strlen(entrypoints), len - fixed, value);

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t n = strlen(prefixes[i][0]);
		if (strncasecmp(path, prefixes[i][0], n) != 0)
			continue;
		if (path[n] == '.')
			assign(state, prefixes[i][1], path + n + 1, value);
		else if (path[n] == '\0' && static_is_true(value))
			assign(state, prefixes[i][1], "", "");
	}
}

/* YAML */

static int read_provider(const struct ynode *providers, const char *name, json_t *state, struct err *err)
{
	const struct ynode *n = ynode_get(providers, name);

	if (ynode_is_null(n))
		return 0;
	if (n->type != YNODE_MAP || ynode_get(n, "<<"))
		return err_set(err, ERR_FAILED,
			       "providers.%s is an alias, has a merge key or is no mapping: write it out", name);
	assign(state, name, "", "");
	for (size_t i = 0; i < n->n; i++) {
		const struct ynode *item = n->items[i];
		if (ynode_is_null(item) || (item->type == YNODE_MAP || item->type == YNODE_SEQ))
			continue;
		if (item->type == YNODE_ALIAS && strcasecmp(n->keys[i]->text, "swarmMode") == 0)
			return err_set(err, ERR_FAILED, "providers.%s.swarmMode is an alias: write it out", name);
		assign(state, name, n->keys[i]->text, item->text);
	}
	return 0;
}

static void read_entrypoints(const struct ynode *map, json_t *state)
{
	for (size_t i = 0; map && map->type == YNODE_MAP && i < map->n; i++) {
		const struct ynode *address = ynode_get(map->items[i], "address");
		if (address && address->type == YNODE_SCALAR)
			assign_entrypoint(state, map->keys[i]->text, strlen(map->keys[i]->text), address->text);
	}
}

int static_read_yaml(const char *text, size_t len, json_t **out, struct err *err)
{
	static const char *const names[] = {"docker", "swarm"};
	_cleanup_json_ json_t *state = json_object();
	struct ynode *root = NULL;

	if (ynode_parse(text, len, &root, err) < 0)
		return -1;
	const struct ynode *providers = ynode_get(root, "providers");
	int rc = 0;
	if (ynode_get(root, "<<") || ynode_get(providers, "<<") || (providers && providers->type == YNODE_ALIAS))
		rc = err_set(err, ERR_FAILED, "providers is an alias or comes from a merge key: write it out");
	for (size_t i = 0; i < ARRAY_SIZE(names) && rc == 0; i++)
		rc = read_provider(providers, names[i], state, err);
	read_entrypoints(ynode_get(root, "entryPoints"), state);
	ynode_free(root);
	if (rc == 0)
		*out = json_incref(state);
	return rc;
}

/* Flags, environment, TOML */

/* "--a.b=c", "-a.b" as "a.b", "c"; path is freed by the caller. false: no flag. */
static bool split_flag(const char *arg, char **path, const char **value)
{
	size_t minus = strspn(arg, "-");

	if (minus < 1 || minus > 2 || arg[minus] == '\0')
		return false;
	const char *eq = strchr(arg, '=');
	size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
	*path = xasprintf("%.*s", (int)(n - minus), arg + minus);
	*value = eq ? eq + 1 : NULL;
	return true;
}

json_t *static_read_flags(const json_t *args)
{
	json_t *state = json_object(), *arg;
	size_t i;

	json_array_foreach ((json_t *)args, i, arg) {
		_cleanup_free_ char *path = NULL;
		const char *value;
		if (json_is_string(arg) && split_flag(json_string_value(arg), &path, &value))
			assign_path(state, path, value ? value : "true");
	}
	return state;
}

static bool is_traefik_variable(const char *s)
{
	return strncasecmp(s, "TRAEFIK_", 8) == 0;
}

json_t *static_read_env(const json_t *env)
{
	json_t *state = json_object(), *var;
	size_t i;

	json_array_foreach ((json_t *)env, i, var) {
		const char *s = json_string_value(var), *eq = s ? strchr(s, '=') : NULL;
		if (!eq || !is_traefik_variable(s))
			continue;
		_cleanup_free_ char *path = xasprintf("%.*s", (int)(eq - s - 8), s + 8);
		for (char *p = path; *p; p++)
			*p = *p == '_' ? '.' : *p;
		assign_path(state, path, eq + 1);
	}
	return state;
}

/* The text between leading and trailing blanks and quotes. */
static char *trimmed(const char *s, size_t n)
{
	static const char drop[] = " \t\r\"'";

	while (n && strchr(drop, *s))
		s++, n--;
	while (n && strchr(drop, s[n - 1]))
		n--;
	return xasprintf("%.*s", (int)n, s);
}

json_t *static_read_toml(const char *text)
{
	json_t *state = json_object();
	char *table = xstrdup("");

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		line += strspn(line, " \t");
		size_t n = strcspn(line, "\r\n#"), eq = strcspn(line, "=");
		if (*line == '[' && line[1] != '[') {
			free(table);
			table = trimmed(line + 1, strcspn(line + 1, "]\r\n"));
			assign_path(state, table, "true");
		} else if (eq < n) {
			_cleanup_free_ char *key = trimmed(line, eq);
			_cleanup_free_ char *value = trimmed(line + eq + 1, n - eq - 1);
			_cleanup_free_ char *path = xasprintf("%s%s%s", table, *table ? "." : "", key);
			assign_path(state, path, value);
		}
	}
	free(table);
	return state;
}

/* What it comes to */

static void add_v2_key(json_t *keys, const json_t *state, const char *provider, const char *setting)
{
	_cleanup_free_ char *name = xasprintf("%s.%s", provider, setting);
	json_set_str(keys, name, json_str(state, name));
}

json_t *static_body(const json_t *state, int major)
{
	json_t *body = json_object();

	if (major < 3) {
		if (static_is_true(json_str(state, "docker.swarmMode")))
			json_set_bool(body, "swarm_mode", true);
		return body;
	}
	if (json_bool(state, "swarm"))
		json_set_bool(body, "swarm_mode", true);
	json_t *keys = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(v2_settings); i++) {
		add_v2_key(keys, state, "docker", v2_settings[i]);
		add_v2_key(keys, state, "swarm", v2_settings[i]);
	}
	if (json_object_size(keys) > 0)
		json_set(body, "v2_keys", keys);
	else
		json_decref(keys);
	return body;
}

static const char *const source_names[STATIC_N_SOURCES] = {
	[STATIC_FILE] = "file",       [STATIC_TOML] = "toml",       [STATIC_FLAGS] = "flags",
	[STATIC_ENV] = "environment", [STATIC_NOTHING] = "nothing",
};

const char *static_source_name(enum static_source s)
{
	return source_names[s];
}

/* Where */

/* --configFile=x, --configfile x; borrowed. NULL: not given. */
static const char *config_flag(const json_t *args)
{
	const char *found = NULL;
	json_t *arg;
	size_t i;

	json_array_foreach ((json_t *)args, i, arg) {
		_cleanup_free_ char *path = NULL;
		const char *value;
		if (!json_is_string(arg) || !split_flag(json_string_value(arg), &path, &value) ||
		    strcasecmp(path, "configFile") != 0)
			continue;
		found = value ? value : json_string_value(json_array_get(args, i + 1));
	}
	return found;
}

static const char *variable(const json_t *env, const char *name)
{
	json_t *var;
	size_t i, n = strlen(name);

	json_array_foreach ((json_t *)env, i, var) {
		const char *s = json_string_value(var);
		if (s && strncmp(s, name, n) == 0 && s[n] == '=')
			return s + n + 1;
	}
	return NULL;
}

/* An absolute path inside the container. */
static char *absolute(const char *workdir, const char *path)
{
	if (*path == '/')
		return xstrdup(path);
	if (strncmp(path, "./", 2) == 0)
		path += 2;
	return xasprintf("%s%s%s", workdir, str_ends(workdir, "/") ? "" : "/", path);
}

struct search {
	int (*exists)(void *arg, const char *path, bool *yes, struct err *err);
	void *arg;
	char *found;
	struct err *err;
};

static int try_path(struct search *s, char *path)
{
	bool yes = false;
	int rc = s->found ? 0 : s->exists(s->arg, path, &yes, s->err);

	if (rc == 0 && yes)
		s->found = path;
	else
		free(path);
	return rc;
}

static int find_file(struct search *s, const json_t *container)
{
	static const char *const extensions[] = {"toml", "yaml", "yml"};
	const json_t *env = json_path(container, "Config.Env");
	const char *workdir = json_str(json_object_get(container, "Config"), "WorkingDir");
	const char *given = config_flag(json_object_get(container, "Args"));
	const char *home = variable(env, "HOME"), *xdg = variable(env, "XDG_CONFIG_HOME");
	int rc = 0;

	if (!workdir || !*workdir)
		workdir = "/";
	const struct {
		const char *dir, *rest;
	} bases[] = {{"/etc/traefik", "/traefik"},
		     {xdg ? xdg : "", "/traefik"},
		     {home ? home : "/root", "/.config/traefik"},
		     {strcmp(workdir, "/") == 0 ? "" : workdir, "/traefik"}};
	if (given)
		rc = try_path(s, absolute(workdir, given));
	for (size_t b = 0; b < ARRAY_SIZE(bases); b++)
		for (size_t e = 0; e < ARRAY_SIZE(extensions) && rc == 0 && !s->found; e++)
			rc = try_path(s, xasprintf("%s%s.%s", bases[b].dir, bases[b].rest, extensions[e]));
	return rc;
}

static bool any_flag(const json_t *args)
{
	json_t *arg;
	size_t i;

	json_array_foreach ((json_t *)args, i, arg)
		if (json_is_string(arg) && json_string_value(arg)[0] == '-')
			return true;
	return false;
}

static bool any_variable(const json_t *env)
{
	json_t *var;
	size_t i;

	json_array_foreach ((json_t *)env, i, var)
		if (json_is_string(var) && is_traefik_variable(json_string_value(var)))
			return true;
	return false;
}

int static_locate(const json_t *container, int (*exists)(void *arg, const char *path, bool *yes, struct err *err),
		  void *arg, enum static_source *source, char **path, struct err *err)
{
	struct search s = {.exists = exists, .arg = arg, .err = err};

	if (find_file(&s, container) < 0)
		return -1;
	*path = s.found;
	if (s.found)
		*source = str_ends(s.found, ".toml") ? STATIC_TOML : STATIC_FILE;
	else if (any_flag(json_object_get(container, "Args")))
		*source = STATIC_FLAGS;
	else
		*source = any_variable(json_path(container, "Config.Env")) ? STATIC_ENV : STATIC_NOTHING;
	return 0;
}

bool static_host_path(const json_t *container, const char *inside, char **path, bool *single_file)
{
	const char *best = NULL, *source = NULL;
	json_t *m;
	size_t i;

	json_array_foreach (json_object_get(container, "Mounts"), i, m) {
		const char *dest = json_str(m, "Destination"), *src = json_str(m, "Source");
		size_t n = dest ? strlen(dest) : 0;
		while (n > 1 && dest[n - 1] == '/')
			n--;
		if (!dest || strncmp(inside, dest, n) != 0 || (inside[n] != '\0' && inside[n] != '/'))
			continue;
		if (best && strlen(best) > n)
			continue;
		best = dest;
		source = src && *src ? src : NULL;
	}
	if (!source)
		return false;
	size_t n = strlen(best);
	while (n > 1 && best[n - 1] == '/')
		n--;
	*single_file = inside[n] == '\0';
	*path = xasprintf("%s%s", source, inside + n);
	return true;
}

char *static_by_hand(enum static_source s, int major, bool swarm_mode)
{
	static const char *const changes[2][2][STATIC_N_SOURCES] = {
		/* v2: off, on */
		{{[STATIC_FILE] = "set providers.docker.swarmMode to false",
		  [STATIC_TOML] = "in [providers.docker] set swarmMode = false",
		  [STATIC_FLAGS] = "remove the flag --providers.docker.swarmMode",
		  [STATIC_ENV] = "remove the variable TRAEFIK_PROVIDERS_DOCKER_SWARMMODE"},
		 {[STATIC_FILE] = "set providers.docker.swarmMode to true",
		  [STATIC_TOML] = "in [providers.docker] set swarmMode = true",
		  [STATIC_FLAGS] = "add the flag --providers.docker.swarmMode=true",
		  [STATIC_ENV] = "add the variable TRAEFIK_PROVIDERS_DOCKER_SWARMMODE=true"}},
		/* v3: off, on */
		{{[STATIC_FILE] = "remove providers.swarm, and swarmMode from providers.docker",
		  [STATIC_TOML] = "remove [providers.swarm], and swarmMode from [providers.docker]",
		  [STATIC_FLAGS] = "remove the flags --providers.swarm… and --providers.docker.swarmMode",
		  [STATIC_ENV] =
			  "remove the variables TRAEFIK_PROVIDERS_SWARM… and TRAEFIK_PROVIDERS_DOCKER_SWARMMODE"},
		 {[STATIC_FILE] = "add providers.swarm with exposedByDefault: false, and remove swarmMode from "
				  "providers.docker",
		  [STATIC_TOML] =
			  "add a table [providers.swarm] with exposedByDefault = false, and remove swarmMode from "
			  "[providers.docker]",
		  [STATIC_FLAGS] = "add the flag --providers.swarm.exposedByDefault=false, and remove "
				   "--providers.docker.swarmMode",
		  [STATIC_ENV] = "add the variable TRAEFIK_PROVIDERS_SWARM_EXPOSEDBYDEFAULT=false, and remove "
				 "TRAEFIK_PROVIDERS_DOCKER_SWARMMODE"}},
	};
	const char *change = changes[major >= 3][swarm_mode][s == STATIC_NOTHING ? STATIC_FLAGS : s];
	return xstrdup(change);
}

char *static_entrypoint_by_hand(enum static_source s, const char *name, const char *address)
{
	static const struct {
		const char *before, *between, *after;
	} forms[STATIC_N_SOURCES] = {
		[STATIC_FILE] = {"set entryPoints.", ".address to ", ""},
		[STATIC_TOML] = {"add a table [entryPoints.", "] with address = \"", "\""},
		[STATIC_FLAGS] = {"add the flag --entryPoints.", ".address=", ""},
		[STATIC_ENV] = {"add the variable TRAEFIK_ENTRYPOINTS_", "_ADDRESS=", ""},
		[STATIC_NOTHING] = {"add the flag --entryPoints.", ".address=", ""},
	};
	_cleanup_free_ char *shown = xstrdup(name);

	for (char *p = shown; s == STATIC_ENV && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return xasprintf("%s%s%s%s%s", forms[s].before, shown, forms[s].between, address, forms[s].after);
}
