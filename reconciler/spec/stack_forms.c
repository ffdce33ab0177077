/* The short forms of a service in a stack file as long ones (cli/compose/loader/loader.go). */
#include "spec/stack.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Text of numbers */

/* %v of a float64: as few digits as tell it apart, with an exponent below -4 and from 6 on (strconv, ftoa.go). */
static char *go_float(double v)
{
	char digits[40];
	int precision = 0;

	do
		snprintf(digits, sizeof(digits), "%.*e", precision, v);
	while (strtod(digits, NULL) != v && ++precision < 17);
	int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
	if (exponent < -4 || exponent >= 6)
		return xstrdup(digits);
	return xasprintf("%.*f", precision > exponent ? precision - exponent : 0, v);
}

static bool go_int(const char *text, int64_t *out)
{
	static const struct {
		const char *prefix;
		int base;
	} bases[] = {{"0x", 16}, {"0X", 16}, {"0o", 8}, {"0b", 2}, {"0", 8}};
	const char *digits = text + (*text == '-' || *text == '+');
	int base = 10;
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(bases) && base == 10; i++)
		if (str_starts(digits, bases[i].prefix) && digits[1]) {
			base = bases[i].base;
			digits += strlen(bases[i].prefix);
		}
	if (strspn(digits, "0123456789abcdefABCDEF") != strlen(digits) || !*digits)
		return false;
	errno = 0;
	*out = strtoll(digits, &end, base);
	if (errno || *end)
		return false;
	if (*text == '-')
		*out = -*out;
	return true;
}

static bool is_float(const char *text)
{
	const char *p = text + (*text == '-' || *text == '+');
	size_t whole = strspn(p, "0123456789"), fraction = 0;

	p += whole;
	if (*p == '.') {
		fraction = strspn(++p, "0123456789");
		p += fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p += 1 + (p[1] == '-' || p[1] == '+');
		size_t n = strspn(p, "0123456789");
		if (n == 0)
			return false;
		p += n;
	}
	return *p == '\0';
}

static bool is_date(const char *text)
{
	return strspn(text, "0123456789") == 4 && text[4] == '-' && strspn(text + 5, "0123456789") > 0;
}

/*
 * A number without quotes is one to Go's YAML, and is printed again: 1.10 is "1.1", 010 is "8". Quotes and variables
 * keep the text.
 */
const char *stack_text(struct stack *s, const struct snode *n)
{
	char plain[64] = "";
	size_t len = 0;
	int64_t integer;

	if (!snode_scalar(n))
		return NULL;
	if (n->quoted || n->from_env || strlen(n->text) >= sizeof(plain))
		return n->text;
	for (const char *p = n->text; *p; p++)
		if (*p != '_')
			plain[len++] = *p;
	plain[len] = '\0';
	if (!strchr("+-.0123456789", plain[0]))
		return n->text;
	if (is_date(plain))
		stack_warn(s, n->mark,
			   "docker stack deploy prints a date without quotes in a way that depends on its version; "
			   "write \"%s\"",
			   n->text);
	if (go_int(plain, &integer))
		return arena_printf(s->arena, "%lld", (long long)integer);
	if (!is_float(plain))
		return n->text;
	_cleanup_free_ char *text = go_float(strtod(plain, NULL));
	return arena_strdup(s->arena, text);
}

/* Lists of pairs */

static struct snode *pair(struct stack *s, const struct snode *item, bool is_map, bool keep_null)
{
	const char *text = stack_text(s, item), *eq = is_map ? NULL : strchr(text ? text : "", '=');
	const char *key = is_map ? item->key : arena_strndup(s->arena, text, strcspn(text, "="));
	const char *value = is_map ? text : eq ? eq + 1 : NULL;

	struct snode *n = build_text(s->arena, key, value ? value : "", item);
	if (!value && keep_null)
		n->type = SNODE_NULL;
	return n;
}

struct snode *stack_pairs(struct stack *s, const struct snode *n, bool keep_null)
{
	_cleanup_json_ json_t *seen = json_object();
	struct snode *map = build_map(s->arena, n->key, n);
	struct snode_list items = {0};

	for (size_t i = 0; i < n->n_items; i++) {
		if (!snode_scalar(n->items[i]) && n->items[i]->type != SNODE_NULL)
			continue;
		if (n->type == SNODE_SEQ && !n->items[i]->text)
			continue;
		struct snode *p = pair(s, n->items[i], n->type == SNODE_MAP, keep_null);
		size_t at = (size_t)json_int(seen, p->key, (int64_t)items.n);
		if (at < items.n) {
			items.v[at] = p;
			continue;
		}
		json_set_int(seen, p->key, (int64_t)items.n);
		vec_push(&items, p);
	}
	build_items(s->arena, map, &items);
	return map;
}

