/*
 * The lease against a stand-in for the manager. Its time to live is 2 s here, so
 * that it is renewed every 0.67 s and the holder stops by itself after 1.67 s.
 */
#include "run/lease.h"
#include "run/holder.h"

#include "raft_standin.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define TTL_MS 2000
#define FENCE_MS 1667

/* In this program the wall clock is wrong by days, and jumps; nothing of the lease may notice. */
static time_t wrong_time(void)
{
	static atomic_int n;
	return 1000000000 + (n++ % 3 - 1) * 86400;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
		return (int)syscall(SYS_clock_gettime, id, t);
	*t = (struct timespec){.tv_sec = wrong_time()};
	return 0;
}

time_t time(time_t *t)
{
	time_t now = wrong_time();
	if (t)
		*t = now;
	return now;
}

struct fixture {
	struct raft r;
	struct engine *e;
	struct lease *l;
	struct err err;
	struct str said;
};

static void begin(struct fixture *f)
{
	*f = (struct fixture){0};
	raft_start(&f->r);
	f->e = raft_engine(&f->r);
}

static void end(struct fixture *f)
{
	engine_close(f->e);
	raft_stop(&f->r);
	str_free(&f->said);
}

static void say(void *arg, const char *text)
{
	struct fixture *f = arg;
	str_addf(&f->said, "%s\n", text);
}

static int mark(void *arg, json_t *sections, struct err *err)
{
	(void)err;
	json_set(sections, "attempts", json_pack("{s:i}", "n", *(int *)arg));
	return 0;
}

static int take_within(struct fixture *f, int64_t ms)
{
	f->err = (struct err){0};
	return lease_take(f->e, "shop", clock_ms() + ms, say, f, NULL, NULL, &f->l, &f->err);
}

static void take(struct fixture *f)
{
	if (take_within(f, 10000) < 0)
		fail_msg("%s", f->err.msg);
}

static int before(struct fixture *f)
{
	struct mutation_hooks h = lease_hooks(f->l);
	f->err = (struct err){0};
	return h.before(h.arg, "POST /services/create", &f->err);
}

static void give_back(struct fixture *f)
{
	if (lease_end(f->l, soon(), NULL, NULL, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	f->l = NULL;
}

static json_t *section(struct fixture *f, const char *name)
{
	_cleanup_json_ json_t *sections = raft_sections(&f->r);
	return json_incref(json_object_get(sections, name));
}

static void sleep_ms(int64_t ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* A holder on another machine. */
static json_t *remote(const char *id, int count)
{
	return json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:i,s:i,s:i}", "holder", id, "host", "elsewhere", "pid", 41,
			 "boot_id", "another boot", "pid_ns", "pid:[1]", "time_ns", "time:[1]", "started", 7, "ttl_s",
			 TTL_MS / 1000, "count", count);
}

/* One here, that says it is that process. */
static json_t *local(pid_t pid, int64_t started)
{
	json_t *self;
	struct err err;

	assert_int_equal(holder_self(&self, &err), 0);
	json_set_int(self, "pid", pid);
	if (started >= 0)
		json_set_int(self, "started", started);
	else
		json_object_del(self, "started");
	json_set_int(self, "ttl_s", TTL_MS / 1000);
	json_set_int(self, "count", 1);
	return self;
}

/* ---- taking and giving back ---- */

static void edits_travel_with_it(void **state)
{
	(void)state;
	struct fixture f;
	int value = 5;
	begin(&f);

	assert_int_equal(lease_take(f.e, "shop", soon(), say, &f, mark, &value, &f.l, &f.err), 0);
	assert_int_equal(f.r.writes, 1);
	assert_int_equal(f.said.len, 0);
	assert_null(lease_predecessor(f.l));
	_cleanup_json_ json_t *held = section(&f, "lease"), *attempts = section(&f, "attempts");
	assert_int_equal(json_int(held, "pid", 0), getpid());
	assert_int_equal(json_int(held, "ttl_s", 0), TTL_MS / 1000);
	assert_int_equal(json_int(held, "count", 0), 1);
	assert_int_equal(strlen(json_str(held, "holder")), 32);
	assert_int_equal(json_int(attempts, "n", 0), 5);

	value = 6;
	assert_int_equal(lease_update(f.l, soon(), mark, &value, &f.err), 0);
	assert_int_equal(lease_update(f.l, soon(), mark, &value, &f.err), 0); /* nothing new: not written */
	assert_int_equal(f.r.writes, 2);
	value = 7;
	assert_int_equal(lease_end(f.l, soon(), mark, &value, &f.err), 0);
	assert_int_equal(f.r.writes, 3);
	_cleanup_json_ json_t *sections = raft_sections(&f.r);
	assert_null(json_object_get(sections, "lease"));
	assert_int_equal(json_int(json_object_get(sections, "attempts"), "n", 0), 7);
	assert_int_equal(lease_end(NULL, soon(), NULL, NULL, &f.err), 0);
	end(&f);
}

static int refuse(void *arg, json_t *sections, struct err *err)
{
	(void)arg;
	(void)sections;
	return err_set(err, ERR_LOCKED, "suspended");
}

static void an_edit_may_refuse(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	assert_int_equal(lease_take(f.e, "shop", soon(), say, &f, refuse, NULL, &f.l, &f.err), -1);
	assert_string_equal(f.err.msg, "suspended");
	assert_int_equal(f.r.writes, 0);
	end(&f);
}

static void the_time_to_live_is_checked(void **state)
{
	(void)state;
	static const char *const wrong[] = {"1", "601", "x", "5s", "-3", "99999999999999999999"};
	struct fixture f;
	begin(&f);

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		setenv("RECONCILE_LEASE_TTL", wrong[i], 1);
		assert_int_equal(take_within(&f, 1000), -1);
		assert_int_equal(f.err.code, ERR_USAGE);
	}
	setenv("RECONCILE_LEASE_TTL", "", 1);
	take(&f);
	_cleanup_json_ json_t *held = section(&f, "lease");
	assert_int_equal(json_int(held, "ttl_s", 0), 30);
	give_back(&f);
	setenv("RECONCILE_LEASE_TTL", "2", 1);
	end(&f);
}

