#!/bin/bash
#
# Two reconcilers of one cluster, each with its own way to the engine (a proxy that writes down every call and when):
# whatever happens to the one at work, two never change the cluster at the same time.
#
#   together   started at nearly the same moment
#   stopped    SIGSTOP, right before each change and at random moments; continued while and after the other one works
#   clocks     the same with wall clocks that are wrong by a day
#   cut off    the way to the engine freezes or is gone
#   gap        a call that has passed the look at the lease freezes before its effect, and comes through when the other
#              one has taken over and ended: what docs/decisions.md says of it
#
# SEED=n repeats a sequence. Some labs work side by side: nearly all of the time is waiting.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
t_in_labs "${SHARDS:-5}"

shard=${T_SHARD:-0} shards=${T_SHARDS:-1} seed=${SEED:-$$}
RANDOM=$((seed + shard))
t_diag "SEED=$seed in lab $shard of $shards"

readonly ttl=3 services=6
timeout=60s
declare -A pid proxy status

# --- the two ---

# A service with a value of its own after the other; nobody else ever sets that variable, so it is never contested.
spec() { # NAME VALUE
	local i
	{
		printf 'version: 1\ncluster: shop\nswarm: { default_addr_pool: [10.64.0.0/14] }\n'
		printf 'nodes: { gmktec: { address: 10.99.0.1, role: manager } }\nservices:\n'
		for ((i = 1; i <= services; i++)); do
			printf '  svc%d: { image: "lab/busybox:1", command: [sleep, "1000"], environment: { %s: "1" }, ' "$i" "$2"
			((i == 1)) || printf 'after: [service/svc%d], ' $((i - 1))
			printf 'deploy: { replicas: 0, endpoint_mode: dnsrr, update_config: { monitor: 100ms } } }\n'
		done
	} >"$t_dir/$1.yaml"
}

# Each call about a service takes a while, so that there is something to interrupt.
start_proxy() { # NAME [OPTION-OF-PROXY...]
	local name=$1
	shift
	[ $# -gt 0 ] || set -- --fault delay:30 --match /services/
	rm -f "$t_dir/$name.sock"
	: >"$t_dir/$name.log"
	"$t_dir/proxy" "$t_dir/$name.sock" "$LAB/docker.sock" --log "$t_dir/$name.log" "$@" &
	proxy[$name]=$!
	t_retry 5 test -S "$t_dir/$name.sock"
}

stop_proxy() { # NAME
	kill -KILL "${proxy[$1]}"
	wait "${proxy[$1]}" 2>/dev/null || true
}

start() { # NAME [VARIABLE=VALUE...]
	local name=$1
	shift
	env RECONCILE_LEASE_TTL=$ttl "$@" "$RECONCILE" --yes --timeout "$timeout" --state-dir "$t_dir/state.$name" \
		--host "unix://$t_dir/$name.sock" "$t_dir/$name.yaml" >"$t_dir/$name.out" 2>&1 </dev/null &
	pid[$name]=$!
}

end() { # NAME...
	local name
	for name; do
		status[$name]=0
		wait "${pid[$name]}" 2>/dev/null || status[$name]=$?
	done
}

nap() { # MILLISECONDS
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}

is_stopped() { # NAME
	is_frozen "${pid[$1]}"
}

is_frozen() { # PID
	grep -q '^State:.T' "/proc/$1/status"
}

# --- what they did ---

# What a run asked to be changed, by "lease" (any write of the shared state) or "change": when it came and was done.
calls() { # NAME
	awk -F'\t' -v name="$1" -v state="/configs/$state_id/" '$2 != "GET" && $2 != "HEAD" {
		print name, index($3, state) ? "lease" : "change", $5, $6, $7 }' "$t_dir/$1.log"
}

# Nothing, or what is wrong: each change lies between the first and the last write of the shared state of its run, and
# these times of the two runs do not meet.
disorder() {
	{ calls a && calls b; } | awk '
		$2 == "lease" && $3 == 200 {
			if (!($1 in first_done)) { first_came[$1] = $4; first_done[$1] = $5 }
			last_came[$1] = $4
		}
		$2 == "change" { changes[++n] = $0 }
		END {
			for (i = 1; i <= n; i++) {
				split(changes[i], c, " ")
				if (!(c[1] in first_done) || c[4] < first_done[c[1]] || c[5] > last_came[c[1]])
					print "not under the lease:", changes[i]
			}
			if (("a" in first_done) && ("b" in first_done) &&
			    last_came["a"] >= first_came["b"] && last_came["b"] >= first_came["a"])
				print "both: a " first_came["a"] "-" last_came["a"] ", b " first_came["b"] "-" last_came["b"]
		}'
}

