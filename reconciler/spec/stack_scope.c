#include "spec/stack_scope.h"

#include <string.h>

enum { NETWORKS, CONFIGS, SECRETS, SERVICES, N_SECTIONS };

static const struct {
	const char *section, *kind;
} sections[N_SECTIONS] = {
	[NETWORKS] = {"networks", "network"},
	[CONFIGS] = {"configs", "config"},
	[SECRETS] = {"secrets", "secret"},
	[SERVICES] = {"services", "service"},
};

struct splice {
	struct snode *root;
	struct stack *stacks;
	size_t n_stacks;
	struct snode_list items[N_SECTIONS]; /* the section's own, then those of the stacks */
	json_t *index[N_SECTIONS];           /* of items, by key */
	json_t *networks;                    /* of items[NETWORKS], by the Engine's name */
};

static const char *scoped(const struct stack *s, const char *name)
{
	return arena_printf(s->arena, "%s_%s", s->node->key, name);
}

static bool is_external(const struct snode *declared)
{
	const struct snode *external = snode_get(declared, "external");

	return external && (external->type == SNODE_MAP || external->boolean);
}

/* The Engine's name of what a stack file declares as key; declared may be NULL (the default network). */
static const char *engine_name_of(const struct stack *s, const char *key, const struct snode *declared)
{
	const char *own = snode_str(declared, "name"), *old = snode_str(snode_get(declared, "external"), "name");

	if (own && *own)
		return own;
	if (old)
		return old;
	return is_external(declared) ? key : scoped(s, key);
}

/* The network "default" is there without being declared. */
static bool is_declared(const struct stack *s, const char *network)
{
	return strcmp(network, "default") == 0 || snode_get(snode_get(s->file, "networks"), network);
}

/* Sections */

static void add(struct splice *sp, int section, struct snode *n)
{
	json_set_int(sp->index[section], n->key, (int64_t)sp->items[section].n);
	vec_push(&sp->items[section], n);
}

static const struct snode *item_of(const struct splice *sp, int section, const json_t *index, const char *name)
{
	json_t *at = json_object_get(index, name);
	return at ? sp->items[section].v[json_integer_value(at)] : NULL;
}

/* Adds a section of a stack; a name that is taken is an error. */
static void declare(struct splice *sp, struct stack *s, int section, struct snode *n)
{
	const struct snode *taken = item_of(sp, section, sp->index[section], n->key);

	if (taken) {
		stack_error(s, n->key_mark, "stack '%s': %s '%s' is declared in %s, line %d too", s->node->key,
			    sections[section].kind, n->key, taken->key_mark.file, taken->key_mark.line);
		return;
	}
	add(sp, section, n);
}

static void put_labels(struct stack *s, struct snode *map, const struct snode *from)
{
	struct snode *labels = build_at(map, "labels");

	if (!labels) {
		labels = build_map(s->arena, "labels", from);
		build_put(s->arena, map, labels);
	}
	build_put(s->arena, labels, build_text(s->arena, STACK_NAMESPACE_LABEL, s->node->key, from));
}

/* The section as the spec has it: the full key, the Engine's name if that is another, external a boolean. */
static struct snode *section_of_stack(struct stack *s, const char *key, const struct snode *declared)
{
	const char *full = scoped(s, key), *name = engine_name_of(s, key, declared);
	const struct snode *own = snode_get(declared, "name"), *external = snode_get(declared, "external");
	struct snode *n = build_map(s->arena, full, declared ? declared : s->node);
	bool is_made = !is_external(declared);

	if (declared)
		n->key_mark = declared->key_mark;
	for (size_t i = 0; is_made && i < snode_count(declared) && declared->type == SNODE_MAP; i++)
		build_put(s->arena, n, declared->items[i]);
	build_drop(n, "name");
	build_drop(n, "external");
	if (strcmp(name, full) != 0)
		build_put(s->arena, n, build_text(s->arena, "name", name, own ? own : declared));
	if (is_made) {
		put_labels(s, n, n);
		build_put(s->arena, n, build_text(s->arena, "stack", s->node->key, s->node));
	} else {
		build_put(s->arena, n, build_bool(s->arena, "external", true, external));
	}
	return n;
}

