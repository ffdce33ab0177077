#!/bin/bash
#
# A complete route through real Traefik, v2.11 and v3: middlewares, TLS, a cookie, a priority, an entrypoint of its own
# for the clients of an old address; then updates and fewer replicas under load, which lose nothing with route.drain.
# And what Traefik must be spared: rules and entrypoints that would break a router that works.

# shellcheck disable=SC2016 # Traefik's rules have backticks
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

[ -n "${TRAEFIK_V2:-}${TRAEFIK_V3:-}" ] || t_skip_all "neither TRAEFIK_V2 nor TRAEFIK_V3 is set: routes need real Traefik"
t_in_lab

spec=$t_dir/cluster.yaml state=$t_dir/state static=/opt/traefik/traefik.yml
"$t_root/tests/lab/images" lab/busybox:1 || exit 1

reconcile() { # OPTION...
	timeout 400 "$RECONCILE" --state-dir "$state" "$@" "$spec"
}

write_spec() { # ROUTE-LINE...: the lines below route; $replicas, $text, $extra
	cat >"$spec" <<YAML
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes: { gmktec: { address: 10.99.0.1, role: manager } }
networks:
  front: { driver: overlay, attachable: true }
services:
  web:
    image: lab/busybox:1
    command:
      - sh
      - -c
      - mkdir -p /tmp/w/deep && echo $text | tee /tmp/w/index.html /tmp/w/deep/index.html >/dev/null && exec httpd -f -p 80 -h /tmp/w
    networks: [front]
    ${extra:-}
    deploy: { replicas: $replicas, endpoint_mode: dnsrr, update_config: { monitor: 1s, order: start-first } }
    route:
$(printf '      %s\n' "$@")
      port: 80
      healthcheck: { path: /index.html, interval: 2s, timeout: 1s }
traefik:
  container: traefik
  node: gmktec
  static_config: $static
  swarm_mode: true
  networks: [front]
  entrypoints: { old: { address: ":11434" } }
  api: http://127.0.0.1:8080
YAML
}

start_traefik() { # IMAGE
	mkdir -p /opt/traefik
	cat >"$static" <<-'YML'
		api: { insecure: true }
		entryPoints:
		  web:
		    address: ":80"
		  secure:
		    address: ":443"
		providers:
		  docker:
		    exposedByDefault: false
	YML
	echo 'ops:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=' >/opt/traefik/users # htpasswd -nbs ops secret
	docker run -d --name traefik --restart unless-stopped -p 80:80 -p 443:443 -p 8080:8080 -p 11434:11434 \
		-v /opt/traefik:/etc/traefik:ro -v /var/run/docker.sock:/var/run/docker.sock "$1" >/dev/null
	t_retry 30 curl -sf -m 2 http://127.0.0.1:8080/api/version
}

code() { # URL [CURL-OPTION...]
	curl -sk -m 5 -o /dev/null -w '%{http_code}' -H 'Host: web.lan' "$@"
}

# Bounded: four clients, one connection for each request, until end_load.
start_load() {
	rm -f "$t_dir/stop"
	clients=()
	for i in 1 2 3 4; do
		while [ ! -e "$t_dir/stop" ]; do
			code http://127.0.0.1/index.html
			echo " $(date +%T)"
		done >"$t_dir/load.$i" &
		clients+=($!)
	done
}

end_load() {
	touch "$t_dir/stop"
	wait "${clients[@]}"
	requests=$(cat "$t_dir"/load.* | wc -l) failed=$(cat "$t_dir"/load.* | grep -vc '^200 ')
	[ "$failed" = 0 ] || t_diag "failed: $(cat "$t_dir"/load.* | grep -v '^200 ' | sort -k2 | head -3 | paste -sd ';')"
}

under_load() { # WHAT
	start_load
	t_run reconcile --yes --wait --timeout 5m
	# Traefik asks Swarm every 15 s: what was stopped last is out of routing only then.
	sleep 20
	end_load
	t_is "$1: it converges" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
}

is_gone() { # NETWORK: the engine lists it for a while after it has left the swarm
	! docker network inspect "$1"
}

clean() {
	docker service rm web >/dev/null 2>&1
	docker rm -f traefik >/dev/null 2>&1
	t_retry 40 docker network rm front
	t_retry 40 is_gone front
	rm -rf "$state" /opt/traefik
}

