#!/bin/bash
# Swarm membership over four hosts: bare engines become one swarm, whatever happens to a node afterwards is
# mended or told, and tokens are seen by nobody. Real dockerd, sshd and sudo on each (tests/lab).

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
t_in_lab --nodes gmktec,hppavilion,wsasus,hpr --no-swarm
unset DOCKER_HOST # nobody says which engine: the spec's managers are known
cluster=$t_dir/cluster.yaml

spec() { # EXTRA-OF-WSASUS [EXTRA-SECTIONS]
	cat >"$cluster" <<END
version: 1
cluster: four
ssh: { user: ops, become: true }
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes:
  gmktec: { address: 10.0.0.84, role: manager, labels: { edge: "true" } }
  hppavilion: { address: 10.0.0.80, labels: { disk: hdd } }
  wsasus: { address: 10.0.0.81, labels: { disk: ssd }${1:-} }
  hpr: { address: 10.0.0.82, labels: { disk: nvme }, optional: true }
${2:-}
END
}

# Nodes are rebuilt so often here that their labels are soon contested: hence --retry.
pass() { # [COMMAND] OPTION...: both streams in $t_out
	t_run timeout 300 "$RECONCILE" "$@" --yes --retry "$cluster"
	t_out=$t_out$'\n'$t_err
}

converges() { # TEXT
	pass
	t_is "$1: exit 0" "$t_status" 0 || t_show_run
	pass
	t_like "$1: then nothing is left to do" "$t_status $t_out" '^0 .*No changes'
}

node_id() { # HOST
	lab-node "$1" docker info --format '{{.Swarm.NodeID}}'
}

label() { # HOST KEY
	docker node inspect --format "{{index .Spec.Labels \"$2\"}}" "$(node_id "$1")"
}