/* Networks: only those that a service uses are made. */

static void use_network(struct splice *sp, struct stack *s, const struct snode *use, const char *key)
{
	const struct snode *declared = snode_get(snode_get(s->file, "networks"), key);

	if (!is_declared(s, key)) {
		stack_error(s, use->key_mark, "stack '%s': network '%s' is not declared under networks", s->node->key,
			    key);
		return;
	}
	const struct snode *known = item_of(sp, NETWORKS, sp->index[NETWORKS], scoped(s, key));
	if (known && str_eq(snode_str(known, "stack"), s->node->key))
		return;
	const char *name = engine_name_of(s, key, declared);
	const struct snode *same = item_of(sp, NETWORKS, sp->networks, name);
	if (same && !is_external(declared)) {
		stack_error(s, declared ? declared->key_mark : use->key_mark,
			    "stack '%s': network '%s' is declared in %s, line %d too", s->node->key, name,
			    same->key_mark.file, same->key_mark.line);
		return;
	}
	if (is_external(declared))
		return; /* later, when all that are made are known */
	declare(sp, s, NETWORKS, section_of_stack(s, key, declared));
	json_set_int(sp->networks, name, (int64_t)sp->items[NETWORKS].n - 1);
}

static void each_network(struct splice *sp, struct stack *s,
			 void (*fn)(struct splice *sp, struct stack *s, const struct snode *use, const char *key))
{
	const struct snode *services = snode_get(s->file, "services");

	for (size_t i = 0; i < snode_count(services); i++) {
		const struct snode *used = snode_get(services->items[i], "networks");
		if (snode_count(used) == 0)
			fn(sp, s, services->items[i], "default");
		for (size_t k = 0; k < snode_count(used); k++)
			fn(sp, s, used->items[k], used->items[k]->key);
	}
}

/* An external network that this spec makes is that one, so that the order is right. */
static void use_external(struct splice *sp, struct stack *s, const struct snode *use, const char *key)
{
	const struct snode *declared = snode_get(snode_get(s->file, "networks"), key);

	(void)use;
	if (is_external(declared) && !item_of(sp, NETWORKS, sp->networks, engine_name_of(s, key, declared))) {
		declare(sp, s, NETWORKS, section_of_stack(s, key, declared));
		json_set_int(sp->networks, engine_name_of(s, key, declared), (int64_t)sp->items[NETWORKS].n - 1);
	}
}

/* Services */

/* Swarm knows no aliases in networks of the node (container.NetworkMode.IsUserDefined). */
static bool has_aliases(const char *network)
{
	static const char *const others[] = {"bridge", "default", "host", "none"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i], network) == 0)
			return false;
	return !str_starts(network, "container:");
}

static struct snode *attachment(struct splice *sp, struct stack *s, const struct snode *service,
				const struct snode *use, const char *key)
{
	const struct snode *declared = snode_get(snode_get(s->file, "networks"), key);
	const char *name = engine_name_of(s, key, declared);
	const struct snode *made = item_of(sp, NETWORKS, sp->networks, name),
			   *written = use ? snode_get(use, "aliases") : NULL,
			   *options = use ? snode_get(use, "driver_opts") : NULL;
	struct snode *n = build_map(s->arena, made ? made->key : scoped(s, key), use ? use : service);
	struct snode *aliases = build_list(s->arena, "aliases", written ? written : n);
	struct snode_list items = {0};

	for (size_t i = 0; i < snode_count(written); i++)
		vec_push(&items, written->items[i]);
	if (has_aliases(name))
		vec_push(&items, build_text(s->arena, NULL, service->key, service));
	build_items(s->arena, aliases, &items);
	build_put(s->arena, n, aliases);
	if (options)
		build_put(s->arena, n, (struct snode *)options);
	n->key_mark = use ? use->key_mark : service->key_mark;
	return n;
}

