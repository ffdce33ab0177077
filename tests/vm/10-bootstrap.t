#!/bin/bash
#
# Four Debian hosts with nothing but sshd, as virtual machines with systemd, a kernel's NFS and IP_VS: one command takes
# them to a converged cluster, a second one changes nothing; reboots and a server that is away for a minute are survived.
# Ollama and Traefik are stand-ins under the names of the spec; nothing is said about the real ones here.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

t_in_bed

spec=$t_dir/cluster.yaml

cat >"$spec" <<'YAML'
version: 1
cluster: fresh
swarm: { default_addr_pool: [10.64.0.0/14] }
ssh: { user: ops, become: true }
engine: { daemon: { insecure-registries: ["10.0.0.1:5000"] } }
nodes:
  gmktec:     { address: 10.0.0.84, role: manager, labels: { ollama: "true" } }
  hppavilion: { address: 10.0.0.80, role: worker,  labels: { ollama: "true" } }
  wsasus:     { address: 10.0.0.81, role: worker,  labels: { ollama: "true" } }
  hpr:        { address: 10.0.0.82, role: worker,  labels: { ollama: "true" }, optional: true }
nfs:
  ollama-models:
    server: hppavilion
    path: /opt/ollama-models
    mode: "0755"
    export: { options: [ro, root_squash, no_subtree_check] }
    mount:
      path: /opt/ollama-models
      nodes: [gmktec, wsasus, hpr]
      options: [ro, hard, nofail, nfsvers=4.2]
networks:
  edge: { driver: overlay, attachable: true }
models: { store: ollama-models, present: ["mistral:7b"] }
services:
  traefik:
    image: 10.0.0.1:5000/lab/traefik:standin
    environment: { STANDIN_VERSION: 3.6.1 }
    command: [--providers.swarm.network=edge, "--entrypoints.web.address=:80", --api=true]
    ports: [{ target: 80, published: 80, mode: host }, { target: 8080, published: 8080, mode: host }]
    volumes: [{ type: bind, source: /var/run/docker.sock, target: /var/run/docker.sock, read_only: true }]
    networks: [edge]
    deploy: { mode: global, placement: { constraints: [node.role == manager] } }
  ollama:
    image: 10.0.0.1:5000/lab/ollama:1
    environment: { OLLAMA_NOPRUNE: "1", OLLAMA_HOST: "0.0.0.0:11434" }
    volumes:
      - { type: bind, source: /opt/ollama-models/models, target: /root/.ollama/models, read_only: true }
    networks: [edge]
    healthcheck: { test: [CMD, ollama, show, "mistral:7b"], interval: 10s, timeout: 10s, start_period: 2m }
    stop_grace_period: 5s
    deploy:
      replicas: 4
      placement: { constraints: [node.labels.ollama == true], max_replicas_per_node: 1 }
      update_config: { parallelism: 1, failure_action: rollback, monitor: 5s }
  mesh:
    image: 10.0.0.1:5000/lab/busybox:1
    command: [sh, -c, "mkdir /www && hostname >/www/index.html && exec httpd -f -p 8000 -h /www"]
    ports: ["8000:8000"]
    deploy: { replicas: 2, update_config: { monitor: 5s } }
YAML

reconcile() { # COMMAND [OPTION...]
	local command=$1
	shift
	timeout -k 5 1500 "$RECONCILE" "$command" --yes --state-dir "$t_dir/state" "$@" "$spec"
}

seconds() { # TEXT COMMAND...
	local start=$SECONDS text=$1
	shift
	t_ok "$text" "$@"
	t_diag "$text: $((SECONDS - start)) s"
}

# The machines are busy with their tasks for a while, and then a probe does not come to its end in time.
no_change() { # TEXT
	t_retry 240 in_sync
	t_run timeout -k 5 300 "$RECONCILE" --dry-run --detailed-exitcode --state-dir "$t_dir/state" "$spec"
	t_is "$1" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
}

