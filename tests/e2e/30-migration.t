#!/bin/bash
#
# The demo's main job on one host, asserted step by step: from the state of the owner's notes to Ollama
# as a service behind Traefik. Runs with the stand-in for Traefik, and with real
# ones where TRAEFIK_V2 and TRAEFIK_V3 name them.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

static=/opt/wizardsofts-megabuild/traefik/traefik.yml
trace=$t_dir/trace

reconcile() { # OPTION...
	rm -f "$trace"
	RECONCILE_TRACE=$trace "$RECONCILE" --state-dir "$t_dir/state" "$@" "$t_dir/cluster.yaml"
}

mutations() {
	grep -E '"target":"(POST|PUT|DELETE|PATCH) |"event":"write"|exportfs -ra' "$trace"
}

status_of() { # CONTAINER
	docker inspect -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' "$1"
}

code() { # HOST PORT
	curl -s -m 5 -o /dev/null -w '%{http_code}' -H "Host: $1" "http://127.0.0.1:$2/api/version"
}

verify() { # OPTION...
	"$RECONCILE" verify "$@" "$t_dir/cluster.yaml"
}

replicas() {
	docker ps -q --filter label=com.docker.swarm.service.name=ollama | wc -l
}

# What one of the replicas sends to itself by its own address is refused; others reach it.
deaf_to_itself() { # -A, and with -D no more
	local one
	one=$(docker ps -q --filter label=com.docker.swarm.service.name=ollama | sort | head -n 1)
	nsenter -t "$(docker inspect -f '{{.State.Pid}}' "$one")" -n iptables "$1" OUTPUT -o lo ! -d 127.0.0.1 -p tcp --dport 11434 \
		-j REJECT --reject-with tcp-reset
}

middleware() { # NAME
	curl -sf -m 5 http://127.0.0.1:8080/api/http/middlewares | grep -qF "\"$1\""
}

refuse_api() { # -I, and with -D no more
	iptables "$1" OUTPUT -o lo -p tcp --dport 8080 -j REJECT --reject-with tcp-reset
}

routed() {
	! reconcile --dry-run | grep -q 'waiting  route/ollama'
}

clean() {
	docker service rm ollama >/dev/null 2>&1
	docker rm -f traefik haproxy hadith-ollama autoscaler whoami >/dev/null 2>&1
	t_retry 20 docker network rm ollama-network
	docker network rm wizardsofts-megabuild_gibd-network >/dev/null 2>&1
	rm -rf "$t_dir/state" /etc/exports.d
	docker node update --label-rm ollama gmktec >/dev/null
}

migrate() { # TRAEFIK-IMAGE PROVIDER
	local image=$1 provider=$2 inode before
	t_ok "$image: the state before is there" "$t_root/tests/lab/before" "$image"
	cp "$t_root/examples/one-host-migration/cluster.yaml" "$t_dir/cluster.yaml"
	inode=$(stat -c %i "$static")
	before=$(cat "$static")

	t_run reconcile --dry-run --detailed-exitcode
	t_is "$image: changes are pending" "$t_status" 2
	t_like "$image: HAProxy goes after the autoscaler and the route" "$t_out" \
		'remove +absent/haproxy.*needs absent/autoscaler, route/ollama'
	t_is "$image: a dry run changes nothing" "$(mutations)" ""

	t_run reconcile --yes
	t_is "$image: without --wait it ends where a gate waits" "$t_status" 3
	t_is "$image: HAProxy still runs" "$(status_of haproxy)" "running unless-stopped"
	t_is "$image: the autoscaler is stopped for good" "$(status_of autoscaler)" "exited no"
	t_is "$image: the static file is the same inode" "$(stat -c %i "$static")" "$inode"
	t_ok "$image: a backup of it was kept" test -n "$(ls "$t_dir/state/backup")"
	if [ "$provider" = docker ]; then
		t_is "$image: only the one word changed" "$(cat "$static")" "${before/swarmMode: false/swarmMode: true}"
	else
		t_like "$image: the swarm provider is there" "$(cat "$static")" 'swarm:'
	fi

	# Gates come after what is needed: first the servers of the route are checked.
	sed -i '/accept:/d' "$t_dir/cluster.yaml"
	t_retry 60 routed
	dynamic=/opt/wizardsofts-megabuild/traefik/dynamic_conf.yml
	cp "$dynamic" "$t_dir/dynamic_conf.yml"
	printf '  middlewares:\n    gate:\n      forwardAuth:\n        address: "http://haproxy:8404/auth"\n' >>"$dynamic"
	t_retry 20 middleware gate@file
	t_run reconcile --dry-run
	t_like "$image: what still points at HAProxy is named, with its file" "$t_out" \
		"blocked +absent/haproxy.*Traefik's service stats@file \(http://haproxy:8404, from /etc/traefik/dynamic_conf.yml\)"
	t_like "$image: a middleware, too" "$t_out" "Traefik's middleware gate@file \(http://haproxy:8404/auth, from "
	cat "$t_dir/dynamic_conf.yml" >"$dynamic" # the file itself is mounted
	t_retry 20 eval '! middleware gate@file'
	cp "$t_root/examples/one-host-migration/cluster.yaml" "$t_dir/cluster.yaml"

	t_run reconcile --yes --wait --timeout 2m
	t_is "$image: with --wait it converges" "$t_status" 0
	t_is "$image: HAProxy is stopped and will not come back" "$(status_of haproxy)" "exited no"
	t_is "$image: it ended gracefully" "$(docker inspect -f '{{.State.ExitCode}}' haproxy)" 0
	t_is "$image: the lone Ollama is stopped" "$(status_of hadith-ollama)" "exited no"
	t_is "$image: its volume stays" "$(docker volume ls -q -f name=ollama_data)" ollama_data
	t_is "$image: Traefik serves the service" "$(code ollama.lan 80)" 200
	t_like "$image: under the provider's name" "$(curl -s -m 5 http://127.0.0.1:8080/api/http/routers)" "ollama@$provider"
	t_like "$image: the export is read-only, host by host" "$(exportfs -s)" '10\.99\.0\.2\([^)]*ro,'
	t_unlike "$image: not to a network any more" "$(exportfs -s)" '10\.0\.0\.0/24'

	t_run verify
	t_like "$image: each replica is asked by itself" "$t_status $t_out" "^0 .*route/ollama: .*asked by themselves: $(replicas) of $(replicas)"
	deaf_to_itself -A
	t_run verify --timeout 20s
	t_like "$image: which finds one that others hide" "$t_status $t_out" \
		"^1 .*route/ollama: the replica on node 'gmktec': GET http://[0-9.]+:11434/api/version from within its own network: .*refused"
	deaf_to_itself -D

	t_run reconcile --dry-run --detailed-exitcode
	t_is "$image: nothing is left to do" "$t_status" 0
	t_run reconcile --yes
	t_is "$image: the second run changes nothing" "$t_status $(mutations)" "0 "

	# As a Traefik that has just been started: its container runs, its API refuses connections for some seconds.
	docker restart traefik >/dev/null
	refuse_api -I
	(sleep 4 && refuse_api -D) &
	t_run reconcile --dry-run
	wait $!
	t_unlike "$image: a Traefik that is starting is waited for" "$t_out" 'unknown|blocked'
	clean
}

migrate lab/traefik:standin docker
for v in 2 3; do
	variable=TRAEFIK_V$v
	if [ -n "${!variable:-}" ]; then
		migrate "lab/traefik:v$v" "$([ "$v" = 2 ] && echo docker || echo swarm)"
	else
		t_skip "$variable is not set: real Traefik v$v was not tried" 26
	fi
done