static const char *const pair_paths[] = {"labels", "sysctls"};

static void normalize_pairs(struct stack *s, struct snode *map, const char *key)
{
	const struct snode *n = snode_get(map, key);

	if (n && (n->type == SNODE_SEQ || n->type == SNODE_MAP))
		build_put(s->arena, map, stack_pairs(s, n, false));
}

static void normalize_list(struct stack *s, struct snode *map, const char *key)
{
	const struct snode *n = snode_get(map, key);
	struct snode_list items = {0};

	if (!snode_scalar(n))
		return;
	struct snode *list = build_list(s->arena, key, n);
	vec_push(&items, build_text(s->arena, NULL, n->text, n));
	build_items(s->arena, list, &items);
	build_put(s->arena, map, list);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp((*(struct snode *const *)a)->text, (*(struct snode *const *)b)->text);
}

/* A map is sorted, a list keeps its order (transformListOrMapping). */
static void normalize_hosts(struct stack *s, struct snode *service)
{
	const struct snode *n = snode_get(service, "extra_hosts");
	struct snode_list items = {0};

	if (!n || n->type != SNODE_MAP)
		return;
	struct snode *list = build_list(s->arena, n->key, n);
	for (size_t i = 0; i < n->n_items; i++) {
		const char *address = stack_text(s, n->items[i]);
		if (address)
			vec_push(&items,
				 build_text(s->arena, NULL, arena_printf(s->arena, "%s:%s", n->items[i]->key, address),
					    n->items[i]));
	}
	if (items.n > 0)
		qsort(items.v, items.n, sizeof(*items.v), compare_text);
	build_items(s->arena, list, &items);
	build_put(s->arena, service, list);
}

static void normalize_test(struct stack *s, struct snode *service)
{
	struct snode *health = build_at(service, "healthcheck");
	const struct snode *test = snode_get(health, "test");
	struct snode_list items = {0};

	if (!snode_scalar(test))
		return;
	struct snode *list = build_list(s->arena, "test", test);
	vec_push(&items, build_text(s->arena, NULL, "CMD-SHELL", test));
	vec_push(&items, build_text(s->arena, NULL, test->text, test));
	build_items(s->arena, list, &items);
	build_put(s->arena, health, list);
}

/* Configs and secrets */

/* YAML's octal number, a decimal one without the zero; what a variable gives is decimal (interpolate.go, toInt). */
static void normalize_mode(struct stack *s, struct snode *reference)
{
	const struct snode *n = snode_get(reference, "mode");

	if (!snode_scalar(n))
		return;
	const char *digits = n->text + strcspn(n->text, "o") + 1;
	long long mode =
		strtoll(str_starts(n->text, "0o") ? digits : n->text, NULL, !n->from_env && n->text[0] == '0' ? 8 : 10);
	if (mode > 07777)
		stack_error(s, n->mark, "the mode %s is no permissions: an octal number has a leading zero, as in 0440",
			    snode_shown(n));
	else
		build_put(s->arena, reference, build_text(s->arena, "mode", arena_printf(s->arena, "%04llo", mode), n));
}

static void normalize_files(struct stack *s, struct snode *service, const char *section)
{
	struct snode *list = build_at(service, section);

	for (size_t i = 0; i < snode_count(list); i++) {
		struct snode *item = list->items[i];
		if (item->type != SNODE_MAP) {
			const char *source = snode_scalar(item);
			list->items[i] = build_map(s->arena, NULL, item);
			build_put(s->arena, list->items[i], build_text(s->arena, "source", source ? source : "", item));
		} else {
			normalize_mode(s, item);
		}
	}
}

/* Mounts */

static void short_option(struct stack *s, struct snode *mount, const char *option, const struct snode *item)
{
	static const char *const propagation[] = {"rprivate", "private", "rshared", "shared", "rslave", "slave"};

	if (strcmp(option, "ro") == 0 || strcmp(option, "rw") == 0) {
		build_put(s->arena, mount, build_bool(s->arena, "read_only", option[1] == 'o', item));
		return;
	}
	if (strcmp(option, "nocopy") == 0) {
		struct snode *block = build_map(s->arena, "volume", item);
		build_put(s->arena, block, build_bool(s->arena, "nocopy", true, item));
		build_put(s->arena, mount, block);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(propagation); i++)
		if (strcmp(option, propagation[i]) == 0) {
			struct snode *block = build_map(s->arena, "bind", item);
			build_put(s->arena, block, build_text(s->arena, "propagation", option, item));
			build_put(s->arena, mount, block);
			return;
		}
	stack_warn(s, item->mark, "docker stack deploy ignores the mount option '%s'", snode_shown_part(item, option));
}

