/*
 * A STAND-IN for Traefik, for labs without the real one: it reads the few settings and labels that the
 * flow needs. It is never evidence for how the real Traefik behaves.
 *
 *   traefik [--configFile=/etc/traefik/traefik.yml]
 *
 * Behaves as v2.11; with STANDIN_VERSION=3.x as v3, which has a separate swarm provider and refuses
 * to start when providers.docker.swarmMode is present.
 */
#define _GNU_SOURCE
#include "http.h"
#include "rule.h"
#include "readyaml.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define API_ENTRYPOINT "traefik"

struct entrypoint {
	const char *name;
	int listener;
};

/* What the providers found: routers and services by NAME@PROVIDER, in the form that the API shows. */
struct table {
	json_t *routers;
	json_t *services;
	json_t *middlewares; /* shown, not applied */
};

static json_t *settings; /* the static configuration; never changes */
static bool is_v3;
static char start_time[32];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static struct table current;
static json_t *turns; /* service -> requests so far, for the round robin */

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("level=error msg=\"", stderr);
	vfprintf(stderr, format, args);
	fputs("\"\n", stderr);
	va_end(args);
	exit(1);
}

/* Settings ------------------------------------------------------------------------------------- */

static json_t *at(json_t *json, const char *path)
{
	char key[64];

	while (json && *path) {
		size_t length = strcspn(path, ".");

		snprintf(key, sizeof key, "%.*s", (int)length, path);
		json = json_object_get(json, key);
		path += length + (path[length] == '.');
	}
	return json;
}

static const char *text_at(json_t *json, const char *path, const char *otherwise)
{
	const char *text = json_string_value(at(json, path));

	return text ? text : otherwise;
}

/* Docker --------------------------------------------------------------------------------------- */

