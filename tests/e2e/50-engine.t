#!/bin/bash
#
# The engine is away, broken, too old, too new, or not the one that was meant: what is
# said, what is blocked by it, the exit status, the time it takes; nothing is made from
# an answer that was none. Stand-ins spoil the answers of a real engine.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab --no-swarm

engine=$t_dir/engine socket=$t_dir/engine.sock real=$LAB/docker.sock
standin=
spec=$t_dir/cluster.yaml

cat >"$spec" <<'YAML'
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes:
  gmktec: { address: 10.99.0.1, role: manager, labels: { disk: ssd } }
networks:
  front: { driver: overlay, attachable: true }
configs:
  motd: { content: welcome }
services:
  web:
    image: lab/busybox:1
    command: [sleep, "1000"]
    networks: [front]
    configs: [{ source: motd, target: /etc/motd }]
    stop_grace_period: 1s
    deploy: { endpoint_mode: dnsrr, update_config: { monitor: 1s }, placement: { constraints: [node.labels.disk == ssd] } }
YAML

reconcile() { # [bootstrap] OPTION...
	local command=apply
	[ "$1" != bootstrap ] || { command=bootstrap && shift; }
	local start=${EPOCHREALTIME/./}
	timeout -k 1 70 "$RECONCILE" "$command" --state-dir "$t_dir/state" "$@"
	local status=$?
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	return "$status"
}

# Between reconcile and the real engine, spoils what it is told to.
spoil() { # PATH=FAULT...
	local upstream=$real
	[ "$1" != nothing-behind ] || { upstream=- && shift; }
	"$engine" "$socket" "$upstream" "$@" &
	standin=$!
	t_retry 5 test -S "$socket"
}

mend() {
	kill "$standin"
	wait "$standin" 2>/dev/null
	rm -f "$socket"
}

# An apply against an engine that cannot be used: all is blocked, for the one reason, told once.
t_blocked() { # TEXT WITHIN-MS EXTENDED-REGULAR-EXPRESSION OPTION...
	local text=$1 within=$2 reason=$3
	shift 3
	t_run reconcile --yes "$@" "$spec"
	t_is "$text: exit 3" "$t_status" 3
	t_like "$text: it says why" "$t_out" "$reason"
	t_is "$text: the five things that are blocked by it" \
		"$(grep -cE '^  ! blocked  (swarm/shop|config/motd|network/front|node/gmktec|service/web) ' <<<"$t_out")" 5
	t_is "$text: the reason is told once" "$(grep -cE "$reason" <<<"$t_out")" 1
	t_is "$text: in time" "$((ms < within))" 1
	[ "$ms" -lt "$within" ] || t_diag "took $ms ms"
}

t_refused() { # TEXT STATUS EXTENDED-REGULAR-EXPRESSION OPTION...
	local text=$1 status=$2 reason=$3
	shift 3
	t_run reconcile --yes "$@" "$spec"
	t_is "$text: exit $status" "$t_status" "$status"
	t_like "$text: it says why" "$t_err" "$reason"
	t_is "$text: no plan is made up" "$t_out" ""
}

swarm_state() {
	docker info -f '{{.Swarm.LocalNodeState}}'
}

t_ok "the stand-in is made" "${CC:-cc}" -std=c17 -O2 -Wall -Wextra -Wpedantic -Werror -o "$engine" \
	"$t_root/tests/lab/standins/engine.c" "$t_root/tests/lab/standins/http.c"
t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1

# A call that is taken and never answered costs a minute, not the ten of its step; stopping a container has the time that
# the container is given on top of that. It goes on beside the rest of this file, which asks at its end.
proxy=$t_dir/proxy
t_ok "the proxy is made" "${CC:-cc}" -std=c17 -O2 -Wall -Wextra -Wpedantic -Werror -o "$proxy" \
	"$t_root/tests/lab/standins/proxy.c"
declare -A stalled
stall() { # NAME PATH; the spec on stdin
	cat >"$t_dir/$1.yaml"
	"$proxy" "$t_dir/$1.sock" "$real" --match "$2" --fault delay:600000 &
	t_retry 5 test -S "$t_dir/$1.sock"
	timeout -k 1 150 "$RECONCILE" --yes --state-dir "$t_dir/$1.state" --host "unix://$t_dir/$1.sock" "$t_dir/$1.yaml" \
		>"$t_dir/$1.out" 2>&1 </dev/null &
	stalled[$1]=$!
}
t_gave_up() { # TEXT NAME EXTENDED-REGULAR-EXPRESSION-OF-SECONDS
	t_status=0
	wait "${stalled[$2]}" || t_status=$?
	t_is "$1: exit 3" "$t_status" 3
	t_like "$1: it is given up in time" "$(cat "$t_dir/$2.out")" "does not answer .*: no complete answer within $3\.[0-9] s"
}
docker run -d --name old lab/busybox:1 sleep 1000 >/dev/null
stall create /volumes/create <<'YAML'
version: 1
cluster: one
volumes: { data: {} }
YAML
stall stop /stop <<'YAML'
version: 1
cluster: two
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes: { gmktec: { address: 10.99.0.1, role: manager } }
absent: { old: { container: old, node: gmktec, stop_timeout: 5s } }
YAML

