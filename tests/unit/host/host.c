#include "host/host.h"

#include "sys/clock.h"
#include "sys/file.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
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
	if (host_open(&(struct host_options){.node = "n", .address = address}, &h, &err) < 0)
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

static void record_end(void *arg, const char *what)
{
	struct recorder *r = arg;
	str_addf(&r->calls, "after %s\n", what);
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
	assert_int_equal(host_open(&(struct host_options){.node = "n", .address = "127.0.0.1"}, &h, &err), 0);
	host_set_hooks(h, (struct mutation_hooks){record, record_end, &r});
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
	assert_int_equal(host_run(h, (const char *const[]){"false", NULL}, clock_ms() + 5000, NULL, &err), -1);
	_cleanup_free_ char *refused =
		xasprintf("write %s on n\nmake directory %s on n\nrun echo a b on n\n", file, sub);
	_cleanup_free_ char *made =
		xasprintf("write %s on n\nafter write %s on n\nwrite %s on n\nafter write %s on n\n"
			  "make directory %s on n\nafter make directory %s on n\n"
			  "run echo a b on n\nafter run echo a b on n\nrun false on n\nafter run false on n\n",
			  file, file, file, file, sub, sub);
	_cleanup_free_ char *expected = xasprintf("%s%s", refused, made);
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

	assert_int_equal(host_open(&(struct host_options){.node = "gmktec", .address = "127.0.0.1"}, &h, &err), 0);
	assert_int_equal(host_run(h, (const char *const[]){"sh", "-c", "echo no >&2; exit 3", NULL}, clock_ms() + 5000,
				  NULL, &err),
			 -1);
	assert_string_equal(err.msg, "node 'gmktec': sh: exit status 3: no");
	assert_int_equal(host_read(h, "/no/such", 10, &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "node 'gmktec': read /no/such: head: cannot open '/no/such' for reading: No such "
				     "file or directory");
	assert_int_equal(host_mkdir(h, "/tmp", "reconcile-nobody:root", NULL, &err), -1);
	assert_string_equal(err.msg,
			    "node 'gmktec': make directory /tmp: chown: invalid user: 'reconcile-nobody:root'");
	assert_int_equal(host_mkdir(h, "/tmp", NULL, "99", &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
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
	assert_int_equal(host_open(&(struct host_options){.node = "n", .address = "127.0.0.1"}, &h, &err), 0);
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

static void check_content(const char *path, const char *want)
{
	_cleanup_str_ struct str text = {0};
	assert_int_equal(file_read(path, 100000, &text, &err), 0);
	assert_string_equal(str_cstr(&text), want);
}

static void in_place_is_the_same_inode(void **state)
{
	(void)state;
	char dir[] = "/tmp/reconcile-inplace.XXXXXX";
	static const char *const texts[] = {"short", "again something that is longer", ""};
	struct stat a, b;
	struct host *h;

	assert_non_null(mkdtemp(dir));
	_cleanup_free_ char *file = xasprintf("%s/f", dir), *missing = xasprintf("%s/missing", dir);
	assert_int_equal(host_open(&(struct host_options){.node = "n", .address = "127.0.0.1"}, &h, &err), 0);
	assert_int_equal(host_write(h, file, "a longer content", 16, 0644, &err), 0);
	assert_int_equal(stat(file, &a), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(host_write_inplace(h, file, texts[i], strlen(texts[i]), &err), 0);
		check_content(file, texts[i]);
	}
	assert_int_equal(stat(file, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(host_write_inplace(h, missing, "x", 1, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	const char *const odd[] = {"/dev/null", dir};
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		assert_int_equal(host_write_inplace(h, odd[i], "x", 1, &err), -1);
		assert_non_null(strstr(err.msg, "not a regular file"));
	}
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
	host_close(h);
}

/* Nothing is changed, and nothing is left over. */
static void full_disk(void **state)
{
	(void)state;
	char dir[] = "/tmp/reconcile-full.XXXXXX";
	size_t n = 1 << 20;
	struct stat st;
	struct host *h;

	assert_non_null(mkdtemp(dir));
	if (mount("tmpfs", dir, "tmpfs", 0, "size=128k") < 0) {
		print_message("# SKIP full_disk: cannot mount a tmpfs (%s); run as root\n", strerror(errno));
		assert_int_equal(rmdir(dir), 0);
		return;
	}
	_cleanup_free_ char *file = xasprintf("%s/f", dir), *big = xcalloc(1, n);
	memset(big, 'x', n);
	assert_int_equal(host_open(&(struct host_options){.node = "n", .address = "127.0.0.1"}, &h, &err), 0);
	assert_int_equal(host_write(h, file, "kept", 4, 0644, &err), 0);
	assert_int_equal(host_write_inplace(h, file, big, n, &err), -1);
	assert_non_null(strstr(err.msg, "No space left on device; nothing was changed"));
	check_content(file, "kept");
	assert_int_equal(stat(file, &st), 0);
	assert_true(st.st_blocks * 512 <= 4096); /* what was reserved is free again */
	assert_int_equal(host_write(h, file, big, n, 0644, &err), -1);
	assert_non_null(strstr(err.msg, "No space left on device"));
	check_content(file, "kept");
	assert_int_equal(host_write_inplace(h, file, big, 64 << 10, &err), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(umount(dir), 0);
	assert_int_equal(rmdir(dir), 0);
	host_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_addresses),
		cmocka_unit_test(changes_are_announced_first),
		cmocka_unit_test(failures_name_the_node),
		cmocka_unit_test(owners),
		cmocka_unit_test(in_place_is_the_same_inode),
		cmocka_unit_test(full_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
