#!/bin/bash
#
# What can be seen: history and show (the record of this machine), status and its --watch, when all is
# well, when tasks fail, while a run is at work and after it was killed, with an engine that is away or
# stopped, as another user, on narrow terminals, with 200 services. Looking changes nothing.

# shellcheck disable=SC2016 # Perl's variables
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

spec=$t_dir/cluster.yaml state=$t_dir/state trace=$t_dir/trace
chmod 755 "$t_dir"

spec() { # WEB'S COMMAND [LINE OF WEB...]
	local command=$1
	shift
	cat >"$spec" <<YAML
version: 1
cluster: shop
nodes:
  gmktec: { address: 10.99.0.1, role: manager }
services:
  api:
    image: lab/busybox:1
    command: [sleep, "1000"]
    stop_grace_period: 1s
    deploy: { replicas: 1, update_config: { monitor: 1s } }
  web:
    image: lab/busybox:1
    command: $command
    stop_grace_period: 1s
    labels: { color: blue }
$(printf '    %s\n' "$@")
    deploy: { replicas: 2, update_config: { monitor: 1s } }
YAML
}

reconcile() { # COMMAND OPTION...
	local command=$1
	shift
	timeout 60 "$RECONCILE" "$command" --state-dir "$state" "$@"
}

# Perl with the JSON document that the last run printed as $p.
json() {
	perl -MJSON::PP -0 -e 'my $p = decode_json(<STDIN>); my %s = map { $_->{name} => $_ } @{$p->{services} || []};'" $1" <<<"$t_out"
}

# What is in the files of a directory, and when they were changed.
fingerprint() {
	find "$1" -type f -printf '%p %T@ ' -exec sha256sum {} + 2>/dev/null | sort
}

t_ok "the images are made" "$t_root/tests/lab/images" lab/busybox:1 lab/traefik:standin
spec '[sleep, "1000"]'

# Before anything was done.
t_run reconcile history "$spec"
t_is "no run yet: exit 0" "$t_status" 0
t_like "it is said" "$t_out" 'No run has changed anything yet'
t_run reconcile history --json "$spec"
t_is "an empty list for machines" "$(json 'print scalar @{$p->{runs}}')" 0
t_run reconcile show "$spec"
t_is "there is nothing to show: exit 1" "$t_status" 1
t_run reconcile status "$spec"
t_is "nothing is there yet: exit 3" "$t_status" 3
t_like "the services are missing" "$t_out" 'api +absent.*
.*web +absent'
t_ok "nothing was made by looking" test ! -e "$state"

# All is well.
t_run reconcile apply --yes "$spec"
t_is "the cluster converges" "$t_status" 0
before=$(fingerprint "$state")
export RECONCILE_TRACE=$trace
t_run reconcile status "$spec"
unset RECONCILE_TRACE
t_is "all is well: exit 0" "$t_status" 0
t_like "it is said" "$t_out" 'Cluster shop: all is well'
t_like "what was applied, and when" "$t_out" 'applied +[^ ]*cluster.yaml, 20[0-9-]+ [0-9:]+ UTC \([0-9]+s ago\)'
t_like "the last run" "$t_out" 'last run +1 \(apply\), .*: converged, 2 done'
t_like "services with their tasks" "$t_out" 'web +running +2/2 +replicated +lab/busybox:1'
t_like "nodes" "$t_out" 'gmktec +ready +manager \(leader\) +active +10\.99\.0\.1'
t_is "one round of calls, none of which changes anything" "$(grep -c '"event":"http"' "$trace") $(grep -cE '"(POST|PUT|DELETE) ' "$trace")" "5 0"
t_run reconcile status --json "$spec"
t_is "as JSON" "$(json 'print join " ", $p->{format}, $p->{health}, $s{web}{running}, $s{web}{desired}, $s{web}{state}, $p->{nodes}[0]{state}')" \
	"1 ok 2 2 running ready"
t_run reconcile status --cluster shop
t_is "without the spec, too" "$t_status" 0
t_like "the same services" "$t_out" 'web +running +2/2'
t_is "looking wrote nothing" "$(fingerprint "$state")" "$before"

# History and show.
t_run reconcile history "$spec"
t_like "a line for the run" "$t_out" 'RUN +STARTED.*
1 +20[0-9-]+ [0-9:]+ UTC +[0-9]+s +apply +[^ ]*cluster.yaml +2 done +converged'
t_run reconcile show "$spec"
t_is "the last run is shown" "$t_status" 0
t_like "with its plan" "$t_out" 'Plan 1:
    create   service/api'
