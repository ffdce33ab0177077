#!/bin/bash
#
# Nodes that answer, and are not as they should be: a full disk, a host key that is not the known one, no sudo, a clock
# that is off by a day. It is said which node, what was attempted and what to do; the rest goes on; files of the node
# stay whole; once it is mended the next pass catches up. Two hosts with one name and a node of another swarm are in
# 41-swarm.t, nodes that say nothing in 49-silent-nodes.t.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
t_in_lab --nodes gmktec,hppavilion,wsasus,hpr
unset DOCKER_HOST
cluster=$t_dir/cluster.yaml
exports=/etc/exports.d/reconcile-four.exports
disk='' client='' site='' key=''

spec() {
	cat >"$cluster" <<END
version: 1
cluster: four
ssh: { user: ops, become: true }
swarm: { default_addr_pool: [10.64.0.0/14] }
engine: { daemon: { labels: [site=$site] } }
nodes:
  gmktec: { address: 10.0.0.84, role: manager, labels: { edge: "true" } }
  hppavilion: { address: 10.0.0.80, labels: { disk: $disk }${key:+, host_key: "$key"} }
  wsasus: { address: 10.0.0.81, labels: { disk: $disk } }
  hpr: { address: 10.0.0.82, labels: { disk: $disk }, optional: true }
nfs:
  models:
    server: hppavilion
    path: /srv/models
    export: { options: [ro], clients: [$client] }
END
}

change() { # what a spec can want of a node: each time something new of each
	number=$((${number:-0} + 1))
	disk=disk-$number client=10.0.0.$((100 + number)) site=site-$number
	spec
}

pass() { # both streams in $t_out
	t_run timeout -k 1 200 "$RECONCILE" --state-dir "$t_dir/state" --yes "$cluster"
	t_out=$t_out$'\n'$t_err
}

node_id() { # HOST
	lab-node "$1" docker info --format '{{.Swarm.NodeID}}'
}

labels() { # HOST...: of the swarm's nodes and of their engines
	local host
	for host; do
		docker node inspect --format '{{.Spec.Labels.disk}}' "$(node_id "$host")"
		lab-node "$host" docker info --format '{{.Labels}}'
	done | paste -sd' '
}

converges() { # TEXT: everything that `change` wants is there then
	pass
	t_is "$1: exit 0" "$t_status" 0 || t_show_run
	pass
	t_like "$1: then nothing is left to do" "$t_status $t_out" '^0 .*No changes'
	t_is "$1: it is there" "$(labels hppavilion wsasus hpr) $(exported)" \
		"$disk [site=$site] $disk [site=$site] $disk [site=$site] $client"
}

exported() { # to whom, as the table of the running system says
	lab-node hppavilion sed -n 's|^/srv[^ \t]*[ \t]*\([0-9.]*\)(.*|\1|p' /var/lib/nfs/etab
}

files() { # of the node that is broken, and what lies beside them
	# shellcheck disable=SC2016
	lab-node hppavilion sh -c 'find /etc/exports* /etc/docker /var/lib/nfs /tmp /var/tmp
		sha256sum $(find /etc/exports* /etc/docker -type f)'
}

# Of what could not be done on hppavilion: nothing is changed there, all that it has no part in is done.
t_spared() { # TEXT
	t_is "$1: its files are as before, nothing is beside them" "$(files)" "$files"
	t_is "$1: so is what it exports" "$(exported)" "$was_exported"
	t_is "$1: the rest is done" "$(labels wsasus hpr)" "$disk [site=$site] $disk [site=$site]"
}

remember() {
	files=$(files) was_exported=$(exported) was_site=$site
}

change
converges "four sound nodes"

# ---- A full disk ----

remember
change
lab-fault hppavilion disk full
pass
t_is "a full disk: exit 1" "$t_status" 1
t_like "the file is named, and the node" "$t_out" \
	"FAILED export/models: .*node 'hppavilion' \(10\.0\.0\.80\): write $exports: .*No space left on device"
t_like "for the engine, too" "$t_out" "FAILED engine/hppavilion: .*node 'hppavilion' \(10\.0\.0\.80\): write .*No space left on device"
t_is "a full disk: nothing is changed, nothing half there" "$(files)" "$files"
t_is "a full disk: what was exported is" "$(exported)" "$was_exported"
t_like "a full disk: no other dockerd is told what this one could not take" "$t_out" "not yet engine/wsasus: needs engine/hppavilion first"
t_is "a full disk: the rest is done" "$(labels wsasus hpr)" "$disk [site=$was_site] $disk [site=$was_site]"

# The file fits, the table of exportfs does not.
lab-fault hppavilion disk free
lab-node hppavilion sh -c 'head -c 131072 /dev/zero >/opt/ballast'
lab-fault hppavilion disk full
lab-node hppavilion truncate -s 102400 /opt/ballast
pass
t_like "a disk that is full but for some bytes: the table is not put at risk" "$t_status $t_out" \
	"^1 .*FAILED export/models: .*node 'hppavilion': the files are as before: exportfs was not run, there is no room for its table in /var/lib/nfs: .*No space left on device"
t_is "what was exported is" "$(exported)" "$was_exported"
t_is "the file says so, too" "$(lab-node hppavilion grep -c "$was_exported" $exports)" 1
lab-node hppavilion rm /opt/ballast
lab-fault hppavilion disk free
change
converges "there is room again"

# ---- A host key that is not the one that is known ----

remember
change
lab-fault hppavilion hostkey new
pass
t_is "another host key: exit 3" "$t_status" 3
t_like "what to do is said" "$t_out" \
	"node 'hppavilion' \(10\.0\.0\.80\): its host key is not the one that is known\. .*ssh-keygen -R 10\.0\.0\.80"
t_like "and what waits for it" "$t_out" 'blocked +engine/hppavilion.*blocked +export/models'
t_spared "another host key"
key=$(lab-node hppavilion cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)
spec
converges "the new key is in the spec"
lab-fault hppavilion hostkey old
change
remember
pass
t_like "the spec's key is the only one that counts" "$t_status $t_out" \
	"^3 .*node 'hppavilion' \(10\.0\.0\.80\): its host key is not the one that is known"
t_spared "not the spec's key"
key=''
spec
converges "the known key is back"
key=$(lab-node hpr cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)
change
remember
pass
t_like "a key in the spec is asked for although there is a connection" "$t_status $t_out" \
	"^3 .*node 'hppavilion' \(10\.0\.0\.80\): its host key is not the one that is known"
t_spared "a wrong key in the spec"
key=''
spec
converges "without it"

# ---- No sudo ----

remember
change
lab-fault hppavilion sudo off
pass
t_is "no sudo: exit 3" "$t_status" 3
t_like "what to do is said" "$t_out" "node 'hppavilion' \(10\.0\.0\.80\): sudo on 10\.0\.0\.80 asks for a password: .*NOPASSWD"
t_like "and what waits for it" "$t_out" 'blocked +engine/hppavilion.*blocked +export/models'
t_spared "no sudo"
lab-fault hppavilion sudo on
converges "sudo again"

# ---- A clock that is off by a day ----

for offset in +1d -1d; do
	lab-fault hppavilion clock $offset
	off=$(lab-node hppavilion date +%s)
	t_like "the clock is off" "$((off - $(date +%s)))" '^-?86[34]'
	change
	converges "a clock off by $offset"
done
lab-fault hppavilion clock right
change
converges "the clock is right again"
