#!/bin/bash
#
# Real Traefik as a Swarm service behind Swarm's own load balancer (published ports in ingress mode, which needs
# IP_VS), updated start-first under load: no request is lost. With stop-first some are: the load is seen to notice.

# shellcheck disable=SC2016 # Traefik's rules have backticks
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

[ -n "${TRAEFIK_V2:-}${TRAEFIK_V3:-}" ] || t_skip_all "neither TRAEFIK_V2 nor TRAEFIK_V3 is set: this needs real Traefik"
t_in_bed --memory 1024 --cpus 2

spec=$t_dir/cluster.yaml

reconcile() { # COMMAND [OPTION...]
	timeout -k 5 1500 "$RECONCILE" "$@" --state-dir "$t_dir/state" "$spec"
}

# Swarm sends nobody to a task before its health check holds. Traefik's /ping answers before it has asked Swarm for
# routes; here a router that comes from Swarm leads to it, so that the check holds when the routes are there.
write_spec() { # TAG PROVIDER-FLAG ORDER LOG-LEVEL
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
services:
  traefik:
    image: 10.0.0.1:5000/lab/traefik:$1
    command: [$2, "--entrypoints.web.address=:80", --api.insecure=true, --ping.manualRouting=true, --log.level=$4]
    ports: ["80:80", "8080:8080"]
    volumes: [{ type: bind, source: /var/run/docker.sock, target: /var/run/docker.sock, read_only: true }]
    networks: [front]
    healthcheck: { test: [CMD, wget, -q, --spider, "http://127.0.0.1/ready"], interval: 10s, timeout: 30s, start_period: 5m }
    deploy:
      labels:
        traefik.http.routers.ready.rule: Path(\`/ready\`)
        traefik.http.routers.ready.service: ping@internal
        traefik.http.services.ready.loadbalancer.server.port: "80" # a service of Swarm without one is skipped
        traefik.$([ "$1" = v2 ] && echo docker || echo swarm).lbswarm: "true" # a router although no task of it runs yet
      placement: { constraints: [node.role == manager] }
      update_config: { order: $3, monitor: 5s }
  web:
    image: 10.0.0.1:5000/lab/busybox:1
    command: [sh, -c, "mkdir /www && echo web >/www/index.html && exec httpd -f -p 80 -h /www"]
    networks: [front]
    deploy: { replicas: 2, update_config: { monitor: 5s } }
    route:
      rule: Host(\`web.lan\`)
      entrypoints: [web]
      port: 80
      healthcheck: { path: /index.html, interval: 10s, timeout: 5s }
traefik:
  service: traefik
  api: http://10.0.0.84:8080
YAML
}

code() {
	curl -s -m 30 -o /dev/null -w '%{http_code}\n' -H 'Host: web.lan' http://10.0.0.84/index.html
}

# One request after the other, a connection for each, until end_load.
start_load() {
	rm -f "$t_dir/stop"
	while [ ! -e "$t_dir/stop" ]; do
		code
		sleep 0.2
	done >"$t_dir/load" &
	client=$!
}

end_load() {
	touch "$t_dir/stop"
	wait "$client"
	requests=$(wc -l <"$t_dir/load") failed=$(grep -vcx 200 "$t_dir/load")
	[ "$failed" = 0 ] || t_diag "$failed of $requests: $(sort "$t_dir/load" | uniq -c | paste -sd ,)"
}

# An engine that starts something answers late on an emulated processor: a run may end before it has seen all.
converges() { # TEXT COMMAND...
	local text=$1
	shift
	for _ in 1 2 3 4; do
		t_run reconcile "$@" --yes --wait --timeout 20m
		[ "$t_status" != 0 ] || break
	done
	t_is "$text" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
}

under_load() { # TEXT
	start_load
	sleep 2
	converges "$1: it converges" apply
	end_load
}

is_served() {
	[ "$(code)" = 200 ]
}

as_a_service() { # TAG PROVIDER-FLAG
	t_ok "Traefik $1 is in the registry" "$t_root/tests/lab/images" --to 10.0.0.1:5000 lab/busybox:1 "lab/traefik:$1"
	write_spec "$1" "$2" start-first ERROR
	converges "$1: all of it is made" bootstrap
	t_ok "$1: the route is served" t_retry 60 is_served
	write_spec "$1" "$2" start-first INFO
	t_run reconcile apply --dry-run
	t_like "$1: the plan announces no gap" "$t_out" '1 task restarts \(start-first\)'
	under_load "$1: start-first"
	t_is "$1: start-first: no request of $requests is lost" "$failed" 0
	t_ok "$1: start-first: there was a load" test "$requests" -gt 50
	write_spec "$1" "$2" stop-first ERROR
	t_run reconcile apply --dry-run
	t_like "$1: with stop-first it does" "$t_out" '1 task restarts \(stop-first\): Traefik is away for 2 to 5 s'
	under_load "$1: stop-first"
	t_ok "$1: stop-first: requests are lost ($failed of $requests)" test "$failed" -gt 0
	t_run reconcile apply --dry-run --detailed-exitcode
	t_is "$1: nothing is left to do" "$t_status" 0
}

t_ok "the machine starts" vm start gmktec
[ -z "${TRAEFIK_V2:-}" ] || as_a_service v2 --providers.docker.swarmMode=true
[ -z "${TRAEFIK_V3:-}" ] || as_a_service v3 --providers.swarm=true
