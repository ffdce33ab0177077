#!/bin/bash
#
# From a commit to a converged Swarm: network, config, service; the second run
# changes nothing; label and replica changes restart no task; what leaves the
# spec leaves the cluster.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

repo=$t_dir/infrastructure
trace=$t_dir/trace

git_repo() {
	git -C "$repo" -c user.name=test -c user.email=test@example.net "$@" >/dev/null
}

commit() { # MESSAGE; the spec on stdin
	cat >"$repo/cluster.yaml"
	git_repo add -A
	git_repo commit -q -m "$1"
}

reconcile() {
	rm -f "$trace"
	RECONCILE_TRACE=$trace "$RECONCILE" --repo "$repo" --path cluster.yaml --state-dir "$t_dir/state" "$@"
}

# Calls of the last run that changed something.
mutations() {
	grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace" | sed -E 's/"target":"//; s/"$//; s/[?].*//'
}

# All calls of the last run, without queries.
calls() {
	grep -oE '"target":"[A-Z]+ /[^"?]*' "$trace" | sed -E 's/"target":"//; s,/v[0-9.]+,,' | sort | tr '\n' ' '
}

running_tasks() { # SERVICE
	docker service ps -q --no-trunc -f desired-state=running "$1" | sort
}

service() { # FORMAT
	docker service inspect -f "$1" web
}