static json_t *ask_docker(json_t *provider, const char *path)
{
	const char *endpoint = text_at(provider, "endpoint", "unix:///var/run/docker.sock");
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int status = 0, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *answer = NULL;
	json_t *json;

	snprintf(name.sun_path, sizeof name.sun_path, "%s",
		 strncmp(endpoint, "unix://", 7) == 0 ? endpoint + 7 : endpoint);
	if (connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
		answer = call(fd, "GET", path, "", &status);
	close(fd);
	if (status != 200)
		fprintf(stderr, "level=error msg=\"Provider connection error: %s: %s\"\n", endpoint,
			answer ? answer : strerror(errno));
	json = status == 200 ? json_loads(answer, 0, NULL) : NULL;
	free(answer);
	return json;
}

/* Label names do not depend on case. */
static const char *label(json_t *labels, const char *name)
{
	const char *key;
	json_t *value;

	json_object_foreach (labels, key, value)
		if (strcasecmp(key, name) == 0)
			return json_string_value(value);
	return NULL;
}

/* The distinct NAMEs of the labels PREFIX.NAME.something: a set. */
static json_t *names_below(json_t *labels, const char *prefix)
{
	json_t *names = json_object(), *value;
	const char *key;
	char name[128];

	json_object_foreach (labels, key, value)
		if (strncasecmp(key, prefix, strlen(prefix)) == 0) {
			snprintf(name, sizeof name, "%.*s", (int)strcspn(key + strlen(prefix), "."),
				 key + strlen(prefix));
			json_object_set_new(names, name, json_true());
		}
	return names;
}

static json_t *split(const char *list)
{
	json_t *array = json_array();

	while (list && *list) {
		size_t length = strcspn(list, ",");

		json_array_append_new(array, json_stringn(list, length));
		list += length + (list[length] == ',');
	}
	return array;
}

static char *qualified(const char *name, const char *provider)
{
	char *text;

	if (asprintf(&text, "%s%s%s", name, strchr(name, '@') ? "" : "@", strchr(name, '@') ? "" : provider) < 0)
		abort();
	return text;
}

static void add_router(struct table *table, const char *name, const char *provider, const char *rule,
		       const char *service, json_t *entrypoints, json_int_t priority)
{
	char *full = qualified(name, provider);

	json_object_set_new(table->routers, full,
			    json_pack("{ss ss so sI ss ss ss}", "rule", rule, "service", service, "entryPoints",
				      entrypoints, "priority", priority ? priority : (json_int_t)strlen(rule), "status",
				      "enabled", "provider", provider, "name", full));
	free(full);
}

static void add_server(struct table *table, const char *name, const char *provider, const char *url)
{
	char *full = qualified(name, provider);
	json_t *service = json_object_get(table->services, full);

	if (!service) {
		service = json_pack("{s{s[] sb} s{} ss ss ss}", "loadBalancer", "servers", "passHostHeader", 1,
				    "serverStatus", "status", "enabled", "provider", provider, "name", full);
		json_object_set_new(table->services, full, service);
	}
	if (url) {
		json_array_append_new(at(service, "loadBalancer.servers"), json_pack("{ss}", "url", url));
		json_object_set_new(json_object_get(service, "serverStatus"), url, json_string("UP"));
	}
	free(full);
}

/* The address on the network that the labels or the provider name, else any. */
static const char *pick_address(json_t *provider, json_t *labels, json_t *addresses)
{
	const char *network = label(labels, "traefik.docker.network"), *address, *key;
	json_t *value;

	if (is_v3 && label(labels, "traefik.swarm.network"))
		network = label(labels, "traefik.swarm.network");
	address = text_at(addresses, network ? network : text_at(provider, "network", ""), NULL);
	if (!address)
		json_object_foreach (addresses, key, value)
			address = json_string_value(value);
	return address;
}

/* Only told, never asked: this stand-in's servers are UP from the start, as Traefik's are before the first check. */
static void add_health_check(struct table *table, const char *name, const char *provider, const char *path)
{
	char *full = qualified(name, provider);
	json_t *balancer = at(json_object_get(table->services, full), "loadBalancer");

	if (path)
		json_object_set_new(balancer, "healthCheck", json_pack("{ss}", "path", path));
	free(full);
}

/* One labelled thing: its routers, its services and a server for each of its addresses. */
static void add_labelled(struct table *table, json_t *provider, const char *provider_name, const char *name,
			 json_t *labels, json_t *instances, json_int_t exposed_port)
{
	json_t *routers = names_below(labels, "traefik.http.routers.");
	json_t *services = names_below(labels, "traefik.http.services."), *addresses, *unused;
	const char *enable = label(labels, "traefik.enable"), *key, *service = name;
	char text[256], url[256];
	size_t i;

	if (enable ? strcmp(enable, "true") != 0 : json_is_false(at(provider, "exposedByDefault")))
		goto out;
	if (json_object_size(services) == 0)
		json_object_set_new(services, name, json_true());
	json_object_foreach (services, key, unused) {
		service = key;
		snprintf(text, sizeof text, "traefik.http.services.%s.loadbalancer.server.port", key);
		if (label(labels, text))
			exposed_port = atoll(label(labels, text));
		if (exposed_port == 0) {
			fprintf(stderr, "level=error msg=\"service %s: port is missing\"\n", name);
			goto out;
		}
		add_server(table, key, provider_name, NULL);
		snprintf(text, sizeof text, "traefik.http.services.%s.loadbalancer.healthcheck.path", key);
		add_health_check(table, key, provider_name, label(labels, text));
		json_array_foreach (instances, i, addresses) {
			const char *address = pick_address(provider, labels, addresses);

			snprintf(url, sizeof url, "http://%s:%lld", address ? address : "", (long long)exposed_port);
			if (address)
				add_server(table, key, provider_name, url);
		}
	}
	if (json_object_size(routers) == 0) {
		snprintf(text, sizeof text, "Host(`%s`)", name);
		add_router(table, name, provider_name, text, service, json_array(), 0);
	}
	json_object_foreach (routers, key, unused) {
		char field[4][256];
		static const char *const fields[] = {"rule", "entrypoints", "service", "priority"};

		for (i = 0; i < 4; i++)
			snprintf(field[i], sizeof field[i], "traefik.http.routers.%s.%s", key, fields[i]);
		if (label(labels, field[0]))
			add_router(table, key, provider_name, label(labels, field[0]),
				   label(labels, field[2]) ? label(labels, field[2]) : service,
				   split(label(labels, field[1])),
				   label(labels, field[3]) ? atoll(label(labels, field[3])) : 0);
	}
out:
	json_decref(routers);
	json_decref(services);
}

static void discover_containers(struct table *table, json_t *provider)
{
	json_t *containers = ask_docker(provider, "/v1.24/containers/json"), *container, *network, *port;
	const char *key, *name;
	size_t i, j;

	json_array_foreach (containers, i, container) {
		json_t *addresses = json_object(), *instances = json_pack("[O]", addresses);
		json_int_t lowest = 0;

		json_object_foreach (at(container, "NetworkSettings.Networks"), key, network)
			if (*text_at(network, "IPAddress", ""))
				json_object_set(addresses, key, json_object_get(network, "IPAddress"));
		json_array_foreach (json_object_get(container, "Ports"), j, port) {
			json_int_t number = json_integer_value(json_object_get(port, "PrivatePort"));

			lowest = lowest && lowest < number ? lowest : number;
		}
		name = json_string_value(json_array_get(json_object_get(container, "Names"), 0));
		add_labelled(table, provider, "docker", name && *name == '/' ? name + 1 : "unnamed",
			     json_object_get(container, "Labels"), instances, lowest);
		json_decref(instances);
		json_decref(addresses);
	}
	json_decref(containers);
}

/* Network name -> address of a task. */
static json_t *addresses_of_task(json_t *task)
{
	json_t *addresses = json_object(), *attachment;
	size_t i;

	json_array_foreach (json_object_get(task, "NetworksAttachments"), i, attachment) {
		const char *name = text_at(attachment, "Network.Spec.Name", NULL);
		const char *address = json_string_value(json_array_get(json_object_get(attachment, "Addresses"), 0));

		if (name && address && strcmp(name, "ingress") != 0)
			json_object_set_new(addresses, name, json_stringn(address, strcspn(address, "/")));
	}
	return addresses;
}

static void discover_services(struct table *table, json_t *provider, const char *provider_name)
{
	json_t *services = ask_docker(provider, "/v1.24/services"), *service;
	json_t *tasks = ask_docker(provider, "/v1.24/tasks?filters=%7B%22desired-state%22%3A%5B%22running%22%5D%7D"),
	       *task;
	size_t i, j;

	json_array_foreach (services, i, service) {
		json_t *instances = json_array();

		json_array_foreach (tasks, j, task)
			if (json_equal(json_object_get(task, "ServiceID"), json_object_get(service, "ID")) &&
			    strcmp(text_at(task, "Status.State", ""), "running") == 0)
				json_array_append_new(instances, addresses_of_task(task));
		add_labelled(table, provider, provider_name, text_at(service, "Spec.Name", ""),
			     at(service, "Spec.Labels"), instances, 0);
		json_decref(instances);
	}
	json_decref(tasks);
	json_decref(services);
}

/* File ----------------------------------------------------------------------------------------- */

static void discover_file(struct table *table, const char *path)
{
	json_t *file = path ? read_yaml(path) : NULL, *item, *server;
	const char *name;
	size_t i;

	json_object_foreach (at(file, "http.routers"), name, item) {
		json_t *entrypoints = json_object_get(item, "entryPoints");

		add_router(table, name, "file", text_at(item, "rule", ""), text_at(item, "service", ""),
			   entrypoints ? json_incref(entrypoints) : json_array(),
			   json_integer_value(json_object_get(item, "priority")));
	}
	json_object_foreach (at(file, "http.services"), name, item) {
		add_server(table, name, "file", NULL);
		json_array_foreach (at(item, "loadBalancer.servers"), i, server)
			add_server(table, name, "file", text_at(server, "url", ""));
	}
	json_object_foreach (at(file, "http.middlewares"), name, item) {
		char *full = qualified(name, "file");
		json_object_set_new(item, "name", json_string(full));
		json_object_set_new(item, "status", json_string("enabled"));
		json_object_set(table->middlewares, full, item);
		free(full);
	}
	json_decref(file);
}

static json_t *service_of(const struct table *table, json_t *router)
{
	char *full = qualified(text_at(router, "service", ""), text_at(router, "provider", ""));
	json_t *service = json_object_get(table->services, full);

	free(full);
	return service;
}

static void check_services(const struct table *table)
{
	const char *name;
	json_t *router, *service;

	json_object_foreach (table->routers, name, router) {
		service = service_of(table, router);
		if (service && !json_object_get(service, "usedBy"))
			json_object_set_new(service, "usedBy", json_array());
		if (service)
			json_array_append_new(json_object_get(service, "usedBy"), json_string(name));
		else
			json_object_update_new(router, json_pack("{ss s[o]}", "status", "disabled", "error",
								 json_sprintf("the service \"%s@%s\" does not exist",
									      text_at(router, "service", ""),
									      text_at(router, "provider", ""))));
	}
}

static void *discover(void *unused)
{
	json_t *docker = at(settings, "providers.docker"), *swarm = is_v3 ? at(settings, "providers.swarm") : NULL;

	(void)unused;
	for (;;) {
		struct table found = {json_object(), json_object(), json_object()}, old;

		if (docker && json_is_true(json_object_get(docker, "swarmMode")))
			discover_services(&found, docker, "docker");
		else if (docker)
			discover_containers(&found, docker);
		if (swarm)
			discover_services(&found, swarm, "swarm");
		discover_file(&found, text_at(settings, "providers.file.filename", NULL));
		check_services(&found);
		pthread_mutex_lock(&lock);
		old = current;
		current = found;
		pthread_mutex_unlock(&lock);
		json_decref(old.routers);
		json_decref(old.services);
		json_decref(old.middlewares);
		sleep(1);
	}
	return NULL;
}

/* The API -------------------------------------------------------------------------------------- */

static json_t *values(json_t *object)
{
	json_t *array = json_array(), *value;
	const char *key;

	json_object_foreach (object, key, value)
		json_array_append(array, value);
	return array;
}

static json_t *totals(json_t *object)
{
	json_int_t errors = 0;
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value)
		errors += strcmp(text_at(value, "status", ""), "enabled") != 0;
	return json_pack("{sI sI sI}", "total", (json_int_t)json_object_size(object), "warnings", (json_int_t)0,
			 "errors", errors);
}

