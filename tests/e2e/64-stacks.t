#!/bin/bash
#
# Stack files: what `docker stack deploy` made is adopted without a restart and
# without any difference but our labels; what we made docker does not touch
# either; commits change it, and what leaves the file leaves the cluster.

# Perl in single quotes, and a variable of a stack file.
# shellcheck disable=SC2016
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

repo=$t_dir/repo
trace=$t_dir/trace

git_repo() {
	git -C "$repo" -c user.name=test -c user.email=test@example.net "$@" >/dev/null
}

commit() { # MESSAGE
	git_repo add -A
	git_repo commit -q -m "$1"
}

reconcile() {
	rm -f "$trace"
	TAG=1 PASSED=there RECONCILE_TRACE=$trace timeout 100 "$RECONCILE" --repo "$repo" --path infra/cluster.yaml \
		--allow-env TAG --allow-env PASSED --allow-env FILLED --state-dir "$t_dir/state" "$@"
}

# As an operator does it, where the file is.
deploy() { # FILE... STACK
	local args=() stack=${*: -1}
	for file in "${@:1:$#-1}"; do
		args+=(-c "$file")
	done
	(cd "$repo/infra/stacks" && TAG=1 PASSED=there FILLED=filled \
		docker stack deploy --resolve-image never "${args[@]}" "$stack") >"$t_dir/deploy.log" 2>&1 ||
		t_diag "$(cat "$t_dir/deploy.log")"
}

# Calls of the last run that changed something, with how often.
mutations() {
	grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace" |
		sed -E 's/"target":"//; s/"$//; s/[?].*//; s,/v[0-9.]+,,; s,[a-z0-9]{25},ID,' | sort | uniq -c | sed 's/^ *//'
}

tasks() { # STACK: all of them, also those that ended
	docker stack ps -q --no-trunc "$1" 2>/dev/null | sort
}

in_plan() { # PERL-EXPRESSION on the changes @c
	printf '%s' "$t_out" | perl -MJSON::PP -0777 -e '
		my $p = JSON::PP->new->utf8->decode(<STDIN>);
		my @c = @{$p->{changes}};
		print '"$1"
}

# The services' specs without our label, one a line.
specs() { # STACK
	docker service ls -q --filter "label=com.docker.stack.namespace=$1" | xargs docker service inspect | perl -MJSON::PP -0777 -e '
		my $json = JSON::PP->new->canonical->utf8;
		for my $s (sort { $a->{Spec}{Name} cmp $b->{Spec}{Name} } @{$json->decode(<STDIN>)}) {
			delete $s->{Spec}{Labels}{"io.reconcile.cluster"};
			print $json->encode($s->{Spec}), "\n";
		}'
}

settled() { # STACK
	[ -z "$(docker stack services --format '{{.Replicas}}' "$1" | awk '{ split($1, n, "/") } n[1] != n[2]')" ]
}