complete() { # IMAGE
	local image=$1 replicas=2 text=one
	"$t_root/tests/lab/images" "$image" || exit 1
	t_ok "$image: Traefik runs" start_traefik "$image"
	write_spec 'rule: Host(`web.lan`) && PathPrefix(`/x`)' 'entrypoints: [secure, old]' 'priority: 500' 'tls: true' \
		'sticky: { cookie: { name: lb } }' \
		'middlewares: [{ basicauth: { usersfile: /etc/traefik/users } }, { ratelimit: { average: 5, period: 1m, burst: 5 } },' \
		'  { inflightreq: { amount: 50 } }, { stripprefix: { prefixes: [/x] } }, { retry: { attempts: 3, initialinterval: 50ms } }]'
	t_run reconcile --yes --wait --timeout 3m
	t_is "$image: a complete route converges" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_is "$image: without a password" "$(code https://127.0.0.1/x/deep/)" 401
	t_is "$image: with it, the prefix is taken away" "$(code https://127.0.0.1/x/deep/ -u ops:secret)" 200
	t_is "$image: the old address serves it, too" "$(code https://127.0.0.1:11434/x/ -u ops:secret)" 200
	t_is "$image: plain HTTP does not" "$(code http://127.0.0.1/x/ -u ops:secret)" 404
	t_like "$image: a cookie is set" "$(curl -sk -m 5 -D - -o /dev/null -u ops:secret -H 'Host: web.lan' https://127.0.0.1/x/)" 'lb='
	t_like "$image: the rate is limited" "$(for _ in 1 2 3 4 5 6 7 8; do code https://127.0.0.1/x/ -u ops:secret; done)" 429
	t_run reconcile --yes
	t_is "$image: nothing is left to do" "$t_status" 0
	t_like "$image: indeed" "$t_out" 'No changes'
}

draining() { # IMAGE
	local image=$1 replicas=3 text=one extra=
	write_spec 'rule: Host(`web.lan`)' 'entrypoints: [web]' 'drain: 20s'
	t_run reconcile --yes --wait --timeout 5m
	t_is "$image: the route drains" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	text=two
	write_spec 'rule: Host(`web.lan`)' 'entrypoints: [web]' 'drain: 20s'
	under_load "$image: an update"
	t_is "$image: no request of $requests is lost in an update" "$failed" 0
	replicas=1
	write_spec 'rule: Host(`web.lan`)' 'entrypoints: [web]' 'drain: 20s'
	under_load "$image: fewer replicas"
	t_is "$image: no request of $requests is lost with fewer replicas" "$failed" 0

	# The same without it, so that the load is seen to notice. Whether a request meets the moment is chance.
	extra='stop_grace_period: 1s' failed=0
	for ((tries = 0; tries < 4 && failed == 0; tries++)); do
		replicas=3
		write_spec 'rule: Host(`web.lan`)' 'entrypoints: [web]'
		reconcile --yes --wait --timeout 5m >"$t_dir/up" 2>&1 || t_diag "$(cat "$t_dir/up")"
		replicas=1
		write_spec 'rule: Host(`web.lan`)' 'entrypoints: [web]'
		start_load
		reconcile --yes --wait --timeout 5m >"$t_dir/down" 2>&1 || t_diag "$(cat "$t_dir/down")"
		sleep 20
		end_load
	done
	t_ok "$image: without drain requests are lost ($failed of $requests)" test "$failed" -gt 0
}

