/* A spec in a git repository: real repositories, made by the git program in a directory of their own. */
#include "source/source.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/proc.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64]; /* everything of one test */
static char helper[4096];

static char *in_base(const char *name)
{
	return xasprintf("%s/%s", base, name);
}

static void run(const char *cwd, const char *const *argv, struct str *out)
{
	struct proc_options o = {.argv = argv, .cwd = cwd, .deadline = clock_ms() + 20000};
	_cleanup_proc_result_ struct proc_result r = {0};
	struct err err = {0};

	if (proc_run_checked(&o, &r, &err) < 0)
		fail_msg("%s", err.msg);
	if (out)
		str_add(out, r.out.data, r.out.len ? r.out.len - 1 : 0); /* without the line's end */
}

#define git(cwd, ...) run(cwd, (const char *const[]){"git", __VA_ARGS__, NULL}, NULL)

static void put(const char *dir, const char *file, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, file), *parent = xstrdup(path);
	struct err err = {0};

	*strrchr(parent, '/') = '\0';
	assert_int_equal(file_mkdirs(parent, 0755, &err), 0);
	if (file_write_atomic(path, text, strlen(text), 0644, &err) < 0)
		fail_msg("%s", err.msg);
}

static void commit(const char *repo)
{
	git(repo, "add", "-A");
	git(repo, "commit", "-q", "--allow-empty", "-m", "x");
}

/* A repository with a branch main and cluster.yaml in it. */
static char *new_repo(const char *name, const char *text)
{
	char *repo = in_base(name);

	git(base, "init", "-q", "-b", "main", name);
	put(repo, "cluster.yaml", text);
	commit(repo);
	return repo;
}

static char *head_of(const char *repo, const char *ref)
{
	struct str out = {0};
	run(repo, (const char *const[]){"git", "rev-parse", ref, NULL}, &out);
	return str_steal(&out);
}

static struct source_options options(const char *url, const char *ref)
{
	static char cache[128];
	snprintf(cache, sizeof(cache), "%s/cache", base);
	return (struct source_options){
		.repo_url = url, .ref = ref, .helper = helper, .deadline = clock_ms() + 10000, .cache_dir = cache};
}

static void expect_text(const char *url, const char *ref, const char *text)
{
	struct source_options o = options(url, ref);
	struct source *s = NULL;
	struct err err = {0};

	if (source_open(&o, &s, &err) < 0)
		fail_msg("%s @ %s: %s", url, ref ? ref : "HEAD", err.msg);
	assert_string_equal(str_cstr(source_text(s)), text);
	assert_null(source_stale(s));
	source_close(s);
}

static void expect_error_of(const struct source_options *o, enum err_code code, const char *part)
{
	struct source *s = NULL;
	struct err err = {0};

	assert_int_equal(source_open(o, &s, &err), -1);
	if (!strstr(err.msg, part))
		fail_msg("'%s' is not in: %s", part, err.msg);
	if (err.code != code)
		fail_msg("%s, not %s: %s", err_code_name(err.code), err_code_name(code), err.msg);
}

static void expect_error(const char *url, const char *ref, enum err_code code, const char *part)
{
	struct source_options o = options(url, ref);
	expect_error_of(&o, code, part);
}

static int read_from(struct source *s, const char *path, size_t max, struct str *out, struct err *err)
{
	struct files *f = source_files(s);
	return f->read(f, path, max, out, err);
}

static void expect_unreadable(struct source *s, const char *path, enum err_code code, const char *part)
{
	_cleanup_str_ struct str out = {0};
	struct err err = {0};

	assert_int_equal(read_from(s, path, 1000, &out, &err), -1);
	assert_int_equal(out.len, 0);
	if (err.code != code || !strstr(err.msg, part))
		fail_msg("%s: %s: %s", path, err_code_name(err.code), err.msg);
}