/* Whichever answer is lost, it is taken once and given back once. */
static void lost_answers(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fixture f;
		int value = 5;
		begin(&f);
		*(i ? &f.r.lose : &f.r.cut) = 1;
		take(&f);
		assert_int_equal(before(&f), 0);
		pthread_mutex_lock(&f.r.lock);
		*(i ? &f.r.lose : &f.r.cut) = 1;
		pthread_mutex_unlock(&f.r.lock);
		assert_int_equal(lease_end(f.l, soon(), mark, &value, &f.err), 0);
		_cleanup_json_ json_t *sections = raft_sections(&f.r);
		assert_null(json_object_get(sections, "lease"));
		assert_int_equal(json_int(json_object_get(sections, "attempts"), "n", 0), 5);
		end(&f);
	}
}

/* Between the write whose answer is lost and the look at what became of it. */
static void takes_what_was_given_back(struct raft *r, bool write)
{
	_cleanup_json_ json_t *sections = raft_sections_locked(r);
	if (!write && r->spec && !json_object_get(sections, "lease"))
		raft_put_locked(r, "lease", remote("b", 1));
}

static void taken_by_the_next_one_it_was_not_lost(void **state)
{
	(void)state;
	struct fixture f;
	int value = 5;
	begin(&f);

	take(&f);
	pthread_mutex_lock(&f.r.lock);
	f.r.lose = 1;
	f.r.meanwhile = takes_what_was_given_back;
	pthread_mutex_unlock(&f.r.lock);
	assert_int_equal(lease_end(f.l, soon(), mark, &value, &f.err), 0);
	_cleanup_json_ json_t *sections = raft_sections(&f.r);
	assert_string_equal(json_str(json_object_get(sections, "lease"), "holder"), "b");
	assert_int_equal(json_int(json_object_get(sections, "attempts"), "n", 0), 5);
	assert_int_equal(f.r.writes, 2);
	end(&f);
}

/* ---- others ---- */

static void a_dead_process_here_is_succeeded_at_once(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	pid_t dead = fork();
	if (dead == 0)
		_exit(0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	pid_t zombie = fork();
	if (zombie == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)zombie, NULL, WEXITED | WNOWAIT), 0);

	json_t *const gone[] = {local(dead, -1), local(zombie, -1), local(getpid(), 1)}; /* 1: its pid is ours now */
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		int64_t start = clock_ms();
		raft_put(&f.r, "lease", gone[i]);
		take(&f);
		assert_in_range(clock_ms() - start, 0, TTL_MS / 4);
		assert_int_equal(f.said.len, 0);
		assert_non_null(lease_predecessor(f.l));
		give_back(&f);
	}
	waitpid(zombie, NULL, 0);
	end(&f);
}

