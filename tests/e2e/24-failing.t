#!/bin/bash
#
# What cannot work fails in bounded time, with the task's own words.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab --registry
t_plan 46

spec=$t_dir/cluster.yaml
readonly bound=60 # seconds for a run

took=0
reconcile() {
	local start=$SECONDS status=0
	timeout "$bound" "$RECONCILE" --state-dir "$t_dir/state" "$@" "$spec" || status=$?
	echo $((SECONDS - start)) >"$t_dir/took"
	return "$status"
}

apply() {
	t_run reconcile --yes
	took=$(cat "$t_dir/took")
}

# The only service: fields of it come line by line.
service() { # DEPLOY LINE...
	local deploy=$1
	shift
	cat >"$spec" <<YAML
version: 1
cluster: lab
services:
  web:
    image: lab/busybox:1
    stop_grace_period: 1s
$(printf '    %s\n' "$@")
    deploy: { endpoint_mode: dnsrr, $deploy }
YAML
}

nothing() {
	printf 'version: 1\ncluster: lab\n' >"$spec"
	apply
	t_is "it can be removed" "$t_status $(docker service ls -q | wc -l)" "0 0"
}

fails() { # WHAT WORDS
	apply
	t_is "$1: the run fails" "$t_status" 1
	t_like "$1: with the task's own words" "$t_out$t_err" "service/web.*$2"
	[ "$took" -lt "$bound" ]
	t_result $? "$1: after $took s"
}

# A spec that failed is not tried again by itself (62-failed.t), and says so.
again() { # WHAT
	apply
	t_is "$1: the next run fails as well, after $took s" "$t_status" 1
}

args() {
	docker service inspect -f '{{.Spec.TaskTemplate.ContainerSpec.Args}}' web
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1

service 'replicas: 1' 'command: [sleep, "1000"]'
sed -i 's,image: .*,image: 10.99.0.1:5000/none:1,' "$spec"
fails "no such image" 'No such image'
again "no such image"
t_like "no such image: and says that no task runs" "$t_out" '0 of 1 tasks run'
service 'replicas: 1' 'command: [sleep, "1000"]'
apply
t_is "no such image: a good one repairs it" "$t_status" 0
nothing

service 'replicas: 1' 'command: [sleep, "1000"]' 'volumes: ["/not/there:/data"]'
fails "missing bind source" 'bind source path does not exist: /not/there'
again "missing bind source"
t_like "missing bind source: and says that no task runs" "$t_out" '0 of 1 tasks run'
nothing

service 'replicas: 1, restart_policy: { delay: 100ms }' 'command: [sleep, "1000"]' \
	'healthcheck: { test: "exit 1", interval: 300ms, retries: 1 }'
fails "failing health check" 'unhealthy'
again "failing health check"
t_like "failing health check: and says that no task runs" "$t_out" '0 of 1 tasks run'
nothing

service 'mode: replicated-job, replicas: 1, restart_policy: { condition: none }' 'command: ["false"]'
fails "failing job" 'non-zero exit \(1\)'
again "failing job"
nothing

two_run() {
	[ "$(docker ps -q --filter name=web | wc -l)" = 2 ]
}

readonly slow='monitor: 2s, parallelism: 1'
service "replicas: 2, update_config: { $slow, failure_action: rollback }, rollback_config: { monitor: 1s }" \
	'command: [sleep, "1000"]'
apply
t_is "a good service converges" "$t_status" 0
service "replicas: 2, update_config: { $slow, failure_action: rollback }, rollback_config: { monitor: 1s }" \
	'command: [not-a-program]'
fails "rolled back" 'not-a-program'
t_like "rolled back: and says that Swarm did it" "$t_out$t_err" 'rolled the update back'
t_is "rolled back: the old command runs" "$(args)" "[sleep 1000]"
again "rolled back"
t_retry 20 two_run
t_is "rolled back: the old command still runs" "$(args) $(docker ps -q --filter name=web | wc -l)" "[sleep 1000] 2"
service "replicas: 2, update_config: { $slow, failure_action: rollback }, rollback_config: { monitor: 1s }" \
	'command: [sleep, "2000"]'
apply
t_is "rolled back: a good command repairs it" "$t_status $(args)" "0 [sleep 2000]"
nothing

service "replicas: 2, update_config: { $slow }" 'command: [sleep, "1000"]'
apply
service "replicas: 2, update_config: { $slow }" 'command: [not-a-program]'
fails "paused" 'not-a-program'
t_like "paused: and says that Swarm did it" "$t_out$t_err" 'paused the update'
again "paused"
t_like "paused: and says so still" "$t_out$t_err" 'paused|not-a-program'
service "replicas: 2, update_config: { $slow }" 'command: [sleep, "2000"]'
apply
t_is "paused: a good command repairs it" "$t_status $(args)" "0 [sleep 2000]"

# Scaled by somebody while it is updated.
service "replicas: 2, update_config: { $slow, delay: 1s }" 'command: [sleep, "3000"]'
(
	t_retry 20 sh -c "docker service inspect -f '{{.Spec.TaskTemplate.ContainerSpec.Args}}' web | grep -q 3000"
	docker service scale --detach web=4
) >/dev/null 2>&1 &
scaler=$!
apply
wait "$scaler"
t_is "scaled while it is updated: converges to what the spec says" \
	"$t_status $(args) $(docker service inspect -f '{{.Spec.Mode.Replicated.Replicas}}' web)" "0 [sleep 3000] 2"
[ "$took" -lt "$bound" ]
t_result $? "scaled while it is updated: after $took s"
t_run reconcile --dry-run --detailed-exitcode
t_is "scaled while it is updated: nothing is left to do" "$t_status" 0
nothing
