/* Each case is a process of its own: the variable is read once. */
#include "sys/mutation.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static atomic_int *made; /* shared with the children */

static void change(void)
{
	mutation_kill_before();
	atomic_fetch_add(made, 1);
	mutation_kill_after();
}

static void five_changes(void)
{
	for (int i = 0; i < 5; i++)
		change();
}

static void *one_change(void *arg)
{
	(void)arg;
	change();
	return NULL;
}

/* One after the other, so that their number is known. */
static void five_threads(void)
{
	pthread_t thread;
	for (int i = 0; i < 5; i++) {
		if (pthread_create(&thread, NULL, one_change, NULL) != 0)
			_exit(1);
		pthread_join(thread, NULL);
	}
}

/* All at once: none is counted twice, none is forgotten. */
static void *many_changes(void *arg)
{
	for (int i = 0; i < 5000; i++)
		change();
	return arg;
}

static void many_threads(void)
{
	pthread_t threads[4];
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		if (pthread_create(&threads[i], NULL, many_changes, NULL) != 0)
			_exit(1);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

static int run(const char *at, void (*work)(void))
{
	int status;

	atomic_store(made, 0);
	pid_t child = fork();
	if (child == 0) {
		struct err err;
		if (at)
			setenv("RECONCILE_KILL_AT", at, 1);
		else
			unsetenv("RECONCILE_KILL_AT");
		if (mutation_check_env(&err) < 0)
			_exit(err.code == ERR_USAGE && strstr(err.msg, "RECONCILE_KILL_AT=") ? 64 : 1);
		work();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	if (WIFSTOPPED(status)) {
		assert_int_equal(kill(child, SIGCONT), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
	}
	return status;
}

static void killed(const char *at, void (*work)(void), int expected)
{
	int status = run(at, work);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(atomic_load(made), expected);
}

static void ends(const char *at, int exit_status, int expected)
{
	int status = run(at, five_changes);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), exit_status);
	assert_int_equal(atomic_load(made), expected);
}

static void ends_before_or_after_the_nth(void **state)
{
	(void)state;
	killed("1", five_changes, 0);
	killed("3", five_changes, 2);
	killed("3+", five_changes, 3);
	killed("5+", five_changes, 5);
	ends("6", 0, 5);
	ends("6+", 0, 5);
}

static void counts_over_all_threads(void **state)
{
	(void)state;
	killed("4", five_threads, 3);
	killed("4+", five_threads, 4);
	int status = run("20001", many_threads);
	assert_true(WIFEXITED(status));
	assert_int_equal(atomic_load(made), 20000);
	status = run("20000+", many_threads);
	assert_true(WIFSIGNALED(status));
	status = run("777", many_threads);
	assert_true(WIFSIGNALED(status));
	assert_in_range(atomic_load(made), 773, 19999); /* the others may be a little behind or ahead */
}

static void stops_and_goes_on(void **state)
{
	(void)state;
	int status = run("3s", five_changes);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), SIGSTOP);
	assert_int_equal(atomic_load(made), 5);
}

static void no_effect_when_unset(void **state)
{
	(void)state;
	ends(NULL, 0, 5);
	ends("", 0, 5);
}

static void refuses_what_is_no_number(void **state)
{
	(void)state;
	static const char *const wrong[] = {"x", "0", "-1", "+", " 3", "3 ", "3++", "3x", "99999999999999999999999",
					    "0+"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ends(wrong[i], 64, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_before_or_after_the_nth),
		cmocka_unit_test(counts_over_all_threads),
		cmocka_unit_test(stops_and_goes_on),
		cmocka_unit_test(no_effect_when_unset),
		cmocka_unit_test(refuses_what_is_no_number),
	};
	made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