t_like "its steps" "$t_out" 'UTC +[0-9.]+s +create +service/web +done'
t_like "and its end" "$t_out" 'converged 20.* UTC, exit status 0'
t_run reconcile show 1 --json --cluster shop
t_is "as JSON" "$(json 'print join " ", $p->{run}, $p->{kind}, $p->{exit_status}, scalar @{$p->{steps}}, $p->{plans}[0]{plan}{changes}[0]{action}')" \
	"1 apply 0 2 create"
t_run reconcile show 99 "$spec"
t_is "a run that is not there: exit 1" "$t_status" 1
t_like "it is said" "$t_err" 'there is no run 99'
t_run reconcile show
t_is "a state directory that is named needs no spec" "$t_status" 0
for arguments in 'history -n 0' 'history -n x' 'history --bogus' 'status a b' 'status --cluster shop x' 'show 1 2 3'; do
	read -ra words <<<"$arguments"
	t_run reconcile "${words[@]}"
	t_is "'$arguments' is a usage error" "$t_status" 64
done

# Without root, with what that user may read.
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups timeout 60 "$RECONCILE" "$@"
}
t_run as_nobody history --state-dir "$state"
t_is "another user, a private state: exit 1" "$t_status" 1
t_like "it is said" "$t_err" "state $state/state.db: Permission denied"
t_run as_nobody status --state-dir "$state" "$spec"
t_is "another user without the engine's socket: exit 3 or 1" "$((t_status == 3 || t_status == 1))" 1
t_like "both are said" "$t_out" 'unknown +engine: .*ermission denied.*
.*unknown +last run: .*Permission denied'
chmod 755 "$state" && chmod 644 "$state/state.db"
t_run as_nobody history --state-dir "$state"
t_is "another user, a readable state" "$t_status" 0
t_like "the history is read" "$t_out" 'converged'
chmod 700 "$state" && chmod 600 "$state/state.db"

# A state that is broken, or of another version.
cp "$state/state.db" "$t_dir/good.db"
head -c 4096 /dev/urandom >"$state/state.db"
t_run reconcile history "$spec"
t_is "a damaged state: exit 1" "$t_status" 1
t_like "what to do" "$t_err" 'move it away to start anew'
t_run reconcile status "$spec"
t_is "the status does without" "$t_status" 0
t_like "and says so" "$t_out" 'unknown +last run: state .*move it away'
cp "$t_dir/good.db" "$state/state.db"

# Suspended, waiting.
t_run reconcile suspend --reason 'moving disks' --for 2h "$spec"
t_is "suspended" "$t_status" 0
t_run reconcile status "$spec"
t_like "who, until when, why" "$t_out" 'suspended +by [^ ]*@gmktec since .* UTC until .* UTC: moving disks'
t_is "that alone is no failure" "$t_status" 0
t_run reconcile resume "$spec"
t_is "resumed" "$t_status" 0

# A run at work, and one that was killed.
mkdir "$t_dir/gate"
spec '[sleep, "1000"]' "volumes: ['$t_dir/gate:/gate']" \
	'healthcheck: { test: [CMD, test, -f, /gate/open], interval: 500ms, start_period: 10m }'
timeout 60 "$RECONCILE" --yes --state-dir "$state" "$spec" >"$t_dir/run.out" 2>&1 </dev/null &
pid=$!
t_ok "a run waits for a service" t_retry 20 grep -q 'service/web: .*tasks running' "$t_dir/run.out"
t_run reconcile history "$spec"
t_like "the history says that it is at work" "$t_out" '2 +20.* - +apply +[^ ]*cluster.yaml +nothing +at work'
t_run reconcile status "$spec"
t_like "so does the status" "$t_out" 'at work +pid [0-9]+ on gmktec
'
t_like "the service is being updated" "$t_out" 'web +(updating|starting) '
t_is "not ready: exit 3" "$t_status" 3
worker=$(pgrep -P "$pid")
kill -KILL "$worker"
wait "$pid" 2>/dev/null
t_run reconcile history -n 1 "$spec"
t_like "then it was killed" "$t_out" '2 +20.* +killed$'
t_is "one run as was asked" "$(wc -l <<<"$t_out")" 2
t_run reconcile status "$spec"
t_like "its lease is left behind" "$t_out" 'at work +pid [0-9]+ on gmktec, which is gone'
touch "$t_dir/gate/open" # for what Swarm goes on with
t_run reconcile apply --yes "$spec"
t_is "the next run converges" "$t_status" 0