static bool is_drive(const char *part)
{
	return isalpha((unsigned char)part[0]) && part[1] == '\0';
}

/* "[SOURCE:]TARGET[:OPTIONS]" (internal/volumespec); NULL after adding an error. */
static struct snode *long_mount(struct stack *s, const struct snode *item)
{
	char *rest = arena_strdup(s->arena, item->text), *source = strsep(&rest, ":"), *target = strsep(&rest, ":"),
	     *options = strsep(&rest, ":");
	struct snode *mount = build_map(s->arena, NULL, item);

	if (is_drive(source) || (target && is_drive(target) && options)) {
		stack_error(
			s, item->mark,
			"'%s': docker stack deploy reads one letter and a colon as a drive of Windows; give the volume "
			"a longer name, or write the mount as a map",
			snode_shown(item));
		return NULL;
	}
	if (!*source || (target && !*target) || (options && !*options) || rest) {
		stack_error(s, item->mark, "'%s' is not of the form [SOURCE:]TARGET[:OPTIONS]", snode_shown(item));
		return NULL;
	}
	if (!target) {
		target = source;
		source = NULL;
	}
	build_put(s->arena, mount,
		  build_text(s->arena, "type", source && strchr("./~", *source) ? "bind" : "volume", item));
	if (source)
		build_put(s->arena, mount, build_text(s->arena, "source", source, item));
	build_put(s->arena, mount, build_text(s->arena, "target", target, item));
	for (char *o; options && (o = strsep(&options, ","));)
		short_option(s, mount, o, item);
	return mount;
}

static void normalize_mounts(struct stack *s, struct snode *service)
{
	struct snode *list = build_at(service, "volumes");
	size_t kept = 0;

	for (size_t i = 0; i < snode_count(list); i++) {
		struct snode *mount = list->items[i];
		if (mount->type != SNODE_MAP)
			mount = snode_scalar(mount) ? long_mount(s, mount) : NULL;
		if (mount)
			list->items[kept++] = mount;
	}
	if (list)
		list->n_items = kept;
}

/* Networks: a map. */

static void normalize_networks(struct stack *s, struct snode *service)
{
	const struct snode *n = snode_get(service, "networks");
	_cleanup_json_ json_t *seen = json_object();
	struct snode_list items = {0};

	if (!n || n->type != SNODE_SEQ)
		return;
	struct snode *map = build_map(s->arena, n->key, n);
	for (size_t i = 0; i < n->n_items; i++) {
		const char *name = snode_scalar(n->items[i]);
		if (!name || json_object_get(seen, name))
			continue;
		json_set_bool(seen, name, true);
		vec_push(&items, build_map(s->arena, name, n->items[i]));
	}
	build_items(s->arena, map, &items);
	build_put(s->arena, service, map);
}

static void normalize_deploy(struct stack *s, struct snode *service)
{
	struct snode *deploy = build_at(service, "deploy");
	const struct snode *mode = snode_get(deploy, "endpoint_mode");

	if (!deploy)
		return;
	if (deploy->type != SNODE_MAP) {
		build_drop(service, "deploy");
		return;
	}
	normalize_pairs(s, deploy, "labels");
	if (snode_scalar(mode))
		build_put(s->arena, deploy,
			  build_text(s->arena, mode->key, strcasecmp(mode->text, "vip") == 0 ? "vip" : "dnsrr", mode));
}

static void normalize_service(struct stack *s, struct snode *service)
{
	struct snode *logging = build_at(service, "logging");

	for (size_t i = 0; i < ARRAY_SIZE(pair_paths); i++)
		normalize_pairs(s, service, pair_paths[i]);
	if (logging)
		normalize_pairs(s, logging, "options");
	normalize_list(s, service, "dns");
	normalize_list(s, service, "dns_search");
	normalize_hosts(s, service);
	normalize_test(s, service);
	normalize_files(s, service, "configs");
	normalize_files(s, service, "secrets");
	normalize_mounts(s, service);
	normalize_networks(s, service);
	normalize_deploy(s, service);
	stack_environment(s, service);
	stack_ports(s, service);
}

static void normalize_section(struct stack *s, struct snode *file, const char *section)
{
	struct snode *map = build_at(file, section);

	for (size_t i = 0; i < snode_count(map); i++) {
		normalize_pairs(s, map->items[i], "labels");
		normalize_pairs(s, map->items[i], "driver_opts");
	}
}

void stack_normalize(struct stack *s, struct snode *file)
{
	static const char *const sections[] = {"networks", "volumes", "configs", "secrets"};
	struct snode *services = build_at(file, "services");

	for (size_t i = 0; i < snode_count(services); i++)
		if (services->items[i]->type == SNODE_MAP)
			normalize_service(s, services->items[i]);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		normalize_section(s, file, sections[i]);
}
