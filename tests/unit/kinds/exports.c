/* exports(5): syntax, options, edits; and against the real exportfs where one can be run. */
#include "kinds/export/exports.h"

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/proc.h"

#include "nfs_sandbox.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define DEFAULTS "no_subtree_check,ro,root_squash,secure,sync,wdelay"
#define WRITABLE "no_subtree_check,root_squash,rw,secure,sync,wdelay"

static void options_are(const char *options, const char *expected)
{
	struct str s = {0}, again = {0};
	export_options(options, &s);
	assert_string_equal(str_cstr(&s), expected);
	export_options(str_cstr(&s), &again);
	assert_string_equal(str_cstr(&again), expected);
	str_free(&s);
	str_free(&again);
}

static void options(void **state)
{
	(void)state;
	options_are(NULL, DEFAULTS);
	options_are("", DEFAULTS);
	options_are("ro,root_squash,no_subtree_check", DEFAULTS);
	options_are("rw, sync", WRITABLE);
	options_are("ro,rw", WRITABLE); /* the last one holds */
	options_are("anonuid=65534,anongid=65534,sec=sys", DEFAULTS);
	options_are("sec=unix", DEFAULTS);
	options_are("anonuid=0x10,fsid=root", "anonuid=16,fsid=0," DEFAULTS);
	options_are("auth_nlm,hide,acl,no_pnfs,nocrossmnt,secure_locks", DEFAULTS);
	options_are("mp", "mountpoint," DEFAULTS);
	options_are("mp=/srv", "mountpoint=/srv," DEFAULTS);
	options_are("no_auth_nlm", "insecure_locks," DEFAULTS);
	options_are("xprtsec=mtls", DEFAULTS ",xprtsec=mtls");
	options_are("sec=krb5:krb5i,rw", "no_subtree_check,root_squash,rw,sec=krb5:krb5i,secure,sync,wdelay");
	options_are("sec=krb5p,rw,sec=sys,ro",
		    "no_subtree_check,sync,wdelay,sec=krb5p,rw,root_squash,secure,sec=sys,ro,root_squash,secure");
	/* One line of exportfs -s and of etab, of the same export. */
	options_are("sync,wdelay,hide,no_subtree_check,sec=sys,rw,no_root_squash,no_all_squash",
		    "no_root_squash,no_subtree_check,rw,secure,sync,wdelay");
	options_are("rw,sync,wdelay,hide,nocrossmnt,secure,no_root_squash,no_all_squash,no_subtree_check,secure_locks,"
		    "acl,no_pnfs,anonuid=65534,anongid=65534,sec=sys,rw,no_root_squash,no_all_squash",
		    "no_root_squash,no_subtree_check,rw,secure,sync,wdelay");
}

static void client_is(const char *client, const char *expected)
{
	struct str s = {0};
	export_client(client, &s);
	assert_string_equal(str_cstr(&s), expected);
	str_free(&s);
}

