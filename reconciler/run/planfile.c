#include "run/planfile.h"

#include "sys/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD 256 /* bytes that tell what a file is */

enum content { NOTHING, SAVED_PLAN, SOMETHING_ELSE };

static enum content look(const char *path)
{
	char head[HEAD];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return access(path, F_OK) < 0 ? NOTHING : SOMETHING_ELSE;
	ssize_t n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, head, sizeof(head)) : -1;
	close(fd);
	if (n == 0)
		return NOTHING;
	return n > 0 && saved_plan_is(head, (size_t)n) ? SAVED_PLAN : SOMETHING_ELSE;
}

int planfile_read(const char *path, json_t **saved, struct err *err)
{
	_cleanup_str_ struct str text = {0};

	*saved = NULL;
	if (look(path) != SAVED_PLAN)
		return 0;
	if (file_read(path, SAVED_PLAN_MAX, &text, err) < 0 || saved_plan_read(text.data, text.len, saved, err) < 0)
		return err_wrap(err, "reading the saved plan %s", path);
	return 0;
}

int planfile_write(const char *path, const json_t *saved, struct err *err)
{
	_cleanup_str_ struct str text = {0};

	if (look(path) == SOMETHING_ELSE)
		return err_set(err, ERR_USAGE,
			       "saving the plan: %s is there already and is no saved plan; it is not overwritten",
			       path);
	saved_plan_text(saved, &text);
	if (file_write_atomic(path, text.data, text.len, 0600, err) < 0)
		return err_wrap(err, "saving the plan");
	return 0;
}