static void scope_networks(struct splice *sp, struct stack *s, struct snode *service)
{
	const struct snode *used = snode_get(service, "networks");
	struct snode *map = build_map(s->arena, "networks", used ? used : service);
	struct snode_list items = {0};

	for (size_t i = 0; i < snode_count(used); i++)
		if (is_declared(s, used->items[i]->key))
			vec_push(&items, attachment(sp, s, service, used->items[i], used->items[i]->key));
	if (snode_count(used) == 0)
		vec_push(&items, attachment(sp, s, service, NULL, "default"));
	build_items(s->arena, map, &items);
	build_put(s->arena, service, map);
}

/* False after adding an error. */
static bool scope_file(struct stack *s, struct snode *item, int section)
{
	const char *name = sections[section].section;
	const struct snode *source = snode_get(item, "source");
	const char *target = snode_str(item, "target");

	if (!snode_scalar(source))
		return false;
	if (!snode_get(snode_get(s->file, name), source->text)) {
		stack_error(s, source->mark, "stack '%s': %s '%s' is not declared under %s", s->node->key,
			    sections[section].kind, snode_shown(source), name);
		return false;
	}
	if (!target || !*target)
		build_put(s->arena, item, build_text(s->arena, "target", source->text, source));
	build_put(s->arena, item, build_text(s->arena, "source", scoped(s, source->text), source));
	return true;
}

static void scope_files(struct stack *s, struct snode *service, int section)
{
	struct snode *list = build_at(service, sections[section].section);
	size_t kept = 0;

	for (size_t i = 0; i < snode_count(list); i++)
		if (scope_file(s, list->items[i], section))
			list->items[kept++] = list->items[i];
	if (list)
		list->n_items = kept;
}

/* A path of the machine that deploys; of the nodes it has to be the same. False after adding an error. */
static bool scope_bind(struct stack *s, struct snode *mount)
{
	const struct snode *source = snode_get(mount, "source");

	if (!snode_scalar(source) || source->text[0] == '/')
		return true;
	if (source->text[0] == '~') {
		stack_error(s, source->mark,
			    "stack '%s': '%s': docker stack deploy puts the home of whoever runs it in place of '~'; "
			    "write the absolute path",
			    s->node->key, snode_shown(source));
		return false;
	}
	if (!s->host_dir) {
		stack_error(s, source->mark,
			    "stack '%s': '%s' is relative: docker stack deploy takes it from the directory that the "
			    "first file is in; write stacks.%s.directory: /that/directory, or the absolute path",
			    s->node->key, snode_shown(source), s->node->key);
		return false;
	}
	struct stack host = *s;
	host.files_dir = arena_printf(s->arena, "%s/", s->host_dir);
	build_put(s->arena, mount, build_text(s->arena, "source", stack_path(&host, source->text), source));
	return true;
}

/* What a volume of the stack is, as options of the mount. */
static void describe_volume(struct stack *s, struct snode *options, const struct snode *declared,
			    const struct snode *source)
{
	static const char *const kept[] = {"driver", "driver_opts", "labels"};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (snode_get(declared, kept[i]))
			build_put(s->arena, options, build_at((struct snode *)declared, kept[i]));
	put_labels(s, options, source);
}

/* A volume is described in the mount: each node makes its own from that (convert/volume.go). */
static bool scope_volume(struct stack *s, struct snode *mount)
{
	const struct snode *source = snode_get(mount, "source"), *block = snode_get(mount, "volume"), *declared;

	if (!snode_scalar(source) || !*source->text) {
		build_drop(mount, "volume");
		build_drop(mount, "source");
		return true;
	}
	declared = snode_get(snode_get(s->file, "volumes"), source->text);
	if (!declared) {
		stack_error(s, source->mark, "stack '%s': volume '%s' is not declared under volumes", s->node->key,
			    snode_shown(source));
		return false;
	}
	struct snode *options = build_map(s->arena, "volume", block ? block : source);
	if (snode_get(block, "nocopy"))
		build_put(s->arena, options, build_at((struct snode *)block, "nocopy"));
	build_put(s->arena, mount, build_text(s->arena, "source", engine_name_of(s, source->text, declared), source));
	if (!is_external(declared))
		describe_volume(s, options, declared, source);
	build_put(s->arena, mount, options);
	return true;
}

