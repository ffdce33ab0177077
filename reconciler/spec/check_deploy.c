/* deploy and scale of one service. FACTS C, F, G30, G38, G46. */
#include "spec/check_util.h"

#include <string.h>

static const char *mode_of(const struct snode *service)
{
	const char *mode = snode_str(snode_get(service, "deploy"), "mode");
	return mode ? mode : "replicated";
}

bool service_is_global(const struct snode *service)
{
	return str_starts(mode_of(service), "global");
}

bool service_starts_first(const struct snode *service)
{
	return str_eq(snode_str(snode_path(service, "deploy.update_config"), "order"), "start-first");
}

int64_t replicas_max(const struct snode *service)
{
	const struct snode *scale = snode_get(service, "scale");

	return scale ? snode_int(scale, "max", 1) : snode_int(snode_get(service, "deploy"), "replicas", 1);
}

const char *replicas_shown(char buf[static NUMBER_SIZE], const struct snode *service)
{
	const struct snode *scale = snode_get(service, "scale");

	return number_shown(buf, scale ? snode_get(scale, "max") : snode_path(service, "deploy.replicas"),
			    replicas_max(service));
}

static void mode(struct checker *c, const struct snode *service)
{
	const struct snode *deploy = snode_get(service, "deploy"), *replicas = snode_get(deploy, "replicas"),
			   *scale = snode_get(service, "scale"), *update = snode_get(deploy, "update_config");
	const char *m = mode_of(service), *shown = snode_shown_part(snode_get(deploy, "mode"), m);

	if (snode_scalar(scale)) {
		check_error(
			c, scale->key_mark,
			"service '%s': Compose's number under 'scale' is deploy.replicas in Swarm; here scale is a map "
			"with min, max and metrics",
			service->key);
		return;
	}
	if (replicas && service_is_global(service))
		check_error(c, replicas->key_mark,
			    "service '%s': replicas does not go with mode: %s, which runs one task per node",
			    service->key, shown);
	if (scale && strcmp(m, "replicated") != 0)
		check_error(c, scale->key_mark, "service '%s': scale goes with mode: replicated only, not with %s",
			    service->key, shown);
	else if (scale && replicas)
		check_error(
			c, replicas->key_mark,
			"service '%s': deploy.replicas and scale both set the number of replicas; remove one of them",
			service->key);
	/* swarmkit: validateJob */
	if (update && str_ends(m, "-job"))
		check_error(c, update->key_mark, "service '%s': a job has no update_config; Swarm refuses it",
			    service->key);
}

static const struct {
	const char *key, *what;
} amounts[] = {{"cpus", "CPU"}, {"memory", "memory"}};

static void resources(struct checker *c, const struct snode *service)
{
	const struct snode *limits = snode_path(service, "deploy.resources.limits"),
			   *reservations = snode_path(service, "deploy.resources.reservations");

	for (size_t i = 0; i < ARRAY_SIZE(amounts); i++) {
		const struct snode *limit = snode_get(limits, amounts[i].key),
				   *wish = snode_get(reservations, amounts[i].key);
		if (!limit || limit->type != SNODE_INT || limit->integer == 0)
			continue;
		if (!wish)
			check_warn(c, limit->key_mark,
				   "service '%s': %s has a limit but no reservation, and the scheduler looks at "
				   "reservations only: "
				   "it may put all tasks on one node; write deploy.resources.reservations.%s",
				   service->key, amounts[i].what, amounts[i].key);
		else if (wish->type == SNODE_INT && wish->integer > limit->integer)
			check_error(c, wish->mark, "service '%s': the %s reservation %s is more than the limit %s",
				    service->key, amounts[i].what, snode_shown(wish), snode_shown(limit));
	}
	/* moby: verifyContainerResources */
	const struct snode *memory = snode_get(limits, "memory");
	if (memory && memory->type == SNODE_INT && memory->integer > 0 && memory->integer < (int64_t)6 << 20)
		check_error(c, memory->mark, "service '%s': a memory limit is at least 6M", service->key);
}

