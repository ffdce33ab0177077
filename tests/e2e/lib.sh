# shellcheck shell=bash
#
# For end-to-end tests: an executable bash file that sources this one, prints TAP
# and runs by itself or under prove.
#
#	. "$(dirname "$0")/lib.sh"
#	t_in_lab --registry           # the rest of the file runs inside tests/lab/lab
#	t_plan 2
#	t_run "$RECONCILE" --dry-run "$t_dir/cluster.yaml"
#	t_is "a converged cluster has nothing to do" "$t_status" 0
#	t_retry 30 docker service inspect ollama
#	t_ok "the service is there" docker service inspect ollama
#
# $t_root is the repository, $t_dir a directory for this test alone, $RECONCILE the
# program under test, $t_status, $t_out and $t_err what the last t_run left.

set -u
export LC_ALL=C TZ=UTC

# What a file writes to stderr, or its end, makes prove wait for the next line of its stdout and start no other file:
# hence past prove, whose pipe stays open.
if [ -n "${T_STDERR:-}" ]; then
	# shellcheck disable=SC2034 # only kept open
	exec {t_pipe}>&2 2>&"$T_STDERR" {T_STDERR}>&-
	unset T_STDERR
fi

t_script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
t_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export BUILD=${BUILD:-$t_root/build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
export RECONCILE=${RECONCILE:-$BUILD/reconcile}
t_status=0 t_out='' t_err=''
t_planned='' t_count=0 t_failures=0

t_diag() {
	printf '%s\n' "$*" | sed 's/^/# /' >&2
}

# Ends the file. Prove shows only the summary, so the reason goes to people as well.
t_skip_all() { # REASON
	t_diag "SKIPPED $(basename "$t_script"): $*"
	echo "1..0 # SKIP $*"
	t_planned=0
	exit 0
}

# Starts this file again inside a lab, unless it is there already.
# shellcheck disable=SC2120 # most tests need no option
t_in_lab() { # OPTION-OF-LAB-RUN...
	[ -z "${LAB:-}" ] || return 0
	t_need_lab "$@"
	rm -rf "$t_dir"
	exec "$t_root/tests/lab/lab" run "$@" -- "$t_script"
}

# The same in a bed of virtual machines, whose `vm` is in the path then.
# shellcheck disable=SC2120 # as above
t_in_bed() { # OPTION-OF-BED-RUN...
	local reason
	if [ -z "${BED:-}" ]; then
		reason=$("$t_root/tests/vm/bed" check 2>&1) || t_skip_all "$reason"
		rm -rf "$t_dir"
		exec "$t_root/tests/vm/bed" run "$@" -- "$t_script"
	fi
	export RECONCILE_LEASE_TTL=300 # what takes a second elsewhere can take half a minute on an emulated processor
	PATH=$t_root/tests/vm:$PATH
}

# As t_in_lab in COUNT labs side by side, for files that wait more than they compute: $T_SHARD, from 0,
# says which one this is. Their results are one TAP stream, with a plan of its own.
t_in_labs() { # COUNT OPTION-OF-LAB-RUN...
	local count=$1 i failed=0 pids=() line
	shift
	[ -z "${LAB:-}" ] || return 0
	t_need_lab "$@"
	for ((i = 0; i < count; i++)); do
		T_SHARD=$i T_SHARDS=$count "$t_root/tests/lab/lab" run "$@" -- "$t_script" >"$t_dir/tap.$i" &
		pids+=($!)
	done
	for ((i = 0; i < count; i++)); do
		wait "${pids[i]}" || failed=1
		while read -r line; do
			case $line in
			ok*) t_result 0 "${line#*- }" ;;
			not\ ok*) t_result 1 "${line#*- }" ;;
			esac
		done <"$t_dir/tap.$i"
		grep -qE '^1\.\.[0-9]' "$t_dir/tap.$i" || failed=1 # it did not come to its end
	done
	t_failures=$((t_failures + failed))
	exit 0
}

# shellcheck disable=SC2120 # as above
t_need_lab() { # OPTION-OF-LAB-RUN...
	local reason
	reason=$("$t_root/tests/lab/lab" check "$@" 2>&1) || t_skip_all "$reason"
}

