/*
 * Another host, with a stand-in for ssh in PATH that does what ssh does with a command: it hands one string to the
 * login shell. The real one is met in tests/e2e.
 */
#include "host/host.h"

#include "sys/clock.h"
#include "sys/file.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct err err;
static char dir[64];

static void program(const char *name, const char *script)
{
	_cleanup_free_ char *path = xasprintf("%s/bin/%s", dir, name);
	assert_int_equal(file_write_atomic(path, script, strlen(script), 0755, &err), 0);
}

/* Keeps its arguments, runs the last one. */
static const char willing[] = "#!/bin/sh\n"
			      "printf '%s\\n' \"$@\" >\"$ARGS\"\n"
			      "for last; do :; done\n"
			      "exec sh -c \"$last\"\n";

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/reconcile-ssh.XXXXXX");
	if (!mkdtemp(dir) || chdir(dir) < 0 || mkdir("bin", 0755) < 0 || mkdir("run", 0700) < 0)
		return -1;
	_cleanup_free_ char *path = xasprintf("%s/bin:%s", dir, getenv("PATH")), *run = xasprintf("%s/run", dir),
			    *args = xasprintf("%s/args", dir);
	setenv("PATH", path, 1);
	setenv("XDG_RUNTIME_DIR", run, 1);
	setenv("ARGS", args, 1);
	return 0;
}

static int teardown(void **state)
{
	struct host *h;

	(void)state;
	if (host_open(&(struct host_options){.node = "n", .address = "localhost"}, &h, &err) < 0)
		return -1;
	int rc = host_run(h, (const char *const[]){"rm", "-rf", dir, NULL}, clock_ms() + 9000, NULL, &err);
	host_close(h);
	return rc;
}

static struct host *elsewhere(bool become)
{
	const struct host_options o = {
		.node = "hpr",
		.address = "192.0.2.82",
		.user = "ops",
		.port = 2222,
		.host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2yKzZ5",
		.become = become,
	};
	struct host *h;
	assert_int_equal(host_open(&o, &h, &err), 0);
	assert_false(host_is_local(h));
	return h;
}

/* Everything that a shell could take for more than a word. */
static const char *const hostile[] = {
	"with blank",
	"tab\there",
	"new\nline",
	"ends\n",
	"quote's",
	"'",
	"''",
	"dou\"ble",
	"$(touch pwned)",
	"`touch pwned`",
	"$HOME",
	"back\\slash",
	"*",
	"?[a]",
	"~",
	"-rf",
	"--",
	";touch pwned",
	"|touch pwned",
	"&",
	">pwned",
	"#c",
	"!",
	"!!",
	"\xc3\xbc",
	"%s",
	"a=b",
	"\001\177",
};