/* Any doubt whether it is gone makes it one to wait for. */
static void who_may_be_alive_is_not_gone(void **state)
{
	(void)state;
	_cleanup_json_ json_t *self = local(getpid(), -1);
	static const char *const doubts[] = {"boot_id", "pid_ns", "time_ns"};

	pid_t dead = fork();
	if (dead == 0)
		_exit(0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	assert_false(holder_is_gone(self));
	json_set_int(self, "pid", 1);
	assert_false(holder_is_gone(self));
	for (size_t i = 0; i < ARRAY_SIZE(doubts); i++) {
		_cleanup_json_ json_t *other = local(dead, -1);
		assert_true(holder_is_gone(other));
		json_set_str(other, doubts[i], "another");
		assert_false(holder_is_gone(other));
		json_object_del(other, doubts[i]);
		assert_false(holder_is_gone(other));
	}
	for (int64_t pid = -1; pid <= 0; pid++) {
		json_set_int(self, "pid", pid);
		assert_false(holder_is_gone(self));
	}
	json_set_int(self, "pid", INT64_C(1) << 40);
	assert_false(holder_is_gone(self));
}

static void one_that_does_not_renew_is_succeeded(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	raft_put(&f.r, "lease", remote("a", 4));
	int64_t start = clock_ms();
	take(&f);
	assert_in_range(clock_ms() - start, TTL_MS, TTL_MS * 3 / 2);
	assert_string_equal(str_cstr(&f.said),
			    "waiting: another run is at work on this cluster (pid 41 on elsewhere)\n");
	assert_int_equal(before(&f), 0);
	give_back(&f);
	end(&f);
}

static void renews_at_each_second_read(struct raft *r, bool write)
{
	static int n;
	if (!write && ++n % 2 == 0)
		raft_put_locked(r, "lease", remote("a", n));
}

static void one_that_renews_is_left_alone(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	raft_put(&f.r, "lease", remote("a", 0));
	f.r.meanwhile = renews_at_each_second_read;
	int64_t start = clock_ms();
	assert_int_equal(take_within(&f, 10000), -1);
	assert_in_range(clock_ms() - start, TTL_MS * 2 / 3, TTL_MS * 3 / 2);
	assert_int_equal(f.err.code, ERR_LOCKED);
	assert_string_equal(f.err.msg,
			    "another run is at work on cluster 'shop' (pid 41 on elsewhere) and keeps renewing "
			    "its lease: wait for its end, or end it there");
	assert_int_equal(f.r.writes, 0);

	assert_int_equal(take_within(&f, 300), -1); /* too soon to know */
	assert_int_equal(f.err.code, ERR_LOCKED);
	assert_string_equal(f.err.msg, "another run is at work on cluster 'shop' (pid 41 on elsewhere): wait for its "
				       "end, or end it there");
	end(&f);
}

static void writes_another_section(struct raft *r, bool write)
{
	static int n;
	if (!write)
		raft_put_locked(r, "suspended", json_pack("{s:{s:i}}", "service/a", "since", n++));
}

static void writes_of_others_do_not_renew_it(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	raft_put(&f.r, "lease", remote("a", 0));
	f.r.meanwhile = writes_another_section;
	int64_t start = clock_ms();
	take(&f);
	assert_in_range(clock_ms() - start, TTL_MS, TTL_MS * 3 / 2);
	f.r.meanwhile = NULL;
	give_back(&f);
	end(&f);
}

static void gives_back_at_the_third_read(struct raft *r, bool write)
{
	static int n;
	if (!write && ++n == 3)
		raft_put_locked(r, "lease", NULL);
}

static void one_that_ends_is_succeeded_soon(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	raft_put(&f.r, "lease", remote("a", 0));
	f.r.meanwhile = gives_back_at_the_third_read;
	int64_t start = clock_ms();
	take(&f);
	assert_in_range(clock_ms() - start, 0, TTL_MS * 3 / 4);
	assert_string_equal(json_str(lease_predecessor(f.l), "holder"), "a");
	give_back(&f);
	end(&f);
}

static void renews_when_it_is_taken_over(struct raft *r, bool write)
{
	static int n;
	if (write && n++ == 0)
		raft_put_locked(r, "lease", remote("a", 1));
}

/* It comes back to life between our look and our write: its renewal wins. */
static void taking_over_is_a_compare_and_swap(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	raft_put(&f.r, "lease", remote("a", 0));
	f.r.meanwhile = renews_when_it_is_taken_over;
	int64_t start = clock_ms();
	take(&f);
	assert_in_range(clock_ms() - start, 2 * TTL_MS, 3 * TTL_MS);
	assert_int_equal(f.r.writes, 2);
	give_back(&f);
	end(&f);
}

static void ctrl_c_ends_the_waiting(void **state)
{
	(void)state;
	struct fixture f;
	int status;
	begin(&f);

	raft_put(&f.r, "lease", remote("a", 0));
	pid_t child = fork(); /* a cancelled program stays cancelled */
	if (child == 0) {
		struct engine *e = raft_engine(&f.r);
		cancel_install();
		if (lease_take(e, "shop", soon(), NULL, NULL, NULL, NULL, &f.l, &f.err) < 0)
			_exit(f.err.code == ERR_CANCELLED ? 42 : 1);
		_exit(0);
	}
	sleep_ms(500);
	int64_t start = clock_ms();
	assert_int_equal(kill(child, SIGTERM), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_in_range(clock_ms() - start, 0, 500);
	end(&f);
}

/* ---- holding ---- */

static void it_is_kept(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	take(&f);
	for (int i = 0; i < 10; i++) {
		sleep_ms(TTL_MS / 5);
		if (before(&f) < 0)
			fail_msg("%s", f.err.msg);
	}
	_cleanup_json_ json_t *held = section(&f, "lease");
	assert_in_range(json_int(held, "count", 0), 5, 8);
	give_back(&f);
	end(&f);
}

static void a_lost_lease_stays_lost(void **state)
{
	(void)state;
	struct fixture f;
	int value = 1;
	begin(&f);

	take(&f);
	_cleanup_json_ json_t *mine = section(&f, "lease");
	raft_put(&f.r, "lease", remote("b", 1));
	assert_int_equal(before(&f), -1);
	assert_int_equal(f.err.code, ERR_LOCKED);
	assert_string_equal(f.err.msg, "POST /services/create: not begun: lost the lease to pid 41 on elsewhere");
	raft_put(&f.r, "lease", json_incref(mine)); /* also when it seems to come back */
	int reads = raft_reads(&f.r);
	assert_int_equal(before(&f), -1);
	assert_int_equal(f.err.code, ERR_LOCKED);
	assert_int_equal(raft_reads(&f.r), reads);
	raft_put(&f.r, "lease", remote("b", 1));
	assert_int_equal(lease_update(f.l, soon(), mark, &value, &f.err), -1);
	assert_int_equal(f.err.code, ERR_LOCKED);
	int writes = f.r.writes;
	assert_int_equal(lease_end(f.l, soon(), NULL, NULL, &f.err), 0);
	assert_int_equal(f.r.writes, writes);
	_cleanup_json_ json_t *others = section(&f, "lease");
	assert_string_equal(json_str(others, "holder"), "b");
	end(&f);
}

static void the_keeper_finds_out_that_it_is_lost(void **state)
{
	(void)state;
	struct fixture f;
	int value = 1;
	begin(&f);

	take(&f);
	raft_put(&f.r, "lease", NULL);
	sleep_ms(TTL_MS / 2);
	int reads = raft_reads(&f.r);
	assert_int_equal(before(&f), -1);
	assert_non_null(strstr(f.err.msg, "lost the lease: somebody else took it and has ended"));
	assert_int_equal(raft_reads(&f.r), reads);
	assert_int_equal(lease_end(f.l, soon(), mark, &value, &f.err), -1); /* its last words are lost */
	assert_int_equal(f.err.code, ERR_LOCKED);
	end(&f);
}

/* Cut off from the engine it stops by itself, before others may take over; without asking. */
static void cut_off_it_fences_itself(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	take(&f);
	int64_t start = clock_ms();
	raft_freeze(&f.r, true);
	assert_int_equal(before(&f), -1); /* it asks as long as it can be its own */
	assert_int_equal(f.err.code, ERR_LOCKED);
	assert_in_range(clock_ms() - start, FENCE_MS / 2, TTL_MS);
	start = clock_ms();
	assert_int_equal(before(&f), -1);
	assert_in_range(clock_ms() - start, 0, 100);
	assert_non_null(strstr(f.err.msg, "the lease was last renewed"));
	raft_freeze(&f.r, false); /* and nobody took over meanwhile */
	sleep_ms(TTL_MS / 2);
	assert_int_equal(before(&f), 0);
	give_back(&f);
	end(&f);
}

static void without_an_engine_nothing_is_begun(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	take(&f);
	pthread_mutex_lock(&f.r.lock);
	f.r.refuse = "503 Service Unavailable";
	pthread_mutex_unlock(&f.r.lock);
	assert_int_equal(before(&f), -1);
	assert_int_equal(f.err.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(f.err.msg, "it is not known whether the lease still holds: GET /configs"));
	pthread_mutex_lock(&f.r.lock);
	f.r.refuse = NULL;
	pthread_mutex_unlock(&f.r.lock);
	assert_int_equal(before(&f), 0);
	give_back(&f);
	end(&f);
}

/* Stopped and continued: another one has taken over, and it knows without being told by its keeper. */
static void a_stopped_holder_is_succeeded_and_knows_it(void **state)
{
	(void)state;
	struct fixture f;
	int status, out[2];
	char byte;
	begin(&f);

	assert_int_equal(pipe(out), 0);
	pid_t child = fork();
	if (child == 0) {
		struct fixture c = {.e = raft_engine(&f.r)};
		if (take_within(&c, 5000) < 0 || before(&c) < 0 || write(out[1], "x", 1) != 1)
			_exit(1);
		raise(SIGSTOP);
		int refused = before(&c) < 0 && c.err.code == ERR_LOCKED;
		sleep_ms(TTL_MS); /* also later */
		_exit(refused && before(&c) < 0 ? 42 : 2);
	}
	assert_int_equal(read(out[0], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	assert_true(WIFSTOPPED(status));
	int64_t start = clock_ms();
	take(&f); /* alive, though it does nothing: no shortcut */
	assert_in_range(clock_ms() - start, TTL_MS / 2, TTL_MS * 3 / 2);
	assert_int_equal(kill(child, SIGCONT), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_int_equal(before(&f), 0);
	give_back(&f);
	close(out[0]);
	close(out[1]);
	end(&f);
}

static void *many_checks(void *arg)
{
	struct fixture *f = arg;
	struct mutation_hooks h = lease_hooks(f->l);
	struct err err;

	for (int i = 0; i < 50; i++)
		if (h.before(h.arg, "POST /services/create", &err) < 0)
			return arg;
	return NULL;
}

static int heed(void *arg, const json_t *sections, struct err *err)
{
	(void)arg;
	return json_object_get(sections, "suspended") ? err_set(err, ERR_LOCKED, "suspended") : 0;
}

static void the_guard_is_asked_too(void **state)
{
	(void)state;
	struct fixture f;
	begin(&f);

	take(&f);
	lease_guard(f.l, heed, NULL);
	assert_int_equal(before(&f), 0);
	raft_put(&f.r, "suspended", json_pack("{s:{s:s}}", "*", "reason", "x"));
	assert_int_equal(before(&f), -1);
	assert_string_equal(f.err.msg, "POST /services/create: not begun: suspended");
	give_back(&f);
	end(&f);
}

static void many_threads_may_ask(void **state)
{
	(void)state;
	struct fixture f;
	pthread_t threads[8];
	void *failed;
	int value = 0;
	begin(&f);

	take(&f);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_checks, &f), 0);
	for (value = 0; value < 20; value++)
		assert_int_equal(lease_update(f.l, soon(), mark, &value, &f.err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	give_back(&f);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_travel_with_it),
		cmocka_unit_test(an_edit_may_refuse),
		cmocka_unit_test(the_time_to_live_is_checked),
		cmocka_unit_test(lost_answers),
		cmocka_unit_test(taken_by_the_next_one_it_was_not_lost),
		cmocka_unit_test(a_dead_process_here_is_succeeded_at_once),
		cmocka_unit_test(who_may_be_alive_is_not_gone),
		cmocka_unit_test(one_that_does_not_renew_is_succeeded),
		cmocka_unit_test(one_that_renews_is_left_alone),
		cmocka_unit_test(writes_of_others_do_not_renew_it),
		cmocka_unit_test(one_that_ends_is_succeeded_soon),
		cmocka_unit_test(taking_over_is_a_compare_and_swap),
		cmocka_unit_test(ctrl_c_ends_the_waiting),
		cmocka_unit_test(it_is_kept),
		cmocka_unit_test(a_lost_lease_stays_lost),
		cmocka_unit_test(the_keeper_finds_out_that_it_is_lost),
		cmocka_unit_test(cut_off_it_fences_itself),
		cmocka_unit_test(without_an_engine_nothing_is_begun),
		cmocka_unit_test(a_stopped_holder_is_succeeded_and_knows_it),
		cmocka_unit_test(the_guard_is_asked_too),
		cmocka_unit_test(many_threads_may_ask),
	};
	setenv("RECONCILE_LEASE_TTL", "2", 1);
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
