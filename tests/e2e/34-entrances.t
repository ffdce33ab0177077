#!/bin/bash
#
# The whole migration in one commit, and its rollback, while requests come in through both entrances: HAProxy's old
# address and Traefik. The service is never without one; a container's route, which is there before and afterwards, fails only
# while Traefik itself restarts, and that gap is measured. Real HAProxy; real Traefik where TRAEFIK_V2 and TRAEFIK_V3
# name it, else the stand-in, which proves only the order.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

# shellcheck source=tests/e2e/entrances.sh
. "$t_root/tests/e2e/entrances.sh"

spec=$t_dir/cluster.yaml

reconcile() { # OPTION...
	timeout 300 "$RECONCILE" "$@" --state-dir "$t_dir/state" "$spec"
}

status_of() { # CONTAINER
	docker inspect -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' "$1"
}

# What was there before there was anything to migrate: the same Traefik.
write_old_spec() {
	cat >"$spec" <<'YAML'
version: 1
cluster: demo
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes: { gmktec: { address: 10.99.0.1, role: manager } }
traefik:
  container: traefik
  node: gmktec
  static_config: /opt/wizardsofts-megabuild/traefik/traefik.yml
  swarm_mode: false
  api: http://127.0.0.1:8080
policy: { prune: owned, max_deletions: 5 }
YAML
}

# Without `quiet`: under this load HAProxy never is, and it has to end all the same.
write_new_spec() { # KEEP-CONTAINER-ROUTES
	sed "s/keep_container_routes: false.*/keep_container_routes: $1/; /quiet:/d" "$t_root/examples/one-host-migration/cluster.yaml" >"$spec"
}

# Nothing through the container's route failed but in one gap, while Traefik restarted.
t_gap() { # TEXT
	local ms failures requests gaps
	read -r ms failures requests gaps < <(whoami_gap)
	t_diag "$1: whoami: $failures of $requests requests failed, the gap was $ms ms"
	t_ok "$1: the container's route fails only while Traefik restarts ($gaps gaps, $ms ms)" \
		test "$gaps" -le 1 -a "$ms" -le 15000 -a "$requests" -gt 20
}

migrate() { # TRAEFIK-IMAGE KEEP-CONTAINER-ROUTES
	local image=$1
	t_ok "$image: the state before is there" "$t_root/tests/lab/before" "$image"
	write_old_spec
	t_run reconcile --yes
	t_is "$image: as it is, it is in sync" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run

	write_new_spec "$2"
	t_run reconcile --dry-run
	t_like "$image: the plan says what is interrupted" "$t_out" 'Traefik restarts: 2 to 5 s without'
	load_start old new
	t_run reconcile --yes --wait --timeout 3m
	load_end
	t_is "$image: it converges under load" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_is "$image: HAProxy is gone" "$(status_of haproxy)" "exited no"
	t_is "$image: the service always had an entrance ($(wc -l <"$t_dir/load.service") requests)" "$(unreachable)" ""
	t_is "$image: the old address ended once" "$(turns)" 1
	[ "$image" = lab/traefik:standin ] || t_gap "$image"

	load_start old new
	t_run reconcile rollback --yes --wait --timeout 3m
	load_end
	t_is "$image: the rollback converges under load" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_is "$image: HAProxy is back" "$(status_of haproxy)" "running unless-stopped"
	t_is "$image: the lone Ollama, too" "$(status_of hadith-ollama)" "running unless-stopped"
	t_is "$image: the service is gone" "$(docker service ls -q)" ""
	t_is "$image: on the way back it always had an entrance ($(wc -l <"$t_dir/load.service") requests)" "$(unreachable)" ""
	t_is "$image: the old address came back once" "$(turns)" 1
	t_is "$image: the container's route works" "$(answer 80 whoami.lan /)" 200
	[ "$image" = lab/traefik:standin ] || t_gap "$image, rollback"
	docker rm -f traefik haproxy hadith-ollama autoscaler whoami >/dev/null 2>&1
	t_retry 20 docker network rm wizardsofts-megabuild_gibd-network
	rm -rf "$t_dir/state" /etc/exports.d
	docker config ls -q | xargs -r docker config rm >/dev/null
	docker network ls -q --filter name=ollama-network | xargs -r docker network rm >/dev/null
}

migrate lab/traefik:standin false
for v in 2 3; do
	variable=TRAEFIK_V$v
	if [ -n "${!variable:-}" ]; then
		migrate "lab/traefik:v$v" true
	else
		t_skip "$variable is not set: real Traefik v$v was not tried" 17
	fi
done
