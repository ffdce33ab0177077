#include "host/host.h"

#include "sys/clock.h"
#include "sys/file.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct err err;

static bool is_local(const char *address)
{
	struct host *h;
	if (host_open("n", address, &h, &err) < 0)
		fail_msg("%s", err.msg);
	bool local = host_is_local(h);
	host_close(h);
	return local;
}

static void local_addresses(void **state)
{
	(void)state;
	char name[256], text[INET6_ADDRSTRLEN];
	struct ifaddrs *list;

	assert_int_equal(gethostname(name, sizeof(name)), 0);
	assert_true(is_local("127.0.0.1"));
	assert_true(is_local("127.9.9.9"));
	assert_true(is_local("localhost"));
	assert_true(is_local(name));
	assert_int_equal(getifaddrs(&list), 0);
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
			continue;
		assert_non_null(
			inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, text, sizeof(text)));
		assert_true(is_local(text));
	}
	freeifaddrs(list);
	assert_false(is_local("192.0.2.1"));
	assert_false(is_local("2001:db8::1"));
	assert_false(is_local("elsewhere.invalid"));
	_cleanup_free_ char *longer = xasprintf("%sx", name);
	assert_false(is_local(longer));
	host_close(NULL);
}

static int count(void *arg, const char *what, struct err *e)
{
	(void)what;
	(void)e;
	++*(int *)arg;
	return 0;
}

/* Every operation says why it cannot be done, and none is announced as a change. */
static void another_machine(void **state)
{
	(void)state;
	static const char *const argv[] = {"true", NULL};
	static const struct probe_request nothing = {0};
	struct host *h;
	struct str out = {0};
	json_t *j;
	int calls = 0;

	assert_int_equal(host_open("hpr", "192.0.2.82", &h, &err), 0);
	assert_string_equal(host_node(h), "hpr");
	host_on_mutation(h, count, &calls);
	for (int i = 0; i < 6; i++) {
		int rc = 0;
		err = (struct err){0};
		switch (i) {
		case 0:
			rc = host_probe(h, &nothing, clock_ms() + 100, &j, &err);
			break;
		case 1:
			rc = host_run(h, argv, clock_ms() + 100, &out, &err);
			break;
		case 2:
			rc = host_read(h, "/etc/passwd", 100000, &out, &err);
			break;
		case 3:
			rc = host_write(h, "/tmp/x", "", 0, 0644, &err);
			break;
		case 4:
			rc = host_write_inplace(h, "/tmp/x", "", 0, &err);
			break;
		case 5:
			rc = host_mkdir(h, "/tmp/x", NULL, NULL, &err);
			break;
		}
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		assert_int_equal(strncmp(err.msg,
					 "node 'hpr' (192.0.2.82) is not this machine, and this version manages only",
					 74),
				 0);
	}
	assert_int_equal(out.len, 0);
	assert_int_equal(calls, 0);
	host_close(h);
}

struct recorder {
	struct str calls;
	bool refuse;
};

static int record(void *arg, const char *what, struct err *e)
{
	struct recorder *r = arg;
	str_addf(&r->calls, "%s\n", what);
	return r->refuse ? err_set(e, ERR_LOCKED, "the lease is lost") : 0;
}

static void changes_are_announced_first(void **state)
{
	(void)state;
	char dir[] = "/tmp/reconcile-host.XXXXXX";
	static const char *const argv[] = {"echo", "a b", NULL};
	struct recorder r = {0};
	struct str out = {0};
	struct stat st;
	struct host *h;

	assert_non_null(mkdtemp(dir));
	_cleanup_free_ char *file = xasprintf("%s/f", dir), *sub = xasprintf("%s/a/b", dir),
			    *a = xasprintf("%s/a", dir);
	assert_int_equal(host_open("n", "127.0.0.1", &h, &err), 0);
	host_on_mutation(h, record, &r);
	r.refuse = true;
	assert_int_equal(host_write(h, file, "x", 1, 0644, &err), -1);
	assert_int_equal(err.code, ERR_LOCKED);
	assert_int_equal(host_mkdir(h, sub, NULL, NULL, &err), -1);
	assert_int_equal(host_run(h, argv, clock_ms() + 5000, &out, &err), -1);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(access(a, F_OK), -1);
	assert_int_equal(out.len, 0);

	r.refuse = false;
	assert_int_equal(host_write(h, file, "x", 1, 0640, &err), 0);
	assert_int_equal(host_write_inplace(h, file, "yy", 2, &err), 0);
	assert_int_equal(host_read(h, file, 10, &out, &err), 0);
	assert_string_equal(str_cstr(&out), "yy");
	assert_int_equal(host_mkdir(h, sub, NULL, "0711", &err), 0);
	assert_int_equal(stat(sub, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	str_reset(&out);
	assert_int_equal(host_run(h, argv, clock_ms() + 5000, &out, &err), 0);
	assert_string_equal(str_cstr(&out), "a b\n");
	_cleanup_free_ char *round = xasprintf("write %s on n\nmake directory %s on n\nrun echo a b on n\n", file, sub);
	_cleanup_free_ char *expected = xasprintf("%swrite %s on n\n%s", round, file, round);
	assert_string_equal(str_cstr(&r.calls), expected);

	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(rmdir(a), 0);
	assert_int_equal(rmdir(dir), 0);
	host_close(h);
	str_free(&out);
	str_free(&r.calls);
}

static void failures_name_the_node(void **state)
{
	(void)state;
	struct host *h;
	struct str out = {0};

	assert_int_equal(host_open("gmktec", "127.0.0.1", &h, &err), 0);
	assert_int_equal(host_run(h, (const char *const[]){"sh", "-c", "echo no >&2; exit 3", NULL}, clock_ms() + 5000,
				  NULL, &err),
			 -1);
	assert_string_equal(err.msg, "node 'gmktec': sh: exit status 3: no");
	assert_int_equal(host_read(h, "/no/such", 10, &out, &err), -1);
	assert_string_equal(err.msg, "node 'gmktec': /no/such: No such file or directory");
	assert_int_equal(host_mkdir(h, "/tmp", "reconcile-nobody:root", NULL, &err), -1);
	assert_string_equal(err.msg, "node 'gmktec': no such user: reconcile-nobody");
	assert_int_equal(host_mkdir(h, "/tmp", "root:reconcile-nobody", NULL, &err), -1);
	assert_string_equal(err.msg, "node 'gmktec': no such group: reconcile-nobody");
	assert_int_equal(host_mkdir(h, "/tmp", NULL, "99", &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	host_close(h);
}

static void owners(void **state)
{
	(void)state;
	char dir[] = "/tmp/reconcile-owner.XXXXXX";
	struct stat st;
	struct host *h;

	if (geteuid() != 0) {
		print_message("# SKIP owners: needs root\n");
		return;
	}
	assert_non_null(mkdtemp(dir));
	assert_int_equal(host_open("n", "127.0.0.1", &h, &err), 0);
	assert_int_equal(host_mkdir(h, dir, "1234:daemon", "2770", &err), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 1);
	assert_int_equal(st.st_mode & 07777, 02770); /* the owner is changed first: it could take the bit away */
	assert_int_equal(host_mkdir(h, dir, "daemon", NULL, &err), 0);
	assert_int_equal(host_mkdir(h, dir, ":2345", NULL, &err), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_uid, 1);
	assert_int_equal(st.st_gid, 2345);
	assert_int_equal(rmdir(dir), 0);
	host_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_addresses),
		cmocka_unit_test(another_machine),
		cmocka_unit_test(changes_are_announced_first),
		cmocka_unit_test(failures_name_the_node),
		cmocka_unit_test(owners),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