wipe_docker() { # HOST
	# shellcheck disable=SC2016
	lab-node "$1" bash -ec 'service docker stop >/dev/null
		find /var/lib/docker -mindepth 1 -maxdepth 1 -exec umount {} \; 2>/dev/null || :
		rm -rf /var/lib/docker/*
		service docker start >/dev/null
		for ((i = 0; i < 100; i++)); do docker version >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1'
}

is_down() { # NODE-ID
	[ "$(docker node inspect --format '{{.Status.State}}' "$1")" = down ]
}

# ---- A swarm of bare engines, and who sees its tokens ----

# What anybody on the host may read, over and over while it happens.
cat >"$t_dir/spy" <<'END'
#!/bin/bash
while [ ! -e "$1.stop" ]; do
	cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' '
	echo
done >"$1"
END
chmod +x "$t_dir/spy"
mkdir "$t_dir/spied"
"$t_dir/spy" "$t_dir/spied/gmktec" & # the program, its ssh and docker children
for host in hppavilion hpr; do
	lab-node "$host" bash -c "mkdir -p /run/spied && exec bash /dev/stdin /run/spied/log" <"$t_dir/spy" &
done
spec
export RECONCILE_TRACE=$t_dir/trace
pass
# shellcheck disable=SC2016 # backquotes of the message
t_like "in no swarm: a plain pass asks for bootstrap" "$t_status $t_out" '^3 .*in no swarm: run `reconcile bootstrap`'
t_is "and changes nothing" "$(docker info --format '{{.Swarm.LocalNodeState}}')" inactive
pass bootstrap
t_is "bootstrap of bare engines: exit 0" "$t_status" 0 || t_show_run
output=$t_out
t_like "its plan says who joins" "$t_out" $'swarm/four@hpr .*\n +joins the swarm as worker'
pass bootstrap --json
t_like "a second run has nothing to do" "$t_status" 0
t_unlike "not even a first change" "$t_out" 'swarm/four@'
output+=$t_out
touch "$t_dir/spied/gmktec.stop"
for host in hppavilion hpr; do
	lab-node "$host" touch /run/spied/log.stop
done
wait
for host in hppavilion hpr; do
	lab-node "$host" cat /run/spied/log >"$t_dir/spied/$host"
done
unset RECONCILE_TRACE
t_is "four nodes are ready" "$(docker node ls --format '{{.Status}}' | grep -c Ready)" 4
for host in gmktec hppavilion wsasus hpr; do
	t_is "$host has joined with its address" \
		"$(docker node inspect --format '{{.Status.Addr}}' "$(node_id "$host")")" \
		"$(grep -w "$host" /etc/hosts | cut -d' ' -f1)"
done
t_is "and has its own label" "$(label hpr disk) $(label wsasus disk) $(label gmktec edge)" "nvme ssd true"

worker=$(docker swarm join-token -q worker) manager=$(docker swarm join-token -q manager)
t_like "there are tokens to look for" "$worker" '^SWMTKN-1-'
sees_token() { # FILE-OR-DIRECTORY...
	grep -raqE "$worker|$manager|SWMTKN" "$@"
}
printf '%s' "$output" >"$t_dir/output"
t_like "the trace has the calls that join" "$(cat "$t_dir/trace")" 'POST .*/swarm/join'
t_like "the process list was seen while it joined" "$(cat "$t_dir/spied/gmktec")" 'docker.*system.*dial-stdio'
t_like "on the joining hosts, too" "$(cat "$t_dir/spied/hpr")" 'docker system dial-stdio'
t_not_ok "no token is in a process list" sees_token "$t_dir/spied"
t_not_ok "nor in the trace" sees_token "$t_dir/trace"
t_not_ok "nor in the output" sees_token "$t_dir/output"
t_not_ok "nor in the local state" sees_token /var/lib/reconcile
t_ok "there is a local state" test -s /var/lib/reconcile/four/state.db
printf '%s' "$worker" >"$t_dir/probe"
t_ok "a token would be found" sees_token "$t_dir/probe"

# ---- A rebuilt node ----

old=$(node_id wsasus)
wipe_docker wsasus
t_run "$RECONCILE" --dry-run "$cluster"
t_like "a rebuilt node: it joins again, and what it has left goes" "$t_out" \
	"joins the swarm as worker; what a former installation of it has left is removed then: $old"
t_run timeout 300 "$RECONCILE" --retry "$cluster"
t_is "joining asks nobody" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
converges "a rebuilt node"
t_is "it is another node now" "$([ "$(node_id wsasus)" != "$old" ] && docker node ls -q | wc -l)" 4
t_is "its label is the new one's" "$(label wsasus disk)" ssd

# ---- Another swarm's ----

lab-fault hpr swarm other
pass
t_is "a manager of another swarm: exit 3" "$t_status" 3
t_like "what to do" "$t_out" "node 'hpr' \(10\.0\.0\.82\) is a manager of another swarm \(managers 10\.0\.0\.82:2377\).*docker swarm leave --force"
t_is "it is left alone" "$(lab-node hpr docker node ls --format '{{.Hostname}} {{.ManagerStatus}}')" "hpr Leader"
spec '' 'networks: { beside: {} }'
sed -i 's/hpr: {/hpr: { role: manager,/; s/, optional: true//' "$cluster"
pass
t_like "two managers of the spec in two swarms: nobody knows which is meant" "$t_status $t_out" \
	"^3 .*the spec's managers are in two swarms: 'hpr' is a manager of another one than 'gmktec'"
t_is "and neither is touched" "$(docker network ls -qf name=beside)$(lab-node hpr docker network ls -qf name=beside)" ""
DOCKER_HOST=unix:///var/run/docker.sock pass --only network/beside
t_is "a person says which: exit 0" "$t_status" 0
t_is "it is that one" "$(docker network inspect -f '{{.Name}}' beside)" beside
docker network rm beside >/dev/null
spec
lab-node wsasus docker swarm leave >/dev/null
lab-node wsasus docker swarm join --token "$(lab-node hpr docker swarm join-token -q worker)" 10.0.0.82:2377 >/dev/null
pass
t_like "a worker of another swarm is told, too" "$t_status $t_out" "^3 .*node 'wsasus' \(10\.0\.0\.81\) is a worker of another swarm"
t_is "and left alone" "$(lab-node hpr docker node ls --format '{{.Hostname}}' | sort | xargs)" "hpr wsasus"
lab-node wsasus docker swarm leave >/dev/null
lab-fault hpr swarm leave
converges "once both have left it"
t_is "nothing is left of the former ones" "$(docker node ls -q | wc -l)" 4

docker node rm --force "$(node_id wsasus)" >/dev/null
pass
t_like "removed here, and its engine has not left: told" "$t_status $t_out" \
	"^3 .*node 'wsasus' \(10\.0\.0\.81\) was removed from this swarm, but its engine has not left it: run .docker swarm leave --force. there"
lab-node wsasus docker swarm leave --force >/dev/null
converges "done as told"

# ---- Away ----

lab-fault hpr network cut
t_ok "the optional node is cut off" t_retry 60 is_down "$(node_id hpr)"
spec ', availability: drain' 'networks: { edge: {} }'
sed -i 's/disk: nvme/disk: none/' "$cluster"
pass
t_is "an optional node away: exit 3" "$t_status" 3
t_like "it is named with the reason" "$t_out" \
	"the managers have node 'hpr' \(10\.0\.0\.82\) as down, and its engine cannot be asked: node 'hpr' \(10\.0\.0\.82\): "
t_is "the rest converges" \
	"$(docker network inspect --format '{{.Name}}' edge) $(docker node inspect --format '{{.Spec.Availability}}' "$(node_id wsasus)")" \
	"edge drain"
lab-fault hpr network join
t_ok "it returns" t_retry 60 ssh -o ConnectTimeout=2 -l ops hpr true
spec '' 'networks: { edge: {} }'
sed -i 's/disk: nvme/disk: none/' "$cluster"
converges "it catches up"
t_is "with what it has missed" "$(label hpr disk)" none
spec '' 'networks: { edge: {} }'
converges "as before"

# ---- In the swarm, but not reachable by ssh ----

lab-fault wsasus sshd kill
spec '' 'nfs: { d: { server: hppavilion, path: /srv/d, mount: { path: /srv/d, nodes: [wsasus] } } }
services: { s: { image: "none:1", deploy: { replicas: 0, placement: { constraints: [node.labels.data == yes] } } } }'
sed -i 's/disk: ssd/disk: other, data: "yes"/' "$cluster"
pass --only node/wsasus
t_is "no ssh: exit 3" "$t_status" 3
t_like "its placing label waits for its mount" "$t_out" "node/wsasus .*"$'\n'" +needs (directory|mount|export)/d"
t_is "and is not set" "$(label wsasus data)" ''
lab-fault wsasus sshd start
frozen=$(node_id wsasus)
lab-fault wsasus dockerd stop
t_ok "a frozen engine: the managers take it for down" t_retry 60 is_down "$frozen"
spec
sed -i 's/disk: hdd/disk: tape/' "$cluster"
pass
t_like "it is told" "$t_status $t_out" "^3 .*'wsasus' \(10\.0\.0\.81\) as down, and its engine cannot be asked: .*the engine does not answer"
t_is "the others go on" "$(label hppavilion disk)" tape
lab-fault wsasus dockerd continue
spec
converges "the engine goes on"

lab-fault hpr hostkey new
lab-node hpr docker swarm leave --force >/dev/null
t_ok "its entry is down" t_retry 60 bash -c 'docker node ls --format "{{.Hostname}} {{.Status}}" | grep -q "hpr Down"'
pass
t_like "a wrong host key: who it is is not known" "$t_status $t_out" \
	"^3 .*as down, and its engine cannot be asked: node 'hpr' \(10\.0\.0\.82\): its host key is not the one that is known"
t_is "it is not joined" "$(lab-node hpr docker info --format '{{.Swarm.LocalNodeState}}')" inactive
lab-fault hpr hostkey old
lab-fault hpr sudo off
pass
t_like "no sudo: who it is is not known" "$t_status $t_out" "^3 .*sudo on 10\.0\.0\.82 asks for a password"
lab-fault hpr sudo on
converges "with key and sudo back"

# ---- Who is who ----

docker node update --label-rm disk "$(node_id hpr)" >/dev/null
lab-fault wsasus hostname hpr
# shellcheck disable=SC2016
t_retry 30 bash -c '[ "$(docker node ls --format "{{.Hostname}} {{.Status}}" | grep -c "hpr Ready")" = 2 ]'
t_is "two hosts have one name" "$(docker node ls --format '{{.Hostname}}' | grep -c hpr)" 2
converges "two hosts with one name"
t_is "each has its own label" "$(label hpr disk) $(label wsasus disk)" "nvme ssd"
lab-fault wsasus hostname wsasus

copy=$t_dir/copy.tar
lab-node hpr bash -c 'service docker stop >/dev/null; tar -C /var/lib/docker -cf - swarm' >"$copy"
lab-node wsasus bash -c 'docker swarm leave --force >/dev/null; service docker stop >/dev/null
	rm -rf /var/lib/docker/swarm; tar -C /var/lib/docker -xf -; service docker start >/dev/null' <"$copy"
lab-node hpr bash -c 'service docker start >/dev/null'
same_id() {
	local a b
	a=$(node_id hpr) b=$(node_id wsasus)
	[ -n "$a" ] && [ "$a" = "$b" ]
}
t_ok "one is a copy of the other's disk" t_retry 30 same_id
pass
t_like "a copied disk: both are told" "$t_status $t_out" "^3 .*nodes '(hpr' and 'wsasus|wsasus' and 'hpr)' are one node of the swarm"
lab-node wsasus bash -c 'service docker stop >/dev/null; rm -rf /var/lib/docker/swarm; service docker start >/dev/null'
lab-node hpr service docker restart >/dev/null
t_retry 30 lab-node wsasus docker version
converges "the copy mended as told"
t_is "four nodes are ready again" "$(docker node ls --format '{{.Status}}' | grep -c Ready)" 4

# ---- A join that fails ----

lab-node hpr docker swarm leave >/dev/null
lab-node hpr iptables -A OUTPUT -p tcp --dport 2377 -j DROP
pass
t_is "the managers' port is closed: exit 3" "$t_status" 3
t_like "the ports are named" "$t_out" "swarm/four@hpr.*2377/tcp to the managers and 7946/tcp, 7946/udp and 4789/udp"
t_is "the engine has forgotten the attempt" "$(lab-node hpr docker info --format '{{.Swarm.LocalNodeState}}')" inactive
lab-node hpr iptables -D OUTPUT -p tcp --dport 2377 -j DROP
converges "the port is open again"

# ---- Managers ----

sed -i '/hppavilion:\|wsasus:/s/labels/role: manager, labels/' "$cluster"
converges "two more managers"
managers() {
	docker node ls --format '{{.ManagerStatus}}' | grep -cE 'Leader|Reachable'
}
t_is "there are three" "$(managers)" 3

# From a worker: its own engine cannot tell anything about the swarm.
lab-node hpr bash -c 'umask 077; mkdir -p /root/.ssh; tar -C /root/.ssh -xf -' < <(tar -C /root/.ssh -cf - .)
cp "$cluster" "$BUILD/41-swarm.yaml"
t_run lab-node hpr env -u DOCKER_HOST "$RECONCILE" --dry-run --detailed-exitcode "$BUILD/41-swarm.yaml"
t_like "run on a worker, a manager is asked" "$t_status $t_out" '^0 .*against node gmktec.*No changes'
t_run lab-node hpr env -u DOCKER_HOST "$RECONCILE" status "$BUILD/41-swarm.yaml"
t_like "also for its status" "$t_out" 'at node gmktec.*wsasus +ready'
rm -f "$BUILD/41-swarm.yaml"

lab-fault gmktec dockerd kill
another_leads() { # after an election
	lab-node hppavilion docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}' >"$t_dir/nodes" &&
		grep -q Leader "$t_dir/nodes" && grep -q 'gmktec Down' "$t_dir/nodes"
}
t_ok "the first manager is gone, another leads" t_retry 60 another_leads
sed -i 's/disk: ssd/disk: fast/' "$cluster"
t_run timeout 60 "$RECONCILE" suspend --reason 'it burns' "$cluster"
t_like "suspended while the first manager is gone" "$t_status $t_out" '^0 cluster four is suspended'
pass
t_like "no change while it is suspended" "$t_status $t_out" '^5 .*it burns'
t_run timeout 60 "$RECONCILE" status "$cluster"
t_like "its status is told" "$t_out" 'at node (hppavilion|wsasus).*it burns.*gmktec +down'
t_run timeout 60 "$RECONCILE" resume "$cluster"
t_is "resumed" "$t_status" 0 || t_show_run
pass
t_like "another manager is used" "$t_status $t_out" '^3 .*against node (hppavilion|wsasus)'
t_is "and the change is made there" \
	"$(lab-node hppavilion docker node inspect --format '{{.Spec.Labels.disk}}' "$(node_id wsasus)")" fast || { t_diag "status $t_status"; t_diag "$t_out"; }
