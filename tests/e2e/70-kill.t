#!/bin/bash
#
# Killed (SIGKILL) before and after every single change of a run, with the local state thrown away in half of
# the runs: the next run converges, the one after it changes nothing, and the cluster is as after an
# undisturbed run; nothing is there twice, nothing is left over, no task was restarted for nothing; while the demo is
# migrated, requests are always answered by its old entrance or by the new one. For the demo's plan, and for specs that
# create, update, rotate, replace and prune.
#
# A run tries some of the places, EVERY=1 all (lib.sh, t_sample_start). SEED=n repeats a sequence, KILL_AT="7 7+" tries
# these places only, PART=demo or shop this part only. Some labs work side by side: they wait for half of their time.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
t_in_labs "${SHARDS:-2}"

# shellcheck source=tests/e2e/convergence.sh
. "$t_root/tests/e2e/convergence.sh"
# shellcheck source=tests/e2e/entrances.sh
. "$t_root/tests/e2e/entrances.sh"

seed=${SEED:-$$}
RANDOM=$((seed + ${T_SHARD:-0}))
t_diag "SEED=$seed in lab ${T_SHARD:-0}"
t_sample_start

# Runs until the change with this number, then forgets what it knew, or not. False: it came to its end before.
killed_run() { # KILL-AT
	t_status=0
	RECONCILE_KILL_AT=$1 reconcile >"$t_dir/.out" 2>"$t_dir/.err" </dev/null || t_status=$?
	killed="killed at $1"
	if [ "$t_status" = 137 ]; then
		((RANDOM % 2)) || { rm -rf "$state" && killed+=", state deleted"; }
		return 0
	fi
	killed="not killed at $1"
	t_is "there is no change number ${1%+} any more" "$t_status" 0
	[ "$t_status" = 0 ] || { t_out=$(cat "$t_dir/.out") t_err=$(cat "$t_dir/.err") && t_show_run; }
	return 1
}

# Calls a function for each place, this lab's share of them, until there are no more.
each_place() { # FUNCTION AT-LEAST
	local k place place_number=0
	if [ -n "${KILL_AT:-}" ]; then
		for place in $KILL_AT; do
			"$1" "$place"
		done
		return
	fi
	for ((k = 1; k < 200; k++)); do
		for place in "$k" "$k+"; do
			t_sampled $((place_number++)) || continue
			"$1" "$place" || break 2
		done
	done
	# How often the shared state is written depends on how long things take.
	t_ok "there were about $2 changes" test "$((k + 3))" -gt "$2"
}

demo_place() { # KILL-AT
	local status=0
	demo_again
	load_start new old
	killed_run "$1" || status=1
	t_converges "demo: $killed" "$t_dir/after"
	load_end
	t_is "demo: $killed: the service always had an entrance" "$(unreachable)" ""
	return "$status"
}

shop_place() { # KILL-AT
	local status=0
	shop_turn
	killed_run "$1" || status=1
	t_converges "shop to $shop_side: $killed" "$t_dir/$shop_side"
	return "$status"
}

if [ "${PART:-demo}" = demo ]; then
	demo_start
	each_place demo_place "$changes"
fi
if [ "${PART:-shop}" = shop ]; then
	shop_start yes
	each_place shop_place "$changes"
fi