changes() { # NAME...: how many succeeded
	local name
	for name; do
		calls "$name"
	done | grep -c '^. change 2'
}

# Of b's first write of the shared state that succeeded: when it came.
taken_over() {
	calls b | awk '$2 == "lease" && $3 == 200 { print $4; exit }'
}

# Of a's last write of the shared state before that: when it came.
last_renewal() {
	calls a | awk -v until="$(taken_over)" '$2 == "lease" && $3 ~ /^20/ && $4 < until { last = $4 } END { print last + 0 }'
}

# How many changes of a succeeded that were asked for after b had taken over.
late_changes() {
	calls a | awk -v from="$(taken_over)" '$2 == "change" && $3 ~ /^2/ && $4 > from' | wc -l
}

# The values of all services.
values() {
	local i
	for ((i = 1; i <= services; i++)); do
		docker service inspect -f '{{join .Spec.TaskTemplate.ContainerSpec.Env " "}}' "svc$i"
	done | sort -u
}

t_show_both() {
	t_diag "a: status ${status[a]}: $(cat "$t_dir/a.out")"
	t_diag "b: status ${status[b]}: $(cat "$t_dir/b.out")"
	t_diag "$({ calls a && calls b; } | sort -n -k4)"
}

# --- together ---

together() {
	local round first second offset
	for ((round = 1; round <= ${ROUNDS:-20}; round++)); do
		spec a "R$round"
		spec b "$( ((round % 4)) && echo "R$round" || echo "B$round")"
		: >"$t_dir/a.log"
		: >"$t_dir/b.log"
		first=a second=b offset=$((RANDOM % 500))
		((RANDOM % 2)) || first=b second=a
		start "$first"
		nap "$offset"
		start "$second"
		end a b
		t_is "together, the second one after $offset ms: one after the other" "$(disorder)" ""
		if ((round % 4)); then
			t_like "and each service is written once" "$(changes a b) ${status[a]}${status[b]}" "^$services (00|05|50)\$"
		else
			t_like "and both are through, or the second one is refused" "$(changes a b) ${status[a]}${status[b]}" \
				"^($((2 * services)) 00|$services (05|50))\$"
		fi || t_show_both
	done
}

# --- stopped ---

# a is stopped; b has to take over, and a must do nothing any more that succeeds.
stopped() { # TEXT CONTINUED: while or after
	local text=$1 held
	nap 300 # what it has sent arrives
	held=$(holds_lease && echo yes)
	start b
	if [ "$2" = while ]; then
		t_retry 20 has_changed b
		kill -CONT "${pid[a]}"
	fi
	end b
	kill -CONT "${pid[a]}" 2>/dev/null
	end a
	t_is "$text: the other one does all" "${status[b]} $(changes b)" "0 $services" || t_show_both
	if [ -z "$held" ]; then # it had not begun, and may do so now, after the other one; or it had ended
		t_is "$text: one after the other" "$(disorder)" "" || t_show_both
		return
	fi
	t_is "$text: after the time to live" "$(($(taken_over) - $(last_renewal) >= ttl * 1000))" 1 || t_show_both
	t_is "$text: then it changes nothing" "$(late_changes) $(values)" "0 $value=1" || t_show_both
	gives_up "$text"
}

holds_lease() {
	docker config inspect reconcile-shop-state | grep -q '"io.reconcile.state.lease"'
}

has_changed() { # NAME
	calls "$1" | grep -q change
}

# Exit 5 with the reason; unless there was nothing left to do, or the version index of a call under way told it that
# somebody else was at work.
gives_up() { # TEXT
	if [ "$(changes a)" = $services ] || calls a | grep -q '^a change [^2]'; then
		t_like "$1: it ends" "${status[a]}" '^[0135]$'
	else
		t_is "$1: it gives up" "${status[a]}" 5
		t_like "$1: and says why" "$(cat "$t_dir/a.out")" \
			"(not begun|what other runs have to know): (lost the lease to pid ${pid[b]} on gmktec|lost the lease|the lease was last renewed)"
	fi || t_show_both
}

fresh() { # VALUE: a writes another one than b
	value=B$1
	spec a "A$1"
	spec b "$value"
	: >"$t_dir/a.log"
	: >"$t_dir/b.log"
}

