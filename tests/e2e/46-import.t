#!/bin/bash
#
# import on a real engine: 200 services made at random by the docker client, a stack, services that the spec has no
# words for. The spec that it prints adopts them as they are: no field differs, nothing but labels is written, no task
# restarts, and then its plan is empty. It changes nothing itself. SALT=n makes other services.

# shellcheck disable=SC2016 # Perl's variables, Traefik's backticks
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 37

gen=$BUILD/tests/e2e/gen
"$gen" head >/dev/null || exit 1
count=200
spec=$t_dir/cluster.yaml
trace=$t_dir/trace
cd "$t_dir" || exit 1

import() {
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 100 "$RECONCILE" import "$@"
}

apply() {
	timeout 120 "$RECONCILE" --state-dir "$t_dir/state" "$@" "$spec"
}

changes_of_import() {
	grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace"
}

in_plan() { # PERL-EXPRESSION on the plan $p
	printf '%s' "$t_out" | perl -MJSON::PP -0777 -e '
		my $p = JSON::PP->new->utf8->decode(<STDIN>);
		my @c = @{$p->{changes}};
		print '"$1"
}

# What the plan that was printed last does to what runs.
plan() {
	in_plan 'join " ", map { my $c = $_; "$c->{resource}:$c->{action}:$c->{state}", map { $_->{path} } @{$c->{fields}} }
		grep { $_->{action} ne "adopt" || $_->{state} ne "ready" || @{$_->{fields} || []} } @c'
}

services() { # PERL-EXPRESSION: what of $s
	docker service ls -q | xargs docker service inspect | perl -MJSON::PP -0777 -e '
		my $json = JSON::PP->new->canonical->utf8;
		for my $s (sort { $a->{Spec}{Name} cmp $b->{Spec}{Name} } @{$json->decode(<STDIN>)}) {
			print "$s->{Spec}{Name} ", $json->encode('"$1"'), "\n";
		}'
}

running_tasks() {
	docker ps -q --no-trunc --filter label=com.docker.swarm.service.name | sort
}

settled() { # what is no job has as many tasks as it wants
	[ -z "$(docker service ls --format '{{.Replicas}} {{.Mode}}' | awk '{ split($1, n, "/") } !/job/ && n[1] != n[2]')" ]
}

t_run import
t_is "an empty swarm is a spec, too" "$t_status $(head -n 2 <<<"$t_out" | tr '\n' ' ')" "0 version: 1 cluster: swarm "
printf '%s\n' "$t_out" >"$spec"
t_ok "that is valid" "$RECONCILE" validate "$spec"

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
"$gen" setup | bash -e >/dev/null
"$gen" cli s "$count" "${SALT:-1}" | bash -e >/dev/null
docker network create --driver overlay --attachable --subnet 172.30.0.0/24 --opt encrypted= chosen >/dev/null
docker run --detach --name lone lab/busybox:1 sleep 1000 >/dev/null
t_ok "the services run" t_retry 60 settled
t_run import --cluster shop
t_is "all of them are imported" "$t_status $t_err" "0 reconcile: $count services; its plan adopts what runs as it is"
t_is "and nothing was changed" "$(changes_of_import)" ""
printf '%s\n' "$t_out" >"$spec"
t_like "what nobody can read is named as it is" "$t_out" 'sec1:
    external: true'
t_like "a subnet that somebody chose is kept" "$t_out" 'chosen:
    driver: overlay
    attachable: true
    driver_opts:
      encrypted: ""
    ipam:
      config:
        - subnet: 172.30.0.0/24'
t_like "containers of others are named" "$t_out" '#   lone \(lab/busybox:1\), running'

t_run apply --dry-run --json
t_is "its plan changes no field" "$(plan)" ""
t_is "and adopts each" "$t_status $(in_plan 'scalar(@c)')" "0 $((count + 4))"
services '$s->{Spec}' >"$t_dir/before"
services '+{ id => $s->{ID}, created => $s->{CreatedAt} }' >"$t_dir/ids-before"
tasks=$(running_tasks)
t_run apply --yes
t_is "it converges" "$t_status" 0
services '$s->{Spec}' | sed -E 's/"io.reconcile.cluster":"shop",?//; s/,\}/}/' >"$t_dir/after"
t_ok "each is what it was, but for our label" cmp "$t_dir/before" "$t_dir/after"
services '+{ id => $s->{ID}, created => $s->{CreatedAt} }' >"$t_dir/ids-after"
t_ok "they are the same services" cmp "$t_dir/ids-before" "$t_dir/ids-after"
t_is "no task restarted" "$(running_tasks | comm -13 - <(echo "$tasks"))" ""
t_run apply --dry-run --detailed-exitcode --json
t_is "then the plan is empty" "$t_status $(in_plan 'scalar(@c)')" "0 0"
t_run import
t_is "imported again it is of the cluster whose label it carries" "$t_status $(sed -n 2p <<<"$t_out")" "0 cluster: shop"
t_like "and prunes nothing that the earlier spec made" "$t_out" 'prune: never'
printf '%s\n' "$t_out" >"$spec"
t_run apply --dry-run --detailed-exitcode --json
t_is "its plan is empty" "$t_status $(in_plan 'scalar(@c)')" "0 0"

