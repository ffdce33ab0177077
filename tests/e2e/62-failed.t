#!/bin/bash
#
# A spec that failed is not tried again by itself, whoever runs next and whatever
# else changes: the reason stays until the spec changes or --retry.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab --registry
t_plan 65

spec=$t_dir/cluster.yaml
readonly quickly=8 # seconds for a run that waits for nothing
readonly good='command: [sleep, "1000"]'
readonly better='command: [sleep, "2000"]'
readonly bad='command: [not-a-program]'
took=0

reconcile() {
	local start=$SECONDS status=0
	rm -f "$t_dir/trace"
	RECONCILE_TRACE=$t_dir/trace timeout 60 "$RECONCILE" --yes --state-dir "$t_dir/state" "$@" "$spec" || status=$?
	echo $((SECONDS - start)) >"$t_dir/took"
	return "$status"
}

apply() { # OPTION...
	t_run reconcile "$@"
	took=$(cat "$t_dir/took")
}

# Calls of the last run that changed something, the lease and its record apart.
writes() {
	grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$t_dir/trace" |
		sed -E 's/"target":"//; s/"$//; s/[?].*//; s,/v1.[0-9]+,,' | grep -v ' /configs' | tr '\n' ' '
}

args() {
	docker service inspect -f '{{.Spec.TaskTemplate.ContainerSpec.Args}}' web
}

version() {
	docker service inspect -f '{{.Version.Index}}' web
}

other=0
# Two services, of which one is what this is about: fields of it come line by line.
spec() { # FAILURE-ACTION LINE...
	local action=$1
	shift
	cat >"$spec" <<YAML
version: 1
cluster: lab
services:
  other:
    image: lab/busybox:1
    environment: { N: "$other" }
    deploy: { replicas: 0 }
  web:
    image: lab/busybox:1
    stop_grace_period: 1s
$(printf '    %s\n' "$@")
    deploy:
      replicas: 1
      endpoint_mode: dnsrr
      restart_policy: { delay: 200ms }
      update_config: { monitor: 1s, failure_action: $action }
      rollback_config: { monitor: 500ms }
YAML
}

fails() { # WHAT WORDS
	apply
	t_is "$1: the run fails" "$t_status" 1
	t_like "$1: with the task's own words" "$t_out$t_err" "service/web.*$2"
}

holds() { # WHAT WORDS: nothing is tried again
	local before
	before=$(version)
	apply
	t_is "$1: the run fails" "$t_status" 1
	t_like "$1: with the recorded reason" "$t_out" "this spec failed on .*$2"
	t_is "$1: nothing is written" "$(writes)$(version)" "$before"
	[ "$took" -le "$quickly" ]
	t_result $? "$1: and at once, after $took s"
}

converges() { # WHAT
	apply
	t_is "$1" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	apply
	t_is "$1: and then nothing is left to do" "$t_status$(writes)" 0
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1

# Swarm rolls it back.
spec rollback "$good"
converges "a good service converges"
spec rollback "$bad"
fails "rolled back" 'rolled the update back.*not-a-program'
t_is "rolled back: the old command runs" "$(args)" "[sleep 1000]"
holds "rolled back, the next run" 'not-a-program'
rm -rf "$t_dir/state"
holds "rolled back, without the local state" 'not-a-program'
other=1
spec rollback "$bad"
before=$(version)
apply
t_is "an unrelated change is applied, and the run fails all the same" \
	"$t_status $(docker service inspect -f '{{.Spec.TaskTemplate.ContainerSpec.Env}}' other)" "1 [N=1]"
t_is "and does not try the failed one again" "$(version)" "$before"
t_like "and says why" "$t_out" 'this spec failed on .*not-a-program'
apply --retry=service/web
t_is "--retry tries it again, and it fails again" "$t_status $(writes | grep -c 'POST /services/.*/update')" "1 1"
holds "tried again, the next run" 'not-a-program'
spec rollback "$good"
converges "what runs is what the spec says again: that Swarm rolled something back is history"
spec rollback "$bad"
fails "the same bad spec after a good one is tried" 'not-a-program'
spec rollback "$better"
converges "a fix is applied, and clears it"
t_is "and it runs" "$(args)" "[sleep 2000]"

# Killed right after the update: it is not known yet how that will end.
spec rollback "$bad"
RECONCILE_KILL_AT=2+ t_run reconcile
t_is "the run is killed" "$t_status" 137
t_is "after it has written the update" "$(docker service inspect -f '{{.PreviousSpec.TaskTemplate.ContainerSpec.Args}}{{.Spec.TaskTemplate.ContainerSpec.Args}}' web |
	grep -c not-a-program)" 1
rm -rf "$t_dir/state"
apply
t_is "the next run waits for it, and fails" "$t_status" 1
t_like "with the reason" "$t_out$t_err" "service/web.*(rolled|rolling).*"
t_is "and without a write of its own" "$(writes)" ""
t_retry 20 sh -c "docker service inspect -f '{{.UpdateStatus.State}}' web | grep -q rollback_completed"
before=$(version)
apply
t_is "the run after that fails as well" "$t_status" 1
t_like "with the reason" "$t_out" 'service/web'
t_is "and without a write" "$(writes)$(version)" "$before"

# Killed right before the update: what Swarm rolled back was an earlier one.
spec rollback "$good"
RECONCILE_KILL_AT=2 t_run reconcile
t_is "a run with a good spec is killed before it writes" "$t_status $(args)" "137 [sleep 2000]"
converges "the next run applies it"
t_is "and it runs" "$(args)" "[sleep 1000]"

# Swarm pauses it.
spec pause "$good" 'healthcheck: { test: "exit 1", interval: 300ms, retries: 1 }'
fails "failing health check" 'paused the update.*unhealthy'
holds "failing health check, the next run" 'unhealthy'
apply --retry=service/web
t_is "failing health check: --retry tells Swarm to go on" "$t_status $(writes | grep -c 'POST /services/.*/update')" "1 1"
t_like "failing health check: which ends as before" "$t_out$t_err" 'unhealthy'
spec pause "$good" 'healthcheck: { test: "true", interval: 300ms, retries: 1 }'
converges "failing health check: a fix is applied, and clears it"

# It never ran.
docker service rm web >/dev/null
spec pause "$good"
sed -i '/^  web:/,$s,image: .*,image: 10.99.0.1:5000/none:1,' "$spec"
fails "bad image" 'No such image'
holds "bad image, the next run" 'No such image'
spec pause "$good"
converges "bad image: a good one is applied, and clears it"
t_unlike "and nothing is said of it any more" "$t_out" 'failed'

# Paused, and the task that failed has come up since then.
mkdir "$t_dir/once"
spec pause "command: [sh, -c, 'rmdir /once/not-yet || exec sleep 1000; exit 1']" "volumes: ['$t_dir/once:/once']"
mkdir "$t_dir/once/not-yet"
fails "a task that comes up at the second try" 'paused the update.*non-zero exit'
t_retry 20 sh -c "docker service ps -f desired-state=running --format '{{.CurrentState}}' web | grep -q ^Running"
apply --retry=service/web
t_is "a task that comes up at the second try: --retry finds that it runs" "$t_status" 0
converges "a task that comes up at the second try: it is not failed any more"