# Not there, or nothing behind it.
t_blocked "no socket" 3000 "GET /_ping: no Docker engine answers at unix://$t_dir/none .*--host, DOCKER_HOST.*No such file" \
	--host "unix://$t_dir/none"
: >"$t_dir/file"
t_blocked "a file that is no socket" 3000 'no Docker engine answers.*Connection refused' --host "unix://$t_dir/file"
spoil nothing-behind
kill -9 "$standin" && wait "$standin" 2>/dev/null
t_ok "a socket whose listener is gone is there" test -S "$socket"
t_blocked "a socket whose listener is gone" 3000 'no Docker engine answers.*Connection refused' --host "unix://$socket"
t_blocked "a port where nobody listens" 3000 'no Docker engine answers at tcp://127\.0\.0\.1:1 .*Connection refused' \
	--host tcp://127.0.0.1:1
t_blocked "a name that does not resolve" 30000 'no Docker engine answers at tcp://no\.such\.host\.invalid:2375' \
	--host tcp://no.such.host.invalid:2375
rm -f "$socket"

chmod 711 "$t_dir" && chmod 755 "$engine"
install -d -o nobody "$t_dir/nobody"
spoil nothing-behind && chmod 600 "$socket"
cp "$spec" "$t_dir/nobody/cluster.yaml"
install -m 755 "$RECONCILE" "$t_dir/nobody/reconcile" # the checkout may be root's alone
t_run setpriv --reuid nobody --clear-groups env HOME="$t_dir/nobody" DOCKER_CONFIG= \
	"$t_dir/nobody/reconcile" --yes --state-dir "$t_dir/nobody/state" --host "unix://$socket" "$t_dir/nobody/cluster.yaml"
t_is "permission denied: exit 3" "$t_status" 3
t_like "permission denied: who may" "$t_out" "unix://$socket may be used by root and its group only.*Permission denied"
mend

# Which engine, said wrongly.
t_refused "a scheme that is none" 1 "engine 'gopher://x': only unix://, tcp:// and ssh:// are supported" --host gopher://x
t_refused "a port that is none" 64 "'tcp://127.0.0.1:99999' is not an engine's address: write tcp://host:port" \
	--host tcp://127.0.0.1:99999
t_refused "a host with a blank" 64 "is not an engine's address" --host 'tcp://two words:2375'
t_refused "a relative socket" 64 "write unix:///path" --host unix://docker.sock
DOCKER_HOST='tcp://[::1' t_refused "DOCKER_HOST that is nonsense" 64 "'tcp://\[::1' is not an engine's address"
unset_host() { env -u DOCKER_HOST "$@"; }
t_run unset_host env DOCKER_CONTEXT=away "$RECONCILE" --yes --state-dir "$t_dir/state" "$spec"
t_is "a context that is missing: exit 64" "$t_status" 64
t_like "a context that is missing: its name and where" "$t_err" "docker context 'away': there is none of this name in .*contexts"
mkdir -p "$t_dir/config" && echo '{ "currentContext": ' >"$t_dir/config/config.json"
DOCKER_CONFIG=$t_dir/config t_refused "a config.json that is broken" 64 "docker's configuration: read $t_dir/config/config.json: line"
DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=$t_dir t_refused "TLS without its files" 64 \
	"TLS to the engine \(DOCKER_TLS_VERIFY\): $t_dir/ca.pem is not there" --host tcp://127.0.0.1:2376
echo nonsense >"$t_dir/ca.pem"
DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=$t_dir t_run reconcile --yes --host tcp://127.0.0.1:1 "$spec"
t_is "TLS with files that are none ends: exit 3" "$t_status" 3
rm "$t_dir/ca.pem"

# It is there and does not behave.
spoil /=silent
t_blocked "an engine that never answers" 4000 "the Docker engine at unix://$socket does not answer.*within [0-9.]+ s" \
	--host "unix://$socket" --timeout 2s
mend
spoil /=garbage
t_blocked "an engine that answers garbage" 3000 "what answers at unix://$socket is not a Docker engine" --host "unix://$socket"
mend
spoil /=cut
t_blocked "an engine that hangs up" 3000 "no Docker engine answers at unix://$socket" --host "unix://$socket"
mend
spoil /=status:500
t_blocked "an engine that fails whatever it is asked" 3000 '\(status 500\) is not a Docker engine, or not a healthy one' \
	--host "unix://$socket"
mend
spoil _ping=api:1.24
t_blocked "an engine that is too old" 3000 'API .*1\.24, this program 1\.41 to [0-9.]+: Docker Engine 20\.10 or later' \
	--host "unix://$socket"