# What fails is told in the task's own words.
spec '["false"]'
t_run timeout 60 "$RECONCILE" --yes --state-dir "$state" "$spec"
t_is "a command that fails: the run fails" "$t_status" 1
t_run reconcile status "$spec"
t_is "the status: exit 1" "$t_status" 1
t_like "with the task's error" "$t_out" 'web +(paused|failing) .*
.*web\.[12]( on gmktec)?: .*non-zero exit \(1\)'
t_like "and that it is not tried again" "$t_out" 'failed +service/web .*non-zero exit.*not tried again'
t_unlike "nothing is said twice" "$t_out" 'service/web: service/web'
t_run reconcile show "$spec"
t_like "the run tells it, too" "$t_out" 'update +service/web +unhealthy
 +.*non-zero exit \(1\)'
spec '[sleep, "1000"]'
t_run reconcile apply --yes "$spec"
t_is "mended" "$t_status" 0
t_run reconcile status "$spec"
t_is "all is well again" "$t_status" 0

# Routes, as (a stand-in for) Traefik tells them.
cat >"$t_dir/traefik.yml" <<'YAML'
api: { insecure: true }
entryPoints: { web: { address: ":8000" } }
providers: { docker: { swarmMode: true, swarmModeRefreshSeconds: 1s, exposedByDefault: false } }
YAML
cat >"$t_dir/routed.yaml" <<YAML
$(cat "$spec")
traefik: { container: traefik, node: gmktec, api: "http://127.0.0.1:8080" }
YAML
docker service update --detach --label-add traefik.enable=true --label-add 'traefik.http.routers.web.rule=Host(`web.lan`)' \
	--label-add traefik.http.services.web.loadbalancer.server.port=80 web >/dev/null
t_run reconcile status "$t_dir/routed.yaml"
t_like "Traefik's API is away: unknown" "$t_out" 'web +unknown +- +Host\(`web.lan`\)'
t_is "exit 3" "$t_status" 3
t_run reconcile status "$spec"
t_like "a spec without it: not looked at" "$t_out" 'web +unchecked '
t_is "exit 0" "$t_status" 0
docker run -d --name traefik --network host -v /var/run/docker.sock:/var/run/docker.sock \
	-v "$t_dir/traefik.yml:/etc/traefik/traefik.yml:ro" lab/traefik:standin >/dev/null
t_ok "Traefik knows the router" t_retry 20 curl -sf http://127.0.0.1:8080/api/http/routers/web@docker
t_run reconcile status "$t_dir/routed.yaml"
t_like "then the route has its servers' state" "$t_out" 'web +(up|partial|down) +[0-9]/[0-9] +Host\(`web.lan`\)'
docker rm -f traefik >/dev/null

# Watching in a pipe: what changes, then Ctrl-C.
timeout 60 "$RECONCILE" status --watch --state-dir "$state" "$spec" >"$t_dir/watch" 2>&1 </dev/null &
pid=$!
t_ok "it begins with what is there" t_retry 20 grep -q 'service/web: 2/2 tasks, running' "$t_dir/watch"
docker service scale --detach web=3 >/dev/null
t_ok "a replica more is told" t_retry 20 grep -q 'service/web: 3/3 tasks, running' "$t_dir/watch"
lines=$(wc -l <"$t_dir/watch")
sleep 4.5
t_is "nothing while nothing changes" "$(wc -l <"$t_dir/watch")" "$lines"
t_run reconcile suspend service/api "$spec"
t_ok "a suspension is told" t_retry 20 grep -q 'suspended/service/api: by ' "$t_dir/watch"
t_run reconcile resume service/api "$spec"
t_ok "and its end" t_retry 20 grep -q 'suspended/service/api: no more' "$t_dir/watch"

# An engine that is stopped, and goes on.
dockerd=$(cat /run/docker.pid)
kill -STOP "$dockerd"
start=$SECONDS
t_run reconcile status "$spec"
t_is "the status: exit 3" "$t_status" 3
t_like "nothing is known" "$t_out" '1 unknown.*unknown +engine: .*'
t_unlike "and nothing is claimed" "$t_out" 'SERVICE|NODE|all is well'
t_ok "within its time" test $((SECONDS - start)) -le 25
t_ok "the watch says it, too" t_retry 25 grep -q 'engine: GET .*' "$t_dir/watch"
lines=$(wc -l <"$t_dir/watch")
kill -CONT "$dockerd"
answers_again() {
	tail -n +"$((lines + 1))" "$t_dir/watch" | grep -q 'engine: answers'
}
t_ok "it goes on when it answers" t_retry 20 answers_again
t_unlike "no service had gone" "$(cat "$t_dir/watch")" ' service/[a-z]+: no more'
watcher=$(pgrep -P "$pid")
kill -INT "$watcher"
status=0
wait "$pid" || status=$?
t_is "Ctrl-C ends it: exit 0" "$status" 0
t_run reconcile status --host unix:///nowhere.sock "$spec"
t_is "no engine: exit 3" "$t_status" 3
t_like "it is said" "$t_out" 'unknown +engine: .*/nowhere.sock'
# An engine that was stopped for a while can still have news of its tasks.
one_document() {
	t_run timeout -s INT 4 "$RECONCILE" status --watch --json --state-dir "$state" "$spec"
	[ "$(wc -l <<<"$t_out")" = 1 ]
}
for _ in 1 2 3 4 5; do
	one_document && break
