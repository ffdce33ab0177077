#!/bin/bash
#
# Tasks that nothing of their service can help: the run ends soon and says what they wait
# for, the next one looks again, and a fix is not held up.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 11

spec=$t_dir/cluster.yaml
readonly soon=50 # seconds; 30 of them stand still

reconcile() {
	local start=$SECONDS status=0
	rm -f "$t_dir/trace"
	RECONCILE_TRACE=$t_dir/trace timeout 100 "$RECONCILE" --yes --state-dir "$t_dir/state" "$spec" || status=$?
	echo $((SECONDS - start)) >"$t_dir/took"
	return "$status"
}

spec() { # PLACEMENT COMMAND
	cat >"$spec" <<YAML
version: 1
cluster: lab
services:
  web:
    image: lab/busybox:1
    stop_grace_period: 1s
    command: [sleep, "$2"]
    deploy:
      endpoint_mode: dnsrr
      restart_policy: { delay: 200ms }
      update_config: { monitor: 500ms }
      placement: { $1 }
YAML
}

waits() { # WHAT
	t_run reconcile
	t_is "$1: exit 3" "$t_status" 3
	t_like "$1: with the scheduler's words" "$t_out$t_err" 'no suitable node'
	[ "$(cat "$t_dir/took")" -le "$soon" ]
	t_result $? "$1: after $(cat "$t_dir/took") s"
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1

spec 'constraints: [node.hostname == nowhere]' 1000
waits "a new service"
waits "the next run"
t_is "the next run writes nothing to it" "$(grep -cE '"target":"(POST|DELETE) [^"]*/services' "$t_dir/trace")" 0
spec '' 1000
t_run reconcile
t_is "a fix is applied" "$t_status" 0

# The update stands still for ever: only another write ends it.
docker service update -q -d --constraint-add node.hostname==nowhere --args 'sleep 2000' web >/dev/null
t_retry 10 sh -c "docker service inspect -f '{{.UpdateStatus.State}}' web | grep -q updating"
t_run reconcile
t_is "an update that cannot go on does not hold up its fix" "$t_status" 0
t_like "which says so" "$t_out$t_err" 'cannot go on, it is replaced: .*no suitable node'
