#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void arena(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	char *parts[2000];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t size = i % 97 == 0 ? 40000 : i % 50;
		parts[i] = arena_alloc(a, size);
		assert_int_equal((uintptr_t)parts[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(parts[i][k], 0);
		memset(parts[i], (int)(i & 0x7f), size);
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t size = i % 97 == 0 ? 40000 : i % 50;
		for (size_t k = 0; k < size; k++)
			assert_int_equal(parts[i][k], i & 0x7f);
	}
	assert_string_equal(arena_strdup(a, "text"), "text");
	assert_string_equal(arena_strndup(a, "text", 2), "te");
	assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
	arena_free(a);
	arena_free(NULL);
}

static void vectors(void **state)
{
	(void)state;
	VEC(struct {
		int a;
		char b[20];
	})
	v = {0};
	for (int i = 0; i < 1000; i++) {
		__typeof__(*v.v) x = {.a = i};
		vec_push(&v, x);
	}
	assert_int_equal(v.n, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(v.v[i].a, i);
	vec_free(&v);
	assert_null(v.v);
	assert_int_equal(v.n + v.cap, 0);
}

static void nothing_is_something(void **state)
{
	(void)state;
	void *a = xmalloc(0), *b = xcalloc(0, 8), *c = xrealloc(NULL, 0);
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
	free(a);
	free(b);
	free(c);
	char *s = xasprintf("%s", "");
	assert_string_equal(s, "");
	free(s);
}

/* One place, one message, no crash. */
static void out_of_memory_ends_the_program(void **state)
{
	(void)state;
	char text[64] = "";
	int fds[2], status;

#if defined(__SANITIZE_ADDRESS__)
	print_message("# SKIP out_of_memory_ends_the_program: the sanitizer has its own ending\n");
	return; /* skip() of cmocka 1.1.5 is "not ok" for prove */
#endif
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		xmalloc(SIZE_MAX / 2);
		_exit(9);
	}
	close(fds[1]);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_string_equal(text, "reconcile: out of memory\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(arena), cmocka_unit_test(vectors),
					   cmocka_unit_test(nothing_is_something),
					   cmocka_unit_test(out_of_memory_ends_the_program)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