done
t_is "for machines: one document, for nothing changed" "$(wc -l <<<"$t_out") $(json 'print $s{web}{running}')" "1 3"

# A reader that goes away ends it.
timeout 20 "$RECONCILE" status --watch --json --state-dir "$state" "$spec" 2>/dev/null | head -c 1 >/dev/null &
pid=$!
sleep 1
docker service scale --detach web=2 >/dev/null
status=0
wait "$pid" || status=$?
t_is "a closed pipe ends it" "$status" 0

# 200 services with long names; their owner's label is all that makes them this cluster's.
long=a-service-whose-name-is-as-long-as-names-of-services-may-be-xyz
for ((i = 0; i < 198; i++)); do
	printf -v name '%s-%03d' "${long:0:50}" "$i"
	echo "next"
	echo 'url = "http://engine/services/create"'
	echo "data = \"{\\\"Name\\\":\\\"$name\\\",\\\"Labels\\\":{\\\"io.reconcile.cluster\\\":\\\"shop\\\"},\\\"Mode\\\":{\\\"Replicated\\\":{\\\"Replicas\\\":0}},\\\"TaskTemplate\\\":{\\\"ContainerSpec\\\":{\\\"Image\\\":\\\"lab/busybox:1\\\"}}}\""
	echo 'header = "Content-Type: application/json"'
	echo 'output = /dev/null'
	echo "unix-socket = \"$LAB/docker.sock\""
done | sed 1d | curl -s --config -
t_is "there are 200 services" "$(docker service ls -q | wc -l)" 200
t_retry 20 "$RECONCILE" status --cluster shop # scaled above, while it still starts
export RECONCILE_TRACE=$trace
: >"$trace"
start=${EPOCHREALTIME/./}
t_run reconcile status --cluster shop
ms=$(((${EPOCHREALTIME/./} - start) / 1000))
unset RECONCILE_TRACE
t_is "200 services: all is well" "$t_status" 0
t_is "a row for each" "$(grep -c ' running ' <<<"$t_out")" 200
t_is "in one round of calls" "$(grep -c '"event":"http"' "$trace")" 5
t_diag "status of 200 services: $ms ms"
t_ok "within two seconds" test "$ms" -lt 2000

# On a terminal, however narrow.
screen() { # COLUMNS LINES OPTION...
	local columns=$1 lines=$2
	shift 2
	timeout -s INT 5 script -qec "stty cols $columns rows $lines; exec timeout -s INT 3 $(printf '%q ' "$RECONCILE" status --cluster shop --state-dir "$state" "$@")" /dev/null
}
# The longest line in columns, without what paints and clears.
longest() {
	perl -CS -ne 's/\e\[[0-9;]*[A-Za-z]//g; s/[\r\n]//g; $n = length if length > $n; END { print $n }'
}
export TERM=xterm
picture=$(screen 40 12 --watch)
t_ok "no line is wider than the terminal" test "$(longest <<<"$picture")" -le 40
t_like "the screen is cleared once" "$picture" $'^\033\\[2J\033\\[H'
t_is "then redrawn in place" "$(grep -o $'\033\\[2J' <<<"$picture" | wc -l) $(($(grep -o $'\033\\[J' <<<"$picture" | wc -l) > 1))" "1 1"
t_ok "nor is a picture higher" test "$(tr -cd '\n' <<<"${picture%%$'\033[J'*}" | wc -c)" -le 12
t_like "what does not fit is counted" "$picture" '… [0-9]+ more lines'
picture=$(screen 3 2 --watch)
t_ok "not on a tiny one either" test "$(longest <<<"$picture")" -le 20
picture=$(screen 60 20)
t_like "long names are cut" "$picture" 'a-service-[a-z-]*…'
t_like "in colour" "$picture" $'\033\\[32m'
export TERM=dumb
picture=$(screen 80 24 --watch)
t_unlike "a dumb terminal gets lines" "$picture" $'\033'
t_like "as a pipe does" "$picture" 'service/web: 2/2 tasks, running'