mend
spoil _ping=api:1.99 '/version=body:{"Version":"99.0","MinAPIVersion":"1.99"}'
t_blocked "an engine that is too new" 3000 'version 99\.0\) speaks API 1\.99 to 1\.99.*a newer version of this program' \
	--host "unix://$socket"
mend
spoil _ping=api:1.99 '/version=body:{"Version":"99.0","MinAPIVersion":"1.41"}'
t_run reconcile --dry-run --host "unix://$socket" "$spec"
t_unlike "an engine that is newer and still speaks our version is used" "$t_out" 'newer version'
mend
worker='{"Swarm":{"LocalNodeState":"active","ControlAvailable":false,"NodeID":"x"}}'
spoil "/info=body:$worker"
t_blocked "a worker" 3000 'this engine is a worker: point DOCKER_HOST at a manager' --host "unix://$socket"
mend
t_is "all of this made nothing" "$(swarm_state)" inactive

# In no swarm: bootstrap is named, and does it.
t_run reconcile --yes "$spec"
t_is "in no swarm: exit 3" "$t_status" 3
# shellcheck disable=SC2016 # backquotes of the message
t_like "in no swarm: what to do" "$t_out" 'swarm/shop .*
 +this engine is in no swarm: run `reconcile bootstrap`'
t_like "in no swarm: what waits for it" "$t_out" 'network/front .*
 +needs swarm/shop, which is blocked'
t_is "nor is a swarm made" "$(swarm_state)" inactive
t_run reconcile bootstrap --dry-run --detailed-exitcode "$spec"
t_is "bootstrap has a dry run: exit 2" "$t_status" 2
t_like "it would make the swarm" "$t_out" '\+ create +swarm/shop'
t_is "and does not" "$(swarm_state)" inactive
t_run reconcile bootstrap --yes "$spec"
t_is "bootstrap converges" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_is "the swarm is there" "$(swarm_state)" active
t_is "with the spec's address pool" "$(docker info -f '{{.Swarm.Cluster.DefaultAddrPool}}')" "[10.64.0.0/14]"
t_like "which the network is from" "$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' front)" '^10\.6[4-7]\.'
t_is "the service runs" "$(docker service ls --format '{{.Name}} {{.Replicas}}')" "web 1/1"
export RECONCILE_TRACE=$t_dir/trace
t_run reconcile bootstrap --yes "$spec"
t_is "the second bootstrap has nothing to do" "$t_status" 0
t_like "and says so" "$t_out" 'No changes'
t_is "no call of it changes anything" "$(grep -cE '"target":"(POST|PUT|DELETE|PATCH) ' "$RECONCILE_TRACE")" 0
unset RECONCILE_TRACE

# One list of several is not to be had: only what needs it is blocked, nothing is taken for gone.
sed -i 's/welcome/another/; s/disk: ssd/disk: ssd, rack: a/' "$spec"
partly() { # TEXT FAULT REASON
	spoil "/services=$2"
	t_run reconcile --dry-run --host "unix://$socket" --timeout 3s "$spec"
	t_is "services $1: exit 3" "$t_status" 3
	t_like "services $1: it says why" "$t_out" "! blocked +service/web .*
 +GET /services[^ ]*: $3"
	t_like "services $1: the rest goes on" "$t_out" '~ update +node/gmktec'
	t_unlike "services $1: none is made again" "$t_out" 'create +service/'
	mend
}
partly "that fail" status:500 'the stand-in was told to fail \(status 500\)'
partly "that do not come" silent 'the Docker engine at .* does not answer'
partly "that break off" half 'no Docker engine answers at .*'
partly "with half of their JSON" truncated "the engine's answer is not JSON"
partly "that are not found" status:404 'the stand-in was told to fail \(status 404\)'
partly "that are no list" 'body:{}' "the engine's answer is not a list"
partly "that are nothing" body: "the engine's answer is not a list"
t_is "still it runs" "$(docker service ls --format '{{.Name}} {{.Replicas}}')" "web 1/1"

spoil '/services/=status:500'
t_run reconcile --yes --host "unix://$socket" "$spec"
t_is "a call that fails in the middle: exit 1" "$t_status" 1
t_like "it names the step" "$t_out" 'FAILED service/web: .*the stand-in was told to fail'
t_like "and what was done" "$t_out" 'Made 2 changes, 1 failed'
mend
t_run reconcile --yes "$spec"
t_is "the next run converges" "$t_status" 0
t_run reconcile --dry-run --detailed-exitcode "$spec"
t_is "nothing is left to do" "$t_status" 0
t_is "nothing is there twice" "$(docker service ls -q | wc -l) $(docker network ls -q -f driver=overlay -f name=front | wc -l)" "1 1"

t_gave_up "a call that is never answered" create "6[0-4]"
t_gave_up "a container that does not stop" stop "6[5-9]"
