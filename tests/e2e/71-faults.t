#!/bin/bash
#
# Calls to the engine that fail, are cut short, stall, come late, or whose answer is lost after the effect: the
# run that meets one ends within its time with 0, 1 or 3, the next run converges, and the cluster is as after
# an undisturbed run. A proxy in front of a real engine does it (tests/lab/standins/proxy.c). What is tried:
#
#   quick    specs that make, replace, relabel, prune, to and fro, without starting a task:
#            each call that changes something, with each fault; each other call, with each third fault in turn
#   shop     the same with services that are made, updated and removed: each call about a service that changes
#            something, with an error, a lost, cut or half reply, and late
#   demo     the demo's plan: each call that changes something, its reply lost
#   engine   the engine killed and started again while a run is at work
#
# A run tries some of these, EVERY=1 all (lib.sh, t_sample_start). FAULTS=writes is each fault at each call that changes
# something, FAULTS=reads each at each other call, of those that are made again and again the first after each change
# (an hour or two); SHARDS=8 in so many labs side by side. PART=quick this part only; CALL=12 FAULT=lost this only.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
t_in_labs "${SHARDS:-2}"

# shellcheck source=tests/e2e/convergence.sh
. "$t_root/tests/e2e/convergence.sh"

proxy=$t_dir/proxy socket=$t_dir/proxy.sock log=$t_dir/log
faults_of_reads=(error error:503 refuse garbage delay:500 lost cut cut:head half broken)
faults=("${faults_of_reads[@]}" late)
wanted=${FAULTS:-some}
[ -z "${CALL:-}" ] || EVERY=1
RANDOM=$((${SEED:-$$} + ${T_SHARD:-0}))
t_sample_start

spoil() { # OPTION-OF-PROXY...
	rm -f "$log" "$socket"
	"$proxy" "$socket" "$LAB/docker.sock" --log "$log" "$@" &
	spoiler=$!
	t_retry 5 test -S "$socket"
}

mend() {
	kill "$spoiler"
	wait "$spoiler" 2>/dev/null
}

fault_happened() {
	cut -f 4 "$log" | grep -qvx -e -
}

# Its status is left in t_status; why it is not a good end, in why.
spoiled_run() { # TIMEOUT OPTION-OF-PROXY...
	local timeout=$1
	shift
	spoil "$@"
	t_run env DOCKER_HOST="unix://$socket" timeout -k 1 $((${timeout%s} + 20)) \
		"$RECONCILE" --yes --wait --timeout "$timeout" --state-dir "$state" "$spec"
	why=''
	case $t_status in
	0 | 1 | 3) ;;
	*) why="exit $t_status" ;;
	esac
	[[ $t_err != *Sanitizer:* && $t_err != *runtime\ error:* ]] || why='it crashed'
}

# One spoiled run and what comes after it; false if there is no such call.
t_spoiled() { # TEXT FILE FAULT SELECTION...
	local text=$1 file=$2 fault=$3 timeout=60s happened=no stalled_s
	shift 3
	# A run that meets `half` waits until its own time is over, which has to be long enough to come to the last of the
	# calls. `late` is held for longer than that: it takes effect while the next run is at work.
	stalled_s=$((took_s + took_s / 2 + 2))
	case $fault in
	half | late) timeout=${stalled_s}s ;;
	esac
	spoiled_run "$timeout" "$@" --fault "${fault/#late/delay:$((1000 * (stalled_s + 2)))}"
	if [ "$fault" = late ]; then
		reconcile >/dev/null 2>&1
		t_retry $((stalled_s + 5)) fault_happened
	fi
	mend
	! fault_happened || happened=yes
	text="$text $*: $fault"
	if [ -n "$why" ]; then
		t_is "$text: a run that meets it ends well" "$why" ""
		t_show_run
	fi
	t_converges "$text" "$file"
	[ "$happened" = yes ]
}

is_mine() { # NUMBER-OF-CALL NUMBER-OF-FAULT
	t_sampled $(($1 + $2))
}

is_chosen() { # FAULT
	[ -z "${FAULT:-}" ] || [ "$FAULT" = "$1" ]
}

