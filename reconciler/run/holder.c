#include "run/holder.h"

#include "sys/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PROC_FILE_MAX 4096
#define ID_BYTES 16

/* What makes a pid and its start time comparable; proc_pid_stat(5), pid_namespaces(7), time_namespaces(7). */
static const struct {
	const char *key, *link;
} namespaces[] = {{"pid_ns", "/proc/self/ns/pid"}, {"time_ns", "/proc/self/ns/time"}};

/* Empty where the kernel has no such thing. */
static void read_namespace(const char *link, char text[static 64])
{
	ssize_t n = readlink(link, text, 63);
	text[n > 0 ? n : 0] = '\0';
}

static int random_id(char hex[static 2 * ID_BYTES + 1], struct err *err)
{
	unsigned char bytes[ID_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_sys(err, "naming this run: getrandom");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int read_boot_id(struct str *out, struct err *err)
{
	if (file_read("/proc/sys/kernel/random/boot_id", PROC_FILE_MAX, out, err) < 0)
		return -1;
	out->data[strcspn(out->data, "\n")] = '\0';
	return 0;
}

/* Field 3 and 22 of /proc/<pid>/stat; the name in field 2 may hold anything. */
static bool read_stat(const char *path, char *state, int64_t *started)
{
	_cleanup_str_ struct str text = {0};
	struct err ignored;
	long long ticks;

	if (file_read(path, PROC_FILE_MAX, &text, &ignored) < 0)
		return false;
	const char *rest = strrchr(str_cstr(&text), ')');
	if (!rest || sscanf(rest, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld",
			    state, &ticks) != 2)
		return false;
	*started = ticks;
	return true;
}

int holder_self(json_t **out, struct err *err)
{
	_cleanup_str_ struct str boot = {0};
	char id[2 * ID_BYTES + 1], host[256], text[64], state;
	int64_t started = 0;

	if (random_id(id, err) < 0 || read_boot_id(&boot, err) < 0)
		return -1;
	if (gethostname(host, sizeof(host)) < 0)
		return err_sys(err, "read this machine's host name");
	host[sizeof(host) - 1] = '\0';
	json_t *self = json_object();
	json_set_str(self, "holder", id);
	json_set_str(self, "host", host);
	json_set_int(self, "pid", getpid());
	json_set_str(self, "boot_id", str_cstr(&boot));
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		read_namespace(namespaces[i].link, text);
		json_set_str(self, namespaces[i].key, text);
	}
	if (read_stat("/proc/self/stat", &state, &started))
		json_set_int(self, "started", started);
	*out = self;
	return 0;
}

static bool is_comparable(const json_t *holder)
{
	_cleanup_str_ struct str boot = {0};
	struct err ignored;
	char text[64];

	if (read_boot_id(&boot, &ignored) < 0 || !str_eq(json_str(holder, "boot_id"), str_cstr(&boot)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		read_namespace(namespaces[i].link, text);
		if (!str_eq(json_str(holder, namespaces[i].key), text))
			return false;
	}
	return true;
}

/* In a new pid namespace /proc may still be that of the old one, whose pids are others. */
static bool is_proc_of_our_namespace(void)
{
	char self[64];

	read_namespace("/proc/self", self);
	return atoi(self) == getpid();
}

bool holder_is_gone(const json_t *holder)
{
	int64_t pid = json_int(holder, "pid", 0), wanted = json_int(holder, "started", -1), started;
	char path[64], state;

	if (pid <= 0 || pid > INT32_MAX || !is_comparable(holder))
		return false;
	/* kill and not /proc: there, hidepid= may hide the processes of others. */
	if (kill((pid_t)pid, 0) < 0)
		return errno == ESRCH;
	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
	if (!is_proc_of_our_namespace() || !read_stat(path, &state, &started))
		return false;
	return state == 'Z' || state == 'X' || (wanted >= 0 && started != wanted);
}

char *holder_text(const json_t *holder)
{
	const char *host = json_str(holder, "host");
	return xasprintf("pid %lld on %s", (long long)json_int(holder, "pid", 0), host ? host : "an unknown host");
}