static bool scope_mount(struct stack *s, struct snode *mount)
{
	const char *type = snode_str(mount, "type");
	struct snode *tmpfs = build_at(mount, "tmpfs");

	if (str_eq(type, "bind"))
		return scope_bind(s, mount);
	if (str_eq(type, "volume"))
		return scope_volume(s, mount);
	if (tmpfs)
		build_drop(tmpfs, "mode");
	return true;
}

static void scope_mounts(struct stack *s, struct snode *service)
{
	struct snode *list = build_at(service, "volumes");
	size_t kept = 0;

	for (size_t i = 0; i < snode_count(list); i++)
		if (scope_mount(s, list->items[i]))
			list->items[kept++] = list->items[i];
	if (list)
		list->n_items = kept;
}

/* `restart` counts where there is no deploy.restart_policy (convertRestartPolicy). */
static void take_restart(struct stack *s, struct snode *service, struct snode *deploy)
{
	const struct snode *restart = snode_get(service, "restart");
	const char *text = snode_scalar(restart), *times = text ? strchr(text, ':') : NULL;
	struct snode *policy;

	if (!text || !*text || strcmp(text, "no") == 0 || snode_get(deploy, "restart_policy"))
		return;
	policy = build_map(s->arena, "restart_policy", restart);
	build_put(s->arena, policy,
		  build_text(s->arena, "condition", str_starts(text, "on-failure") ? "on-failure" : "any", restart));
	if (times)
		build_put(s->arena, policy, build_int(s->arena, "max_attempts", strtoll(times + 1, NULL, 10), restart));
	build_put(s->arena, deploy, policy);
}

static void scope_service(struct splice *sp, struct stack *s, struct snode *service)
{
	const struct snode *image = snode_get(service, "image"), *after = snode_get(s->node, "after");
	struct snode *deploy = build_at(service, "deploy");

	if (!snode_scalar(image) || !*image->text) {
		stack_error(s, service->key_mark, "stack '%s': service '%s' has no image, and Swarm builds none",
			    s->node->key, service->key);
		return;
	}
	if (!deploy) {
		deploy = build_map(s->arena, "deploy", service);
		build_put(s->arena, service, deploy);
	}
	put_labels(s, deploy, deploy);
	build_put(s->arena, build_at(deploy, "labels"), build_text(s->arena, STACK_IMAGE_LABEL, image->text, image));
	put_labels(s, service, service);
	take_restart(s, service, deploy);
	build_drop(service, "restart");
	scope_networks(sp, s, service);
	scope_files(s, service, CONFIGS);
	scope_files(s, service, SECRETS);
	scope_mounts(s, service);
	if (after)
		build_put(s->arena, service, (struct snode *)after);
	service->key = scoped(s, service->key);
	build_put(s->arena, service, build_text(s->arena, "stack", s->node->key, s->node));
	declare(sp, s, SERVICES, service);
}

static void declare_files(struct splice *sp, struct stack *s, int section)
{
	const struct snode *map = snode_get(s->file, sections[section].section);

	for (size_t i = 0; i < snode_count(map); i++) {
		struct snode *declared = map->items[i], *n = section_of_stack(s, declared->key, declared);
		const struct snode *file = snode_get(declared, "file");
		if (!is_external(declared) && !snode_scalar(file)) {
			stack_error(s, declared->key_mark, "stack '%s': %s '%s' has neither file nor external: true",
				    s->node->key, sections[section].kind, declared->key);
			continue;
		}
		if (!is_external(declared))
			build_put(s->arena, n, build_text(s->arena, "file", stack_path(s, file->text), file));
		declare(sp, s, section, n);
	}
}