static json_t *entrypoints(void)
{
	json_t *list = json_array(), *point;
	const char *name;

	json_object_foreach (at(settings, "entryPoints"), name, point)
		json_array_append_new(list,
				      json_pack("{ss ss}", "name", name, "address", text_at(point, "address", "")));
	return list;
}

static json_t *api_answer(const char *path)
{
	static const char routers[] = "/api/http/routers", services[] = "/api/http/services";
	const char *version = getenv("STANDIN_VERSION");

	if (strcmp(path, "/api/version") == 0)
		return json_pack("{ss ss ss}", "Version", version && *version ? version : "2.11.0", "Codename",
				 "standin", "startDate", start_time);
	if (strcmp(path, "/api/overview") == 0)
		return json_pack("{s{so so so} s[]}", "http", "routers", totals(current.routers), "services",
				 totals(current.services), "middlewares", totals(NULL), "providers");
	if (strcmp(path, "/api/rawdata") == 0)
		return json_pack("{sO sO}", "routers", current.routers, "services", current.services);
	if (strcmp(path, "/api/entrypoints") == 0)
		return entrypoints();
	if (strcmp(path, routers) == 0)
		return values(current.routers);
	if (strcmp(path, services) == 0)
		return values(current.services);
	if (strcmp(path, "/api/http/middlewares") == 0)
		return values(current.middlewares);
	if (strncmp(path, routers, sizeof routers - 1) == 0)
		return json_incref(json_object_get(current.routers, path + sizeof routers));
	if (strncmp(path, services, sizeof services - 1) == 0)
		return json_incref(json_object_get(current.services, path + sizeof services));
	return NULL;
}

