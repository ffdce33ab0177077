#include "host/internal.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <string.h>
#include <unistd.h>

struct ip {
	int family;
	unsigned char bytes[16];
};

static bool parse_ip(const char *text, struct ip *out)
{
	*out = (struct ip){.family = AF_INET};
	if (inet_pton(AF_INET, text, out->bytes) == 1)
		return true;
	out->family = AF_INET6;
	return inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool is_interface_ip(const struct ip *want, const struct sockaddr *sa)
{
	if (!sa || sa->sa_family != want->family)
		return false;
	if (want->family == AF_INET)
		return memcmp(want->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4) == 0;
	return memcmp(want->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16) == 0;
}

/* 127.0.0.0/8 is all ours, whatever of it the interface carries. */
static int is_local_ip(const struct ip *ip, bool *local, struct err *err)
{
	struct ifaddrs *list;

	*local = ip->family == AF_INET && ip->bytes[0] == 127;
	if (getifaddrs(&list) < 0)
		return err_sys(err, "list this machine's addresses");
	for (const struct ifaddrs *i = list; i && !*local; i = i->ifa_next)
		*local = is_interface_ip(ip, i->ifa_addr);
	freeifaddrs(list);
	return 0;
}

static int is_local_name(const char *name, bool *local, struct err *err)
{
	char self[256];

	if (gethostname(self, sizeof(self)) < 0)
		return err_sys(err, "read this machine's host name");
	self[sizeof(self) - 1] = '\0';
	*local = strcasecmp(name, "localhost") == 0 || strcasecmp(name, self) == 0;
	return 0;
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

int host_open(const struct host_options *o, struct host **out, struct err *err)
{
	struct ip ip;
	bool local = false;
	int rc = parse_ip(o->address, &ip) ? is_local_ip(&ip, &local, err) : is_local_name(o->address, &local, err);

	if (rc < 0)
		return err_wrap(err, "node '%s'", o->node);
	struct host *h = xcalloc(1, sizeof(*h));
	*h = (struct host){
		.node = xstrdup(o->node),
		.address = xstrdup(o->address),
		.shown = xstrdup(o->shown ? o->shown : o->address),
		.user = copy(o->user),
		.host_key = copy(o->host_key),
		.port = o->port,
		.local = local,
		.accept_new = o->accept_new,
		.become = o->become,
	};
	*out = h;
	return 0;
}

void host_close(struct host *h)
{
	if (!h)
		return;
	free(h->node);
	free(h->address);
	free(h->shown);
	free(h->user);
	free(h->host_key);
	free(h);
}

const char *host_node(const struct host *h)
{
	return h->node;
}

const char *host_address(const struct host *h)
{
	return h->address;
}

bool host_is_local(const struct host *h)
{
	return h->local;
}

void host_set_hooks(struct host *h, struct mutation_hooks hooks)
{
	h->hooks = hooks;
}
