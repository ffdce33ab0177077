/* Traps of services, whatever runs in them. FACTS C; G14, G16, G29, G30. */
#include "run/doctor/internal.h"

#include "client/engine/engine.h"

#include <string.h>

static void unpinned(struct doctor *d, const struct trap *t)
{
	json_t *s;
	size_t i;

	each_service(d, i, s)
	{
		struct image_ref ref = {0};
		if (image_ref_parse(service_image(s), &ref, NULL) < 0)
			continue;
		if (!ref.digest && (!ref.tag || strcmp(ref.tag, "latest") == 0))
			doctor_find(d, t, service_where(d, s), "its image is %s, without a digest", ref.familiar);
		image_ref_free(&ref);
	}
}

static const struct trap trap_unpinned = {
	.id = "image-unpinned",
	.severity = TRAP_WARNING,
	.why = "each node runs what `latest` was when it pulled it: tasks of one service differ, and nobody can go "
	       "back",
	.mend = "name a version in the image; this program pins it to the digest",
	.look = unpinned,
};

static bool has_members(const json_t *service, const char *path)
{
	return json_object_size(json_path(service, path)) > 0;
}

static void no_reservation(struct doctor *d, const struct trap *t)
{
	json_t *s;
	size_t i;

	each_service(d, i, s) if (has_members(s, "Spec.TaskTemplate.Resources.Limits") &&
				  !has_members(s, "Spec.TaskTemplate.Resources.Reservations"))
		doctor_find(d, t, service_where(d, s), "it has limits and no reservations");
}

static const struct trap trap_reservation = {
	.id = "limits-without-reservations",
	.severity = TRAP_WARNING,
	.why = "Swarm places tasks by reservations only: it packs as many onto a node as it likes, and they are killed "
	       "when "
	       "memory runs out",
	.mend = "deploy.resources.reservations, what one task needs at least",
	.look = no_reservation,
};

/* A block that is there without the value means 0. */
static void all_at_once(struct doctor *d, const struct trap *t)
{
	json_t *s;
	size_t i;

	each_service(d, i, s)
	{
		const json_t *config = json_path(s, "Spec.UpdateConfig");
		if (json_is_object(config) && json_int(config, "Parallelism", 0) == 0)
			doctor_find(d, t, service_where(d, s), "its update_config has parallelism 0");
	}
}

static const struct trap trap_at_once = {
	.id = "updates-all-at-once",
	.severity = TRAP_WARNING,
	.why = "0 means all tasks at the same time: every update is an outage (an update_config that only sets other "
	       "values "
	       "gets it, too)",
	.mend = "deploy.update_config.parallelism: 1",
	.look = all_at_once,
};

static void never_restarts(struct doctor *d, const struct trap *t)
{
	json_t *s;
	size_t i;

	each_service(d, i, s)
	{
		bool job = json_path(s, "Spec.Mode.ReplicatedJob") || json_path(s, "Spec.Mode.GlobalJob");
		const char *condition = json_string_value(json_path(s, "Spec.TaskTemplate.RestartPolicy.Condition"));
		if (!job && str_eq(condition, "none"))
			doctor_find(d, t, service_where(d, s), "its restart_policy is none");
	}
}

static const struct trap trap_restarts = {
	.id = "service-never-restarts",
	.severity = TRAP_WARNING,
	.why = "a task that ends, or whose node restarts, is not replaced",
	.mend = "deploy.restart_policy.condition: any; for what is meant to end, deploy.mode: replicated-job",
	.look = never_restarts,
};

/* Ports: the ingress mesh takes its ports on every node. */

static const json_t *publishes(const json_t *service, int64_t port)
{
	json_t *p;
	size_t i;

	json_array_foreach (json_path(service, "Endpoint.Ports"), i, p)
		if (json_int(p, "PublishedPort", 0) == port)
			return p;
	return NULL;
}

static void port_of_container(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container)
{
	json_t *port, *s;
	size_t i, k;

	json_array_foreach (json_object_get(container, "Ports"), i, port) {
		int64_t public = json_int(port, "PublicPort", 0);
		/* Both address families have an entry. */
		if (public == 0 || str_eq(json_str(port, "IP"), "::"))
			continue;
		each_service(d, k, s) if (publishes(s, public)) doctor_find(
			d, t, container_where(d, p, container), "it publishes port %lld, and so does service '%s'",
			(long long)public, service_name(s));
	}
}

static void collision(struct doctor *d, const struct trap *t)
{
	each_container(d, t, port_of_container);
}

static const struct trap trap_collision = {
	.id = "port-collision",
	.severity = TRAP_ERROR,
	.why = "who answers on that port of the node depends on who was started last; after a restart the container "
	       "may not "
	       "come up",
	.mend = "give one of them another port, or take the container away first (`absent` in the spec)",
	.look = collision,
};

/* Binds of a path that NFS brings */

static void collect_nfs(struct doctor *d, struct nfs_mounts *all)
{
	const struct snode *nfs = d->f->spec ? snode_get(spec_root(d->f->spec), "nfs") : NULL;

	for (size_t i = 0; i < d->places.n; i++) {
		nfs_mounted(d, &d->places.v[i], all);
		nfs_in_fstab(d, &d->places.v[i], all);
	}
	for (size_t i = 0; i < snode_count(nfs); i++) {
		const char *path = snode_str(snode_get(nfs->items[i], "mount"), "path");
		if (path)
			vec_push(&all->list, ((struct nfs_mount){.target = path}));
	}
}

static const char *nfs_under(const json_t *service, const struct nfs_mounts *all, const char **source)
{
	json_t *m;
	size_t i;

	json_array_foreach (json_object_get(service_container(service), "Mounts"), i, m) {
		*source = json_str(m, "Source");
		for (size_t k = 0; str_eq(json_str(m, "Type"), "bind") && k < all->list.n; k++)
			if (path_below(*source, all->list.v[k].target))
				return all->list.v[k].target;
	}
	return NULL;
}

static void binds(struct doctor *d, const struct trap *t)
{
	struct nfs_mounts all = {0};
	json_t *s;
	size_t i;

	collect_nfs(d, &all);
	each_service(d, i, s)
	{
		const char *source, *target = nfs_under(s, &all, &source);
		if (target && json_array_size(d->nodes) > 1 &&
		    json_array_size(json_path(s, "Spec.TaskTemplate.Placement.Constraints")) == 0)
			doctor_find(d, t, service_where(d, s),
				    "it binds %s, below the NFS mount %s, and may run anywhere", source, target);
	}
	vec_free(&all.list);
}

static const struct trap trap_binds = {
	.id = "bind-anywhere",
	.severity = TRAP_WARNING,
	.why = "on a node where the mount is missing the task is rejected, or starts with an empty directory and looks "
	       "well",
	.mend = "a label on the nodes that have the mount (nodes.*.labels), and a placement constraint for it; this "
		"program "
		"sets the label once the mount is verified",
	.look = binds,
};

const struct trap *const traps_services[] = {
	&trap_collision, &trap_binds, &trap_unpinned, &trap_reservation, &trap_at_once, &trap_restarts, NULL,
};