# Traefik as a service of the spec: created, its routes served, and an address of clients added to it.
write_service_spec() { # IMAGE PROVIDER-FLAG ENTRYPOINT...
	local image=$1 flag=$2
	shift 2
	cat >"$spec" <<YAML
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes: { gmktec: { address: 10.99.0.1, role: manager } }
networks:
  front: { driver: overlay, attachable: true }
services:
  traefik:
    image: $image
    command: [$flag, "--providers.docker.exposedByDefault=false", "--entrypoints.web.address=:80", --api.insecure=true]
    ports: [{ target: 80, published: 80, mode: host }, { target: 8080, published: 8080, mode: host }]
    volumes: [{ type: bind, source: /var/run/docker.sock, target: /var/run/docker.sock, read_only: true }]
    networks: [front]
    stop_grace_period: 2s
    deploy:
      endpoint_mode: dnsrr
      placement: { constraints: [node.role == manager] }
      update_config: { monitor: 1s }
  web:
    image: lab/busybox:1
    command: [sh, -c, "mkdir /www && echo web >/www/index.html && exec httpd -f -p 80 -h /www"]
    networks: [front]
    stop_grace_period: 1s
    deploy: { replicas: 2, endpoint_mode: dnsrr, update_config: { monitor: 1s } }
    route:
      rule: Host(\`web.lan\`)
      entrypoints: [$(IFS=,; echo "$*")]
      port: 80
      healthcheck: { path: /index.html, interval: 2s, timeout: 1s }
traefik:
  service: traefik
  api: http://127.0.0.1:8080
  entrypoints: $([ $# = 1 ] && echo '{}' || echo '{ old: { address: ":11434" } }')
YAML
}

as_a_service() { # IMAGE PROVIDER-FLAG
	local image=$1
	write_service_spec "$image" "$2" web
	t_run reconcile --yes --wait --timeout 3m
	t_is "$image as a service: all of it is made" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_is "$image as a service: the route is served" "$(code http://127.0.0.1/index.html)" 200
	write_service_spec "$image" "$2" web old
	t_run reconcile --yes --wait --timeout 3m
	t_is "$image as a service: an old address is added" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_is "$image as a service: by both" "$(code http://127.0.0.1/index.html) $(code http://127.0.0.1:11434/index.html)" "200 200"
	t_run reconcile --yes
	t_like "$image as a service: then nothing is left to do" "$t_status $t_out" '^0 .*No changes'
	handed_over "$@"
	docker service rm traefik >/dev/null
}

# A port of Swarm's load balancer that something under absent has: Traefik gets it when the route, which listens on nothing
# else, is seen to work. That it then does is for tests/vm, as it needs IP_VS.
handed_over() { # IMAGE PROVIDER-FLAG
	docker run -d --name old -p 12345:80 lab/busybox:1 sleep 1000 >/dev/null
	write_service_spec "$1" "$2" older
	sed -i -e 's/published: 8080, mode: host }\]/published: 8080, mode: host }, { target: 12345, published: 12345 }]/' \
		-e '/^  traefik:/,/^  web:/{/endpoint_mode/d}' -e 's/entrypoints: {}/entrypoints: { older: { address: ":12345" } }/' "$spec"
	printf 'absent:\n  old: { container: old, node: gmktec, after: [route/web] }\n' >>"$spec"
	t_run reconcile --yes
	t_like "$1 as a service: a port that something has is not taken at once" "$t_status $t_out" \
		"^3 .*waiting +service/traefik.*port 12345 comes to it when route/web works"
	t_ok "$1 as a service: but when each replica has answered" t_retry 60 is_due
	t_is "$1 as a service: what has it serves meanwhile" "$(docker inspect -f '{{.State.Status}}' old)" running
	docker rm -f old >/dev/null
}

is_due() {
	reconcile --dry-run | grep -q '^  ~ update   service/traefik'
}

spared() { # IMAGE RULE MESSAGE
	local image=$1 replicas=1 text=two extra='stop_grace_period: 1s'
	write_spec "rule: $2" 'entrypoints: [web]'
	t_run reconcile --yes
	t_is "$image: a rule of another version is blocked" "$t_status" 3
	t_like "$image: with what to write" "$t_out$t_err" "$3"
	write_spec 'rule: Host(`web.lan`)' 'entrypoints: [web, wbe]'
	t_run reconcile --yes
	t_like "$image: an entrypoint that is not there is blocked" "$t_status $t_out$t_err" "^3 .*no entrypoint 'wbe'"
	t_is "$image: the route goes on" "$(code http://127.0.0.1/index.html)" 200
}

for v in 2 3; do
	variable=TRAEFIK_V$v
	if [ -z "${!variable:-}" ]; then
		t_skip "$variable is not set: real Traefik v$v was not tried" 28
		continue
	fi
	complete "lab/traefik:v$v"
	draining "lab/traefik:v$v"
	if [ "$v" = 2 ]; then
		spared lab/traefik:v2 'Host(`web.lan`) && PathRegexp(`^/i`)' 'Traefik 2 has no PathRegexp'
	else
		spared lab/traefik:v3 'Host(`web.lan`, `www.lan`)' 'Host takes 1 value'
	fi
	clean
	as_a_service "lab/traefik:v$v" "$([ "$v" = 2 ] && echo --providers.docker.swarmMode=true || echo --providers.swarm=true)"
	clean
done