static void serve_api(int fd, struct request *request)
{
	bool insecure = json_is_true(at(settings, "api.insecure"));
	json_t *answer;
	char *text;

	request->path[strcspn(request->path, "?")] = '\0';
	if (strcmp(request->path, "/ping") == 0 && at(settings, "ping")) {
		respond(fd, 200, "text/plain; charset=utf-8", "OK");
		return;
	}
	pthread_mutex_lock(&lock);
	answer = insecure ? api_answer(request->path) : NULL;
	text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	json_decref(answer);
	pthread_mutex_unlock(&lock);
	respond(fd, text ? 200 : 404, text ? "application/json" : "text/plain", text ? text : "404 page not found\n");
	free(text);
}

/* Routing -------------------------------------------------------------------------------------- */

static bool listens_on(json_t *router, const char *entrypoint)
{
	json_t *entrypoints = json_object_get(router, "entryPoints"), *name;
	size_t i;

	json_array_foreach (entrypoints, i, name)
		if (strcmp(json_string_value(name), entrypoint) == 0)
			return true;
	return json_array_size(entrypoints) == 0;
}

/* 200 and the address of the server whose turn it is, or what to answer instead. */
static int route(const char *entrypoint, const struct request *request, char address[static 64], int *port)
{
	json_int_t best = -1, turn;
	json_t *chosen = NULL, *router, *servers;
	const char *name;

	json_object_foreach (current.routers, name, router) {
		json_int_t priority = json_integer_value(json_object_get(router, "priority"));

		if (priority > best && service_of(&current, router) && listens_on(router, entrypoint) &&
		    rule_matches(text_at(router, "rule", ""), request->host, request->path)) {
			best = priority;
			chosen = service_of(&current, router);
		}
	}
	if (!chosen)
		return 404;
	servers = at(chosen, "loadBalancer.servers");
	if (json_array_size(servers) == 0)
		return 503;
	name = text_at(chosen, "name", "");
	turn = json_integer_value(json_object_get(turns, name));
	json_object_set_new(turns, name, json_integer(turn + 1));
	router = json_array_get(servers, (size_t)turn % json_array_size(servers));
	*port = 80;
	return sscanf(text_at(router, "url", ""), "http://%63[^:/]:%d", address, port) > 0 ? 200 : 502;
}

