/*
 * A STAND-IN for Ollama, for the lab: it answers the calls that the flow needs and infers nothing.
 * It is never evidence for how the real Ollama behaves.
 *
 *   ollama serve | list | show MODEL | pull MODEL
 *
 * Models are manifests and blobs laid out as in the real store ($OLLAMA_MODELS, else
 * $HOME/.ollama/models); a pull makes them up, without any network. Environment: OLLAMA_HOST,
 * STANDIN_VERSION (what /api/version says), STANDIN_DELAY (milliseconds that a generation takes).
 */
#define _GNU_SOURCE
#include "http.h"

#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define JSON_TYPE "application/json; charset=utf-8"

enum { PATH_SIZE = 4096, DIGEST_SIZE = 2 * SHA256_DIGEST_LENGTH + 1, DEFAULT_PORT = 11434 };

static const char *environment(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* OLLAMA_HOST is [SCHEME://][ADDRESS][:PORT]. */
static int host_and_port(char address[static 64])
{
	const char *host = environment("OLLAMA_HOST", "127.0.0.1");
	const char *scheme = strstr(host, "://");
	const char *colon;
	size_t length;

	host = scheme ? scheme + 3 : host;
	colon = strchr(host, ':');
	length = colon ? (size_t)(colon - host) : strcspn(host, "/");
	if (length == 0 || (length == 9 && strncmp(host, "localhost", 9) == 0))
		strcpy(address, "127.0.0.1");
	else
		snprintf(address, 64, "%.*s", (int)length, host);
	return colon ? atoi(colon + 1) : DEFAULT_PORT;
}

static const char *models_directory(void)
{
	static char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/.ollama/models", environment("HOME", "/root"));
	return environment("OLLAMA_MODELS", path);
}

/* mistral:7b -> .../manifests/registry.ollama.ai/library/mistral/7b; false for an unusable name. */
static bool manifest_path(const char *name, char path[static PATH_SIZE])
{
	const char *tag = strchr(name, ':');
	int length = tag ? (int)(tag - name) : (int)strlen(name);

	if (length == 0 || *name == '/' || strstr(name, ".."))
		return false;
	snprintf(path, PATH_SIZE, "%s/manifests/registry.ollama.ai/%s%.*s/%s", models_directory(),
		 memchr(name, '/', (size_t)length) ? "" : "library/", length, name, tag ? tag + 1 : "latest");
	return true;
}

static void digest_of(const char *data, size_t size, char hex[static DIGEST_SIZE])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)data, size, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
}

/* The store ------------------------------------------------------------------------------------ */

static json_t *found; /* what the walk below collects; each request is served by a process of its own */

static json_t *model_of_manifest(const char *path, const struct stat *status)
{
	char text[65536], digest[DIGEST_SIZE], modified[32];
	const char *parts[4] = {0};
	char *name = strdup(path), *slash;
	FILE *file = fopen(path, "r");
	size_t size = file ? fread(text, 1, sizeof text, file) : 0;
	json_t *manifest = json_loadb(text, size, 0, NULL), *layer, *model;
	json_int_t total = 0;
	size_t i;

	if (file)
		fclose(file);
	for (i = 4; i-- > 0 && (slash = strrchr(name, '/')); *slash = '\0')
		parts[i] = slash + 1;
	json_array_foreach (json_object_get(manifest, "layers"), i, layer)
		total += json_integer_value(json_object_get(layer, "size"));
	digest_of(text, size, digest);
	strftime(modified, sizeof modified, "%FT%TZ", gmtime(&status->st_mtime));
	slash = NULL;
	if (!manifest || asprintf(&slash, "%s%s%s:%s", strcmp(parts[1], "library") ? parts[1] : "",
				  strcmp(parts[1], "library") ? "/" : "", parts[2], parts[3]) < 0)
		model = NULL;
	else
		model = json_pack("{ss ss ss sI ss s{}}", "name", slash, "model", slash, "modified_at", modified,
				  "size", total, "digest", digest, "details");
	free(slash);
	free(name);
	json_decref(manifest);
	return model;
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *at)
{
	json_t *model = type == FTW_F && at->level == 4 ? model_of_manifest(path, status) : NULL;

	if (model)
		json_array_append_new(found, model);
	return 0;
}

