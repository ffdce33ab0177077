#!/bin/bash
#
# Nodes that say nothing: no ssh, sshd or dockerd stopped, cut off while something is written. Nothing hangs, it is said
# who is silent and what waits for it, the rest goes on, what is on the node stays whole, and it catches up afterwards.
# Real dockerd, sshd and exportfs on four hosts; systemd and mounted NFS are played by a stand-in on one of them, for the
# order in which things happen only (tests/vm has the real ones).

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
t_in_lab --nodes gmktec,hppavilion,wsasus,hpr
unset DOCKER_HOST
cluster=$t_dir/cluster.yaml trace=$t_dir/trace
exports=/etc/exports.d/reconcile-four.exports
disk=hdd client=10.0.0.84 site=home mode=0755

spec() {
	cat >"$cluster" <<END
version: 1
cluster: four
ssh: { user: ops, become: true }
swarm: { default_addr_pool: [10.64.0.0/14] }
engine: { daemon: { labels: [site=$site] } }
nodes:
  gmktec: { address: 10.0.0.84, role: manager, labels: { edge: "true" } }
  hppavilion: { address: 10.0.0.80, labels: { disk: $disk } }
  wsasus: { address: 10.0.0.81, labels: { models: "yes" } }
  hpr: { address: 10.0.0.82, labels: { disk: $disk }, optional: true }
nfs:
  models:
    server: hppavilion
    path: /srv/models
    mode: "$mode"
    export: { options: [ro], clients: [10.0.0.81, $client] }
    mount: { path: /srv/models, nodes: [wsasus], options: [ro, nofail] }
services:
  reader:
    image: lab/busybox:1
    command: [sleep, "1000"]
    stop_grace_period: 1s
    deploy:
      mode: global
      endpoint_mode: dnsrr
      placement: { constraints: [node.labels.models == yes] }
      update_config: { monitor: 1s }
END
}

pass() { # both streams in $t_out, how long it took in $took
	local start=$SECONDS
	rm -f "$trace"
	RECONCILE_TRACE=$trace t_run timeout -k 1 200 "$RECONCILE" --state-dir "$t_dir/state" --yes "$cluster"
	took=$((SECONDS - start))
	t_out=$t_out$'\n'$t_err
	t_diag "exit $t_status after $took s"
}