static void splice_stack(struct splice *sp, struct stack *s)
{
	const struct snode *services = snode_get(s->file, "services");

	declare_files(sp, s, CONFIGS);
	declare_files(sp, s, SECRETS);
	for (size_t i = 0; i < snode_count(services); i++)
		scope_service(sp, s, services->items[i]);
}

/* "stack/<name>" in `adopt` and `after` */

static struct stack *stack_named(const struct splice *sp, const char *name)
{
	for (size_t i = 0; i < sp->n_stacks; i++)
		if (strcmp(sp->stacks[i].node->key, name) == 0)
			return &sp->stacks[i];
	return NULL;
}

static void expand_one(struct splice *sp, struct snode_list *out, const struct snode *item, const char *name, int first)
{
	struct arena *a = sp->stacks[0].arena;

	for (int section = first; section < N_SECTIONS; section++)
		for (size_t i = 0; i < sp->items[section].n; i++) {
			const struct snode *n = sp->items[section].v[i];
			if (str_eq(snode_str(n, "stack"), name))
				vec_push(out,
					 build_text(a, NULL, arena_printf(a, "%s/%s", sections[section].kind, n->key),
						    item));
		}
}

/* All of the stack that can be owned, or for an order its services. */
static void expand_list(struct splice *sp, struct snode *list, int first)
{
	static const char prefix[] = "stack/";
	struct snode_list out = {0};

	for (size_t i = 0; i < snode_count(list); i++) {
		struct snode *item = list->items[i];
		const char *text = snode_scalar(item);
		const struct stack *s =
			text && str_starts(text, prefix) ? stack_named(sp, text + strlen(prefix)) : NULL;
		if (s)
			expand_one(sp, &out, item, s->node->key, first);
		else
			vec_push(&out, item);
	}
	if (list)
		build_items(sp->stacks[0].arena, list, &out);
}

#define AFTER_DEPTH 5 /* nfs.<name>.export.after */

static void expand_after(struct splice *sp, struct snode *n, unsigned depth)
{
	if (n->key && strcmp(n->key, "after") == 0 && n->type == SNODE_SEQ)
		expand_list(sp, n, SERVICES);
	else if (n->type == SNODE_MAP && depth > 0)
		for (size_t i = 0; i < n->n_items; i++)
			expand_after(sp, n->items[i], depth - 1);
}

static void open_section(struct splice *sp, int section)
{
	const struct snode *map = snode_get(sp->root, sections[section].section);

	sp->index[section] = json_object();
	for (size_t i = 0; i < snode_count(map) && map->type == SNODE_MAP; i++) {
		struct snode *n = map->items[i];
		const char *name = snode_str(n, "name");
		add(sp, section, n);
		if (section == NETWORKS)
			json_set_int(sp->networks, name ? name : n->key, (int64_t)i);
	}
}

static void close_section(struct splice *sp, int section)
{
	struct arena *a = sp->stacks[0].arena;
	struct snode *map = build_at(sp->root, sections[section].section);

	json_decref(sp->index[section]);
	if (!map && sp->items[section].n > 0) {
		map = build_map(a, sections[section].section, snode_get(sp->root, "stacks"));
		build_put(a, sp->root, map);
	}
	if (map && map->type == SNODE_MAP)
		build_items(a, map, &sp->items[section]);
	else
		vec_free(&sp->items[section]);
}

void stacks_splice(struct snode *root, struct stack *stacks, size_t n)
{
	struct splice sp = {.root = root, .stacks = stacks, .n_stacks = n, .networks = json_object()};

	for (int i = 0; i < N_SECTIONS; i++)
		open_section(&sp, i);
	for (size_t i = 0; i < n; i++)
		each_network(&sp, &stacks[i], use_network);
	for (size_t i = 0; i < n; i++)
		each_network(&sp, &stacks[i], use_external);
	for (size_t i = 0; i < n; i++)
		splice_stack(&sp, &stacks[i]);
	expand_list(&sp, build_at(root, "policy.adopt"), 0);
	expand_after(&sp, root, AFTER_DEPTH);
	json_decref(sp.networks);
	for (int i = 0; i < N_SECTIONS; i++)
		close_section(&sp, i);
}