static json_t *list_models(void)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/manifests", models_directory());
	found = json_array();
	nftw(path, visit, 16, FTW_PHYS);
	return json_pack("{so}", "models", found);
}

static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int result;

		*slash = '\0';
		result = mkdir(path, 0755);
		*slash = '/';
		if (result < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

static int write_file(char *path, const char *text)
{
	FILE *file = make_parents(path) < 0 ? NULL : fopen(path, "w");

	if (!file)
		return -1;
	fputs(text, file);
	return fclose(file);
}

/* Makes up a blob and the manifest that names it. */
static int store_model(const char *name, char digest[static DIGEST_SIZE], size_t *size)
{
	char blob[256], path[PATH_SIZE], manifest[1024];

	*size = (size_t)snprintf(blob, sizeof blob, "not a model: the lab's stand-in for %s\n", name);
	*size = *size < sizeof blob ? *size : sizeof blob - 1;
	digest_of(blob, *size, digest);
	snprintf(path, sizeof path, "%s/blobs/sha256-%s", models_directory(), digest);
	if (write_file(path, blob) < 0 || !manifest_path(name, path))
		return -1;
	snprintf(manifest, sizeof manifest,
		 "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\","
		 "\"config\":{\"mediaType\":\"application/vnd.docker.container.image.v1+json\","
		 "\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
		 "\"application/vnd.ollama.image.model\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
		 digest, *size, digest, *size);
	return write_file(path, manifest);
}

/* The server ----------------------------------------------------------------------------------- */

static void respond_json(int fd, int status, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	respond(fd, status, JSON_TYPE, text ? text : "{}");
	free(text);
	json_decref(body);
}

__attribute__((format(printf, 2, 3))) static void stream_line(int fd, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	write_all(fd, line, strlen(line));
}

static void serve_pull(int fd, const char *name, bool stream)
{
	char digest[DIGEST_SIZE], path[PATH_SIZE];
	size_t size;

	respond_head(fd, 200, "application/x-ndjson");
	if (stream)
		stream_line(fd, "{\"status\":\"pulling manifest\"}\n");
	if (!manifest_path(name, path)) {
		stream_line(fd, "{\"error\":\"pull model manifest: file does not exist\"}\n");
		return;
	}
	if (store_model(name, digest, &size) < 0) {
		stream_line(fd, "{\"error\":\"%s\"}\n", strerror(errno));
		return;
	}
	if (stream) {
		stream_line(fd,
			    "{\"status\":\"pulling %.12s\",\"digest\":\"sha256:%s\",\"total\":%zu,\"completed\":%zu}\n",
			    digest, digest, size, size);
		stream_line(fd, "{\"status\":\"verifying sha256 digest\"}\n{\"status\":\"writing manifest\"}\n");
	}
	stream_line(fd, "{\"status\":\"success\"}\n");
}

static void serve_generate(int fd, const char *model)
{
	long delay = atol(environment("STANDIN_DELAY", "0"));
	struct timespec time = {.tv_sec = delay / 1000, .tv_nsec = delay % 1000 * 1000000};

	nanosleep(&time, NULL);
	respond_json(fd, 200,
		     json_pack("{ss ss sb}", "model", model, "response", "a stand-in has no answer", "done", 1));
}

static void serve_request(int fd, const struct request *request)
{
	json_t *body = json_loads(request->body, 0, NULL);
	const char *model = json_string_value(json_object_get(body, "model"));
	const char *path = request->path;
	bool stream = !json_is_false(json_object_get(body, "stream"));
	char file[PATH_SIZE];

	if (!model && !(model = json_string_value(json_object_get(body, "name"))))
		model = "";
	if (strcmp(path, "/") == 0)
		respond(fd, 200, "text/plain; charset=utf-8", "Ollama is running");
	else if (strcmp(path, "/api/version") == 0)
		respond_json(fd, 200, json_pack("{ss}", "version", environment("STANDIN_VERSION", "0.0.0-standin")));
	else if (strcmp(path, "/api/tags") == 0)
		respond_json(fd, 200, list_models());
	else if (strcmp(path, "/api/ps") == 0)
		respond_json(fd, 200, json_pack("{s[]}", "models"));
	else if (strcmp(path, "/api/show") == 0 && manifest_path(model, file) && access(file, R_OK) == 0)
		respond_json(fd, 200, json_pack("{s{} s{}}", "details", "model_info"));
	else if (strcmp(path, "/api/show") == 0)
		respond_json(fd, 404, json_pack("{so}", "error", json_sprintf("model '%s' not found", model)));
	else if (strcmp(path, "/api/pull") == 0)
		serve_pull(fd, model, stream);
	else if (strcmp(path, "/api/generate") == 0 || strcmp(path, "/api/chat") == 0)
		serve_generate(fd, model);
	else
		respond(fd, 404, "text/plain", "404 page not found");
	json_decref(body);
}

static void serve_connection(int fd)
{
	struct request request;

	if (request_read(fd, &request))
		serve_request(fd, &request);
	request_free(&request);
}

static void leave(int number)
{
	(void)number;
	_exit(0);
}

static int serve(void)
{
	char address[64];
	int port = host_and_port(address);
	int listener = listen_on(address, port);

	if (listener < 0) {
		fprintf(stderr, "Error: listen tcp %s:%d: %s\n", address, port, strerror(errno));
		return 1;
	}
	signal(SIGTERM, leave);
	signal(SIGINT, leave);
	signal(SIGCHLD, SIG_IGN);
	fprintf(stderr, "Listening on %s:%d (stand-in, version %s)\n", address, port,
		environment("STANDIN_VERSION", "0.0.0-standin"));
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0 && fork() == 0) {
			serve_connection(fd);
			_exit(0);
		}
		if (fd >= 0)
			close(fd);
	}
}