static void clients(void **state)
{
	(void)state;
	client_is("", "*");
	client_is("10.0.0.5/24", "10.0.0.0/24");
	client_is("10.0.0.0/255.255.255.0", "10.0.0.0/24");
	client_is("10.0.0.5/255.255.255.255", "10.0.0.5");
	client_is("10.0.0.0/255.0.255.0", "10.0.0.0/255.0.255.0");
	client_is("10.0.0.5/32", "10.0.0.5");
	client_is("2001:DB8:0::/64", "2001:db8::/64");
	client_is("GMKtec.LAN", "gmktec.lan");
	client_is("@Group", "@Group");
	client_is("*.Lan", "*.lan");
	assert_true(export_client_is_host_name("gmktec"));
	assert_false(export_client_is_host_name("10.0.0.1"));
	assert_false(export_client_is_host_name("*.lan"));
	assert_false(export_client_is_host_name("@g"));
	assert_true(export_client_is_valid("10.0.0.0/24"));
	const char *const bad[] = {"", "-ro", "a b", "a(rw)", "a#", "a\"", "a\\040", "a\nb", "a,b"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(export_client_is_valid(bad[i]));
	assert_true(export_option_is_valid("refer=/a@b+c:/d@e"));
	const char *const bad_options[] = {"", "ro,rw", "ro)", "ro rw", "a\n", "(", "#"};
	for (size_t i = 0; i < ARRAY_SIZE(bad_options); i++)
		assert_false(export_option_is_valid(bad_options[i]));
}

/* path client line */
static void parses(const char *text, const char *const *expected)
{
	struct exports e;
	size_t n = 0;
	exports_parse(text, &e);
	for (; expected[n]; n++) {
		assert_true(n < e.list.n);
		const struct export_entry *x = &e.list.v[n];
		_cleanup_free_ char *got = xasprintf("%s|%s|%s|%zu", x->path, x->client, x->options, x->line);
		assert_string_equal(got, expected[n]);
	}
	assert_int_equal(e.list.n, n);
	exports_free(&e);
}

#define LIST(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}

static void syntax(void **state)
{
	(void)state;
	parses(NULL, (const char *const[]){NULL});
	parses("# a comment\n\n  # /b c(rw)\n", (const char *const[]){NULL});
	parses("/a h(rw)", LIST("/a|h|" WRITABLE "|1"));
	parses("/a\t\th(rw)\t i\n", LIST("/a|h|" WRITABLE "|1", "/a|i|" DEFAULTS "|1"));
	/* FACTS D: the blank before the parenthesis */
	parses("/a 10.0.0.82 (rw)\n", LIST("/a|10.0.0.82|" DEFAULTS "|1", "/a|*|" WRITABLE "|1"));
	parses("/a\n/b (rw)\n", LIST("/a|*|" DEFAULTS "|1", "/b|*|" WRITABLE "|2"));
	parses("\"/a b\" h(rw)\n/c\\040d h\n\"/e \"f h\n",
	       LIST("/a b|h|" WRITABLE "|1", "/c d|h|" DEFAULTS "|2", "/e f|h|" DEFAULTS "|3"));
	parses("/a#b h # the rest\n/c h#i(rw)\n", LIST("/a#b|h|" DEFAULTS "|1", "/c|h#i|" WRITABLE "|2"));
	parses("/a h(rw) \\\n   i(ro) \\\n\tj\n/b k\n",
	       LIST("/a|h|" WRITABLE "|1", "/a|i|" DEFAULTS "|1", "/a|j|" DEFAULTS "|1", "/b|k|" DEFAULTS "|4"));
	parses("/a -rw,sync h i(ro) -async j\n", LIST("/a|h|" WRITABLE "|1", "/a|i|" DEFAULTS "|1",
						      "/a|j|async,no_subtree_check,root_squash,rw,secure,wdelay|1"));
	parses("/a/ h\n//b//c h\n/ h\n", LIST("/a|h|" DEFAULTS "|1", "/b/c|h|" DEFAULTS "|2", "/|h|" DEFAULTS "|3"));
	parses("/a h(rw)\r\n\r\n/b i\r\n", LIST("/a|h|" WRITABLE "|1", "/b|i|" DEFAULTS "|3"));
	/* broken lines are read as far as they can be */
	parses("/a h(rw\n/b i)\n/c \"j\n",
	       LIST("/a|h|" WRITABLE "|1", "/b|i)|" DEFAULTS "|2", "/c|j\n|" DEFAULTS "|3"));
}

static void names_of_our_own_file(void **state)
{
	(void)state;
	struct exports e;
	exports_parse("/z h\n# export/one\n/a h\n/a i\n#export/x\n# export/two\n/b h\n", &e);
	assert_int_equal(e.list.n, 4);
	assert_null(e.list.v[0].name);
	assert_string_equal(e.list.v[1].name, "one");
	assert_string_equal(e.list.v[2].name, "one");
	assert_string_equal(e.list.v[3].name, "two");
	exports_free(&e);
}

static void a_line_is_read_as_it_was_meant(void **state)
{
	(void)state;
	struct str s = {0};
	struct exports e;
	export_line("/a b\t\"c\\d#e\n\xc3\xbc", "10.0.0.1", DEFAULTS, &s);
	assert_string_equal(str_cstr(&s), "/a\\040b\\011\\042c\\134d\\043e\\012\xc3\xbc 10.0.0.1(" DEFAULTS ")\n");
	exports_parse(str_cstr(&s), &e);
	assert_int_equal(e.list.n, 1);
	assert_string_equal(e.list.v[0].path, "/a b\t\"c\\d#e\n\xc3\xbc");
	exports_free(&e);
	str_free(&s);
}

static void edits(const char *text, const char *expected)
{
	struct str s = {0};
	exports_comment_out(text, LIST("/a", "/real a"), &s);
	assert_string_equal(str_cstr(&s), expected);
	str_free(&s);
}

#define GONE "# taken over by reconcile: "

static void comments_out_only_what_is_ours(void **state)
{
	(void)state;
	edits("", "");
	edits("/b h(rw)\n# /a h\n/ab h\n/a/b h\n", "/b h(rw)\n# /a h\n/ab h\n/a/b h\n");
	edits("/a h(rw)\n", GONE "/a h(rw)\n");
	edits("/a h(rw)", GONE "/a h(rw)");
	edits("# x\r\n\n/b  h\n  /a/\th(rw) # why\r\n/c i\n\"/real a\" j\n",
	      "# x\r\n\n/b  h\n" GONE "  /a/\th(rw) # why\r\n/c i\n" GONE "\"/real a\" j\n");
	edits("/a h \\\n  i \\\n\n/b j\\\n k\n", GONE "/a h \\\n" GONE "  i \\\n\n/b j\\\n k\n");
	edits("/a h\n/a i\n/b j\n/a k", GONE "/a h\n" GONE "/a i\n/b j\n" GONE "/a k");
}

/* Whatever the text: every byte outside of the commented lines stays, and nothing of the path is left. */
static void any_text_can_be_edited(void **state)
{
	(void)state;
	static const char *const pieces[] = {"/a", "/b", " ",    "\t",  "\n", "\\\n",  "\"",
					     "#",  "h",  "(rw)", "-ro", "\r", "\\040", "("};
	unsigned seed = 1;
	for (int round = 0; round < 3000; round++) {
		struct str text = {0}, out = {0}, back = {0};
		struct exports e;
		for (int i = 0; i < 14; i++) {
			seed = seed * 1103515245 + 12345;
			str_adds(&text, pieces[(seed >> 16) % ARRAY_SIZE(pieces)]);
		}
		exports_comment_out(str_cstr(&text), LIST("/a"), &out);
		exports_parse(str_cstr(&out), &e);
		for (size_t i = 0; i < e.list.n; i++)
			assert_string_not_equal(e.list.v[i].path, "/a");
		exports_free(&e);
		for (const char *p = str_cstr(&out), *next; *p; p = next) {
			next = strstr(p, GONE);
			next = next ? next : p + strlen(p);
			str_add(&back, p, (size_t)(next - p));
			next += *next ? strlen(GONE) : 0;
		}
		assert_string_equal(str_cstr(&back), str_cstr(&text));
		str_free(&text);
		str_free(&out);
		str_free(&back);
	}
}

static const char *options_of(const struct exports *e, const char *client)
{
	for (size_t i = 0; i < e->list.n; i++)
		if (str_eq(e->list.v[i].client, client))
			return e->list.v[i].options;
	return "nothing";
}

/* The options of every line are those that etab has once the real exportfs has read it. */
static void agrees_with_exportfs(void **state)
{
	(void)state;
	static const char *const lists[] = {
		"",
		"rw",
		"async",
		"no_wdelay,rw",
		"nohide",
		"crossmnt",
		"insecure",
		"no_root_squash",
		"all_squash",
		"subtree_check",
		"insecure_locks",
		"no_acl",
		"pnfs",
		"nordirplus",
		"security_label",
		"fsid=0",
		"fsid=root",
		"fsid=12",
		"mountpoint",
		"mp=/tmp",
		"anonuid=7,anongid=8",
		"sec=krb5:krb5i",
		"sec=sys:krb5,rw",
		"sec=krb5p,rw,sec=sys,ro,all_squash",
		"refer=/x@h",
		"replicas=/x@h",
	};
	struct str table = {0}, etab = {0};
	struct proc_result r = {0};
	struct proc_options o = {.argv = LIST("/usr/sbin/exportfs", "-ra"), .deadline = clock_ms() + 20000};
	struct exports ours, theirs;
	struct err err = {0};

	if (!nfs_sandbox()) {
		print_message("# SKIP agrees_with_exportfs: " NFS_SANDBOX_SKIP "\n");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		str_addf(&table, "/tmp 10.1.0.%zu(%s)\n", i, lists[i]);
	str_adds(&table, "/tmp -rw,no_root_squash 10.2.0.1 10.2.0.2(ro) 10.3.0.0/255.255.0.0\n/tmp 10.4.0.1 (rw)\n");
	assert_int_equal(file_write_atomic("/etc/exports", table.data, table.len, 0, &err), 0);
	assert_int_equal(proc_run(&o, &r, &err), 0);
	assert_int_equal(file_read("/var/lib/nfs/etab", 1 << 20, &etab, &err), 0);
	exports_parse(table.data, &ours);
	exports_parse(etab.data, &theirs);
	assert_int_equal(ours.list.n, theirs.list.n);
	assert_int_equal(ours.list.n, ARRAY_SIZE(lists) + 5);
	for (size_t i = 0; i < ours.list.n; i++)
		assert_string_equal(ours.list.v[i].options, options_of(&theirs, ours.list.v[i].client));
	exports_free(&ours);
	exports_free(&theirs);
	proc_result_free(&r);
	str_free(&table);
	str_free(&etab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(clients),
		cmocka_unit_test(syntax),
		cmocka_unit_test(names_of_our_own_file),
		cmocka_unit_test(a_line_is_read_as_it_was_meant),
		cmocka_unit_test(comments_out_only_what_is_ours),
		cmocka_unit_test(any_text_can_be_edited),
		cmocka_unit_test(agrees_with_exportfs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
