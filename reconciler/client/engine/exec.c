/* What takes time inside an engine: a program in a container, the pull of an image. */
#include "client/engine/internal.h"

#include <string.h>

#define LINE_MAX_BYTES 65536

/* A program's output (API doc, ContainerAttach): frames of a header of 8 bytes, whose last 4 are the length. */
struct frames {
	int (*on_output)(const char *bytes, size_t n, void *arg);
	void *arg;
	unsigned char header[8];
	size_t have; /* bytes of the header */
	size_t left; /* bytes of the frame's content that are still to come */
};

static int on_frames(const char *bytes, size_t n, void *arg)
{
	struct frames *f = arg;

	while (n > 0) {
		size_t used;
		int rc = 0;
		if (f->left == 0) {
			used = sizeof(f->header) - f->have < n ? sizeof(f->header) - f->have : n;
			memcpy(f->header + f->have, bytes, used);
			f->have += used;
			if (f->have == sizeof(f->header)) {
				f->left = (size_t)f->header[4] << 24 | (size_t)f->header[5] << 16 |
					  (size_t)f->header[6] << 8 | f->header[7];
				f->have = 0;
			}
		} else {
			used = f->left < n ? f->left : n;
			f->left -= used;
			if (f->on_output)
				rc = f->on_output(bytes, used, f->arg);
		}
		if (rc != 0)
			return rc;
		bytes += used;
		n -= used;
	}
	return 0;
}

int engine_exec(struct engine *e, int64_t deadline, const char *container, const char *const *argv,
		int (*on_output)(const char *bytes, size_t n, void *arg), void *arg, int *exit_status, struct err *err)
{
	static const char about[] = "{\"Detach\":false,\"Tty\":false}";
	_cleanup_json_ json_t *body = json_pack("{s:b,s:b}", "AttachStdout", 1, "AttachStderr", 1);
	_cleanup_json_ json_t *start = json_loads(about, 0, NULL), *made = NULL, *ended = NULL;
	_cleanup_str_ struct str id = {0};
	struct frames f = {.on_output = on_output, .arg = arg};
	json_t *words = json_array();

	for (size_t i = 0; argv[i]; i++)
		json_array_append_new(words, json_string(argv[i]));
	json_set(body, "Cmd", words);
	engine_escape(container, &id);
	if (engine_post(e, deadline, body, &made, err, "/containers/%s/exec", str_cstr(&id)) < 0)
		return -1;
	const char *exec = json_str(made, "Id");
	if (!exec)
		return err_set(err, ERR_PROTOCOL, "POST /containers/%s/exec: the engine's answer has no id", container);
	if (engine_stream(e, deadline, NULL, start, on_frames, &f, err, "/exec/%s/start", exec) < 0 ||
	    engine_get(e, deadline, &ended, err, "/exec/%s/json", exec) < 0)
		return -1;
	if (json_bool(ended, "Running"))
		return err_set(err, ERR_UNREACHABLE, "%s in container '%s': the connection ended before it did",
			       argv[0], container);
	*exit_status = (int)json_int(ended, "ExitCode", -1);
	return 0;
}

/* Pulling an image: a line of JSON for each step; an error comes in one, too, with status 200. */

struct pull {
	void (*status)(void *arg, const char *text);
	void *arg;
	struct str line;
	char *error;
};

static void take_line(struct pull *p)
{
	_cleanup_json_ json_t *j = json_loadb(str_cstr(&p->line), p->line.len, 0, NULL);
	const char *error = json_str(j, "error"), *text = json_str(j, "status"), *layer = json_str(j, "id"),
		   *progress = json_str(j, "progress");

	if (error && !p->error)
		p->error = xstrdup(error);
	if (text && p->status) {
		_cleanup_free_ char *all = xasprintf("%s%s%s%s%s", layer ? layer : "", layer ? ": " : "", text,
						     progress ? " " : "", progress ? progress : "");
		p->status(p->arg, all);
	}
	str_reset(&p->line);
}

static int on_lines(const char *bytes, size_t n, void *arg)
{
	struct pull *p = arg;

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			take_line(p);
		else if (p->line.len < LINE_MAX_BYTES)
			str_addc(&p->line, bytes[i]);
	}
	return 0;
}

static int pull_image(struct engine *e, int64_t deadline, const struct image_ref *ref, struct pull *p, struct err *err)
{
	_cleanup_str_ struct str name = {0}, tag = {0};
	size_t colon = ref->tag ? strlen(ref->familiar) - strlen(ref->tag) - 1 : strlen(ref->familiar);
	_cleanup_free_ char *repository = xasprintf("%.*s", (int)colon, ref->familiar);

	engine_escape(repository, &name);
	engine_escape(ref->digest ? ref->digest : ref->tag, &tag);
	int rc = engine_stream(e, deadline, ref->familiar, NULL, on_lines, p, err, "/images/create?fromImage=%s&tag=%s",
			       str_cstr(&name), str_cstr(&tag));
	take_line(p);
	return rc;
}

int engine_ensure_image(struct engine *e, int64_t deadline, const char *image,
			void (*status)(void *arg, const char *text), void *arg, struct err *err)
{
	struct image_ref ref = {0};
	struct pull p = {.status = status, .arg = arg};
	struct err e2 = {0};

	if (image_ref_parse(image, &ref, err) < 0)
		return -1;
	_cleanup_free_ char *name = ref.digest ? xasprintf("%s@%s", ref.familiar, ref.digest) : xstrdup(ref.familiar);
	int rc = engine_get(e, deadline, NULL, &e2, "/images/%s/json", name);
	if (rc < 0 && e2.code == ERR_NOT_FOUND) {
		e2 = (struct err){0};
		rc = pull_image(e, deadline, &ref, &p, &e2);
		if (rc == 0 && p.error)
			rc = err_set(&e2, ERR_FAILED, "%s", p.error);
	}
	if (rc < 0 && err) {
		*err = e2;
		err_wrap(err, "image '%s'", image);
	}
	image_ref_free(&ref);
	str_free(&p.line);
	free(p.error);
	return rc;
}