t_plan() { # COUNT
	t_planned=$1
	echo "1..$t_planned"
}

t_result() { # STATUS TEXT
	t_count=$((t_count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $t_count - $2"
	else
		t_failures=$((t_failures + 1))
		echo "not ok $t_count - $2"
	fi
	return "$1"
}

t_skip() { # REASON [COUNT]: in place of COUNT tests
	local i
	t_diag "SKIPPED $1"
	for ((i = ${2:-1}; i > 0; i--)); do
		t_result 0 "# SKIP $1"
	done
}

# For products that take hours: of the places to try, counted from 0, each run takes every EVERY-th (8), beginning with
# a random one, and these are shared among the labs of t_in_labs. EVERY=1 takes all of them, FIRST=n the n-th share.
t_sample_start() {
	t_every=${EVERY:-8}
	t_first=${FIRST:-$((RANDOM % t_every))}
	t_diag "EVERY=$t_every FIRST=$t_first"
}

t_sampled() { # NUMBER
	local shards=${T_SHARDS:-1}
	(($1 % shards == ${T_SHARD:-0} && $1 / shards % t_every == t_first))
}

# Runs a command, keeps its status and what it wrote.
t_run() { # COMMAND...
	t_status=0
	"$@" >"$t_dir/.out" 2>"$t_dir/.err" </dev/null || t_status=$?
	t_out=$(cat "$t_dir/.out")
	t_err=$(cat "$t_dir/.err")
}

t_show_run() {
	t_diag "status $t_status"
	[ -z "$t_out" ] || t_diag "output: $t_out"
	[ -z "$t_err" ] || t_diag "errors: $t_err"
}

t_ok() { # TEXT COMMAND...
	local text=$1
	shift
	t_run "$@"
	t_result "$((t_status != 0))" "$text" && return
	t_diag "command: $*"
	t_show_run
	return 1
}

t_not_ok() { # TEXT COMMAND...: fails as an error, a crash or a timeout does not count
	local text=$1
	shift
	t_run "$@"
	t_result "$((t_status == 0 || t_status >= 124))" "$text" && return
	t_diag "command: $*"
	t_show_run
	return 1
}

t_is() { # TEXT GOT WANTED
	[ "$2" = "$3" ]
	t_result $? "$1" && return
	t_diag "got:    $2"
	t_diag "wanted: $3"
	return 1
}

t_like() { # TEXT GOT EXTENDED-REGULAR-EXPRESSION
	[[ $2 =~ $3 ]]
	t_result $? "$1" && return
	t_diag "got:         $2"
	t_diag "wanted like: $3"
	return 1
}

t_unlike() { # TEXT GOT EXTENDED-REGULAR-EXPRESSION
	! [[ $2 =~ $3 ]]
	t_result $? "$1" && return
	t_diag "got:           $2"
	t_diag "wanted unlike: $3"
	return 1
}

# The lines of a list of calls that are not about the shared state's object: how the run keeps others away, not what it
# did to the cluster. A run that changes nothing makes neither.
t_not_shared() {
	local id
	id=$(docker config ls -q --filter label=io.reconcile.state)
	grep -vF "/configs/${id:-none}/" || true
}

# Succeeds as soon as the command does, fails when the time is over.
t_retry() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# By RECONCILE_KILL_AT=<n>s, until it gets SIGCONT.
t_is_stopped() { # PID
	grep -q '^State:.*T' "/proc/$1/status"
}

t_finish() {
	local status=$?
	rm -rf "$t_dir"
	if [ -z "$t_planned" ]; then
		echo "1..$t_count"
	elif [ "$t_planned" != 0 ] && [ "$t_planned" != "$t_count" ]; then
		t_diag "planned $t_planned tests, ran $t_count"
		status=1
	fi
	[ "$status" != 0 ] || [ "$t_failures" = 0 ] || status=1
	exit "$status"
}

t_dir=$(mktemp -d "${TMPDIR:-/tmp}/reconcile-test.XXXXXX")
trap t_finish EXIT