/* The client ----------------------------------------------------------------------------------- */

static char *ask_server(const char *method, const char *path, const char *model, int *status)
{
	char address[64], *body, *answer = NULL;
	int port = host_and_port(address);
	int fd = connect_to(strcmp(address, "0.0.0.0") == 0 ? "127.0.0.1" : address, port);
	json_t *question = *model ? json_pack("{ss}", "model", model) : json_object();

	if (fd < 0) {
		fprintf(stderr, "Error: could not connect to ollama app, is it running?\n");
		exit(1);
	}
	body = json_dumps(question, 0);
	answer = body ? call(fd, method, path, body, status) : NULL;
	json_decref(question);
	free(body);
	close(fd);
	return answer;
}

static int list(void)
{
	int status = 0;
	char *answer = ask_server("GET", "/api/tags", "", &status);
	json_t *tags = answer ? json_loads(answer, 0, NULL) : NULL, *model;
	size_t i;

	printf("%-24s %-14s %s\n", "NAME", "ID", "SIZE");
	json_array_foreach (json_object_get(tags, "models"), i, model)
		printf("%-24s %-14.12s %lld B\n", json_string_value(json_object_get(model, "name")),
		       json_string_value(json_object_get(model, "digest")),
		       (long long)json_integer_value(json_object_get(model, "size")));
	json_decref(tags);
	free(answer);
	return status == 200 ? 0 : 1;
}

static int show(const char *name)
{
	int status = 0;
	char *answer = ask_server("POST", "/api/show", name, &status);

	free(answer);
	if (status == 200)
		printf("  Model\n    name    %s (stand-in)\n", name);
	else
		fprintf(stderr, "Error: model '%s' not found\n", name);
	return status == 200 ? 0 : 1;
}

static int pull(const char *name)
{
	int status = 0;
	char *answer = ask_server("POST", "/api/pull", name, &status);
	bool success = answer && strstr(answer, "\"status\":\"success\"");

	fputs(answer ? answer : "Error: no answer\n", success ? stdout : stderr);
	free(answer);
	return success ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "serve";

	if (strcmp(command, "serve") == 0)
		return serve();
	if (strcmp(command, "list") == 0 || strcmp(command, "ls") == 0)
		return list();
	if (strcmp(command, "show") == 0 && argc > 2)
		return show(argv[2]);
	if (strcmp(command, "pull") == 0 && argc > 2)
		return pull(argv[2]);
	fprintf(stderr, "usage: ollama serve | list | show MODEL | pull MODEL\n");
	return 1;
}