# So that an empty plan means something.
docker service update --detach --env-add DRIFT=1 s0 >/dev/null
t_run apply --dry-run --json
t_like "a change after it was imported is seen" "$(plan)" 'service/s0:update:ready env'
docker service ls -q | xargs docker service rm >/dev/null

# What the spec has no words for
docker service create --detach --quiet --name odd --replicas 0 --no-resolve-image \
	--mount 'type=volume,source=remote,target=/remote,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs' \
	--mount type=volume,source=vol1,target=/labelled,volume-label=a=b \
	--mount type=bind,source=/etc,target=/etc2,bind-nonrecursive --label 'a=$HOME' \
	lab/busybox:1 sleep 1000 >/dev/null
docker service create --detach --quiet --name job --mode replicated-job --replicas 0 --max-concurrent 2 --restart-condition none \
	--no-resolve-image lab/busybox:1 true >/dev/null
docker service create --detach --quiet --name onhost --replicas 0 --network host --no-resolve-image lab/busybox:1 sleep 1 >/dev/null
t_run import --cluster shop
t_is "what has no words is left as it is" "$t_status" 0
t_like "and said" "$t_err" '[0-9]+ fields of services stand under `ignore`'
printf '%s\n' "$t_out" >"$spec"
t_run apply --dry-run --json
t_is "its plan changes no field" "$(plan)" ""
t_run apply --yes
t_is "it converges" "$t_status" 0
t_run apply --dry-run --detailed-exitcode --json
t_is "and then the plan is empty" "$t_status $(in_plan 'scalar(@c)')" "0 0"
t_like "the volume is still what it was" "$(docker service inspect -f '{{json .Spec.TaskTemplate.ContainerSpec.Mounts}}' odd)" \
	'"Options":\{"device":"tmpfs","type":"tmpfs"\}'
docker service rm odd job onhost >/dev/null

# What the spec refuses: a person decides.
docker service create --detach --quiet --name ollama --replicas 0 --no-resolve-image --health-cmd 'curl http://x' \
	ollama/ollama:0.17.0 >/dev/null
t_run import
t_is "a service that the spec would refuse is left to a person" "$t_status" 3
t_like "with the reason" "$t_err" 'error: .*has no curl'
docker service rm ollama >/dev/null

# Stacks
cat >"$t_dir/voting.yml" <<'YAML'
version: "3.8"
services:
  web:
    image: lab/busybox:1
    command: sleep 1000
    stop_grace_period: 1s
    environment: { A: "1" }
    volumes: [data:/data]
volumes:
  data:
YAML
docker stack deploy --resolve-image never -c "$t_dir/voting.yml" voting >/dev/null 2>&1
t_ok "a stack runs" t_retry 60 settled
t_run import --cluster shop
t_like "its services are imported one by one" "$t_out" 'voting_web:
    # of stack voting: `import --stack voting=FILE`'
printf '%s\n' "$t_out" >"$spec"
t_run apply --dry-run --json
t_is "whose plan changes no field" "$t_status $(plan)" "0 "
t_run import --cluster shop --stack voting=voting.yml
printf '%s\n' "$t_out" >"$spec"
t_is "or it is taken over from its files" "$t_status $(grep -c 'voting_web' <<<"$t_out") $(grep -A2 '^stacks' <<<"$t_out" | tr -d '\n')" \
	"0 0 stacks:  voting:    files:"
t_run apply --dry-run --json
t_is "whose plan changes no field either" "$(plan)" ""
t_run env DOCKER_HOST=unix:///nowhere.sock "$RECONCILE" import --no-cluster --cluster other --stack voting=voting.yml
t_is "from files alone no engine is asked" "$t_status $(sed -n 2p <<<"$t_out")" "0 cluster: other"
t_run env DOCKER_HOST=unix:///nowhere.sock "$RECONCILE" import --no-cluster --stack voting=nowhere.yml
t_is "a file that is not there is said" "$t_status" 3

t_run env DOCKER_HOST=unix:///nowhere.sock "$RECONCILE" import
t_is "without an engine there is nothing to print" "$t_status $t_out" "3 "
t_run import "$spec"
t_is "it reads no spec" "$t_status" 64
