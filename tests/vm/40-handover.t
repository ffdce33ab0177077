#!/bin/bash
#
# HAProxy's old address goes over to a Traefik that is a Swarm service, and back, in one commit each, while requests
# come in through it: real HAProxy, real Traefik, Swarm's own load balancer (which needs IP_VS). PART=there is a Traefik
# that is there already, PART=made one that the same commit makes; without it both are tried.

# shellcheck disable=SC2016 # Traefik's rules have backticks
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

[ -n "${TRAEFIK_V2:-}${TRAEFIK_V3:-}" ] || t_skip_all "neither TRAEFIK_V2 nor TRAEFIK_V3 is set: this needs real Traefik"
t_in_bed --memory 1024 --cpus 2

spec=$t_dir/cluster.yaml

reconcile() { # COMMAND [OPTION...]
	timeout -k 5 1500 "$RECONCILE" "$@" --state-dir "$t_dir/state" "$spec"
}

write_cluster() { # ENTRYPOINTS: of the route
	cat >"$spec" <<YAML
version: 1
cluster: edge
swarm: { default_addr_pool: [10.64.0.0/14] }
ssh: { user: ops, become: true }
engine: { daemon: { insecure-registries: ["10.0.0.1:5000"] } }
nodes:
  gmktec: { address: 10.0.0.84, role: manager }
networks:
  front: { driver: overlay }
policy: { prune: owned, max_deletions: 5 }
services:
  web:
    image: 10.0.0.1:5000/lab/busybox:1
    command: [sh, -c, "mkdir /www && echo web >/www/index.html && exec httpd -f -p 80 -h /www"]
    networks: [front]
    ports: ["8081:80"]
    deploy: { replicas: 2, update_config: { monitor: 5s } }
    route:
      rule: Host(\`web.lan\`)
      entrypoints: $1
      port: 80
      healthcheck: { path: /index.html, interval: 10s, timeout: 5s }
YAML
}

# It is healthy, and Swarm sends it anybody, when the routes are there (30-traefik-service.t).
add_traefik() { # TAG PROVIDER-FLAG
	cat >>"$spec" <<YAML
  traefik:
    image: 10.0.0.1:5000/lab/traefik:$1
    command: [$2, "--entrypoints.web.address=:80", --api.insecure=true, --ping.manualRouting=true]
    ports: ["80:80", "8080:8080"]
    volumes: [{ type: bind, source: /var/run/docker.sock, target: /var/run/docker.sock, read_only: true }]
    networks: [front]
    healthcheck: { test: [CMD, wget, -q, --spider, "http://127.0.0.1/ready"], interval: 10s, timeout: 30s, start_period: 5m }
    deploy:
      labels:
        traefik.http.routers.ready.rule: Path(\`/ready\`)
        traefik.http.routers.ready.service: ping@internal
        traefik.http.services.ready.loadbalancer.server.port: "80"
        traefik.$([ "$1" = v2 ] && echo docker || echo swarm).lbswarm: "true"
      placement: { constraints: [node.role == manager] }
      update_config: { order: stop-first, monitor: 5s }
traefik:
  service: traefik
  api: http://10.0.0.84:8080
YAML
}

hand_over() {
	cat >>"$spec" <<'YAML'
  entrypoints: { old: { address: ":11434" } }
absent:
  haproxy: { container: haproxy, node: gmktec, after: [route/web] }
YAML
}

code() { # PORT
	curl -s -m 30 -o /dev/null -w '%{http_code}\n' -H 'Host: web.lan' "http://10.0.0.84:$1/index.html"
}

# One request after the other through both addresses, a connection for each, until end_load: "<ms> <status>".
start_load() {
	rm -f "$t_dir/stop"
	clients=
	for port in 80 11434; do
		while [ ! -e "$t_dir/stop" ]; do
			echo "$(date +%s%3N) $(code $port)"
			sleep 0.5
		done >"$t_dir/load.$port" &
		clients="$clients $!"
	done
}

end_load() {
	touch "$t_dir/stop"
	# shellcheck disable=SC2086 # two of them
	wait $clients
	for port in 80 11434; do
		t_diag "port $port: $(awk '{ n[$2]++ } END { for (c in n) printf "%s of %s, ", n[c], c }' "$t_dir/load.$port")longest gap $(gap $port) ms"
	done
}

gap() { # PORT: milliseconds without an answer, at most
	awk '$2 == 200 { if (since && $1 - since > most) most = $1 - since; since = 0; next }
		!since { since = $1 } END { print since ? 1e9 : most + 0 }' "$t_dir/load.$1"
}

turns() { # PORT: how often it began to fail
	awk '{ ok = $2 == 200 } !ok && last { n++ } { last = ok } END { print n + 0 }' "$t_dir/load.$1"
}

is_served() { # PORT
	[ "$(code "$1")" = 200 ]
}

# Each run is killed after the first thing that it changed, after the lease, until there is nothing left to change; one
# thing later where a killed run comes no further than the one before: what is found out about a route is written, too.
converges_although_killed() { # TEXT COMMAND...
	local text=$1 kills=0 at=2 now='' before=none
	shift
	while RECONCILE_KILL_AT=$at+ t_run reconcile "$@" --yes --wait --timeout 20m && [ "$t_status" = 137 ] && [ "$kills" -lt 30 ]; do
		now=$(grep -v '^ *$' <<<"$t_out" | tail -n 1)
		[ "$now" != "$before" ] || at=$((at + 1))
		before=$now kills=$((kills + 1))
		t_diag "killed: $now"
	done
	t_ok "$text: runs were killed on the way" test "$kills" -ge 3
	converges "$text" "$@"
}

# An engine that starts something answers late on an emulated processor: a run may end before it has seen all.
converges() { # TEXT COMMAND...
	local text=$1
	shift
	for _ in 1 2 3 4; do
		t_run reconcile "$@" --yes --wait --timeout 20m
		[ "$t_status" != 0 ] || break
		t_diag "$t_out $t_err"
	done
	t_is "$text" "$t_status" 0
}

start_haproxy() {
	vm gmktec 'sudo mkdir -p /opt/haproxy && sudo tee /opt/haproxy/haproxy.cfg >/dev/null && sudo docker run -d --name haproxy \
		--restart unless-stopped -p 11434:11434 -v /opt/haproxy/haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro \
		10.0.0.1:5000/lab/haproxy:1' <<'EOF'
defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend web
    bind :11434
    default_backend web
backend web
    server web 10.0.0.84:8081
EOF
}

haproxy_is() {
	vm gmktec "sudo docker inspect -f '{{.State.Status}}' haproxy"
}

goes_over() { # TEXT CONVERGES
	start_load
	sleep 2
	"$2" "$1: one commit" apply
	sleep 2
	end_load
	t_is "$1: HAProxy is stopped" "$(haproxy_is)" exited
	t_ok "$1: there was a load" test "$(wc -l <"$t_dir/load.11434")" -gt 50
	t_is "$1: no request to the old address fails" "$(grep -vc ' 200$' "$t_dir/load.11434")" 0
	t_ok "$1: nothing is left to do" t_retry 300 reconcile apply --dry-run --detailed-exitcode
}

comes_back() { # TEXT
	start_load
	sleep 2
	converges "$1: rollback" rollback
	sleep 2
	end_load
	t_is "$1: HAProxy runs" "$(haproxy_is)" running
	t_ok "$1: it has its address again" t_retry 60 is_served 11434
	t_ok "$1: the address was away once" test "$(turns 11434)" -le 1
	t_ok "$1: and not for as long as Traefik" test "$(gap 11434)" -lt "$(gap 80)"
	t_ok "$1: changes are let through again" reconcile resume
}

haproxy_serves() { # TEXT
	t_ok "$1: HAProxy starts" start_haproxy
	t_ok "$1: HAProxy serves" t_retry 60 is_served 11434
}

there() { # TAG PROVIDER-FLAG
	write_cluster '[web]'
	add_traefik "$1" "$2"
	converges "$1: all of it is made" bootstrap
	haproxy_serves "$1"
	t_ok "$1: Traefik serves" t_retry 60 is_served 80
	write_cluster '[web, old]'
	add_traefik "$1" "$2"
	hand_over
	t_run reconcile apply --dry-run
	t_like "$1: the plan says when the port goes over" "$t_out" "port 11434.* route/web"
	t_diag "$t_out"
	goes_over "$1, killed after every step" converges_although_killed
	comes_back "$1"
	vm gmktec sudo docker rm -f haproxy >/dev/null
}

made() { # TAG PROVIDER-FLAG
	write_cluster '[web]'
	sed -i '/^    route:/,$d' "$spec"
	converges "$1: no Traefik is there" bootstrap
	haproxy_serves "$1, made by the same commit"
	write_cluster '[old]'
	add_traefik "$1" "$2"
	hand_over
	t_run reconcile apply --dry-run
	t_like "$1: a new Traefik is made without the port" "$t_out" "port 11434, which container 'haproxy' has, follows"
	goes_over "$1, made by the same commit" converges
	t_is "$1: no rule is left" "$(vm gmktec 'sudo iptables -t raw -S' | grep RECONCILE)" ''
	vm gmktec sudo docker rm -f haproxy >/dev/null
}

both() { # TAG PROVIDER-FLAG
	t_ok "$1: images" "$t_root/tests/lab/images" --to 10.0.0.1:5000 lab/busybox:1 lab/haproxy:1 "lab/traefik:$1"
	for part in ${PART:-there made}; do
		"$part" "$1" "$2"
	done
}

t_ok "the machine starts" vm start gmktec
[ -z "${TRAEFIK_V2:-}" ] || both v2 --providers.docker.swarmMode=true
[ -z "${TRAEFIK_V3:-}" ] || both v3 --providers.swarm=true
