/* Traps of containers that belong to no service. FACTS C, E; G2, G32, G38. */
#include "run/doctor/internal.h"

#include <string.h>
#include <strings.h>

#define COMPOSE "com.docker.compose."

/* Listed in the spec's section absent. */
static bool is_to_go(struct doctor *d, const json_t *container)
{
	const struct snode *absent = d->f->spec ? snode_get(spec_root(d->f->spec), "absent") : NULL;

	for (size_t i = 0; i < snode_count(absent); i++)
		if (str_eq(snode_str(absent->items[i], "container"), container_name(container)))
			return true;
	return false;
}

static bool says(const char *text, const char *word)
{
	return text && strcasestr(text, word);
}

static void autoscaler_of(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container)
{
	const struct snode *services = d->f->spec ? snode_get(spec_root(d->f->spec), "services") : NULL;
	const char *scaled = NULL;

	if (!container_runs(container) ||
	    !(says(container_name(container), "autoscal") || says(json_str(container, "Image"), "autoscal")))
		return;
	for (size_t i = 0; i < snode_count(services) && !scaled; i++)
		scaled = snode_get(services->items[i], "scale") ? services->items[i]->key : NULL;
	if (scaled)
		doctor_find(d, t, container_where(d, p, container),
			    "it still works, and the spec scales service '%s' as well", scaled);
	else
		doctor_find(d, t, container_where(d, p, container), "it still works (%s)",
			    json_str(container, "Image"));
}

static void look_autoscaler(struct doctor *d, const struct trap *t)
{
	each_container(d, t, autoscaler_of);
}

static const struct trap trap_autoscaler = {
	.id = "second-autoscaler",
	.severity = TRAP_ERROR,
	.why = "two that set the number of replicas undo each other's work, and one that drives HAProxy brings back "
	       "what was "
	       "taken away",
	.mend = "stop it before anything else of the migration: `absent` in the spec, and `after: [absent/…]` for the "
		"rest",
	.look = look_autoscaler,
};

static void loop_of(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container)
{
	if (str_eq(json_str(container, "State"), "restarting"))
		doctor_find(d, t, container_where(d, p, container), "it ends and is started again (%s)",
			    json_str(container, "Status") ? json_str(container, "Status") : "restarting");
}

static void look_loop(struct doctor *d, const struct trap *t)
{
	each_container(d, t, loop_of);
}

static const struct trap trap_loop = {
	.id = "restart-loop",
	.severity = TRAP_ERROR,
	.why = "it does not do its work, and looks as if it ran",
	.mend = "`docker logs` says why; what is not needed any more belongs into `absent`",
	.look = look_loop,
};

/* Of the list only GET /containers/<name>/json tells the policy. */
static const char *restart_policy(struct doctor *d, const struct place *p, const json_t *container)
{
	const json_t *inspect =
		p->here ? snapshot_get(d->snap, where_is(d, "engine/container/%s", container_name(container)), NULL)
			: NULL;
	return json_string_value(json_path(inspect, "HostConfig.RestartPolicy.Name"));
}

static void policy_of(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container)
{
	static const char *const images[] = {"traefik", "haproxy", "ollama"};
	const char *policy = restart_policy(d, p, container);

	if (!policy || !container_runs(container) || (*policy && strcmp(policy, "no") != 0) || is_to_go(d, container))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		if (image_named(json_str(container, "Image"), images[i]))
			doctor_find(d, t, container_where(d, p, container), "it has no restart policy");
}

static void look_policy(struct doctor *d, const struct trap *t)
{
	each_container(d, t, policy_of);
}

static const struct trap trap_policy = {
	.id = "no-restart-policy",
	.severity = TRAP_WARNING,
	.why = "after a crash or a reboot it stays away",
	.mend = "docker update --restart unless-stopped NAME, and the same in its compose file",
	.look = look_policy,
};

static void returns_of(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container)
{
	const char *policy = restart_policy(d, p, container);

	if (!container_runs(container) && str_eq(policy, "always"))
		doctor_find(d, t, container_where(d, p, container), "it is stopped, and its restart policy is always");
}

static void look_returns(struct doctor *d, const struct trap *t)
{
	each_container(d, t, returns_of);
}

static const struct trap trap_returns = {
	.id = "stopped-but-comes-back",
	.severity = TRAP_WARNING,
	.why = "the engine starts it again after a reboot or its own restart",
	.mend = "docker update --restart no NAME, or remove it; `absent` in the spec does so",
	.look = look_returns,
};

static void compose_of(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container)
{
	const json_t *labels = json_object_get(container, "Labels");
	const char *project = json_str(labels, COMPOSE "project"),
		   *files = json_str(labels, COMPOSE "project.config_files");
	bool haproxy = image_named(json_str(container, "Image"), "haproxy");

	if (project && (is_to_go(d, container) || haproxy))
		doctor_find(d, t, container_where(d, p, container),
			    "it is service '%s' of the compose project '%s'%s%s",
			    json_str(labels, COMPOSE "service") ? json_str(labels, COMPOSE "service") : "?", project,
			    files ? ", " : "", files ? files : "");
}

static void look_compose(struct doctor *d, const struct trap *t)
{
	each_container(d, t, compose_of);
}

static const struct trap trap_compose = {
	.id = "still-in-compose",
	.severity = TRAP_WARNING,
	.why = "the next `docker compose up` of that project brings it back after it was removed",
	.mend = "take it out of the compose file in the repository that it belongs to",
	.look = look_compose,
};

const struct trap *const traps_containers[] = {
	&trap_autoscaler, &trap_loop, &trap_policy, &trap_returns, &trap_compose, NULL,
};
