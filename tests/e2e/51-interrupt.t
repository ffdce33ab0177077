#!/bin/bash
#
# A run that is interrupted, killed, or loses its engine: nothing new starts, what was
# done is said, the next run goes on from what it finds. Two runs at a time do not mix.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

spec=$t_dir/cluster.yaml gate=$t_dir/gate state=$t_dir/state out=$t_dir/run.out
mkdir "$gate"

# "slow" is healthy as soon as the gate is open, and not before; "last" comes after it.
slow_spec() { # TEAM
	cat >"$spec" <<YAML
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes:
  gmktec: { address: 10.99.0.1, role: manager }
networks:
  front: { driver: overlay, attachable: true }
services:
  slow:
    image: lab/busybox:1
    command: [sleep, "1000"]
    networks: [front]
    volumes: ["$gate:/gate"]
    environment: { TEAM: $1 }
    healthcheck: { test: [CMD, test, -f, /gate/open], interval: 500ms, start_period: 10m }
    stop_grace_period: 1s
    deploy: { endpoint_mode: dnsrr, update_config: { monitor: 1s } }
  last:
    image: lab/busybox:1
    command: [sleep, "1000"]
    environment: { TEAM: $1 }
    stop_grace_period: 1s
    after: [service/slow]
    deploy: { update_config: { monitor: 1s } }
YAML
}

reconcile() {
	"$RECONCILE" --yes --state-dir "$state" "$@" "$spec"
}

# A run in the background, $pid, until its output has what is waited for.
start() { # EXTENDED-REGULAR-EXPRESSION OPTION...
	local until=$1
	shift
	rm -f "$out" # what the last run said is not what is waited for
	"$RECONCILE" --yes --state-dir "$state" "$@" "$spec" >"$out" 2>"$out.err" </dev/null &
	pid=$!
	t_retry 20 grep -qE "$until" "$out"
}

# Its end: $t_status, $t_out, $t_err, and $ms since the call.
end() {
	local start=${EPOCHREALTIME/./}
	t_status=0
	wait "$pid" 2>/dev/null || t_status=$?
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	t_out=$(cat "$out") t_err=$(cat "$out.err")
}

team_of() { # SERVICE
	docker service inspect -f '{{.Spec.TaskTemplate.ContainerSpec.Env}}' "$1" 2>/dev/null || echo none
}

# A write while an update is in flight would wait for its end.
settled() {
	t_retry 30 is_completed
}

runs() { # SERVICE
	[ "$(docker service ls -f "name=$1" --format '{{.Replicas}}')" = 1/1 ]
}

is_completed() {
	[ "$(docker service inspect -f '{{.UpdateStatus.State}}' slow)" = completed ]
}

