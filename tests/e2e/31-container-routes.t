#!/bin/bash
#
# keep_container_routes with real Traefik v2.11: what container labels route moves to a file of the file provider, a
# directory's or the existing one, before swarm mode drops it. Killed after every step, and with a file that Traefik
# does not take, the routes go on. Real only: the stand-in knows no file provider.

# shellcheck disable=SC2016 # Traefik's rules have backticks
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

[ -n "${TRAEFIK_V2:-}" ] || t_skip_all "TRAEFIK_V2 is not set: container routes need real Traefik v2.11"
t_in_lab

spec=$t_dir/cluster.yaml state=$t_dir/state trace=$t_dir/trace dir=/opt/traefik static=/opt/traefik/traefik.yml
"$t_root/tests/lab/images" lab/busybox:1 lab/traefik:v2 || exit 1
docker network create apps >/dev/null

cat >"$spec" <<YAML
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes:
  gmktec: { address: 10.99.0.1, role: manager }
traefik:
  container: traefik
  node: gmktec
  static_config: $static
  swarm_mode: true
  keep_container_routes: true
  api: http://127.0.0.1:8080
YAML

reconcile() { # OPTION...
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 300 "$RECONCILE" --state-dir "$state" "$@" "$spec"
}

code() { # HOST [CURL-OPTION...]
	local host=$1
	shift
	curl -s -m 5 -o /dev/null -w '%{http_code}' -H "Host: $host" "$@" http://127.0.0.1/
}

all_codes() {
	echo "$(code who.lan) $(code locked.lan) $(code locked.lan -u ops:secret) $(code shared.lan)"
}
readonly well="200 401 200 200"
turn=0

routers() {
	curl -s -m 5 http://127.0.0.1:8080/api/http/routers | jq -r '[.[] | select(.provider != "internal") | .name] | sort | join(" ")'
}

container() { # NAME DOCKER-OPTION...
	local name=$1
	shift
	docker run -d --name "$name" --network apps --restart unless-stopped -l traefik.enable=true "$@" \
		lab/busybox:1 sh -c "mkdir -p /www && echo $name >/www/index.html && exec httpd -f -p 8000 -h /www" >/dev/null
}

port() { # SERVICE
	echo "traefik.http.services.$1.loadbalancer.server.port=8000"
}

# PROVIDER: the lines below providers.file
before() { # PROVIDER
	docker rm -f traefik who locked shared-1 shared-2 >/dev/null 2>&1
	rm -rf "$dir" "$state"
	mkdir -p "$dir/dynamic"
	# What is put back to what it was again and again is contested: a cluster by another name knows of no earlier time.
	sed -i "s/^cluster: .*/cluster: shop$((++turn))/" "$spec"
	cat >"$static" <<-YML
		api: { insecure: true }
		entryPoints:
		  web: { address: ":80" }
		providers:
		  docker:
		    exposedByDefault: false # by label
		  file: { $1 }
	YML
	cat >"$dir/conf.yml" <<-'YML'
		# by hand
		http:
		  routers:
		    stats: { rule: "Host(`stats.lan`)", service: stats }
		  services:
		    stats: { loadBalancer: { servers: [{ url: "http://127.0.0.1:8080" }] } }
	YML
	cp "$static" "$t_dir/static" && cp "$dir/conf.yml" "$t_dir/conf"
	docker run -d --name traefik --network apps --restart unless-stopped -p 80:80 -p 8080:8080 \
		-v "$static:/etc/traefik/traefik.yml:ro" -v "$dir/dynamic:/etc/traefik/dynamic:ro" \
		-v "$dir/conf.yml:/etc/traefik/conf.yml:ro" -v /var/run/docker.sock:/var/run/docker.sock lab/traefik:v2 >/dev/null
	container who -l 'traefik.http.routers.who.rule=Host(`who.lan`)' -l "$(port who)"
	# htpasswd -nbs ops secret
	container locked -l 'traefik.http.routers.locked.rule=Host(`locked.lan`)' -l "$(port locked)" \
		-l traefik.http.routers.locked.middlewares=chained@docker \
		-l traefik.http.middlewares.chained.chain.middlewares=auth \
		-l 'traefik.http.middlewares.auth.basicauth.users=ops:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='
	for i in 1 2; do
		container "shared-$i" -l 'traefik.http.routers.shared.rule=Host(`shared.lan`)' -l "$(port shared)" \
			-l traefik.http.routers.shared.entrypoints=web
	done
	t_retry 30 is_well
	t_retry 30 both_are_listed # with one of them alone the route works, too, and is another one
}

both_are_listed() {
	[ "$(curl -s -m 5 http://127.0.0.1:8080/api/http/services/shared@docker | grep -o '"url"' | wc -l)" = 2 ]
}

is_well() {
	[ "$(all_codes)" = "$well" ]
}