static void expect_file(struct source *s, const char *path, const char *text)
{
	_cleanup_str_ struct str out = {0};
	struct err err = {0};

	if (read_from(s, path, 1000, &out, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(str_cstr(&out), text);
}

static struct source *open_ok(const struct source_options *o)
{
	struct source *s = NULL;
	struct err err = {0};
	if (source_open(o, &s, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

static void local_refs(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *first = head_of(repo, "HEAD");
	_cleanup_free_ char *abbreviated = xasprintf("%.8s", first);

	(void)state;
	git(repo, "tag", "light");
	git(repo, "tag", "-a", "-m", "x", "annotated");
	put(repo, "cluster.yaml", "two");
	commit(repo);
	git(repo, "branch", "feature/x");
	put(repo, "cluster.yaml", "three"); /* a work tree's files are not the commit's */

	expect_text(repo, NULL, "two");
	expect_text(repo, "HEAD", "two");
	expect_text(repo, "main", "two");
	expect_text(repo, "refs/heads/main", "two");
	expect_text(repo, "feature/x", "two");
	expect_text(repo, "light", "one");
	expect_text(repo, "annotated", "one");
	expect_text(repo, first, "one");
	expect_text(repo, abbreviated, "one");
	expect_text(repo, "HEAD~1", "one");

	git(repo, "tag", "main", "light"); /* the branch wins */
	expect_text(repo, "main", "two");
}

static void bare_name_and_commit(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *id = head_of(repo, "HEAD");
	_cleanup_free_ char *bare = in_base("bare.git"), *name = xasprintf("%.7s:cluster.yaml", id);

	(void)state;
	git(base, "clone", "-q", "--bare", "r", "bare.git");
	struct source_options o = options(bare, NULL);
	struct source *s = open_ok(&o);
	assert_string_equal(source_commit(s), id);
	assert_string_equal(source_name(s), name);
	source_close(s);
}

static void wrong_refs(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *blob = NULL, *empty = in_base("empty");

	(void)state;
	git(repo, "branch", "production");
	expect_error(repo, "mian", ERR_NOT_FOUND, "no branch, tag or commit 'mian'; did you mean 'main'?");
	expect_error(repo, "something-else", ERR_NOT_FOUND, "its branches are: main, production");
	expect_error(repo, "0123456789012345678901234567890123456789", ERR_NOT_FOUND, "no branch, tag or commit");
	expect_error(repo, "a b~^:", ERR_NOT_FOUND, "no branch, tag or commit 'a b~^:'");
	blob = head_of(repo, "HEAD:cluster.yaml");
	expect_error(repo, blob, ERR_FAILED, "is not a commit");

	git(base, "init", "-q", "-b", "main", "empty");
	expect_error(empty, NULL, ERR_NOT_FOUND, "no commits yet");
	expect_error(empty, "main", ERR_NOT_FOUND, "no commits yet");
	git(repo, "symbolic-ref", "HEAD", "refs/heads/unborn");
	expect_error(repo, NULL, ERR_NOT_FOUND, "its HEAD is a branch without commits");
	expect_error(repo, NULL, ERR_NOT_FOUND, "main, production");
	expect_text(repo, "main", "one");
}

static void no_repository(void **state)
{
	_cleanup_free_ char *nothing = in_base("nothing"), *plain = in_base("plain");

	(void)state;
	expect_error(nothing, NULL, ERR_NOT_FOUND, "nothing");
	put(plain, "cluster.yaml", "x");
	expect_error(plain, NULL, ERR_NOT_FOUND, "no git repository");
	expect_error("ext::sh -c 'touch /tmp/x'", NULL, ERR_UNSUPPORTED, "only paths, http://");
	expect_error("gopher://host/x", NULL, ERR_UNSUPPORTED, "only paths, http://");
	expect_error("ssh://me:hunter22@host/x", NULL, ERR_USAGE, "ssh://***@host/x: ssh takes no password");
}

static void files_of_the_commit(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *deploy = xasprintf("%s/deploy", repo);

	(void)state;
	put(deploy, "cluster.yaml", "spec");
	put(deploy, "conf/a.yml", "A");
	put(repo, "shared/b.yml", "B");
	_cleanup_free_ char *link_to_b = xasprintf("%s/link", deploy);
	assert_int_equal(symlink("../shared/b.yml", link_to_b), 0);
	_cleanup_free_ char *dirlink = xasprintf("%s/confs", deploy), *out = xasprintf("%s/out", deploy);
	_cleanup_free_ char *abs = xasprintf("%s/abs", deploy), *loop = xasprintf("%s/loop", deploy);
	assert_int_equal(symlink("conf", dirlink), 0);
	assert_int_equal(symlink("../../etc/passwd", out), 0);
	assert_int_equal(symlink("/etc/passwd", abs), 0);
	assert_int_equal(symlink("loop", loop), 0);
	put(deploy, "lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n");
	commit(repo);
	put(deploy, "later", "not in the commit");

	struct source_options o = options(repo, NULL);
	o.file = "deploy/cluster.yaml";
	struct source *s = open_ok(&o);
	assert_string_equal(str_cstr(source_text(s)), "spec");
	expect_file(s, "conf/a.yml", "A");
	expect_file(s, "./conf//a.yml", "A");
	expect_file(s, "../shared/b.yml", "B");
	expect_file(s, "link", "B");
	expect_file(s, "confs/a.yml", "A");
	expect_unreadable(s, "out", ERR_DENIED, "leads out of the repository");
	expect_unreadable(s, "abs", ERR_DENIED, "'deploy/abs' is a symbolic link that leads out");
	expect_unreadable(s, "loop", ERR_DENIED, "symbolic links");
	expect_unreadable(s, "/etc/passwd", ERR_DENIED, "absolute");
	expect_unreadable(s, "../../x", ERR_DENIED, "leads out");
	expect_unreadable(s, "later", ERR_NOT_FOUND, "no 'deploy/later'");
	expect_unreadable(s, "conf", ERR_DENIED, "directory");
	expect_unreadable(s, "conf/a.yml/x", ERR_NOT_FOUND, "is a file");
	expect_unreadable(s, "lfs", ERR_UNSUPPORTED, "Git LFS");
	expect_file(s, "conf/a.yml", "A"); /* the conversation goes on after an error */
	source_close(s);
	o.file = "deploy/missing.yaml";
	expect_error_of(&o, ERR_NOT_FOUND, "no 'deploy/missing.yaml' in the commit");
}

static void sizes(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *big = xmalloc((3 << 20) + 1);

	(void)state;
	memset(big, 'x', 3 << 20);
	big[3 << 20] = '\0';
	put(repo, "big", big);
	put(repo, "empty", "");
	big[1000] = '\0';
	put(repo, "exact", big);
	big[1000] = 'x';
	commit(repo);
	struct source_options o = options(repo, NULL);
	struct source *s = open_ok(&o);
	expect_file(s, "empty", "");
	_cleanup_str_ struct str out = {0};
	struct err err = {0};
	assert_int_equal(read_from(s, "exact", 1000, &out, &err), 0);
	assert_int_equal(out.len, 1000);
	expect_unreadable(s, "big", ERR_LIMIT, "it has 3145728 bytes, at most 1000 are read");
	assert_int_equal(read_from(s, "big", 4 << 20, &out, &err), 0); /* appends */
	assert_int_equal(out.len, 1000 + (3 << 20));
	source_close(s);
	o.file = "big";
	expect_error_of(&o, ERR_SPEC, "at most 1048576");
}

static void submodule(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *other = new_repo("other", "two");

	(void)state;
	git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other, "sub");
	commit(repo);
	struct source_options o = options(repo, NULL);
	struct source *s = open_ok(&o);
	expect_unreadable(s, "sub/cluster.yaml", ERR_UNSUPPORTED, "'sub' is a submodule");
	source_close(s);
}

static void owned_by_another_user(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *dot_git = xasprintf("%s/.git", repo);

	(void)state;
	if (geteuid() != 0) {
		print_message("# SKIP owned_by_another_user: only root can give a repository to another user\n");
		return; /* skip() of cmocka 1.1.5 is "not ok" for prove */
	}
	assert_int_equal(chown(repo, 12345, 12345), 0);
	assert_int_equal(chown(dot_git, 12345, 12345), 0);
	expect_error(repo, NULL, ERR_DENIED, "belongs to another user; if you trust it: git config --global --add");
}

static void remote_follows_its_branches(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *url = xasprintf("file://%s", repo);
	_cleanup_free_ char *first = head_of(repo, "HEAD");

	(void)state;
	expect_text(url, NULL, "one");
	put(repo, "cluster.yaml", "two");
	commit(repo);
	git(repo, "tag", "v1");
	git(repo, "branch", "gone");
	expect_text(url, NULL, "two");
	expect_text(url, "gone", "two");
	expect_text(url, "v1", "two");
	/* Rewritten, as by a forced push; the branch that is deleted there is not found here. */
	git(repo, "reset", "-q", "--hard", first);
	git(repo, "branch", "-D", "-q", "gone");
	expect_text(url, "main", "one");
	expect_error(url, "gone", ERR_NOT_FOUND, "no branch, tag or commit 'gone'");
	/* Another default branch. */
	git(repo, "checkout", "-q", "-b", "trunk");
	put(repo, "cluster.yaml", "three");
	commit(repo);
	expect_text(url, NULL, "three");
	expect_text(url, "main", "one");
}

static void remote_is_gone(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *url = xasprintf("file://%s", repo);
	_cleanup_free_ char *id = head_of(repo, "HEAD"), *moved = in_base("moved");

	(void)state;
	expect_text(url, "main", "one");
	assert_int_equal(rename(repo, moved), 0);
	/* Not there is not the same as not reachable: what was deleted on purpose is not applied any more. */
	expect_error(url, "main", ERR_FAILED, "fetching file://");
	/* A commit never changes: no need to ask. */
	expect_text(url, id, "one");
}

static void empty_remote(void **state)
{
	_cleanup_free_ char *empty = in_base("empty"), *url = xasprintf("file://%s", empty);

	(void)state;
	git(base, "init", "-q", "-b", "main", "empty");
	expect_error(url, NULL, ERR_NOT_FOUND, "no commits yet");
	expect_error(url, "main", ERR_NOT_FOUND, "no commits yet");
}

static void killed_fetch_is_cleaned_up(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *url = xasprintf("file://%s", repo);
	_cleanup_str_ struct str cache = {0};

	(void)state;
	expect_text(url, "main", "one");
	run(base, (const char *const[]){"sh", "-c", "echo cache/*.git", NULL}, &cache);
	_cleanup_free_ char *dir = in_base(str_cstr(&cache));
	put(dir, "refs/heads/main.lock", "");
	put(dir, "objects/pack/pack_git2_abc123", "half a pack");
	put(repo, "cluster.yaml", "two");
	commit(repo);
	expect_text(url, "main", "two");
	_cleanup_free_ char *left = xasprintf("%s/objects/pack/pack_git2_abc123", dir);
	assert_int_equal(access(left, F_OK), -1);
}

/* Accepts connections (the kernel does) and never answers. */
static int stalled_listener(char url[static 64])
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(url, 64, "http://me:hunter22@127.0.0.1:%d/r.git", ntohs(a.sin_port));
	return fd;
}

static void stalled_remote(void **state)
{
	char url[64];
	int fd = stalled_listener(url);
	struct source_options o = options(url, "main");
	struct source *s = NULL;
	struct err err = {0};
	int64_t start = clock_ms();

	(void)state;
	o.deadline = start + 1000;
	assert_int_equal(source_open(&o, &s, &err), -1);
	assert_true(clock_ms() - start < 3000);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_non_null(strstr(err.msg, "fetching http://***@127.0.0.1:"));
	assert_non_null(strstr(err.msg, "/r.git: no answer within 1 s"));
	assert_null(strstr(err.msg, "hunter22"));
	close(fd);
	/* Nothing listens any more. */
	o.deadline = clock_ms() + 5000;
	assert_int_equal(source_open(&o, &s, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_null(strstr(err.msg, "hunter22"));
}

/* The cache of an unreachable URL, filled by fetching the same repository under that URL's name. */
static void fill_cache(const char *url, const char *repo)
{
	_cleanup_free_ char *file_url = xasprintf("file://%s", repo);
	_cleanup_free_ char *instead = xasprintf("url.%s.insteadOf", file_url);

	git(base, "config", "--global", instead, url);
	expect_text(url, "main", "one");
	git(base, "config", "--global", "--unset", instead);
}

static void unreachable_remote_with_cache(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one");
	char url[64];
	int fd = stalled_listener(url);

	(void)state;
	fill_cache(url, repo);
	struct source_options o = options(url, "main");
	o.deadline = clock_ms() + 1000;
	struct source *s = open_ok(&o);
	assert_string_equal(str_cstr(source_text(s)), "one");
	assert_non_null(source_stale(s));
	assert_non_null(strstr(source_stale(s), "no answer within 1 s; the commit fetched last, "));
	assert_null(strstr(source_stale(s), "hunter22"));
	source_close(s);
	close(fd);

	o.deadline = clock_ms() + 5000;
	s = open_ok(&o);
	assert_non_null(source_stale(s));
	source_close(s);
	o.ref = "other"; /* not in the cache: the reason is the remote's */
	expect_error_of(&o, ERR_UNREACHABLE, "fetching http://***@");
}

static void ssh_goes_through_git(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *log = in_base("log");
	_cleanup_free_ char *script = in_base("fake-ssh"), *text = NULL;
	_cleanup_free_ char *scp = xasprintf("git@example:%s", repo);
	_cleanup_free_ char *ssh = xasprintf("ssh://git@example%s", repo);

	(void)state;
	/* Runs the remote command here: what ssh itself does is not tested. */
	text = xasprintf("#!/bin/sh\necho \"$@\" >>%s\nfor a; do last=$a; done\nexec sh -c \"$last\"\n", log);
	put(base, "fake-ssh", text);
	assert_int_equal(chmod(script, 0755), 0);
	setenv("GIT_SSH_COMMAND", script, 1);
	expect_text(scp, "main", "one");
	expect_text(ssh, NULL, "one");
	put(repo, "cluster.yaml", "two");
	commit(repo);
	expect_text(scp, NULL, "two");
	assert_int_equal(access(log, R_OK), 0);
	put(base, "fake-ssh",
	    "#!/bin/sh\necho 'ssh: connect to host example port 22: No route to host' >&2; exit 255\n");
	assert_int_equal(chmod(script, 0755), 0);
	struct source_options o = options(scp, "main");
	struct source *s = open_ok(&o);
	assert_non_null(strstr(source_stale(s), "fetching git@example:"));
	assert_non_null(strstr(source_stale(s), "No route to host; the commit fetched last"));
	source_close(s);
	put(base, "fake-ssh", "#!/bin/sh\necho 'git@example: Permission denied (publickey).' >&2; exit 255\n");
	assert_int_equal(chmod(script, 0755), 0);
	expect_error(scp, "main", ERR_DENIED, "Permission denied");
	put(base, "fake-ssh", "#!/bin/sh\nexec sleep 60\n");
	assert_int_equal(chmod(script, 0755), 0);
	o.ref = "nothing";
	o.deadline = clock_ms() + 1000;
	expect_error_of(&o, ERR_TIMEOUT, "no answer within 1 s");
	unsetenv("GIT_SSH_COMMAND");
}

static void helper_is_missing(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one");
	struct source_options o = options(repo, NULL);

	(void)state;
	o.helper = "/nonexistent/reconcile-source";
	expect_error_of(&o, ERR_NOT_FOUND, "starting the git helper");
	o.helper = "/bin/false";
	expect_error_of(&o, ERR_FAILED, "in the middle of the conversation");
	o.helper = "/bin/cat";
	expect_error_of(&o, ERR_PROTOCOL, "of another version");
}

static void add_request(struct str *in, const char *command, int number, const char *arg)
{
	str_addf(in, "%s %d %zu\n%s", command, number, strlen(arg), arg);
}

static void add_error(struct str *out, enum err_code code, const char *message)
{
	str_addf(out, "err %d %zu\n%s", code, strlen(message), message);
}

/* A whole conversation that the helper ends by itself: with the sanitizers on, this is where its leaks show. */
static void helper_conversation(void **state)
{
	_cleanup_free_ char *repo = new_repo("r", "one"), *url = xasprintf("file://%s", repo);
	_cleanup_free_ char *cache = in_base("cache.git"), *id = head_of(repo, "HEAD");
	_cleanup_str_ struct str in = {0}, expected = {0};
	_cleanup_proc_result_ struct proc_result r = {0};
	const char *argv[] = {helper, NULL};
	struct err err = {0};

	(void)state;
	add_request(&in, "resolve", 0, "main");
	add_request(&in, "cache", 0, cache);
	add_request(&in, "cache", 0, cache);
	add_request(&in, "read", 10, "cluster.yaml");
	add_request(&in, "fetch", 1, url);
	add_request(&in, "resolve", 0, "");
	add_request(&in, "read", 10, "cluster.yaml");
	add_request(&in, "read", 2, "cluster.yaml");
	add_request(&in, "nonsense", 0, "");
	str_adds(&in, "not a request\n");
	put(base, "suppressions", "leak:libpcre2\n"); /* libgit2's own, for its configuration */
	_cleanup_free_ char *lsan = xasprintf("suppressions=%s/suppressions:print_suppressions=0", base);
	setenv("LSAN_OPTIONS", lsan, 1);
	struct proc_options o = {.argv = argv, .input = in.data, .input_len = in.len, .deadline = clock_ms() + 20000};
	if (proc_run(&o, &r, &err) < 0)
		fail_msg("%s", err.msg);
	add_error(&expected, ERR_PROTOCOL, "'resolve' is not to be asked now");
	str_adds(&expected, "ok 0\n");
	add_error(&expected, ERR_PROTOCOL, "'cache' is not to be asked now");
	add_error(&expected, ERR_PROTOCOL, "'read' is not to be asked now");
	str_addf(&expected, "ok 0\nok 40\n%sok 3\none", id);
	add_error(&expected, ERR_LIMIT, "it has 3 bytes, at most 2 are read");
	add_error(&expected, ERR_PROTOCOL, "'nonsense' is not to be asked now");
	assert_string_equal(str_cstr(&r.out), str_cstr(&expected));
	unsetenv("LSAN_OPTIONS");
	if (r.exit_status != 0)
		fail_msg("%s", str_cstr(&r.err));
}

static int setup(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/test-source-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	setenv("HOME", base, 1);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* build/tests/unit/source/repo -> build/reconcile-source */
static bool find_helper(void)
{
	ssize_t n = readlink("/proc/self/exe", helper, sizeof(helper) - 32);
	if (n < 0)
		return false;
	helper[n] = '\0';
	for (int i = 0; i < 4; i++)
		*strrchr(helper, '/') = '\0';
	snprintf(helper + strlen(helper), 32, "/reconcile-source");
	return access(helper, X_OK) == 0;
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const char *const pinned[][2] = {
		{"GIT_CONFIG_NOSYSTEM", "1"},
		{"GIT_AUTHOR_NAME", "t"},
		{"GIT_AUTHOR_EMAIL", "t@example"},
		{"GIT_AUTHOR_DATE", "2026-01-05T10:00:00Z"},
		{"GIT_COMMITTER_NAME", "t"},
		{"GIT_COMMITTER_EMAIL", "t@example"},
		{"GIT_COMMITTER_DATE", "2026-01-05T10:00:00Z"},
	};
	const struct CMUnitTest tests[] = {
		test(local_refs),
		test(bare_name_and_commit),
		test(wrong_refs),
		test(no_repository),
		test(files_of_the_commit),
		test(sizes),
		test(submodule),
		test(owned_by_another_user),
		test(remote_follows_its_branches),
		test(remote_is_gone),
		test(empty_remote),
		test(killed_fetch_is_cleaned_up),
		test(stalled_remote),
		test(unreachable_remote_with_cache),
		test(ssh_goes_through_git),
		test(helper_is_missing),
		test(helper_conversation),
	};

	for (size_t i = 0; i < ARRAY_SIZE(pinned); i++)
		setenv(pinned[i][0], pinned[i][1], 1);
	if (!find_helper()) {
		fprintf(stderr, "%s is missing: make it first\n", helper);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