converges() { # TEXT
	t_run reconcile
	t_is "$1: the next run converges" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1

# Signals, while a service converges.
for signal in INT TERM; do
	slow_spec "$signal"
	before=$(team_of last)
	rm -f "$gate/open"
	start 'service/slow: 0/1 tasks running'
	kill -"$signal" "$pid"
	end
	t_is "SIG$signal: exit 1" "$t_status" 1
	t_is "SIG$signal: at once" "$((ms < 2000))" 1
	t_like "SIG$signal: what was under way" "$t_out" 'stopped service/slow: .*interrupted while waiting: it has not converged'
	t_like "SIG$signal: what was not started, and why" "$t_out" 'not yet service/last: needs service/slow first'
	t_like "SIG$signal: how many" "$t_out" 'Made [01] changes?, 1 interrupted, 1 not started\.'
	t_like "SIG$signal: what to do" "$t_err" 'reconcile: interrupted; run again to go on'
	t_is "SIG$signal: it is sent" "$(team_of slow)" "[TEAM=$signal]"
	t_is "SIG$signal: nothing new was started" "$(team_of last)" "$before"
	: >"$gate/open"
	converges "SIG$signal"
	t_is "SIG$signal: all is done" "$(team_of slow) $(team_of last)" "[TEAM=$signal] [TEAM=$signal]"
done

# A call that changes something is not given up at the first Ctrl-C; at the second the program is.
engine=$t_dir/engine
"${CC:-cc}" -std=c17 -O2 -Wall -Wextra -Wpedantic -Werror -o "$engine" \
	"$t_root/tests/lab/standins/engine.c" "$t_root/tests/lab/standins/http.c"
"$engine" "$t_dir/engine.sock" "$LAB/docker.sock" /configs/create=silent &
standin=$!
slow_spec INT
echo 'configs: { motd: { content: welcome } }' >>"$spec"
t_retry 5 test -S "$t_dir/engine.sock"
start 'create config/motd' --host "unix://$t_dir/engine.sock"
sleep 0.5
kill -INT "$pid"
sleep 0.5
t_ok "the first SIGINT waits for a call in flight" kill -0 "$pid"
kill -INT "$pid"
end
t_is "the second one ends the program" "$t_status" 130
t_is "at once" "$((ms < 1000))" 1
kill "$standin"
wait "$standin" 2>/dev/null
converges "two SIGINTs"

# While it looks, nothing holds it.
"$engine" "$t_dir/silent.sock" - /=silent &
standin=$!
t_retry 5 test -S "$t_dir/silent.sock"
"$RECONCILE" --yes --state-dir "$state" --host "unix://$t_dir/silent.sock" "$spec" >"$out" 2>"$out.err" </dev/null &
pid=$!
sleep 0.5
kill -INT "$pid"
end
t_is "SIGINT while it looks: exit 1" "$t_status" 1
t_is "SIGINT while it looks: at once" "$((ms < 1000))" 1
t_like "SIGINT while it looks: it says so" "$t_err" 'observing the cluster: interrupted'
kill "$standin"
wait "$standin" 2>/dev/null

# Two runs.
slow_spec both
rm -f "$gate/open"
start 'service/slow: 0/1 tasks running'
t_run reconcile
t_is "a second run: exit 5" "$t_status" 5
t_like "a second run: who is at work" "$t_err" "another run is at work on this cluster \(pid $pid\)"
t_is "a second run: it makes no plan" "$t_out" ""
t_run "$RECONCILE" --dry-run --state-dir "$state" "$spec"
t_is "a dry run works meanwhile" "$t_status" 0
t_like "and shows what is left" "$t_out" 'service/last'
kill -KILL "$pid"
end
: >"$gate/open"
converges "the lock ends with its holder"
settled

# The engine is lost while a service converges.
rm -f "$gate/open"
slow_spec frozen
start 'service/slow: 0/1 tasks running' --timeout 8s
daemon=$(cat /run/docker.pid)
mapfile -d '' -t daemon_command <"/proc/$daemon/cmdline"
kill -STOP "$daemon"
end
t_is "an engine that freezes: exit 3" "$t_status" 3
t_is "an engine that freezes: at the deadline" "$((ms < 12000))" 1
t_like "an engine that freezes: it says so" "$t_out" "FAILED service/slow: .*the Docker engine at unix://$LAB/docker.sock does not answer"
t_like "and what was not started" "$t_out" 'not yet service/last: needs service/slow first'
kill -CONT "$daemon"
: >"$gate/open"
converges "an engine that freezes"
settled

rm -f "$gate/open"
slow_spec killed
start 'service/slow: 0/1 tasks running' --timeout 60s
kill -KILL "$daemon"
end
t_is "an engine that is killed: exit 3" "$t_status" 3
t_like "an engine that is killed: it says so" "$t_out" "FAILED service/slow: .*no Docker engine answers at unix://$LAB/docker.sock"
t_like "and what was not started" "$t_out" 'not yet service/last: needs service/slow first'
t_run reconcile
t_is "without it: exit 3" "$t_status" 3
t_like "without it: nothing is taken for gone" "$t_out" '5 blocked; 1 in sync\.$' # in sync: the firewall, which needs no engine
rm -f /run/docker.pid
setsid "${daemon_command[@]}" </dev/null >"$LAB/dockerd.2.log" 2>&1 &
t_ok "it comes back" t_retry 30 docker node ls
: >"$gate/open"
# It answers before its own agent is back in the swarm; the tasks that it is given until then fail.
t_ok "its tasks start again" t_retry 60 runs slow
converges "an engine that is killed"
t_is "all is done" "$(team_of slow) $(team_of last)" "[TEAM=killed] [TEAM=killed]"