spec() { # REPLICAS TEAM [LINE OF THE SERVICE...]
	local replicas=$1 team=$2
	shift 2
	cat <<YAML
version: 1
cluster: shop
nodes:
  gmktec: { address: 127.0.0.1, role: manager, labels: { disk: ssd } }
networks:
  front: { driver: overlay, attachable: true }
configs:
  motd: { file: motd }
services:
  web:
    image: lab/busybox:1
    command: [sleep, "1000"]
    networks: [front]
    configs: [{ source: motd, target: /etc/motd }]
    stop_grace_period: 1s
$(printf '    %s\n' "$@")
    deploy:
      replicas: $replicas
      endpoint_mode: dnsrr
      labels: { team: $team }
      placement: { constraints: [node.labels.disk == ssd] }
      update_config: { monitor: 1s }
YAML
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
git init -q -b main "$repo"
echo welcome >"$repo/motd"
spec 2 a 'environment: { A: "1", B: two }' 'labels: { shelf: top }' | commit "the shop"

t_run reconcile --dry-run --detailed-exitcode
t_is "a dry run says that changes are pending" "$t_status" 2
t_like "the plan names the commit" "$t_out" "commit $(git -C "$repo" rev-parse --short=12 HEAD)"
t_like "and the line of the spec" "$t_out" 'create +service/web +[^ ]*cluster.yaml:10'
t_is "and changes nothing" "$(mutations)" ""
t_ok "nor was anything made" test -z "$(docker service ls -q)"

t_run reconcile --yes
t_is "applying converges" "$t_status" 0
t_is "two tasks run" "$(running_tasks web | wc -l)" 2
t_is "the service is ours" "$(service '{{index .Spec.Labels "io.reconcile.cluster"}}')" shop
t_is "the node has its label" "$(docker node inspect -f '{{.Spec.Labels.disk}}' self)" ssd
t_is "in the order of references" "$(mutations | t_not_shared | sed -E 's,/v[0-9.]+,,; s,/[a-z0-9]{25}/,/ID/,' | sort | tr '\n' ' ')" \
	"POST /configs/create POST /configs/create POST /networks/create POST /nodes/ID/update POST /services/create "

tasks=$(running_tasks web)
t_run reconcile --dry-run --detailed-exitcode
t_is "the second dry run has nothing to do" "$t_status" 0
t_like "and says so" "$t_out" 'No changes'
t_run reconcile --yes
t_is "nor does the second run" "$t_status" 0
t_is "it makes no call that changes something" "$(mutations)" ""
t_is "and asks for each list once" "$(calls)" \
	"GET /configs GET /containers/json GET /info GET /networks GET /nodes GET /secrets GET /services HEAD /_ping "
before=$(find "$t_dir/state" -type f -exec sha256sum {} + | sort)
t_run reconcile --yes
t_is "and writes no file" "$(find "$t_dir/state" -type f -exec sha256sum {} + | sort)" "$before"

spec 2 b 'environment: { A: "1", B: two }' 'labels: { shelf: top }' | commit "another team"
t_run reconcile --dry-run
t_like "the plan of a label says that no task restarts" "$t_out" 'restarts tasks: no'
t_like "and why it changes" "$t_out" 'labels.team: "a" -> "b" +the spec changed'
t_run reconcile --yes
t_is "the label is set" "$(service '{{.Spec.Labels.team}}')" b
t_is "no task restarted" "$(running_tasks web)" "$tasks"

spec 3 b 'environment: { A: "1", B: two }' 'labels: { shelf: top }' | commit "one more"
t_run reconcile --dry-run
t_like "the plan of replicas says that no task restarts" "$t_out" 'restarts tasks: no'
t_run reconcile --yes
t_is "three tasks run" "$(running_tasks web | wc -l)" 3
t_is "the first two are the same" "$(comm -12 <(running_tasks web) <(echo "$tasks"))" "$tasks"

tasks=$(running_tasks web)
docker service update --detach --label-add team=stranger --label-add extra=1 web >/dev/null
t_run reconcile --dry-run
t_like "a change from outside is called drift" "$t_out" 'labels.team: "stranger" -> "b" +changed outside'
t_like "what the spec does not say goes" "$t_out" 'labels.extra: "1" -> \(removed\)'
t_run reconcile --yes
t_is "drift is repaired" "$(service '{{len .Spec.Labels}} {{.Spec.Labels.team}}')" "2 b"
t_is "without a restart" "$(running_tasks web)" "$tasks"

spec 3 b 'environment: { A: "1" }' 'init: true' 'volumes: [{ type: tmpfs, target: /scratch }]' \
	'ports: [{ target: 80, published: 18080, mode: host }]' | commit "more and less"
t_run reconcile --dry-run
t_like "the plan of a variable says that tasks restart" "$t_out" 'restarts tasks: yes'
# One host port, three replicas on one node: cannot converge, so one replica.
spec 1 b 'environment: { A: "1" }' 'init: true' 'volumes: [{ type: tmpfs, target: /scratch }]' \
	'ports: [{ target: 80, published: 18080, mode: host }]' | commit "one replica"
t_run reconcile --yes
t_is "it converges" "$t_status" 0
t_is "a variable that left the spec is gone" "$(service '{{.Spec.TaskTemplate.ContainerSpec.Env}}')" "[A=1]"
t_is "a container label that left is gone" "$(service '{{len .Spec.TaskTemplate.ContainerSpec.Labels}}')" 0
t_is "the mount is there" "$(service '{{len .Spec.TaskTemplate.ContainerSpec.Mounts}}')" 1

spec 1 b | commit "plain"
t_run reconcile --yes
t_is "removing keys converges" "$t_status" 0
t_is "variables, init, mounts are gone" \
	"$(service '{{with .Spec.TaskTemplate.ContainerSpec}}{{len .Env}} {{.Init}} {{len .Mounts}}{{end}}')" "0 <nil> 0"
t_is "the port is gone" "$(service '{{len .Spec.EndpointSpec.Ports}}')" 0
t_run reconcile --dry-run --detailed-exitcode
t_is "and nothing is left to do" "$t_status" 0

echo "welcome back" >"$repo/motd"
spec 1 b | commit "another message"
t_run reconcile --yes
t_is "a changed file is a new config" "$t_status" 0
t_is "the service uses it" "$(docker exec "$(docker ps -q -f label=com.docker.swarm.service.name=web | head -n 1)" \
	cat /etc/motd)" "welcome back"
t_is "the old one is kept for Swarm's rollback" "$(docker config ls -q --filter label=io.reconcile.cluster | wc -l)" 2

docker service create --detach --name stranger --no-resolve-image --replicas 0 lab/busybox:1 sleep 9 >/dev/null
{ spec 1 b && printf '  stranger: { image: "lab/busybox:1", command: [sleep, "1"], deploy: { replicas: 0 } }\n'; } |
	commit "a name that is taken"
t_run reconcile --yes
t_is "a service that somebody else made blocks" "$t_status" 3
t_like "and the plan says what to do" "$t_out" "policy.adopt"
t_is "it is not touched" "$(docker service inspect -f '{{.Spec.TaskTemplate.ContainerSpec.Args}}' stranger)" "[sleep 9]"

printf 'version: 1\ncluster: shop\nnodes: { gmktec: { address: 127.0.0.1, role: manager } }\n' | commit "nothing"
t_run reconcile --dry-run
t_like "what the spec no longer names is pruned" "$t_out" 'delete +service/web'
t_unlike "but nobody else's" "$t_out" 'stranger'
t_run reconcile
t_is "not without a word of consent" "$t_status" 1
t_is "so it is still there" "$(docker service ls -q -f name=web | wc -l)" 1
t_run reconcile --yes
t_is "with it, it is done" "$t_status" 0
t_is "services, networks and configs are gone, in that order" \
	"$(docker service ls -q -f name=web; docker network ls -q -f name=front; docker config ls -q --filter label=io.reconcile.cluster)" ""
t_is "the stranger stays" "$(docker service ls -q -f name=stranger | wc -l)" 1