# An automount: looking at it mounts it.
mounted() { # NODE
	vm "$1" 'ls /opt/ollama-models/models/manifests; findmnt -n -t nfs4 -o SOURCE,OPTIONS /opt/ollama-models'
}

in_sync() {
	timeout -k 5 300 "$RECONCILE" --dry-run --detailed-exitcode --state-dir "$t_dir/state" "$spec"
}

running() { # SERVICE COUNT
	[ "$(vm gmktec "sudo docker service ps -q --filter desired-state=running $1 | xargs -r sudo docker inspect -f '{{.Status.State}}' | grep -c running")" = "$2" ]
}

seconds "four bare hosts start" vm start
for node in gmktec hppavilion wsasus hpr; do
	# shellcheck disable=SC2016
	t_is "$node has neither Docker nor NFS" \
		"$(vm "$node" 'for p in dockerd exportfs mount.nfs; do command -v $p || sudo sh -c "command -v $p"; done; systemctl is-system-running')" running
done
t_ok "the images are in the registry" "$t_root/tests/lab/images" --to 10.0.0.1:5000 lab/busybox:1 lab/ollama:1 lab/traefik:standin

t_run timeout -k 5 300 "$RECONCILE" bootstrap --dry-run --state-dir "$t_dir/state" "$spec"
t_like "the plan of bare hosts says what will be installed" "$t_out" 'docker\.io'
t_run timeout -k 5 300 "$RECONCILE" --yes --state-dir "$t_dir/state" "$spec"
t_is "a plain pass installs nothing" "$t_status" 3
t_like "and says what does" "$t_out$t_err" 'reconcile bootstrap'

seconds "bootstrap takes them all the way" reconcile bootstrap --wait --timeout 24m
[ "$t_status" = 0 ] || t_show_run
no_change "the second run has nothing to change"
for node in gmktec wsasus hpr; do
	t_like "$node has the models, read-only" "$(mounted "$node" 2>&1)" 'registry\.ollama\.ai.*10\.0\.0\.80:/opt/ollama-models .*ro,'
	t_not_ok "nothing can be written there" vm "$node" 'sudo touch /opt/ollama-models/x'
done
t_ok "one model server on each host" t_retry 120 running ollama 4
for address in 10.0.0.84 10.0.0.80 10.0.0.81 10.0.0.82; do
	t_ok "the ingress mesh answers at $address" t_retry 60 curl -sf -m 5 "http://$address:8000/"
done

seconds "a client reboots" vm reboot wsasus
t_like "its mount is back" "$(mounted wsasus 2>&1)" '10\.0\.0\.80:/opt/ollama-models .*ro'
t_ok "its task is back" t_retry 180 running ollama 4
no_change "nothing is to be done after that"

seconds "the server reboots" vm reboot hppavilion
t_ok "its task is back, and the others" t_retry 240 running ollama 4
for node in gmktec wsasus hpr; do
	t_ok "$node sees the models again" t_retry 120 mounted "$node"
done
no_change "nothing is to be done after that either"

vm freeze hppavilion
start=$SECONDS
t_run reconcile apply
t_is "with the NFS server away the run ends with 3" "$t_status" 3
t_ok "within its deadlines" test "$((SECONDS - start))" -lt 120
t_diag "a run with the server away: $((SECONDS - start)) s"
t_like "it says that the mount hangs" "$t_out$t_err" 'mount/ollama-models@'
t_like "and who is not reached" "$t_out$t_err" 'hppavilion'
for node in gmktec wsasus; do
	t_ok "Docker on $node is up" vm "$node" 'timeout 20 sudo docker info >/dev/null'
done
[ $((SECONDS - start)) -ge 60 ] || sleep $((60 - SECONDS + start))
vm thaw hppavilion
no_change "with the server back the cluster recovers by itself"
t_ok "all tasks run" t_retry 240 running ollama 4
