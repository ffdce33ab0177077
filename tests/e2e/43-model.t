#!/bin/bash
#
# Models in an NFS store: pulled by one container of the service's own image, verified on disk, whole again after
# whatever happened to it, and nothing of the pulling is left over. With real Ollama where $OLLAMA names it, which pulls
# from the lab's registry; a pull checks digests only, so a few bytes do for a model. Without it the stand-in, which
# makes its models up, shows the order of things and no more.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab --registry

spec=$t_dir/cluster.yaml state=$t_dir/state trace=$t_dir/trace store=/opt/ollama-models container=reconcile-model-shop
if [ -n "${OLLAMA:-}" ]; then
	image=lab/ollama:real model=http://10.99.0.9:5001/library/mistral:7b
	manifests=(manifests/10.99.0.9:5001/library/mistral/7b manifests-v2/10.99.0.9:5001/library/mistral/7b)
else
	image=lab/ollama:1 model=mistral:7b
	manifests=(manifests/registry.ollama.ai/library/mistral/7b)
fi
"$t_root/tests/lab/images" "$image" || exit 1

make_spec() { # MODELS [STORE]
	cat >"$spec" <<YAML
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes:
  gmktec: { address: 10.99.0.1, role: manager }
nfs:
  ollama-models:
    server: gmktec
    path: ${2:-$store}
    mode: "0755"
    export: { clients: [10.99.0.2] }
models:
  store: ollama-models
  present: [$1]
services:
  ollama:
    image: $image
    environment: { OLLAMA_NOPRUNE: "1" }
    volumes:
      - { type: bind, source: ${2:-$store}/models, target: /root/.ollama/models, read_only: true }
    healthcheck: { test: [CMD, ollama, list], interval: 2s, timeout: 5s, start_period: 20s }
    stop_grace_period: 1s
    deploy: { endpoint_mode: dnsrr, update_config: { monitor: 1s } }
YAML
}

reconcile() { # OPTION...
	rm -f "$trace"
	RECONCILE_TRACE=$trace "$RECONCILE" --state-dir "$state" "$@" "$spec"
}

start() { # in the background, $pid
	rm -f "$trace"
	RECONCILE_TRACE=$trace "$RECONCILE" --state-dir "$state" --yes "$spec" >"$t_dir/out" 2>&1 </dev/null &
	pid=$!
}

mutations() {
	grep -E '"target":"(POST|PUT|DELETE|PATCH) |"event":"write"|exportfs -ra' "$trace" | t_not_shared
}

# Ollama takes blobs only from where its registry sends it, which has to be another host.
redirect() {
	ip address add 10.99.0.9/24 dev lab0
	cat >"$t_dir/haproxy.cfg" <<'CFG'
defaults
	mode http
	timeout client 1m
	timeout connect 5s
	timeout server 1m
frontend models
	bind 10.99.0.9:5001
	http-request redirect code 307 prefix http://10.99.0.1:5000
CFG
	PATH=$PATH:/usr/sbin haproxy -D -f "$t_dir/haproxy.cfg"
}

# The registry: blobs and a manifest as Ollama's has them.
registry=http://10.99.0.1:5000
upload() { # REPOSITORY FILE: prints what a manifest says of it
	local digest location
	digest=sha256:$(sha256sum <"$2" | cut -d' ' -f1)
	location=$(curl -fsS -X POST -D - -o /dev/null "$registry/v2/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //Ip')
	curl -fsS -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "$location&digest=$digest" || return 1
	printf '"digest":"%s","size":%d' "$digest" "$(stat -c %s "$2")"
}

publish() { # REPOSITORY TAG BYTES
	local config layer
	# The header of a model file without any tensor, and what makes it this model's.
	{ printf 'GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' && head -c "$3" /dev/urandom; } >"$t_dir/layer"
	echo '{"model_format":"gguf","model_family":"llama","model_type":"7B","file_type":"Q4_0"}' >"$t_dir/config"
	config=$(upload "$1" "$t_dir/config") && layer=$(upload "$1" "$t_dir/layer") || return 1
	cat >"$t_dir/manifest" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
"config":{"mediaType":"application/vnd.docker.container.image.v1+json",$config},
"layers":[{"mediaType":"application/vnd.ollama.image.model",$layer}]}
JSON
	curl -fsS -X PUT -H 'Content-Type: application/vnd.docker.distribution.manifest.v2+json' \
		--data-binary "@$t_dir/manifest" "$registry/v2/$1/manifests/$2"
}

manifest() {
	local m
	for m in "${manifests[@]}"; do
		[ ! -e "$store/models/$m" ] || echo "$store/models/$m"
	done
}

# The biggest blob that the manifest names.
blob() {
	local digest
	# shellcheck disable=SC2013 # words
	for digest in $(grep -o 'sha256:[0-9a-f]*' "$(manifest)" | sort -u); do
		stat -c '%s %n' "$store/models/blobs/sha256-${digest#sha256:}"
	done | sort -n | tail -n 1 | cut -d' ' -f2
}

t_no_container() { # TEXT
	t_is "$1: no container is left over" "$(docker ps -aq --filter "name=^$container\$")" ""
}

# ---- pulled, then nothing to do ----