cp "$cluster" "$t_dir/three.yaml"
sed -i 's/role: manager, labels: { disk: fast }/labels: { disk: fast }/' "$cluster"
pass
t_like "no demotion without a majority" "$t_status $t_out" '^3 .*demoting it would leave the swarm 2 managers, 1 of them reachable'
lab-fault gmktec dockerd start
# shellcheck disable=SC2016
t_ok "the first one is back" t_retry 60 bash -c '[ "$(docker node ls --format "{{.ManagerStatus}}" | grep -cE "Leader|Reachable")" = 3 ]'
converges "the demotion is made up for"
t_is "two managers are left" "$(managers)" 2
cp "$t_dir/three.yaml" "$cluster"
converges "and promoted again"

old=$(node_id gmktec)
wipe_docker gmktec
noticed() { # until then it can be neither demoted nor removed
	[ "$(lab-node hppavilion docker node inspect --format '{{.ManagerStatus.Reachability}}' "$old")" = unreachable ]
}
t_ok "the other managers notice that the first one is gone" t_retry 60 noticed
converges "the first manager rebuilt"
t_is "it is a manager again, and only once" "$(managers) $(docker node ls -q | wc -l)" "3 4"
t_is "as another node" "$([ "$(node_id gmktec)" != "$old" ] && label gmktec edge)" true
