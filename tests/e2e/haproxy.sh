# shellcheck shell=bash
#
# What the tests of HAProxy's removal share: a real HAProxy in front of an application, in the forms that it is found in.
# Source it after lib.sh, in a lab.

spec=$t_dir/cluster.yaml trace=$t_dir/trace files=/opt/haproxy

reconcile() { # OPTION...
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout -k 1 100 "$RECONCILE" "$@" --state-dir "$t_dir/state"
}

apply() { # OPTION...
	reconcile --yes "$@" "$spec"
}

mutations() {
	grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace" | t_not_shared
}

status_of() { # CONTAINER
	docker inspect -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' "$1"
}

answers() { # PORT
	curl -sf -m 5 -o /dev/null "http://127.0.0.1:$1/"
}

write_config() { # SERVER-OF-THE-SECOND-BACKEND [LINE]
	mkdir -p $files
	cat >$files/haproxy.cfg <<EOF
global
    ${2:-stats socket /tmp/haproxy.sock mode 600 level operator}
defaults
    mode http
    timeout connect 5s
    timeout client 10m
    timeout server 10m
frontend web
    bind :8000
    default_backend web
frontend old
    bind :8001
    default_backend old
backend web
    server one app:8080 check inter 200ms
backend old
    server two $1
frontend stats
    bind :8404
    stats enable
    stats uri /stats
    stats auth someone:verysecret
EOF
}

start_app() {
	docker network create edge >/dev/null
	docker run -d --name app --network edge lab/busybox:1 \
		sh -c 'mkdir -p /www/cgi-bin && echo app >/www/index.html &&
			printf "#!/bin/sh\necho; sleep 4; echo slow\n" >/www/cgi-bin/slow &&
			printf "#!/bin/sh\necho; sleep 300\n" >/www/cgi-bin/endless && chmod +x /www/cgi-bin/* &&
			exec httpd -f -p 8080 -h /www' >/dev/null
}

start_container() { # OPTION...
	docker run -d --name haproxy --network edge --restart unless-stopped -p 8000:8000 -p 8001:8001 -p 8404:8404 \
		-v "$files/haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro" "$@" lab/haproxy:1 >/dev/null
	t_retry 20 answers 8000
}

write_spec() { # YAML-LINE-OF-THE-ENTRY...
	cat >"$spec" <<EOF
version: 1
cluster: lab
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes: { gmktec: { address: 10.99.0.1, role: manager } }
absent:
  haproxy:
EOF
	printf '    %s\n' "$@" >>"$spec"
}

# Before there was anything to remove: what a rollback goes back to.
write_old_spec() {
	printf '%s\n' 'version: 1' 'cluster: lab' 'swarm: { default_addr_pool: [10.64.0.0/14] }' \
		'nodes: { gmktec: { address: 10.99.0.1, role: manager, labels: { turn: "'"$1"'" } } }' >"$spec"
}

clean() {
	docker service rm lb >/dev/null 2>&1
	docker rm -f haproxy app scaler >/dev/null 2>&1
	t_retry 30 docker network rm edge
	docker config ls -q | xargs -r docker config rm >/dev/null
	rm -rf "$t_dir/state"
}

# Labels as Compose gives them, as options: no docker compose is here.
compose() { # SERVICE
	printf -- '-l com.docker.compose.%s ' project=mega "service=$1" project.working_dir=/opt/mega \
		project.config_files=/opt/mega/docker-compose.yml
}

accept='accept: [backend/web, backend/old]'