[ -z "${OLLAMA:-}" ] || { redirect && publish library/mistral 7b 300000; } || exit 1
make_spec "\"$model\""
t_run reconcile --dry-run --detailed-exitcode
t_is "a model that is not there is a change" "$t_status" 2
t_like "it says where it goes and who pulls it" "$t_out" "pulled into $store/models on gmktec by a container of $image"
t_like "the service waits for it" "$t_out" "needs model/$model"
t_run reconcile --yes
t_is "it is pulled and the service converges" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_ok "the manifest is in the store" test -f "$(manifest)"
t_no_container "after a pull"
t_ok "what it pulled can be read by the clients of the export" \
	setpriv --reuid 65534 --regid 65534 --clear-groups md5sum "$(manifest)" "$(blob)"
digest=$(sha256sum <"$(manifest)" | cut -c1-12)
task=$(docker ps -q --filter label=com.docker.swarm.service.name=ollama)
t_like "the service lists it, by the digest of its manifest" "$(docker exec "$task" ollama list)" "$digest"
t_run reconcile --yes
t_is "the second run changes nothing" "$t_status $(mutations)" "0 "
t_is "and asks for one container more, in the same round" \
	"$(grep -c '"target":"GET /v[0-9.]*/containers/reconcile-model-shop/json' "$trace")" 1

# ---- whole again ----

good=$(blob) size=$(stat -c %s "$(blob)")
truncate -s $((size / 2)) "$good"
t_run reconcile --dry-run
t_like "a blob that was cut off is seen" "$t_out" 'has [0-9.]+ K?B instead of'
t_run reconcile --yes
t_is "and pulled again" "$t_status $(stat -c %s "$good")" "0 $size"
rm "$good"
t_run reconcile --yes
t_is "a blob that is gone is pulled again" "$t_status $(stat -c %s "$good")" "0 $size"
t_no_container "after repairs"
rm "$(manifest)"
docker create --name "$container" "$image" >/dev/null
t_run reconcile --yes
t_is "a container of that name that is somebody else's stays" "$t_status" 1
t_like "and is said" "$t_err$t_out" "that this program did not make"
docker rm "$container" >/dev/null

# ---- killed at each change of the pull ----

places=0
for ((k = 1; k < 40; k++)); do
	rm -f "$(manifest)"
	# Being gone again and again is contested; here it is meant.
	RECONCILE_KILL_AT=$k+ reconcile --yes --retry="model/$model" >"$t_dir/.out" 2>"$t_dir/.err" </dev/null
	[ $? = 137 ] || break
	places=$k
	rm -rf "$state"
	t_run reconcile --yes --retry="model/$model"
	left=$(docker ps -aq --filter "name=^$container\$")
	[ "$t_status" = 0 ] && [ -z "$left" ] && [ -f "$(manifest)" ] ||
		t_result 1 "killed at $k+: the next run converges" || t_show_run
done
t_ok "killed at $places places of a pull, the next run converged and left nothing over" test "$places" -ge 8

if [ -z "${OLLAMA:-}" ]; then
	t_skip "OLLAMA is not set: real pulls, failures and interruptions were not tried; the stand-in pulls nothing" 17
	exit
fi

# ---- a registry that says no, or nothing ----

make_spec "\"$model\", \"http://10.99.0.9:5001/library/nosuch:1\""
t_run reconcile --yes
t_is "a model that its registry does not have is a failure" "$t_status" 1
t_like "that says so" "$t_out$t_err" 'its registry has no such model'
t_no_container "after a failure"

publish library/mistral 8b 2000000 || exit 1
make_spec "\"$model\", \"http://10.99.0.9:5001/library/mistral:8b\""
registry_pid=$(pgrep -x docker-registry)
kill -STOP "$registry_pid"
start
t_ok "a pull from a registry that hangs goes on" \
	t_retry 60 grep -qE '"target":"POST /v[0-9.]+/exec/' "$trace"
t_retry 30 grep -q 'pulling manifest' "$t_dir/out"
began=$SECONDS
kill -INT "$pid"
wait "$pid"
t_ok "Ctrl-C ends it soon" test $((SECONDS - began)) -le 15
t_no_container "after Ctrl-C"
t_run reconcile --yes --timeout 15s
t_like "a run whose time is over says so" "$t_status $t_out$t_err" '^3 .*the time of this run is over'
t_no_container "after that"
start
t_retry 60 grep -q 'pulling manifest' "$t_dir/out"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
kill -CONT "$registry_pid"
t_is "a killed run leaves its container" "$(docker inspect -f '{{.State.Running}}' "$container")" true
t_run reconcile --dry-run
t_like "which the next plan shows" "$t_out" 'update +model/http|create +model/http'
t_run reconcile --yes
t_is "and the next run removes" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_no_container "after a killed run"
t_ok "with the model whole" grep -rqs . "$store"/models/manifests*/10.99.0.9:5001/library/mistral/8b

# ---- a full disk ----

mkdir -p /opt/small
mount -t tmpfs -o size=1m,mode=0755 small /opt/small
docker service rm ollama >/dev/null
make_spec '"http://10.99.0.9:5001/library/mistral:8b"' /opt/small
t_run reconcile --yes
t_is "a full disk is a failure" "$t_status" 1
t_like "that names the disk" "$t_out$t_err" 'the disk of /opt/small/models on node .gmktec. is full'
t_no_container "after a full disk"
mount -o remount,size=20m /opt/small
t_run reconcile --yes --retry
t_is "with room it goes on" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