service() { # NAME FORMAT
	docker service inspect -f "$2" "$1"
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
docker network create --driver overlay outside >/dev/null
docker node update --label-add disk=ssd gmktec >/dev/null
echo known | docker secret create known - >/dev/null
docker volume create really-named >/dev/null

# Everything that docker stack deploy honours.
git init -q -b main "$repo"
mkdir -p "$repo/infra/stacks/logs" "$repo/shared"
echo hello >"$repo/infra/stacks/motd"
echo '{{ .Service.Name }}' >"$repo/infra/stacks/other.conf"
printf 'a secret' >"$repo/shared/pw"
printf '# a comment\nF1=a b # not one\nF2="q"\n\n  F3=\nSHARED=file\nPASSED\nUNKNOWN\n' >"$repo/infra/stacks/web.env"
cat >"$repo/infra/stacks/shop.yml" <<'YAML'
version: "3.9"
x-env: &env { SHARED: "1", OCTAL: 010, RATIO: 1.50 }
x-stays: &stays
  entrypoint: ["/bin/sh", "-c", "trap exit TERM; while :; do sleep 0.2; done"]
  stop_grace_period: 1s
services:
  web:
    <<: *stays
    image: lab/busybox:${TAG:-9}
    command: run "two words" --flag=$$HOME
    hostname: "web-{{.Task.Slot}}"
    environment:
      <<: *env
      A: "x=y"
      A1: b
      PASSED:
      FILLED: ""
      ALONE:
    env_file: web.env
    labels: [one=1, two]
    ports: ["8080:80", "8090-8092:90-92/udp", "7000", "6000-6002:60", { target: 443, published: 8443, mode: host }]
    volumes:
      - data:/data/
      - { type: volume, source: options, target: /options, volume: { nocopy: true } }
      - ./logs:/logs:ro
      - { type: tmpfs, target: /scratch, tmpfs: { size: 1048576 } }
      - { type: bind, source: /tmp, target: /t, consistency: cached, bind: { propagation: private } }
      - /anonymous
      - named:/named
    configs: [motd, { source: other, target: /etc/other.conf, uid: "103", gid: "104", mode: 0440 }]
    secrets: [pw, { source: known, target: known.txt, mode: 256 }]
    networks: { front: { aliases: [www] }, outside: null, back: {} }
    healthcheck: { test: "true", interval: 1s, retries: 5, start_period: 1s }
    extra_hosts: ["db.lan:10.1.1.1", "a.lan:10.1.1.2"]
    dns: [10.0.0.1, 1.1.1.1]
    dns_search: lan
    cap_add: [NET_ADMIN, SYS_TIME]
    cap_drop: [MKNOD]
    sysctls: { net.core.somaxconn: 1024 }
    ulimits: { nproc: 4096, nofile: { soft: 200, hard: 400 } }
    init: true
    user: "0:0"
    working_dir: /
    stop_signal: SIGTERM
    read_only: true
    tty: true
    stdin_open: true
    isolation: default
    logging: { driver: json-file, options: { max-size: 10m, max-file: 3 } }
    deploy:
      replicas: 1
      labels: { traefik.enable: "true", number: 1.0 }
      endpoint_mode: vip
      resources:
        limits: { cpus: "0.50", memory: 64M, pids: 100 }
        reservations: { cpus: "0.01", memory: 6M }
      placement:
        constraints: [node.role==manager, "node.labels.disk == ssd"]
        preferences: [{ spread: node.labels.zone }]
        max_replicas_per_node: 5
      update_config: { parallelism: 2, delay: 1s, failure_action: rollback, order: stop-first, monitor: 1s }
      rollback_config: { delay: 2s }
      restart_policy: { condition: on-failure, delay: 5s, max_attempts: 3, window: 120s }
  db:
    <<: *stays
    image: lab/busybox:1
    container_name: db
    restart: on-failure:3
    healthcheck: { disable: true }
    logging: {}
    deploy: { mode: global, update_config: { monitor: 1s }, resources: {} }
  host:
    <<: *stays
    image: lab/busybox:1
    restart: always
    networks: [hostnet]
    extra_hosts: { b: 10.0.0.1, a: 10.0.0.2 }
    deploy: { endpoint_mode: DNSRR, replicas: 2, update_config: { monitor: 1s } }
networks:
  front: { attachable: true, labels: { a: b }, ipam: { config: [{ subnet: 10.90.0.0/24 }] } }
  outside: { external: true }
  back: { internal: true, name: custom-back, driver_opts: { encrypted: "" } }
  hostnet: { external: true, name: host }
  unused: {}
volumes:
  data: { labels: { keep: 1 } }
  options: { driver: local, driver_opts: { type: tmpfs, device: tmpfs, o: size=1m } }
  named: { name: really-named, external: true }
configs:
  motd: { file: ./motd, labels: { x: 1 } }
  other: { file: other.conf, name: other-v1, template_driver: golang }
secrets:
  pw: { file: ../../shared/pw }
  known: { external: true }
YAML
# The spec's directory is what a spec may read: the stack's secret lies in it too.
mkdir -p "$repo/infra/shared" && mv "$repo/shared/pw" "$repo/infra/shared/pw"
sed -i 's,\.\./\.\./shared/pw,../shared/pw,' "$repo/infra/stacks/shop.yml"

spec() { # LINE...
	cat <<YAML
version: 1
cluster: lab
stacks:
  shop: { file: stacks/shop.yml, directory: $repo/infra/stacks }
YAML
	printf '%s\n' "$@"
}

deploy shop.yml shop
t_ok "docker deploys the stack" t_retry 60 settled shop
FILLED=filled
export FILLED
spec >"$repo/infra/cluster.yaml"
commit "the shop"
t_run reconcile --dry-run --json
t_is "a stack that nobody gave away is not taken" \
	"$t_status $(in_plan 'scalar(grep { $_->{state} ne "blocked" } @c), " of ", scalar(@c)')" "3 0 of 9"

spec 'policy: { adopt: [stack/shop] }' >"$repo/infra/cluster.yaml"
commit "adopt it"
tasks shop >"$t_dir/tasks"
specs shop >"$t_dir/before"
t_run reconcile --dry-run --json
t_is "the plan adopts its services, configs, secrets and networks" \
	"$t_status $(in_plan 'join(" ", map { "$_->{action}/$_->{state}/$_->{resource}" } sort { $a->{resource} cmp $b->{resource} } @c)')" \
	"0 adopt/ready/config/shop_motd adopt/ready/config/shop_other adopt/ready/network/shop_back adopt/ready/network/shop_default adopt/ready/network/shop_front adopt/ready/secret/shop_pw adopt/ready/service/shop_db adopt/ready/service/shop_host adopt/ready/service/shop_web"
t_is "no setting differs" "$(in_plan 'map { my $c = $_; map { "$c->{resource} $_->{path}\n" } @{$c->{fields}} } @c')" ""
t_is "no task would restart" "$(in_plan 'scalar(grep { $_->{restarts} } @c)')" 0
t_run reconcile --yes
t_is "adopting converges" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
# Configs hold the shared state too.
t_is "with one call for each service and secret" "$(mutations | grep -v /configs/)" \
	"$(printf '%s\n' '1 POST /secrets/ID/update' '3 POST /services/ID/update' | sort)"
t_is "no task restarted" "$(tasks shop)" "$(cat "$t_dir/tasks")"
t_is "nothing but our label was written" "$(specs shop)" "$(cat "$t_dir/before")"
t_run reconcile --dry-run --detailed-exitcode
t_is "then the plan is empty" "$t_status" 0
t_run reconcile --yes
t_is "the second run changes nothing" "$t_status $(mutations)" "0 "
deploy shop.yml shop
sleep 2
t_is "docker deploying the file again restarts nothing" "$(tasks shop)" "$(cat "$t_dir/tasks")"
t_run reconcile --dry-run --json
t_is "it takes our labels away, which is all that differs" \
	"$t_status $(in_plan 'scalar(grep { $_->{action} ne "adopt" || @{$_->{fields}} } @c)')" "0 0"
t_run reconcile --yes
t_is "they are put back" "$t_status" 0

# A commit.
echo "hello again" >"$repo/infra/stacks/motd"
sed -i 's/A1: b/A1: c/; s/order: stop-first, monitor: 1s/order: stop-first, monitor: 2s/' "$repo/infra/stacks/shop.yml"
sed -i 's/"8080:80", //; s/{ target: 443, published: 8443, mode: host }/"8443:443"/' "$repo/infra/stacks/shop.yml"
commit "another message, a variable, ports"
t_run reconcile --dry-run --json
t_is "the plan of a commit is that of its change" \
	"$(in_plan 'join(" ", map { "$_->{action}/$_->{resource}" } sort { $a->{resource} cmp $b->{resource} } @c)')" \
	"create/config/shop_motd update/service/shop_web"
t_run reconcile --yes
t_is "it goes in" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_is "content that docker could not change is a new config" \
	"$(docker exec "$(docker ps -q -f label=com.docker.swarm.service.name=shop_web | head -n 1)" cat /motd)" "hello again"
t_is "the variable is there, in docker's order" \
	"$(service shop_web '{{index .Spec.TaskTemplate.ContainerSpec.Env 0}} {{index .Spec.TaskTemplate.ContainerSpec.Env 1}}')" "A1=c A=x=y"
t_is "only tasks of that service changed" \
	"$(docker service ps -q --no-trunc shop_db shop_host | sort)" \
	"$(comm -12 "$t_dir/tasks" <(docker service ps -q --no-trunc shop_db shop_host | sort))"
t_run reconcile --dry-run --detailed-exitcode
t_is "and nothing is left to do" "$t_status" 0
echo hello >"$repo/infra/stacks/motd"
tasks shop >"$t_dir/changed"
git -C "$repo" checkout -q -- infra/stacks/motd

printf 'another secret' >"$repo/infra/shared/pw"
commit "another secret"
t_run reconcile --yes
t_is "a secret rotates too" "$t_status" 0
t_is "and is what the file says" \
	"$(docker exec "$(docker ps -q -f label=com.docker.swarm.service.name=shop_web | head -n 1)" cat /run/secrets/pw)" "another secret"

# What leaves the file.
perl -0777 -i -pe 's/  host:\n.*?(?=networks:\n  front)//s' "$repo/infra/stacks/shop.yml"
commit "without host"
t_run reconcile --dry-run --json
t_is "what leaves the file is pruned" \
	"$(in_plan 'join(" ", map { "$_->{action}/$_->{resource}" } @c)')" "delete/service/shop_host"
t_run reconcile --yes
t_is "and gone" "$t_status $(docker service ls -q -f name=shop_host)" "0 "

# The other way round: made here, then deployed by docker.
cat >"$repo/infra/stacks/base.yml" <<'YAML'
version: "3.8"
services:
  app:
    image: lab/busybox:1
    entrypoint: ["/bin/sh", "-c", "trap exit TERM; while :; do sleep 0.2; done"]
    environment: { A: one, B: two, B1: x }
    labels: { a: b }
    ports: ["9080:80", "9090:90"]
    cap_add: [NET_ADMIN]
    extra_hosts: ["z:10.0.0.2", "a:10.0.0.1"]
    healthcheck: { disable: true }
    configs: [message, { source: second, target: other }]
    volumes: ["alpha:/a", "zulu:/z"]
    stop_grace_period: 1s
    deploy:
      replicas: 2
      placement: { constraints: [node.role == manager] }
      restart_policy: { delay: 5s, condition: any }
      update_config: { monitor: 1s }
volumes: { alpha: {}, zulu: { driver_opts: {} } }
configs: { message: { file: motd }, second: { file: other.conf } }
YAML
cat >"$repo/infra/stacks/override.yml" <<'YAML'
version: "3.8"
services:
  app:
    environment: [B=, C=three]
    labels: { a: "" }
    ports: ["9080:81", "9070:70"]
    networks: { default: { aliases: [other] } }
    cap_add: [SYS_TIME]
    deploy: { placement: { constraints: [node.platform.os == linux] }, resources: { limits: { memory: 32M } } }
YAML
spec "  apps: { files: [stacks/base.yml, stacks/override.yml], after: [stack/shop] }" 'policy: { adopt: [stack/shop] }' \
	>"$repo/infra/cluster.yaml"
commit "a stack that is not there yet"
t_run reconcile --yes
t_is "a stack is made" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_ok "it runs" t_retry 30 settled apps
tasks apps >"$t_dir/tasks"
specs apps >"$t_dir/before"
deploy base.yml override.yml apps
sleep 3
t_is "docker finds nothing in it that restarts a task" "$(tasks apps)" "$(cat "$t_dir/tasks")"
t_is "and writes what was there" "$(specs apps)" "$(cat "$t_dir/before")"
t_unlike "it said nothing of a failure" "$(cat "$t_dir/deploy.log")" "rror|failed"

# A spec in review.
for hostile in '/etc/hostname' '../../../../etc/hostname' '../secret.yml'; do
	spec "  bad: { file: $hostile }" >"$repo/infra/cluster.yaml"
	commit "reads $hostile"
	t_run reconcile --dry-run
	t_is "a stack file outside the spec's directory is not read: $hostile" "$t_status" 4
done
printf 'services: { a: { image: "lab/busybox:1", env_file: ../../../../etc/passwd } }\n' >"$repo/infra/stacks/bad.yml"
spec "  bad: { file: stacks/bad.yml }" >"$repo/infra/cluster.yaml"
commit "reads a file"
t_run reconcile --dry-run
t_is "nor an env_file outside" "$t_status" 4
t_unlike "and nothing of it is shown" "$t_out$t_err" "root:"
printf 'services: { a: { image: "lab/busybox:1", environment: { A: "${SECRET:-}" } } }\n' >"$repo/infra/stacks/bad.yml"
commit "reads a variable"
SECRET=hidden t_run reconcile --dry-run
t_is "nor a variable that is not allowed" "$t_status" 4
t_unlike "or shown" "$t_out$t_err" "hidden"
printf 'services: { a: { image: "lab/busybox:1", environment: { SECRET: } } }\n' >"$repo/infra/stacks/bad.yml"
commit "takes a variable along"
SECRET=hidden t_run reconcile --dry-run
t_unlike "nor taken along" "$t_out$t_err" "hidden"