# ---- to the end, by both ways ----

moves() { # WHAT FILE-ON-THE-HOST ROUTERS
	local what=$1 file=$2 mutations
	t_run reconcile --dry-run --detailed-exitcode
	t_is "$what: changes are pending" "$t_status" 2
	t_like "$what: the plan names routes and the file" "$t_out" "who@docker.*who@file in $file"
	t_like "$what: and middlewares" "$t_out" 'auth@docker \(middleware\)'
	t_ok "$what: a dry run leaves the static file" cmp "$static" "$t_dir/static"

	start_load
	t_run reconcile --yes
	end_load
	t_is "$what: it converges" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_is "$what: every route works" "$(all_codes)" "$well"
	t_is "$what: from the file" "$(routers)" "$3"
	t_ok "$what: requests failed only while Traefik restarted ($failed of $requests)" gap_is_short
	t_like "$what: swarm mode is on" "$(cat "$static")" 'swarmMode: true'

	# Names outlive addresses: the container comes back with another one.
	docker stop -t 0 who >/dev/null
	docker run -d --name squatter --network apps lab/busybox:1 sleep 1000 >/dev/null
	docker start who >/dev/null
	t_ok "$what: a container with a new address is found" t_retry 20 is_well
	docker rm -f squatter >/dev/null

	t_run reconcile --yes
	mutations=$(grep -E '"target":"(POST|PUT|DELETE|PATCH) |"event":"write"' "$trace" | t_not_shared)
	t_is "$what: the second run changes nothing" "$t_status $mutations" "0 "
}

# Requests one after the other, with the time of those that fail.
start_load() {
	rm -f "$t_dir/stop"
	while [ ! -e "$t_dir/stop" ]; do
		echo "$(code who.lan) $(date +%s%3N)"
	done >"$t_dir/load" &
	load=$!
}

end_load() {
	touch "$t_dir/stop"
	wait "$load"
	requests=$(wc -l <"$t_dir/load") failed=$(grep -vc '^200 ' "$t_dir/load")
}

# One interruption, the restart: nothing that failed is far from what failed before.
gap_is_short() {
	[ "$requests" -gt 20 ] && grep -v '^200 ' "$t_dir/load" | awk '
		NR == 1 { first = $2 }
		{ last = $2 }
		END { exit last - first > 15000 }'
}

before 'directory: /etc/traefik/dynamic'
moves directory "$dir/dynamic/reconcile-container-routes.yml" "locked@file shared@file who@file"
t_is "directory: it is root's alone, with the passwords in it" \
	"$(stat -c '%U %a' "$dir/dynamic/reconcile-container-routes.yml")" "root 600"

before 'filename: /etc/traefik/conf.yml'
inode=$(stat -c %i "$dir/conf.yml")
moves "single file" "$dir/conf.yml" "locked@file shared@file stats@file who@file"
t_is "single file: in the same inode" "$(stat -c %i "$dir/conf.yml")" "$inode"
t_like "single file: what was there stays" "$(cat "$dir/conf.yml")" '# by hand.*stats'
t_ok "single file: a copy was kept" cmp "$(ls "$state"/backup/dynamic-traefik-*)" "$t_dir/conf"

# ---- what Traefik does not take ----

before 'directory: /etc/traefik/dynamic'
echo 'http: [' >"$dir/dynamic/broken.yml" # a directory with such a file is refused as a whole
t_run reconcile --yes
t_is "a file that Traefik does not take is a failure" "$t_status" 1
t_like "which says so" "$t_out$t_err" 'does not take the routes of containers from /etc/traefik/dynamic'
t_is "nothing is left behind" "$(ls "$dir/dynamic")" broken.yml
t_ok "the static file is as it was" cmp "$static" "$t_dir/static"
t_is "every route goes on" "$(all_codes)" "$well"
rm "$dir/dynamic/broken.yml"
t_run reconcile --yes --retry
t_is "mended, it goes through" "$t_status $(all_codes)" "0 $well"
[ "$t_status" = 0 ] || t_show_run

# ---- killed before and after every step ----

for ((k = 1; k < 40; k++)); do
	before 'directory: /etc/traefik/dynamic'
	RECONCILE_KILL_AT=$k reconcile --yes >"$t_dir/.out" 2>&1 </dev/null
	status=$?
	[ "$status" = 137 ] || break
	t_ok "killed at $k: every route works" t_retry 20 is_well
	t_run reconcile --yes
	t_is "killed at $k: the next run finishes it" "$t_status $(all_codes) $(grep -c 'swarmMode: true' "$static")" "0 $well 1"
	[ "$t_status" = 0 ] || t_show_run
done
t_is "the last one came to its end" "$status" 0
[ "$status" = 0 ] || t_diag "$(cat "$t_dir/.out")"
t_ok "it was killed at each of its steps" test "$k" -gt 3