stopped_before_each_change() {
	local n when
	for n in 1 2 3 5 7; do
		fresh "before$n"
		((n > 1)) || spec a "$value"
		when=$( ((n % 2)) && echo while || echo after)
		start a "RECONCILE_KILL_AT=${n}s"
		t_retry 20 is_stopped a
		stopped "stopped before change $n, continued $when it" "$when"
	done
}

stopped_at_random() { # TRIES TEXT [VARIABLE=VALUE...]
	local tries=$1 text=$2 try moment
	shift 2
	for ((try = 1; try <= tries; try++)); do
		fresh "random$RANDOM"
		moment=$((100 + RANDOM % 800))
		start a "$@"
		nap "$moment"
		kill -STOP "${pid[a]}" 2>/dev/null
		stopped "stopped after $moment ms$text" after
	done
}

# --- clocks ---

make_wrong_clock() {
	cat >"$t_dir/clock.c" <<'C'
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void)
{
	const char *s = getenv("CLOCK_SHIFT");
	return s ? atol(s) : 0;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);
	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += shift();
	return rc;
}

time_t time(time_t *t)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *t, void *zone)
{
	struct timespec now;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
	return 0;
}
C
	"${CC:-cc}" -shared -fPIC -O2 -o "$t_dir/clock.so" "$t_dir/clock.c"
}

wrong_clocks() {
	local shift
	t_ok "a wrong clock is made" make_wrong_clock
	for shift in 86400 -86400; do
		local variables=("LD_PRELOAD=$t_dir/clock.so" "CLOCK_SHIFT=$shift" "RECONCILE_TRACE=$t_dir/trace"
			"ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-}")
		stopped_at_random 2 ", its clock wrong by $shift s" "${variables[@]}"
		t_is "its clock was wrong" "$(tail -n 1 "$t_dir/trace" |
			jq --argjson now "$(date +%s)" --argjson shift "$shift" '(.t - $now - $shift) | fabs < 60')" true
		fresh "together$RANDOM"
		start a "${variables[@]}"
		nap $((RANDOM % 300))
		start b
		end a b
		t_is "together, one clock wrong by $shift s: one after the other" "$(disorder)" "" || t_show_both
	done
}

# --- cut off ---

cut_off() { # freezes or is gone
	local moment=$((200 + RANDOM % 900)) text last
	fresh "cut$RANDOM"
	timeout=10s start a
	nap "$moment"
	if [ "$1" = freezes ]; then
		kill -STOP "${proxy[a]}"
	else
		stop_proxy a
	fi
	text="its way to the engine $1 after $moment ms"
	start b
	end b a
	t_is "$text: the other one does all" "${status[b]} $(changes b)" "0 $services" || t_show_both
	last=$(calls a | awk '$2 == "change" { last = $4 } END { print last + 0 }')
	t_is "$text: nothing comes through any more" "$((last <= $(taken_over))) $(values)" "1 $value=1" || t_show_both
	t_like "$text: it ends by itself" "${status[a]}" \
		"^$([ "$(changes a)" = $services ] && echo '[035]' || echo '[35]')\$" || t_show_both
	if [ "$1" = freezes ]; then
		kill -CONT "${proxy[a]}"
		nap 500 # what lay in the way arrives now
		t_is "$text: what it sent last changes nothing" "$(values)" "$value=1" || t_show_both
		stop_proxy a
	fi
	start_proxy a
}

# --- the gap ---

# a's call freezes where the lease cannot fence it any more; b takes over and does its work; then the call comes through.
# Its answer's status is left in late.
late_call() { # TEXT PART-OF-ITS-PATH [COMMAND...]: to do meanwhile
	stop_proxy a
	start_proxy a --fault stop --writes --match "$2"
	start a
	t_ok "$1: the call is under way" t_retry 20 is_frozen "${proxy[a]}"
	"${@:3}"
	start b
	end b
	t_is "$1: the other one takes over" "${status[b]} $(taken_over | wc -l)" "0 1" || t_show_both
	kill -CONT "${proxy[a]}"
	end a
	late=$(awk -F'\t' '$4 == "stop" { print $5 }' "$t_dir/a.log")
	t_like "$1: the first one does not take it for its own work" "${status[a]}" '^[135]$' || t_show_both
}

b_again() { # TEXT
	start b
	end b
	t_is "$1: the next pass converges" "${status[b]}" 0 || t_show_both
}

id_of() { # SERVICE
	docker service inspect -f '{{.ID}}' "$1" 2>/dev/null
}

value_of() { # SERVICE
	docker service inspect -f '{{join .Spec.TaskTemplate.ContainerSpec.Env " "}}' "$1"
}

how_many() { # SERVICE
	docker service ls -q -f "name=$1" | wc -l
}

