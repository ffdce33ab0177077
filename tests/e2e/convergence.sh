# shellcheck shell=bash
#
# What the tests of interrupted and spoiled runs share: two states to start from, and a run after which the
# cluster must be as an undisturbed one leaves it. Source it after lib.sh, in a lab.

spec=$t_dir/cluster.yaml state=$t_dir/state
trace=$t_dir/trace mark=$t_dir/mark
watched=()    # files and directories to compare
volatile=none # a text that every run has in another form
changes=0     # of the last undisturbed run
took_s=0      # and how long it was, rounded up

# A run that nothing disturbs, bounded.
# shellcheck disable=SC2120 # options are optional
reconcile() { # OPTION...
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout -k 1 100 "$RECONCILE" --yes --wait --timeout 90s --state-dir "$state" "$@" "$spec"
}

# Calls, written files and commands of the last run that changed something.
mutations() {
	grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"|"event":"write".*|exportfs -r?a' "$trace"
}

end_state() (
	set -o pipefail
	"$t_root/tests/e2e/end-state" "$LAB/docker.sock" "$mark" "${watched[@]}" | sed "s/$volatile/VOLATILE/g" || exit
	# What is left lying about anywhere, temporary files and copies set aside above all. Written in the lab: the machine
	# below it has a life of its own.
	(
		cd "$LAB/written" && find . -maxdepth 1 \( -name etc -o -name opt -o -name srv \) \
			-exec find {} -type f -newercm "$mark" \;
	) | sort | sed 's/^\./written /'
)

# Swarm starts and stops tasks at its own pace.
settled() { # FILE
	end_state >"$t_dir/end" 2>"$t_dir/end.err" && diff <(grep -v '^tasks ' "$1") <(grep -v '^tasks ' "$t_dir/end") >"$t_dir/diff"
}

# Services that had more tasks than the undisturbed run plus this many.
too_many_tasks() { # FILE MORE
	join <(sed -n 's/^tasks //p' "$1" | sort) <(sed -n 's/^tasks //p' "$t_dir/end" | sort) |
		awk -v more="$2" '$3 > $2 + more { print $1 ": " $3 " tasks instead of " $2 }'
}

why_not_converged() { # FILE MORE RUNS
	local run
	for ((run = 1; run <= $3; run++)); do
		t_run reconcile
		[ "$t_status" != 0 ] || break
	done
	if [ "$t_status" != 0 ]; then
		printf 'run %d afterwards: exit %d\n%s\n%s\n' $((run > $3 ? $3 : run)) "$t_status" "$t_out" "$t_err"
	else
		t_run reconcile
		[ "$t_status" = 0 ] || printf 'the last run: exit %d\n%s\n%s\n' "$t_status" "$t_out" "$t_err"
		[ -z "$(mutations)" ] || printf 'the last run changed something: %s\n%s\n' "$(mutations)" "$t_out"
	fi
	t_retry 15 settled "$1" ||
		printf 'it is not as after an undisturbed run:\n%s\n' "$(cat "$t_dir/end.err" "$t_dir/diff" | cut -c1-600)"
	too_many_tasks "$1" "$2"
}

# The next run converges, the one after it changes nothing, and all is as FILE says. MORE tasks may have been
# started than there. RUNS: how many runs it may take.
t_converges() { # TEXT FILE [MORE [RUNS]]
	local text=$1 why
	why=$(why_not_converged "$2" "${3:-1}" "${4:-1}")
	[ -z "$why" ]
	t_result $? "$text" || t_diag "$text:" "$why"
}

# An undisturbed run, and what it leaves.
t_undisturbed() { # TEXT FILE
	local start=$SECONDS
	t_run reconcile
	took_s=$((SECONDS - start + 1))
	t_is "$1: an undisturbed run converges" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	changes=$(mutations | wc -l)
	t_diag "$1: $changes changes"
	end_state >"$2"
}

# --- the demo: from the state of the owner's notes to that of its spec ---

demo_project=/opt/wizardsofts-megabuild

