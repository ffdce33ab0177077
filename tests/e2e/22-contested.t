#!/bin/bash
#
# 100 runs against a cluster that somebody keeps changing: each run converges, or
# says within its bound what keeps changing; nothing that is not ours is touched.
# RUNS=n makes more or fewer, SALT=n makes another noise.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 11

runs=${RUNS:-100}
RANDOM=${SALT:-1}
spec=$t_dir/cluster.yaml
readonly bound=60 # seconds for a run

reconcile() {
	timeout "$bound" "$RECONCILE" --state-dir "$t_dir/state" "$@" "$spec"
}

cat >"$spec" <<'YAML'
version: 1
cluster: lab
nodes: { gmktec: { address: 10.99.0.1, role: manager, labels: { zone: a } } }
networks: { front: {}, back: { attachable: true } }
configs: { motd: { content: hello } }
services:
  s0: { image: "lab/busybox:1", networks: [front], configs: [motd], deploy: { replicas: 0 } }
  s1: { image: "lab/busybox:1", networks: [back], environment: { A: a }, deploy: { replicas: 0, labels: { x: "y" } } }
  s2: { image: "lab/busybox:1", networks: [front, back], deploy: { replicas: 0 } }
  s3: { image: "lab/busybox:1", deploy: { replicas: 0, placement: { constraints: [node.labels.zone == a] } } }
  s4:
    image: lab/busybox:1
    command: [sleep, "1000"]
    stop_grace_period: 1s
    deploy: { replicas: 1, update_config: { monitor: 1s } }
YAML

# What is not ours, and only changes when the noise changes it.
make_theirs() {
	local name
	docker network create --driver overlay theirs
	echo theirs | docker config create theirs -
	for name in t0 t1; do
		docker service create --detach --no-resolve-image --name "$name" --replicas 0 --label by=them lab/busybox:1
	done
	# Touched by nobody at all: its version must stay.
	docker service create --detach --no-resolve-image --name still --replicas 0 --network theirs --config theirs \
		lab/busybox:1
}

still() {
	docker service inspect -f '{{.Version.Index}} {{.UpdatedAt}}' still
	docker config inspect -f '{{.Version.Index}}' theirs
	docker network inspect -f '{{.Id}}' theirs
}

# Swarm itself writes into a service that is new, once.
is_allocated() {
	[ "$(docker service inspect -f '{{len .Endpoint.VirtualIPs}}' still)" = 1 ]
}

# The versions that the noise leaves are those that must be found.
their_versions() {
	docker service inspect -f '{{.Spec.Name}} {{.Version.Index}}' t0 t1
}

one_noise() {
	local service=s$((RANDOM % 4))
	[ $((RANDOM % 20)) != 0 ] || service=s4
	case $((RANDOM % 30)) in
	0 | 1 | 2 | 3) docker service update --detach --label-add "noise=$RANDOM" "$service" ;;
	12 | 13) docker service update --detach --no-resolve-image --env-add "NOISE=$RANDOM" "$service" ;;
	14) docker service update --detach --replicas $((RANDOM % 2)) "$service" ;;
	4 | 17) docker service rm "$service" ;;
	5) docker service update --detach --label-rm io.reconcile.cluster "s$((RANDOM % 4))" ;;
	6 | 23 | 24) docker node update --label-add "zone=$RANDOM" gmktec ;;
	7 | 25) docker service update --detach --no-resolve-image --network-rm back s1 ;;
	8) docker network rm front ;;
	9) docker service create --detach --no-resolve-image --name "$service" --replicas 0 lab/busybox:1 ;;
	10 | 18 | 19 | 20) docker service update --detach --label-add "by=$RANDOM" "t$((RANDOM % 2))" ;;
	11 | 21 | 22) docker service update --detach --limit-pids "$((RANDOM % 100))" "$service" ;;
	*) sleep 0.2 ;;
	esac
}

# Until it is told to stop, but never for ever.
noise() { # SEED
	local i
	RANDOM=$1
	for ((i = 0; i < 5000; i++)); do
		[ ! -e "$t_dir/quiet" ] || return 0
		one_noise >/dev/null 2>&1
		echo >>"$t_dir/noises"
		sleep "0.0$((RANDOM % 5))"
	done
}

# A service of ours that lost its label, or was made by somebody in our place, is somebody else's until it is adopted.
give_back() {
	local name
	for name in s0 s1 s2 s3 s4; do
		[ "$(docker service inspect -f '{{index .Spec.Labels "io.reconcile.cluster"}}' "$name" 2>/dev/null)" != "" ] ||
			docker service update --detach --label-add io.reconcile.cluster=lab "$name" >/dev/null 2>&1 || :
	done
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
make_theirs >/dev/null
t_retry 30 is_allocated
before=$(still)
t_run reconcile --yes
t_is "it converges while it is quiet" "$t_status" 0

noises=()
for i in 1 2 3; do
	noise "${SALT:-1}$i" &
	noises+=($!)
done
declare -A statuses=()
unexplained='' slow='' strange=''
for ((run = 1; run <= runs; run++)); do
	give_back
	start=$SECONDS
	# Or it would soon call everything contested, and leave it (61-hands-off.t).
	t_run reconcile --yes --retry
	statuses[$t_status]=$((${statuses[$t_status]:-0} + 1))
	[ $((SECONDS - start)) -lt "$bound" ] || slow+="run $run: $((SECONDS - start)) s"$'\n'
	case $t_status in
	0) ;;
	1) [[ $t_err$t_out =~ FAILED|'keeps changing'|error: ]] || unexplained+="run $run: $t_out $t_err"$'\n' ;;
	3) [[ $t_err$t_out =~ BLOCKED|blocked|'not yet'|unreachable ]] || unexplained+="run $run: $t_out $t_err"$'\n' ;;
	*) strange+="run $run: status $t_status: $t_err"$'\n' ;;
	esac
	[ "$t_status" != 1 ] || printf '%s\n' "$t_out" "$t_err" | grep -hE 'FAILED|error:|keeps changing' |
		sed -E 's/[0-9a-z]{25}/ID/g; s/[0-9.]+ s\)//' >>"$t_dir/failures"
done
touch "$t_dir/quiet"
wait "${noises[@]}"
t_diag "$(for status in "${!statuses[@]}"; do echo "${statuses[$status]} runs ended with status $status"; done)"
t_diag "$(wc -l <"$t_dir/noises") changes from outside; what failed:"
t_diag "$(sort "$t_dir/failures" 2>/dev/null | uniq -c | sort -rn | head -n 12 | cut -c 1-300)"

t_is "every run ended with a status that it should have" "$strange" ""
t_is "each within its bound" "$slow" ""
t_is "and said why, if it did not converge" "$unexplained" ""
[ "${statuses[0]:-0}" -gt 0 ]
t_result $? "some converged nevertheless"
t_is "what nobody touched, nobody touched" "$(still)" "$before"
theirs=$(their_versions)

give_back
t_run reconcile --yes --retry
t_is "when it is quiet one run converges" "$t_status" 0 || t_show_run
t_run reconcile --dry-run --detailed-exitcode
t_is "and nothing is left to do" "$t_status" 0 || t_show_run
t_is "their services are as they left them" "$(their_versions)" "$theirs"
t_is "and carry no label of ours" "$(docker service inspect -f '{{index .Spec.Labels "io.reconcile.cluster"}}' t0 t1 still | tr -d '\n')" ""