within() { # TEXT SECONDS
	t_result "$((took > $2))" "$1: within $2 s"
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

disks() { # of the two that have such a label
	echo "$(label hppavilion disk) $(label hpr disk)"
}

tasks_of_wsasus() { # whatever became of them
	docker node ps "$(node_id wsasus)" -q | wc -l
}

is_ready() { # NODE-ID
	[ "$(docker node inspect --format '{{.Status.State}}' "$1")" = ready ]
}

litter() { # HOST
	lab-node "$1" find /etc /tmp /var/tmp -xdev \( -name '.*.??????' -o -name 'tmp.??????????' \) -newer /run/lab/ready
}

# What the stand-in plays on wsasus: the programs come before the real ones in sudo's path.
# shellcheck disable=SC2016
lab-node wsasus sh -ec '
	mkdir -p /run/lab/mount /usr/local/lib/standin /etc/systemd/system
	sed "2i MOUNT_STANDIN=/run/lab/mount" "$1" >/usr/local/lib/standin/perl
	chmod 755 /usr/local/lib/standin/perl
	for name in systemctl umount journalctl; do cp /usr/local/lib/standin/perl "/usr/local/sbin/$name"; done
	printf "#!/bin/sh\ncase \$2 in *mountinfo*) exec /usr/local/lib/standin/perl \"\$@\" ;; esac\nexec %s \"\$@\"\n" \
		"$(command -v perl)" >/usr/local/sbin/perl
	chmod 755 /usr/local/sbin/perl' sh "$t_root/tests/lab/standins/systemd-mounts"
t_ok "the image is on all hosts" "$t_root/tests/lab/images" lab/busybox:1

# ---- In the Swarm, but not reachable by ssh; then its mount fails ----

lab-fault wsasus sshd kill
spec
pass
t_is "no ssh to a node: exit 3" "$t_status" 3
t_like "it is told why" "$t_out" "node 'wsasus' \(10\.0\.0\.81\): .*[Cc]onnection refused"
t_like "and what waits for it" "$t_out" 'blocked +mount/models@wsasus'
t_like "its placing label waits for its mount" "$t_out" "node/wsasus .*"$'\n'" +needs mount/models@wsasus"
t_is "the rest is done" "$(disks) $(lab-node hppavilion grep -c "^/srv/models " $exports)" "hdd hdd 2"
t_is "the label is not set, no task lands there" "$(label wsasus models):$(tasks_of_wsasus)" :0

lab-fault wsasus sshd start
lab-fault wsasus disk full
pass
t_is "a disk that is full: exit 1" "$t_status" 1
t_like "what could not be written is told" "$t_out" "FAILED mount/models@wsasus: .*node 'wsasus' \(10\.0\.0\.81\): write .*/srv-models\.mount: .*No space left on device"
t_is "no half a unit, nothing beside it" "$(lab-node wsasus find /etc/systemd/system -name '*srv-models*'; litter wsasus)" ''
t_is "nor the label, nor a task" "$(label wsasus models):$(tasks_of_wsasus)" :0
lab-fault wsasus disk free
pass
t_is "there is room again: exit 0" "$t_status" 0 || t_show_run
t_like "first the mount, then the label" \
	"$(grep -oE "/srv-models.mount on wsasus|POST [^ ]*/nodes/[^/]*/update" "$trace" | sed 's/POST.*/label/' | paste -sd' ')" \
	'srv-models.mount on wsasus label$'
runs_on_wsasus() {
	lab-node wsasus docker ps -q | grep -q .
}
t_ok "then a task runs there" t_retry 30 runs_on_wsasus
converges "all is well"

# ---- sshd stopped, on two nodes at once ----

disk=ssd
spec
lab-fault wsasus sshd stop
lab-fault hpr sshd stop
pass
t_is "sshd stopped, connections there are: exit 3" "$t_status" 3
within "sshd stopped, connections there are" 20
t_like "both are told" "$t_out" "node 'wsasus' \(10\.0\.0\.81\): .*says nothing"
t_like "the optional one, too" "$t_out" "node 'hpr' \(10\.0\.0\.82\): .*says nothing"
t_like "with what waits for them" "$t_out" 'blocked +engine/hpr.*blocked +mount/models@wsasus'
t_is "what needs no ssh is done" "$(disks)" "ssd ssd"
runs_on_wsasus
t_is "the task there runs on, with its label" "$? $(label wsasus models)" "0 yes"
rm -f /run/reconcile/ssh-*
site=away
spec
pass
t_is "sshd stopped, no connection yet: exit 3" "$t_status" 3
within "sshd stopped, no connection yet" 25
t_is "other nodes are changed meanwhile" "$(docker info -f '{{.Labels}}') $(lab-node hppavilion docker info -f '{{.Labels}}')" \
	"[site=away] [site=away]"
lab-fault wsasus sshd continue
lab-fault hpr sshd continue
converges "sshd goes on"
t_is "with what they have missed" "$(lab-node hpr docker info -f '{{.Labels}}')" "[site=away]"

# ---- dockerd stopped ----

frozen=$(node_id hpr)
lab-fault hpr dockerd stop
site=home disk=tape
spec
pass
t_is "a worker's dockerd stopped: exit 3" "$t_status" 3
within "a worker's dockerd stopped" 60
t_like "it is told, and where to look" "$t_out" "blocked +engine/hpr.*node 'hpr'.*the engine does not answer: look there with .systemctl status docker."
t_is "the others are changed" "$(label hppavilion disk) $(lab-node wsasus docker info -f '{{.Labels}}')" "tape [site=home]"
lab-fault hpr dockerd continue
t_retry 60 is_ready "$frozen"
converges "the worker's dockerd goes on"
t_is "with what it has missed" "$(lab-node hpr docker info -f '{{.Labels}}') $(label hpr disk)" "[site=home] tape"

lab-fault gmktec dockerd stop
mode=0750 client=10.0.0.82
spec
before=$(lab-node hppavilion cat $exports)
pass
t_is "the only manager's dockerd stopped: exit 3" "$t_status" 3
within "the only manager's dockerd stopped" 40
t_like "it is told, and where to look" "$t_out" "Docker engine at unix:///var/run/docker.sock does not answer \(see .systemctl status docker. there\)"
t_like "without the lease nothing is changed, and that is said" "$t_out" 'nothing was changed: '
t_is "so it is" "$(lab-node hppavilion stat -c %a /srv/models) $(lab-node hppavilion cat $exports)" "755 $before"
lab-fault gmktec dockerd continue
for host in hppavilion wsasus hpr; do
	t_retry 60 is_ready "$(node_id $host)"
done
converges "the manager's dockerd goes on"
t_is "with what has waited" "$(lab-node hppavilion stat -c %a /srv/models) $(lab-node hppavilion grep -c 10.0.0.82 $exports)" "750 1"

# ---- Cut off in the middle of a write ----

lab-node hppavilion sh -c 'printf "#!/bin/sh\n: >/run/lab/at-work\nexec sleep 600\n" >/usr/local/sbin/sync && chmod 755 /usr/local/sbin/sync'
before=$(lab-node hppavilion sha256sum $exports) cut=$(node_id hppavilion)
client=10.0.0.99 disk=gone
spec
(
	t_retry 60 lab-node hppavilion test -e /run/lab/at-work
	lab-fault hppavilion network cut
) &
pass
wait $!
t_is "cut off mid-apply: exit 3" "$t_status" 3
within "cut off mid-apply" 90
t_like "it is told what was at work, and where" "$t_out" "FAILED export/models: .*node 'hppavilion'.*write $exports"
t_is "the others are changed" "$(label hpr disk)" gone
t_is "the former file is whole" "$(lab-node hppavilion sha256sum $exports)" "$before"
is_tidy() {
	[ -z "$(litter hppavilion)" ]
}
t_ok "what was half written goes with its process" t_retry 60 is_tidy
lab-node hppavilion rm /usr/local/sbin/sync
lab-fault hppavilion network join
t_ok "it is back" t_retry 60 is_ready "$cut"
converges "it catches up"
t_is "with what it has missed" "$(label hppavilion disk) $(lab-node hppavilion grep -c 10.0.0.99 $exports)" "gone 1"
