#!/bin/bash
#
# Containers of other hosts, over real ssh: Traefik on a second manager, whose API listens on loopback there, joins an
# overlay network and is switched to Swarm mode, the route through it is verified, and then a container of a worker that
# has become quiet is stopped and removed. With the stand-in for Traefik, and with real ones where TRAEFIK_V2 and
# TRAEFIK_V3 name them.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab --nodes gmktec,hppavilion,wsasus

spec=$t_dir/cluster.yaml state=$t_dir/state trace=$t_dir/trace static=/opt/traefik/traefik.yml
docker node promote hppavilion >/dev/null
"$t_root/tests/lab/images" lab/busybox:1 || exit 1

cat >"$spec" <<YAML
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
ssh: { user: wizardsofts, become: true }
nodes:
  gmktec: { address: 10.0.0.84, role: manager }
  hppavilion: { address: 10.0.0.80, role: manager }
  wsasus: { address: 10.0.0.81 }
networks:
  front: { driver: overlay, attachable: true }
services:
  web:
    image: lab/busybox:1
    command: [sh, -c, "mkdir /tmp/w; hostname >/tmp/w/index.html; exec httpd -f -p 80 -h /tmp/w"]
    networks: [front]
    stop_grace_period: 1s
    deploy: { replicas: 2, endpoint_mode: dnsrr, update_config: { monitor: 1s } }
    route:
      rule: Host(\`web.lan\`)
      entrypoints: [web]
      port: 80
      healthcheck: { path: /index.html, interval: 2s, timeout: 1s }
traefik:
  container: traefik
  node: hppavilion
  static_config: $static
  swarm_mode: true
  networks: [front]
  api: http://127.0.0.1:8080
absent:
  old: { container: old, node: wsasus, after: [route/web], quiet: 4s, keep: 0s, stop_timeout: 1s }
YAML

reconcile() { # OPTION...
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 300 "$RECONCILE" --state-dir "$state" "$@" "$spec"
}

mutations() {
	grep -E '"target":"(POST|PUT|DELETE|PATCH) |"event":"write"' "$trace" | t_not_shared
}

# How often a host was asked for something.
calls() { # HOST
	grep -c "\"event\":\"exec\",\"target\":\"ssh [^\"]* -- $1 " "$trace"
}

code() { # HOST: what Traefik answers from outside
	curl -s -m 5 -o /dev/null -w '%{http_code}' -H "Host: $1" http://10.0.0.80/index.html
}

start_traefik() { # IMAGE
	lab-node hppavilion sh -s "$static" "$1" <<'SH'
mkdir -p "$(dirname "$1")"
cat >"$1" <<'YML'
# written by hand
api: { insecure: true }
entryPoints:
  web: { address: ":80" }   # plain
providers:
  docker:
    exposedByDefault: false
YML
docker run -d --name traefik --restart unless-stopped -p 80:80 -p 127.0.0.1:8080:8080 \
	-v "$1:/etc/traefik/traefik.yml:ro" -v /var/run/docker.sock:/var/run/docker.sock "$2" >/dev/null
SH
	t_retry 30 lab-node hppavilion busybox wget -q -O /dev/null http://127.0.0.1:8080/api/version
}

start_old() {
	lab-node wsasus docker run -d --name old --restart always -p 9000:80 lab/busybox:1 httpd -f -p 80 -h /bin >/dev/null
	t_retry 10 curl -sf -m 2 -o /dev/null http://10.0.0.81:9000/busybox
}

is_gone() { # NETWORK: an engine lists it for a while after it has left the swarm
	! docker network inspect "$1" && ! lab-node hppavilion docker network inspect "$1"
}

clean() {
	docker service rm web >/dev/null 2>&1
	lab-node hppavilion docker rm -f traefik >/dev/null 2>&1
	lab-node wsasus docker rm -f old >/dev/null 2>&1
	t_retry 20 docker network rm front
	t_retry 40 is_gone front
	rm -rf "$state"
	lab-node hppavilion rm -rf /opt/traefik
}

migrate() { # TRAEFIK-IMAGE WHAT-THE-FILE-SAYS-THEN
	local image=$1 inode
	"$t_root/tests/lab/images" "$image" || exit 1
	t_ok "$image: Traefik runs on the second host" start_traefik "$image"
	t_ok "$image: something to be removed runs on the third" start_old
	inode=$(lab-node hppavilion stat -c %i "$static")

	t_run reconcile --dry-run --detailed-exitcode
	t_is "$image: changes are pending" "$t_status" 2
	[ "$t_status" = 2 ] || t_show_run
	t_like "$image: Traefik joins the network there" "$t_out" 'update +container/traefik'
	t_like "$image: and is switched" "$t_out" 'update +traefik/traefik'
	t_like "$image: the old container waits for the route" "$t_out" 'remove +absent/old'
	t_is "$image: a dry run changes nothing" "$(mutations)" ""

	t_run reconcile --yes --wait --timeout 3m
	t_is "$image: it converges" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_like "$image: the file says so" "$(lab-node hppavilion cat "$static")" "$2"
	t_like "$image: with its comments" "$(lab-node hppavilion cat "$static")" '# written by hand'
	t_is "$image: in the same inode" "$(lab-node hppavilion stat -c %i "$static")" "$inode"
	t_ok "$image: a backup is here" test -n "$(ls "$state/backup")"
	t_like "$image: the container is on the network" \
		"$(lab-node hppavilion docker inspect -f '{{json .NetworkSettings.Networks}}' traefik)" '"front"'
	t_is "$image: the route works" "$(code web.lan)" 200
	t_is "$image: the old container is gone" "$(lab-node wsasus docker ps -aq --filter name=old)" ""

	t_run reconcile --yes
	t_is "$image: the second run changes nothing" "$t_status $(mutations)" "0 "
	t_is "$image: and asks the worker once" "$(calls wsasus)" 1
	t_run "$RECONCILE" status --state-dir "$state" "$spec"
	t_like "$image: status sees the route through ssh" "$t_out" 'web.* 2/2|web.*up'
	lab-node hppavilion usermod -aG docker wizardsofts
	DOCKER_HOST=ssh://wizardsofts@10.0.0.80 t_run reconcile --dry-run
	t_like "$image: an engine behind ssh, as docker takes it" "$t_status $t_out" \
		'^0 .*against ssh://wizardsofts@10\.0\.0\.80.*No changes'
	DOCKER_HOST=ssh://nobody@10.0.0.80 t_run "$RECONCILE" status --cluster none
	t_like "$image: where that user may not log in it is said" "$t_status $t_out$t_err" '^3 .*10\.0\.0\.80.*is not let in'
}

migrate lab/traefik:standin 'swarmMode: true'

# ---- quiet, unknown, gone: the container of a worker ----

# The route is looked at first, and on a slow machine its servers are down for a moment.
says() { # EXTENDED-REGULAR-EXPRESSION
	t_run reconcile --yes
	[[ "$t_status $t_out$t_err" =~ $1 ]]
}

start_old
t_retry 60 says '^3 .*(quiet for|watched since now)'
t_like "a container that was busy is watched by the connections of its own host" "$t_status $t_out$t_err" \
	'^3 .*(quiet for|watched since now)'
curl -sf -m 5 -o /dev/null http://10.0.0.81:9000/busybox
t_retry 60 says 'accepted 1 connection'
t_like "one more connection is seen" "$t_out$t_err" 'accepted 1 connection'
lab-fault wsasus network cut
t_run reconcile --dry-run
t_is "a host that cannot be reached is not one without the container" "$t_status" 3
t_like "it is blocked" "$t_out" 'blocked +absent/old'
lab-fault wsasus network join
lab-fault wsasus dockerd kill
t_run reconcile --dry-run
t_like "nor is one whose engine is down" "$t_out" 'blocked +absent/old'
t_like "which is said" "$t_out" "node 'wsasus': GET /containers/old/json: "
lab-fault wsasus dockerd start
t_ok "its engine is back" t_retry 30 lab-node wsasus docker inspect old
t_run reconcile --yes --wait --timeout 2m
t_is "then it is removed" "$t_status $(lab-node wsasus docker ps -aq --filter name=old)" "0 "
[ "$t_status" = 0 ] || t_show_run
clean

for v in 2 3; do
	variable=TRAEFIK_V$v
	if [ -n "${!variable:-}" ]; then
		migrate "lab/traefik:v$v" "$([ "$v" = 2 ] && echo 'swarmMode: true' || echo 'swarm:')"
		clean
	else
		t_skip "$variable is not set: real Traefik v$v was not tried" 20
	fi
done
