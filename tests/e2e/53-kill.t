#!/bin/bash
#
# kill -9 at random moments of an apply, with the local state thrown away now and then:
# the next run converges, nothing is there twice, nothing is left over at the end.
# SEED=n repeats a sequence, TRIES=n makes it longer.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

tries=${TRIES:-20} seed=${SEED:-$$}
spec=$t_dir/cluster.yaml state=$t_dir/state
RANDOM=$seed
t_diag "SEED=$seed"

# Names come and go and change their content, so that each spec creates, updates, replaces a config and prunes.
random_spec() {
	local i replicas
	{
		printf 'version: 1\ncluster: shop\nswarm: { default_addr_pool: [10.64.0.0/14] }\n'
		printf 'nodes: { gmktec: { address: 10.99.0.1, role: manager, labels: { round: r%d } } }\n' "$RANDOM"
		printf 'policy: { max_deletions: 50 }\n'
		printf 'networks:\n  always: { driver: overlay }\n'
		for ((i = 0; i < 3; i++)); do
			((RANDOM % 2)) || printf '  net%d: { driver: overlay, labels: { x: "%d" } }\n' "$i" $((RANDOM % 2))
		done
		printf 'configs:\n  always: { content: "%d" }\n' "$RANDOM"
		for ((i = 0; i < 3; i++)); do
			((RANDOM % 2)) || printf '  conf%d: { content: "%d" }\n' "$i" $((RANDOM % 4))
		done
		printf 'services:\n'
		for ((i = 0; i < 3; i++)); do
			((RANDOM % 3)) || continue
			replicas=$((RANDOM % 4 == 0))
			printf '  svc%d: { image: "lab/busybox:1", command: [sleep, "1000"], stop_grace_period: 1s, networks: [always], ' "$i"
			printf 'environment: { A: "%d" }, configs: [{ source: always, target: /etc/a }], ' $((RANDOM % 3))
			printf 'deploy: { replicas: %d, endpoint_mode: dnsrr, update_config: { monitor: 500ms } } }\n' "$replicas"
		done
		printf '  idle: { image: "lab/busybox:1", deploy: { replicas: 0 } }\n'
	} >"$spec"
}

reconcile() {
	"$RECONCILE" --yes --state-dir "$state" "$@" "$spec"
}

# What is ours in the engine, by kind and name, and how often. A content hash ends a config's name.
owned() {
	local label=label=io.reconcile.cluster=shop
	{
		docker service ls -f "$label" --format 'service/{{.Name}}'
		docker network ls -f "$label" --format 'network/{{.Name}}'
		docker config ls -f "$label" --format 'config/{{.Name}}'
	} | sort
}

# The same as the spec says it; of a config that a service used before, one more is kept for Swarm's rollback.
t_same_as_spec() { # TEXT
	local wanted got
	wanted=$("$RECONCILE" validate "$spec" >/dev/null && awk '
		/^[a-z]+:/ { section = $1 }
		/^  [a-z]/ { sub(":", "", $1)
			if (section == "networks:") print "network/" $1
			if (section == "configs:") print "config/" $1
			if (section == "services:") print "service/" $1 }' "$spec" | sort)
	got=$(owned | sed -E 's,^(config/.*)-[0-9a-f]{12}$,\1,')
	t_is "$1: each network and service once" "$(grep -v ^config <<<"$got")" "$(grep -v ^config <<<"$wanted")"
	t_is "$1: each config" "$(grep ^config <<<"$got" | sort -u)" "$(grep ^config <<<"$wanted")"
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
killed=0
for ((try = 1; try <= tries; try++)); do
	random_spec
	"$RECONCILE" --yes --state-dir "$state" "$spec" >"$t_dir/out" 2>&1 </dev/null &
	pid=$!
	# Half of the kills fall into the first tenth of a second, in which nearly all is sent.
	delay=$((RANDOM % 2 ? RANDOM % 100 : RANDOM % 1200))
	sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
	kill -KILL "$pid" 2>/dev/null
	status=0
	wait "$pid" 2>/dev/null || status=$?
	[ "$status" != 137 ] || killed=$((killed + 1))
	((RANDOM % 4)) || rm -rf "$state"
	t_run reconcile
	t_is "killed after $delay ms: the next run converges" "$t_status" 0
	[ "$t_status" = 0 ] || { t_show_run && t_diag "$(cat "$t_dir/out")"; }
	t_run "$RECONCILE" --dry-run --detailed-exitcode --state-dir "$state" "$spec"
	t_is "and nothing is left to do" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_same_as_spec "after $delay ms"
done
t_diag "$killed of $tries runs were killed before their end"
t_ok "most runs were killed before their end" test "$((killed * 2))" -ge "$tries"

sed -i '/^networks:/,$d' "$spec"
t_run reconcile
t_is "an empty spec converges" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_run reconcile
t_is "nothing is left over" "$(owned)" ""