remove() { # SERVICE
	docker service rm "$1" >/dev/null
}

extra='  extra: { image: "lab/busybox:1", command: [sleep, "1000"], deploy: { replicas: 0, endpoint_mode: dnsrr } }'

gap_fenced() {
	local text='a late update of a service that the other one wrote'
	fresh "gap$RANDOM"
	late_call "$text" "/services/$(id_of svc1)/update"
	t_is "$text: its version index refuses it" "$late $(values)" "500 $value=1" || t_show_both

	text='a late update of a node that the other one wrote'
	fresh "gap$RANDOM"
	sed -i 's/role: manager/role: manager, labels: { side: a }/' "$t_dir/a.yaml"
	sed -i 's/role: manager/role: manager, labels: { side: b }/' "$t_dir/b.yaml"
	late_call "$text" /nodes/
	t_is "$text: its version index refuses it" "$late $(docker node inspect -f '{{.Spec.Labels.side}}' gmktec)" "500 b" ||
		t_show_both

	text='a late create of what the other one made'
	fresh "gap$RANDOM"
	echo "$extra" | tee -a "$t_dir/a.yaml" >>"$t_dir/b.yaml"
	late_call "$text" /services/create
	t_is "$text: its name refuses it" "$late $(how_many extra)" "409 1" || t_show_both

	text='a late delete of what the other one made anew'
	fresh "gap$RANDOM"
	echo "$extra" >>"$t_dir/b.yaml"
	late_call "$text" "/services/$(id_of extra)" remove extra
	t_is "$text: its id is another one" "$late $(how_many extra)" "404 1" || t_show_both
	remove extra
	stop_proxy a
	start_proxy a
}

gap_open() {
	local text='a late update of a service that the other one left alone' before
	before=$(value_of svc1)
	fresh "gap$RANDOM"
	sed -i "s/\(svc1:.*environment: { \)[^:]*/\1${before%=1}/" "$t_dir/b.yaml"
	late_call "$text" "/services/$(id_of svc1)/update"
	t_like "$text: it takes effect" "$late $(value_of svc1)" '^200 A' || t_show_both
	b_again "$text"
	t_is "$text: and repairs it" "$(value_of svc1)" "$before"

	text='a late create of what the other one does not want'
	fresh "gap$RANDOM"
	echo "$extra" >>"$t_dir/a.yaml"
	late_call "$text" /services/create
	t_is "$text: it takes effect" "$late $(how_many extra)" "201 1" || t_show_both
	b_again "$text"
	t_is "$text: and prunes it" "$(how_many extra)" 0

	text='a late delete of what the other one keeps'
	fresh "gap$RANDOM"
	sed -i '/^  svc6:/d' "$t_dir/a.yaml"
	late_call "$text" "DELETE /v1.41/services/$(id_of svc6)"
	t_is "$text: it takes effect" "$late $(how_many svc6)" "200 0" || t_show_both
	b_again "$text"
	t_is "$text: and makes it again" "$(how_many svc6) $(values)" "1 $value=1"

	text='a late stop of a container'
	docker run -d --name old lab/busybox:1 sleep 1000 >/dev/null
	fresh "gap$RANDOM"
	echo 'absent: { old: { container: old, node: gmktec, stop_timeout: 1s } }' >>"$t_dir/a.yaml"
	late_call "$text" /stop
	b_again "$text"
	t_is "$text: it takes effect, and nobody starts it again" "$late $(docker inspect -f '{{.State.Status}}' old)" "204 exited"
	docker rm -f old >/dev/null
	stop_proxy a
	start_proxy a
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
t_ok "the proxy is made" "${CC:-cc}" -std=c17 -O2 -Wall -Wextra -Wpedantic -Werror -o "$t_dir/proxy" \
	"$t_root/tests/lab/standins/proxy.c"
start_proxy a
start_proxy b
spec a R0
start a
end a
t_is "the services are there" "${status[a]} $(values)" "0 R0=1"
state_id=$(docker config ls -q --filter name=reconcile-shop-state)

part=0
for part_of_this_lab in together stopped_before_each_change gap_open wrong_clocks gap_fenced "stopped_at_random 4 ''" \
	"cut_off 'is gone'" "cut_off freezes" "cut_off 'is gone'" "cut_off freezes"; do
	((part++ % shards == shard)) || continue
	start_of_part=$SECONDS
	eval "$part_of_this_lab"
	t_diag "$part_of_this_lab: $((SECONDS - start_of_part)) s"
done
stop_proxy a
stop_proxy b