static void scale_bounds(struct checker *c, const struct snode *service)
{
	const struct snode *scale = snode_get(service, "scale"), *max = snode_get(scale, "max");
	int64_t low = snode_int(scale, "min", 1), high = snode_int(scale, "max", low);
	char shown[2][NUMBER_SIZE];

	if (max && low > high)
		check_error(c, max->mark, "service '%s': scale.max %s is less than scale.min %s", service->key,
			    number_shown(shown[0], max, high), number_shown(shown[1], snode_get(scale, "min"), low));
}

static void metric_query(struct checker *c, const char *who, const struct snode *metric, const struct snode *type)
{
	const struct snode *query = snode_get(metric, "query");
	bool own = strcmp(type->text, "prometheus") == 0;

	if (own && !query)
		check_error(c, metric->mark, "%s: a metric of type prometheus needs query", who);
	if (!own && query)
		check_error(c, query->key_mark, "%s: query goes with type: prometheus only; %s has its own", who,
			    snode_shown(type));
}

static void metric_needs(struct checker *c, const char *who, const struct snode *service, const struct snode *metric,
			 const struct snode *type)
{
	const struct snode *reserved = snode_path(service, "deploy.resources.reservations");
	bool cpu = strcmp(type->text, "cpu") == 0, memory = strcmp(type->text, "memory") == 0;

	if (strcmp(type->text, "in_flight") == 0 && snode_count(snode_get(service, "route")) == 0)
		check_error(c, metric->mark, "%s: in_flight counts requests in Traefik, so the service needs a route",
			    who);
	if ((cpu && !snode_get(reserved, "cpus")) || (memory && !snode_get(reserved, "memory")))
		check_error(c, metric->mark,
			    "%s: %s is a percentage of what a task reserves; write deploy.resources.reservations.%s",
			    who, snode_shown(type), cpu ? "cpus" : "memory");
	if (memory)
		check_warn(c, metric->mark,
			   "%s: memory does not go down when a task has less to do, so a service that scales up on it "
			   "stays up; "
			   "scale on in_flight or cpu",
			   who);
}

static double number(const struct snode *n)
{
	return n->type == SNODE_INT ? (double)n->integer : n->number;
}

static void metric_values(struct checker *c, const char *who, const struct snode *metric)
{
	const struct snode *target = snode_get(metric, "target"), *above = snode_get(metric, "above"),
			   *below = snode_get(metric, "below");

	if (above && below && number(below) >= number(above))
		check_error(c, below->mark, "%s: below must be less than above, or it scales up and down in turn", who);
	if (target && below && !above)
		check_error(c, below->key_mark, "%s: write either target, or above and below", who);
}

static void metrics(struct checker *c, const struct snode *service)
{
	const struct snode *list = snode_path(service, "scale.metrics");
	char who[WHO_SIZE];

	who_is(who, "service", service);
	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *type = snode_get(list->items[i], "type");
		if (!snode_scalar(type))
			continue;
		metric_query(c, who, list->items[i], type);
		metric_needs(c, who, service, list->items[i], type);
		metric_values(c, who, list->items[i]);
	}
}

static void policy_periods(struct checker *c, const struct snode *service)
{
	static const char *const paths[] = {"scale.behavior.scale_up.policies", "scale.behavior.scale_down.policies"};
	const int64_t most = (int64_t)30 * 60 * 1000000000; /* Kubernetes HPA v2 */

	for (size_t k = 0; k < ARRAY_SIZE(paths); k++) {
		const struct snode *list = snode_path(service, paths[k]);
		for (size_t i = 0; i < snode_count(list); i++) {
			const struct snode *period = snode_get(list->items[i], "period");
			if (period && period->type == SNODE_INT && (period->integer > most || period->integer <= 0))
				check_error(c, period->mark, "service '%s': a period is more than 0s and at most 30m",
					    service->key);
		}
	}
}

const struct check_row checks_deploy[] = {
	{"services", true, mode},    {"services", true, resources},      {"services", true, scale_bounds},
	{"services", true, metrics}, {"services", true, policy_periods}, {NULL, false, NULL},
};