static void relay(int client, const struct request *request, int server)
{
	static const char close_header[] = "\r\nConnection: close";
	size_t line = strcspn(request->raw, "\r");
	char buffer[16384];
	ssize_t got;

	write_all(server, request->raw, line);
	write_all(server, close_header, sizeof close_header - 1);
	write_all(server, request->raw + line, request->raw_size - line);
	while ((got = read(server, buffer, sizeof buffer)) > 0)
		write_all(client, buffer, (size_t)got);
}

static void serve_route(int fd, const char *entrypoint, const struct request *request)
{
	char address[64];
	int port, status, server = -1;

	pthread_mutex_lock(&lock);
	status = route(entrypoint, request, address, &port);
	pthread_mutex_unlock(&lock);
	if (status == 200 && (server = connect_to(address, port)) < 0)
		status = 502;
	if (status == 200)
		relay(fd, request, server);
	else
		respond(fd, status, "text/plain; charset=utf-8",
			status == 404   ? "404 page not found\n"
			: status == 503 ? "no available server"
					: "Bad Gateway");
	if (server >= 0)
		close(server);
}

struct connection {
	int fd;
	const char *entrypoint;
};

static void *serve_connection(void *argument)
{
	struct connection *connection = argument;
	struct request request;

	if (request_read(connection->fd, &request) && strcmp(connection->entrypoint, API_ENTRYPOINT) == 0)
		serve_api(connection->fd, &request);
	else if (request.body)
		serve_route(connection->fd, connection->entrypoint, &request);
	request_free(&request);
	close(connection->fd);
	free(connection);
	return NULL;
}

static void *serve_entrypoint(void *argument)
{
	struct entrypoint *entrypoint = argument;

	for (;;) {
		struct connection *connection = malloc(sizeof *connection);
		pthread_t thread;

		if (!connection)
			abort();
		*connection = (struct connection){accept(entrypoint->listener, NULL, NULL), entrypoint->name};
		if (connection->fd < 0 || pthread_create(&thread, NULL, serve_connection, connection) != 0)
			free(connection);
		else
			pthread_detach(thread);
	}
	return NULL;
}

static void open_entrypoint(const char *name, const char *address)
{
	const char *colon = strrchr(address, ':');
	struct entrypoint *entrypoint = malloc(sizeof *entrypoint);
	pthread_t thread;

	if (!entrypoint || !colon)
		fail("entryPoint %s: invalid address %s", name, address);
	*entrypoint = (struct entrypoint){name, listen_on(NULL, atoi(colon + 1))};
	if (entrypoint->listener < 0)
		fail("entryPoint %s: listen %s: %s", name, address, strerror(errno));
	pthread_create(&thread, NULL, serve_entrypoint, entrypoint);
}

static void leave(int number)
{
	(void)number;
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *path = "/etc/traefik/traefik.yml", *name, *version = getenv("STANDIN_VERSION");
	time_t now = time(NULL);
	json_t *entrypoint;
	pthread_t thread;

	for (int i = 1; i < argc; i++)
		if (strncasecmp(argv[i], "--configFile=", 13) == 0)
			path = argv[i] + 13;
	is_v3 = version && *version == '3';
	settings = read_yaml(path);
	if (!json_is_object(settings))
		fail("command traefik error: %s is no configuration", path);
	if (is_v3 && at(settings, "providers.docker.swarmMode"))
		fail("Docker provider `swarmMode` option has been removed in v3, please use the Swarm Provider "
		     "instead");
	strftime(start_time, sizeof start_time, "%FT%TZ", gmtime(&now));
	current = (struct table){json_object(), json_object(), json_object()};
	turns = json_object();
	signal(SIGTERM, leave);
	signal(SIGINT, leave);
	json_object_foreach (at(settings, "entryPoints"), name, entrypoint)
		open_entrypoint(name, text_at(entrypoint, "address", ""));
	if (!at(settings, "entryPoints." API_ENTRYPOINT) &&
	    (json_is_true(at(settings, "api.insecure")) || at(settings, "ping")))
		open_entrypoint(API_ENTRYPOINT, ":8080");
	fprintf(stderr, "level=info msg=\"stand-in for Traefik %s started\"\n", is_v3 ? version : "2.11");
	if (pthread_create(&thread, NULL, discover, NULL) != 0)
		fail("no thread: %s", strerror(errno));
	pthread_join(thread, NULL);
	return 0;
}