static void words_arrive_as_they_are(void **state)
{
	(void)state;
	struct host *h = elsewhere(false);
	const char *argv[ARRAY_SIZE(hostile) + 3] = {"printf", "%s|"};
	struct str out = {0}, want = {0};

	program("ssh", willing);
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		argv[i + 2] = hostile[i];
		str_addf(&want, "%s|", hostile[i]);
	}
	if (host_run(h, argv, clock_ms() + 9000, &out, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(str_cstr(&out), str_cstr(&want));
	assert_int_equal(access("pwned", F_OK), -1);
	str_free(&out);
	str_free(&want);
	host_close(h);
}

static void files_of_hostile_names(void **state)
{
	(void)state;
	struct host *h = elsewhere(false);

	program("ssh", willing);
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, hostile[i]),
				    *sub = xasprintf("%s.d/%s", path, hostile[i]);
		_cleanup_str_ struct str out = {0};
		struct stat st;
		_cleanup_json_ json_t *seen = NULL;
		const char *const paths[] = {path, NULL};

		if (host_write(h, path, "\0\xff'\n", 4, 0640, &err) < 0 || host_read(h, path, 4, &out, &err) < 0 ||
		    host_mkdir(h, sub, NULL, "0750", &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(out.len, 4);
		assert_memory_equal(out.data, "\0\xff'\n", 4);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		assert_int_equal(stat(sub, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0750);
		ino_t inode = (stat(path, &st), st.st_ino);
		assert_int_equal(host_write_inplace(h, path, "x", 1, &err), 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_ino, inode);
		assert_int_equal(st.st_size, 1);
		assert_int_equal(host_probe(h, &(struct probe_request){.files = paths}, clock_ms() + 9000, &seen, &err),
				 0);
		assert_string_equal(json_str(json_object_get(json_object_get(seen, "files"), path), "content"), "x");
	}
	assert_int_equal(access("pwned", F_OK), -1);
	host_close(h);
}

/* A connection that is cut while the data is on its way. */
static void half_of_the_data_changes_nothing(void **state)
{
	(void)state;
	struct host *h = elsewhere(false);
	_cleanup_free_ char *path = xasprintf("%s/whole", dir);
	_cleanup_str_ struct str out = {0};

	program("ssh", willing);
	assert_int_equal(host_write(h, path, "old", 3, 0644, &err), 0);
	program("ssh", "#!/bin/sh\nfor last; do :; done\nhead -c 2 | sh -c \"$last\"\n");
	assert_int_equal(host_write(h, path, "newer", 5, 0644, &err), -1);
	assert_non_null(strstr(err.msg, "the data did not arrive whole"));
	assert_int_equal(host_write_inplace(h, path, "newer", 5, &err), -1);
	assert_non_null(strstr(err.msg, "the data did not arrive whole"));
	assert_int_equal(file_read(path, 10, &out, &err), 0);
	assert_string_equal(str_cstr(&out), "old");
	host_close(h);
}

static bool anything_beside(const char *name)
{
	_cleanup_free_ char *pattern = xasprintf("%s/.%s.*", dir, name);
	glob_t found;
	int rc = glob(pattern, 0, NULL, &found);

	globfree(&found);
	return rc == 0;
}

/* A connection that is cut after the data have come: what waits there is ended by its time limit. */
static void what_is_ended_leaves_nothing(void **state)
{
	(void)state;
	struct host *h = elsewhere(false);
	_cleanup_free_ char *path = xasprintf("%s/kept", dir);
	_cleanup_str_ struct str out = {0};

	program("ssh", willing);
	assert_int_equal(host_write(h, path, "old", 3, 0644, &err), 0);
	program("ssh", "#!/bin/sh\nfor last; do :; done\nexec timeout 1 sh -c \"$last\"\n");
	program("sync", "#!/bin/sh\nls -d \"$(dirname \"$2\")\"/.kept.* >\"$ARGS\"\nexec sleep 100\n");
	assert_int_equal(host_write(h, path, "newer", 5, 0644, &err), -1);
	assert_int_equal(unlink("bin/sync"), 0);
	assert_int_equal(file_read("args", 1000, &out, &err), 0);
	assert_non_null(strstr(str_cstr(&out), "/.kept.")); /* it was there */
	for (int i = 0; i < 50 && anything_beside("kept"); i++)
		usleep(100000);
	assert_false(anything_beside("kept"));
	str_reset(&out);
	assert_int_equal(file_read(path, 10, &out, &err), 0);
	assert_string_equal(str_cstr(&out), "old");
	host_close(h);
}

/* Plays the process that holds ssh's connection. */
static int hold_connection(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)(void *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int64_t probe_for(struct host *h, int64_t ms, int *rc)
{
	static const char *const dirs[] = {"/", NULL};
	int64_t start = clock_ms();
	json_t *seen = NULL;

	*rc = host_probe(h, &(struct probe_request){.dirs = dirs}, start + ms, &seen, &err);
	json_decref(seen);
	return clock_ms() - start;
}

static double number_after(const char *text, const char *words)
{
	const char *at = strstr(text, words);

	return at ? strtod(at + strlen(words), NULL) : -1;
}

/* Its other end is dead: the host is asked over a new one. What is not there yet is waited for. */
static void a_connection_that_is_silent(void **state)
{
	(void)state;
	struct host *h = elsewhere(false);
	_cleanup_str_ struct str args = {0};
	int rc;

	program("ssh", willing);
	assert_int_equal(host_run(h, (const char *const[]){"true", NULL}, clock_ms() + 9000, NULL, &err), 0);
	assert_int_equal(file_read("args", 100000, &args, &err), 0);
	const char *at = strstr(str_cstr(&args), "ControlPath=");
	assert_non_null(at);
	at += strlen("ControlPath=");
	_cleanup_free_ char *path = xasprintf("%.*s", (int)strcspn(at, "\n"), at);

	program("ssh", "#!/bin/sh\nfor a; do [ \"$a\" != ControlPath=none ] || alone=1; last=$a; done\n"
		       "[ -z \"$alone\" ] || exec sh -c \"$last\"\nexec sleep 100\n");
	assert_in_range(probe_for(h, 1000, &rc), 900, 4000);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	int fd = hold_connection(path);
	assert_in_range(probe_for(h, 20000, &rc), 3500, 12000);
	assert_int_equal(rc, 0);
	program("ssh", "#!/bin/sh\nexec sleep 100\n");
	assert_in_range(probe_for(h, 5000, &rc), 4500, 12000);
	assert_int_equal(rc, -1);
	assert_true(number_after(err.msg, "at its deadline, after ") >= 4.9); /* both together */
	close(fd);                                                            /* nobody is there, the file is */
	assert_in_range(probe_for(h, 6000, &rc), 5500, 12000);
	assert_int_equal(rc, -1);
	assert_int_equal(unlink(path), 0);
	host_close(h);
}

static void how_ssh_is_called(void **state)
{
	(void)state;
	struct host *h = elsewhere(false);
	_cleanup_str_ struct str args = {0}, key = {0};

	program("ssh", willing);
	assert_int_equal(host_run(h, (const char *const[]){"true", NULL}, clock_ms() + 9000, NULL, &err), 0);
	assert_int_equal(file_read("args", 100000, &args, &err), 0);
	static const char *const wanted[] = {
		"\nBatchMode=yes\n",
		"\nHostName=192.0.2.82\n",
		"\nStrictHostKeyChecking=yes\n",
		"\nHostKeyAlias=hpr\n",
		"\n-l\nops\n",
		"\n-p\n2222\n",
		"\nConnectTimeout=10\n",
		"\n--\nhpr\n",
		"\nGlobalKnownHostsFile=/dev/null\n",
		"\nControlMaster=auto\n",
	};
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!strstr(str_cstr(&args), wanted[i]))
			fail_msg("no '%s' in %s", wanted[i], str_cstr(&args));
	const char *file = strstr(str_cstr(&args), "UserKnownHostsFile=");
	assert_non_null(file);
	file += strlen("UserKnownHostsFile=");
	_cleanup_free_ char *path = xasprintf("%.*s", (int)strcspn(file, "\n"), file);
	assert_int_equal(file_read(path, 1000, &key, &err), 0);
	assert_string_equal(str_cstr(&key), "hpr ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2yKzZ5\n");
	host_close(h);
}

static void root_by_sudo(void **state)
{
	(void)state;
	struct host *h = elsewhere(true);
	_cleanup_str_ struct str out = {0}, args = {0};

	program("ssh", willing);
	program("id", "#!/bin/sh\necho 1000\n");
	program("sudo", "#!/bin/sh\necho \"sudo $1\"\nshift\nexec \"$@\"\n");
	assert_int_equal(host_run(h, (const char *const[]){"echo", "a  b", NULL}, clock_ms() + 9000, &out, &err), 0);
	assert_string_equal(str_cstr(&out), "sudo -n\na  b\n");
	program("id", "#!/bin/sh\necho 0\n");
	str_reset(&out);
	assert_int_equal(host_run(h, (const char *const[]){"echo", "c", NULL}, clock_ms() + 9000, &out, &err), 0);
	assert_string_equal(str_cstr(&out), "c\n");
	assert_int_equal(unlink("bin/id"), 0);
	assert_int_equal(unlink("bin/sudo"), 0);
	host_close(h);
}

static void failures_tell_what_to_do(void **state)
{
	(void)state;
	static const struct {
		const char *script;
		enum err_code code;
		const char *words;
	} rows[] = {
		{"echo 'ssh: connect to host 192.0.2.82 port 22: Connection refused' >&2; exit 255", ERR_UNREACHABLE,
		 "Connection refused"},
		{"exit 255", ERR_UNREACHABLE, "the connection was lost"},
		{"echo 'Host key verification failed.' >&2; exit 255", ERR_DENIED, "its host key is not known here"},
		{"echo '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @' >&2; echo 'Host key verification "
		 "failed.' >&2; "
		 "exit 255",
		 ERR_DENIED, "ssh-keygen -R 192.0.2.82"},
		{"echo 'ops@192.0.2.82: Permission denied (publickey).' >&2; exit 255", ERR_DENIED, "is not let in"},
		{"echo 'Connection timed out during banner exchange' >&2; exit 255", ERR_UNREACHABLE,
		 "sshd on 192.0.2.82 takes the connection and says nothing"},
		{"echo 'sudo: a password is required' >&2; exit 1", ERR_DENIED, "NOPASSWD"},
		{"echo 'it broke' >&2; exit 3", ERR_FAILED, "x: exit status 3: it broke"},
		{"exit 124", ERR_TIMEOUT, "still running at its deadline"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct host *h = elsewhere(true);
		_cleanup_free_ char *script = xasprintf("#!/bin/sh\n%s\n", rows[i].script);
		json_t *seen = NULL;

		program("ssh", script);
		err = (struct err){0};
		assert_int_equal(host_run(h, (const char *const[]){"x", NULL}, clock_ms() + 9000, NULL, &err), -1);
		if (err.code != rows[i].code || !strstr(err.msg, rows[i].words) ||
		    !str_starts(err.msg, "node 'hpr' (192.0.2.82): "))
			fail_msg("%s: %d %s", rows[i].script, (int)err.code, err.msg);
		err = (struct err){0};
		const char *const dirs[] = {"/", NULL};
		assert_int_equal(host_probe(h, &(struct probe_request){.dirs = dirs}, clock_ms() + 9000, &seen, &err),
				 -1);
		if (err.code != rows[i].code || !str_starts(err.msg, "node 'hpr' (192.0.2.82): "))
			fail_msg("probe: %s: %d %s", rows[i].script, (int)err.code, err.msg);
		host_close(h);
	}
}

/* Also in ssh's own words. */
static void a_hidden_address_is_not_told(void **state)
{
	(void)state;
	const struct host_options o = {.node = "hpr", .address = "192.0.2.82", .shown = "(hidden)"};
	struct host *h;

	program("ssh", "#!/bin/sh\necho 'ssh: connect to host 192.0.2.82 port 22: Connection refused' >&2\nexit 255\n");
	assert_int_equal(host_open(&o, &h, &err), 0);
	assert_int_equal(host_run(h, (const char *const[]){"true", NULL}, clock_ms() + 9000, NULL, &err), -1);
	assert_string_equal(err.msg,
			    "node 'hpr' ((hidden)): ssh: connect to host (hidden) port 22: Connection refused");
	host_close(h);
}

static void what_hangs_is_ended(void **state)
{
	(void)state;
	struct host *h = elsewhere(false);
	int64_t start = clock_ms();

	program("ssh", "#!/bin/sh\nexec sleep 100\n");
	assert_int_equal(host_run(h, (const char *const[]){"true", NULL}, start + 300, NULL, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(clock_ms() - start < 5000);
	host_close(h);
}

static ssize_t talk(const char *path, const char *say, char *buf, size_t size)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ssize_t n, total = 0;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)(void *)&at, sizeof(at)), 0);
	if (*say)
		assert_int_equal(write(fd, say, strlen(say)), strlen(say));
	shutdown(fd, SHUT_WR);
	while ((n = read(fd, buf + total, size - (size_t)total)) > 0)
		total += n;
	close(fd);
	return total;
}

static void a_channel(void **state)
{
	(void)state;
	struct host *h = elsewhere(false);
	struct host_channel *c;
	char buf[200];

	program("ssh", willing);
	program("docker", "#!/bin/sh\necho \"$@\"\ncat\n");
	assert_int_equal(host_channel_open(h, &c, &err), 0);
	for (int i = 0; i < 3; i++) {
		ssize_t n = talk(host_channel_socket(c), "hello\n", buf, sizeof(buf));
		assert_int_equal(n, strlen("system dial-stdio\nhello\n"));
		assert_memory_equal(buf, "system dial-stdio\nhello\n", (size_t)n);
	}
	program("ssh", "#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n");
	assert_int_equal(talk(host_channel_socket(c), "", buf, sizeof(buf)), 0);
	err = (struct err){0};
	assert_true(host_channel_error(c, &err));
	assert_int_equal(err.code, ERR_DENIED);
	_cleanup_free_ char *path = xstrdup(host_channel_socket(c));
	host_channel_close(c);
	assert_int_equal(access(path, F_OK), -1);
	host_channel_close(NULL);
	host_close(h);
}

static void a_forwarded_port(void **state)
{
	(void)state;
	struct host *h = elsewhere(false), *here;
	struct host_channel *c;
	_cleanup_str_ struct str args = {0};
	char buf[200];

	/* What follows -W is where the connection goes. */
	program("ssh", "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$ARGS\"\n"
		       "while [ \"$1\" != -W ]; do shift; done\necho \"$2\"\ncat\n");
	assert_int_equal(host_forward_open(h, "[::1]:8080", &c, &err), 0);
	ssize_t n = talk(host_channel_socket(c), "hello\n", buf, sizeof(buf));
	assert_int_equal(n, strlen("[::1]:8080\nhello\n"));
	assert_memory_equal(buf, "[::1]:8080\nhello\n", (size_t)n);
	assert_int_equal(file_read("args", 65536, &args, &err), 0);
	assert_true(str_ends(str_cstr(&args), "\n-W\n[::1]:8080\n--\nhpr\n"));
	program("ssh", "#!/bin/sh\necho 'channel 0: open failed: connect failed: Connection refused' >&2\nexit 255\n");
	assert_int_equal(talk(host_channel_socket(c), "", buf, sizeof(buf)), 0);
	err = (struct err){0};
	assert_true(host_channel_error(c, &err));
	assert_non_null(
		strstr(err.msg, "node 'hpr' (192.0.2.82): channel 0: open failed: connect failed: Connection refused"));
	host_channel_close(c);
	host_close(h);

	assert_int_equal(host_open(&(struct host_options){.node = "n", .address = "localhost"}, &here, &err), 0);
	assert_int_equal(host_forward_open(here, "127.0.0.1:1", &c, &err), -1);
	host_close(here);
}

/* Whatever hangs at the other end. */
static void a_channel_is_closed_at_once(void **state)
{
	(void)state;
	struct host *h = elsewhere(false);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct host_channel *c;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int64_t start = clock_ms();

	program("ssh", "#!/bin/sh\ntrap '' TERM\n: >started\nwhile :; do sleep 1; done\n");
	assert_int_equal(host_channel_open(h, &c, &err), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", host_channel_socket(c));
	assert_int_equal(connect(fd, (struct sockaddr *)(void *)&at, sizeof(at)), 0);
	while (access("started", F_OK) < 0 && clock_ms() - start < 5000)
		usleep(10000);
	host_channel_close(c);
	assert_true(clock_ms() - start < 6000);
	close(fd);
	host_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_arrive_as_they_are),
		cmocka_unit_test(files_of_hostile_names),
		cmocka_unit_test(half_of_the_data_changes_nothing),
		cmocka_unit_test(what_is_ended_leaves_nothing),
		cmocka_unit_test(a_connection_that_is_silent),
		cmocka_unit_test(how_ssh_is_called),
		cmocka_unit_test(root_by_sudo),
		cmocka_unit_test(failures_tell_what_to_do),
		cmocka_unit_test(a_hidden_address_is_not_told),
		cmocka_unit_test(what_hangs_is_ended),
		cmocka_unit_test(a_channel),
		cmocka_unit_test(a_channel_is_closed_at_once),
		cmocka_unit_test(a_forwarded_port),
	};
	return cmocka_run_group_tests_name("host/ssh", tests, setup, teardown);
}