# Calls a function with each fault and number of a call until there is no such call. Each lab takes its share.
each() { # FUNCTION FAULT... -- SELECTION...
	local function=$1 list=() i n
	shift
	while [ "$1" != -- ]; do
		list+=("$1")
		shift
	done
	shift
	for ((i = 0; i < ${#list[@]}; i++)); do
		is_chosen "${list[i]}" || continue
		for ((n = ${CALL:-1}; n <= ${CALL:-400}; n++)); do
			is_mine "$n" "$i" || continue
			"$function" "${list[i]}" "$@" --at "$n" || break
		done
	done
}

shop_fault() { # FAULT SELECTION...
	shop_turn
	t_spoiled "shop to $shop_side" "$t_dir/$shop_side" "$@"
}

demo_fault() { # FAULT SELECTION...
	demo_again
	t_spoiled demo "$t_dir/after" "$@"
}

# Each fault in turn at every third of the calls; what comes too late is for those that change something.
each_third() { # FUNCTION NUMBER-OF-CALLS
	local i n
	for ((n = 1; n <= $2; n++)); do
		for ((i = 0; i < ${#faults[@]}; i++)); do
			if [ "${faults[i]}" != late ] && [ $(((n + i) % 3)) = 0 ] && is_chosen "${faults[i]}" &&
				is_mine "$n" $((i / 3)); then
				"$1" "${faults[i]}" --at "$n"
			fi
		done
	done
}

# Each fault at each call of this sort.
product() { # FUNCTION
	case $wanted in
	reads) each "$1" "${faults_of_reads[@]}" -- --reads ;;
	*) each "$1" "${faults[@]}" -- --writes ;;
	esac
}

quick() {
	shop_start no
	product shop_fault
	[ "$wanted" = some ] || return
	shop_turn
	spoiled_run 60s
	mend
	t_is "an undisturbed run through the proxy" "$t_status $why" "0 "
	each_third shop_fault "$(wc -l <"$log")"
}

shop() {
	shop_start yes
	case $wanted in
	some) each shop_fault error lost cut half late -- --writes --match /services ;;
	*) product shop_fault ;;
	esac
}

demo() {
	demo_start
	case $wanted in
	some) each demo_fault lost -- --writes ;;
	*) product demo_fault ;;
	esac
}

# --- the engine itself ---

restart_engine() {
	local end=$((SECONDS + 60))
	setsid "${engine_command[@]}" </dev/null >>"$LAB/dockerd.log" 2>&1 &
	until docker node ls >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# The run is stopped before its change number N, the engine is killed, and started again before the run goes on
# or after it has ended.
engine_killed() { # N WHEN
	local pid engine reconciler
	engine=$(cat /run/docker.pid)
	disown -a # the shell need not tell of its end
	mapfile -d '' engine_command <"/proc/$engine/cmdline"
	RECONCILE_KILL_AT=$1s timeout -k 1 100 "$RECONCILE" --yes --wait --timeout 90s --state-dir "$state" "$spec" \
		>"$t_dir/engine.out" 2>&1 </dev/null &
	pid=$!
	t_retry 10 pgrep -P "$pid"
	reconciler=$(pgrep -P "$pid")
	t_ok "engine: the run is stopped before its change $1" t_retry 30 t_is_stopped "$reconciler"
	kill -KILL "$engine"
	t_retry 10 is_gone "$engine"
	[ "$2" != before ] || t_ok "engine: it is started again" restart_engine
	kill -CONT "$reconciler"
	t_status=0
	wait "$pid" || t_status=$?
	# 5: it took so long that the lease is over
	t_like "engine: the run ends with 0, 1, 3, or with 5 and says that its lease is over" \
		"$t_status $(grep -o 'lease was last renewed' "$t_dir/engine.out" | head -n 1)" '^([013] |5 lease)'
	[ "$2" != after ] || t_ok "engine: it is started again" restart_engine
}

is_gone() { # PID
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status"
}

engine() {
	local n when i=0
	shop_start yes
	for when in before after; do
		for n in 1 9 13; do
			t_sampled $((i++)) || continue
			shop_turn
			engine_killed "$n" "$when"
			# Tasks of an engine that was killed are started anew, and their failures may be seen.
			t_converges "engine: killed at $n, started again $when the run ends" "$t_dir/$shop_side" 4 2
		done
	done
}

t_ok "the proxy is made" "${CC:-cc}" -std=c17 -O2 -Wall -Wextra -Wpedantic -Werror -o "$proxy" \
	"$t_root/tests/lab/standins/proxy.c"
# The engine is killed before the demo is there: when Docker 20.10 starts after that, it takes `unless-stopped` containers
# that outlived it (the demo's traefik and whoami) for stopped by hand, and leaves them exited.
for part in ${PART:-quick shop engine demo}; do
	"$part"
done