demo_before() {
	local network
	docker service ls -q | xargs -r docker service rm # also those that another part has left
	docker ps -aq --filter label=com.docker.swarm.task | xargs -r docker rm -f
	docker rm -f traefik haproxy hadith-ollama autoscaler whoami
	for network in ollama-network wizardsofts-megabuild_gibd-network; do
		docker network inspect "$network" && t_retry 20 docker network rm "$network"
	done
	docker config ls -q | xargs -r docker config rm
	docker volume rm ollama_data
	docker node update --label-rm ollama gmktec
	rm -rf "$state" /etc/exports.d /var/lib/reconcile "$demo_project"
	"$t_root/tests/lab/before" || return 1
	touch "$mark"
}

# Shorter waits; the plan is the demo's.
demo_start() {
	watched=(/etc/exports /etc/exports.d "$demo_project")
	sed 's/quiet: 5s/quiet: 1s/; s/monitor: 3s/monitor: 500ms/; s/interval: 2s/interval: 1s/g; s/start_period: 5s/start_period: 1s/' \
		"$t_root/examples/one-host-migration/cluster.yaml" >"$spec"
	t_ok "demo: the state before is there" demo_before
	end_state >"$t_dir/before"
	t_undisturbed demo "$t_dir/after"
}

demo_again() {
	demo_before >"$t_dir/before.out" 2>&1 || t_diag "$(cat "$t_dir/before.out")"
	t_retry 10 settled "$t_dir/before" || t_is "demo: the state before is there again" "$(cat "$t_dir/diff")" ""
}

# --- the shop: two specs, a and b, and to get from one to the other things are made, updated, rotated,
# replaced and pruned. Contents are new in each turn: those of the turn before are kept for Swarm's rollback ---

shop_services() { # SIDE
	cat <<YAML
  web:
    <<: *busybox
    networks: [] # Docker takes two seconds to let a task go from an overlay network
    environment: { SIDE: $1 }
    configs: [{ source: motd, target: /etc/motd }]
    secrets: [token]
    volumes: ["data:/data"]
    deploy: { replicas: 1, endpoint_mode: dnsrr, update_config: { monitor: 100ms } }
  only-$1:
    <<: *busybox
    networks: [only-$1]
    configs: [only-$1]
    secrets: [only-$1]
    deploy: { replicas: 0, endpoint_mode: dnsrr }
YAML
}

shop_spec() { # SIDE
	local one_or_two=1
	[ "$1" = a ] || one_or_two=2
	cat <<YAML
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes: { gmktec: { address: 10.99.0.1, role: manager, labels: { side: $1 } } }
policy: { max_deletions: 50 }
networks:
  front: { driver: overlay }
  edge: { driver: overlay, labels: { side: $1 } }
  only-$1: { driver: overlay }
configs:
  motd: { content: "motd $shop_number" }
  only-$1: { content: only }
secrets:
  token: { content: "token $shop_number" }
  only-$1: { content: only }
volumes:
  data: { driver_opts: { type: tmpfs, device: tmpfs, o: "size=${one_or_two}m" } }
services:
  label: &busybox
    image: lab/busybox:1
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    networks: [front]
    deploy: { replicas: 1, endpoint_mode: dnsrr, labels: { side: $1 }, update_config: { monitor: 100ms } }
YAML
	[ "$shop_tasks" = no ] || shop_services "$1"
}

# Makes the other side the wanted one.
shop_turn() {
	shop_side=$([ "$shop_side" = a ] && echo b || echo a)
	shop_number=$((shop_number + 1))
	volatile=$(printf 'motd %d' "$shop_number" | base64)
	shop_spec "$shop_side" >"$spec"
	touch "$mark"
}

shop_start() { # TASKS: no leaves out what starts or restarts a task
	local i
	shop_side=b shop_number=1000 shop_tasks=$1
	watched=()
	t_ok "shop: the image is made" "$t_root/tests/lab/images" lab/busybox:1
	for ((i = 0; i < 4; i++)); do # the second time round nothing is made for the first time
		shop_turn
		t_undisturbed "shop to $shop_side" "$t_dir/$shop_side"
	done
}
