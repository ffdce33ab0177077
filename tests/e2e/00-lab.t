#!/bin/bash
#
# The lab itself: it keeps to itself, several live side by side, it leaves nothing.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

lab=$t_root/tests/lab/lab
t_need_lab
t_plan 32

# What a lab must not change, as far as it can be seen from outside.
host_fingerprint() {
	hostname
	ip -o link | sed 's/ qlen.*//'
	ip -o address
	cat /proc/sys/net/ipv4/ip_forward
	sha256sum /etc/exports /etc/hosts /etc/hostname /var/lib/nfs/etab 2>&1
	ls -la /etc/exports.d /etc/docker /etc/systemd/system /var/run/docker.sock /var/lib/docker /opt /srv 2>&1
	sed 's/^[0-9]* [0-9]* //' /proc/self/mountinfo
}

write_everywhere() {
	cat <<'EOF'
mkdir -p /etc/exports.d /etc/systemd/system /opt/lab-test /srv/lab-test /var/lib/lab-test
echo '/opt/lab-test 10.0.0.82(ro)' >/etc/exports.d/lab-test.exports
exportfs -ra
touch /etc/systemd/system/lab-test.mount /root/lab-test /tmp/lab-test /home/lab-test
mount -t tmpfs lab-test /srv/lab-test
docker network create lab-test
EOF
}

# The name of the lab that runs in it, as processes and cgroups carry it.
# shellcheck disable=SC2016 # expands in the lab
print_name='tr "\0" "\n" <"/proc/$(cat /run/docker.pid)/cmdline" | grep -o "reconcile-lab[.][A-Za-z0-9]*"'

left_of() { # NAME
	pgrep -af "$1"
	ls -d "${TMPDIR:-/var/tmp}/$1" /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1" 2>/dev/null
}

gone() { # NAME
	[ -z "$(left_of "$1")" ]
}

before=$(host_fingerprint)
t_run "$lab" run -- sh -c "hostname && docker info -f '{{.Swarm.ControlAvailable}}' && exit 7"
t_is "a lab returns its command's status" "$t_status" 7
t_is "the node is gmktec and a manager" "$t_out" $'gmktec\ntrue'
t_run "$lab" run --no-swarm -- sh -c "docker info -f '{{.Swarm.LocalNodeState}}'; ip route get 192.0.2.1 || echo no route"
t_like "--no-swarm leaves the engine out of a swarm" "$t_out" '^inactive'
t_like "there is no way out of the lab" "$t_out" 'no route$'
t_run "$lab" run --no-swarm -- sh -c 'exportfs -s; cat /etc/exports; docker ps -aq; docker images -q; ls /var/lib/reconcile /etc/reconcile 2>/dev/null'
t_is "a lab starts empty" "$t_status:$t_out" "2:"

t_ok "a lab takes changes all over the system" "$lab" run -- sh -ec "$(write_everywhere)"
t_is "and none of them reaches the machine" "$(host_fingerprint)" "$before"
t_is "not even its temporary files" "$(ls -d /tmp/lab-test /root/lab-test /home/lab-test /var/lib/lab-test 2>/dev/null)" ""
t_ok "--share lets writes through" "$lab" run --no-swarm --share "$t_dir" -- touch "$t_dir/shared"
t_ok "to the real directory" test -e "$t_dir/shared"

t_run "$lab" run --registry -- bash -ec "
	'$t_root/tests/lab/images' lab/busybox:1
	docker tag lab/busybox:1 10.99.0.1:5000/busybox:1
	docker push -q 10.99.0.1:5000/busybox:1
	curl --silent --head -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
		http://10.99.0.1:5000/v2/busybox/manifests/1"
t_like "--registry serves images with their digests" "$t_out" 'Docker-Content-Digest: sha256:'

# Two at once: each waits until the other is up.
for i in 1 2; do
	"$lab" run --share "$t_dir" -- bash -c "$print_name >'$t_dir/name$i'
		for ((n = 0; n < 300; n++)); do [ -s '$t_dir/name$((3 - i))' ] && exit; sleep 0.1; done; exit 1" &
	pids[i]=$!
done
wait "${pids[1]}"
t_is "a lab runs beside another one" $? 0
wait "${pids[2]}"
t_is "and the other one beside it" $? 0
t_is "both are gone when their commands have returned" \
	"$(left_of "$(cat "$t_dir/name1")")$(left_of "$(cat "$t_dir/name2")")" ""

kill_lab() { # SIGNAL OPTION...: sets $name, $running and $killed
	rm -f "$t_dir/name"
	"$lab" run --share "$t_dir" "${@:2}" -- bash -c "$print_name >'$t_dir/name'; sleep 600" 2>/dev/null &
	local pid=$!
	t_retry 30 test -s "$t_dir/name"
	name=$(cat "$t_dir/name")
	running=$(left_of "$name" | grep -c dockerd)
	running=$((running > 0)) # for moments it has children of its own name
	kill "-$1" "$pid"
	wait "$pid" 2>/dev/null
	killed=$?
}

kill_lab KILL
t_is "a lab killed with SIGKILL was running" "$running:$killed" "1:137"
t_ok "leaves no process, cgroup or directory" t_retry 20 gone "$name"
kill_lab TERM
t_is "a lab ended with SIGTERM was running" "$running:$killed" "1:143"
t_ok "leaves nothing either" t_retry 20 gone "$name"

# Several hosts; 40-nodes.t is about what they can do.
kill_lab KILL --nodes gmktec,hpr
t_is "a lab of two hosts killed with SIGKILL was running" "$running:$killed" "1:137"
t_ok "leaves no process, cgroup or directory" t_retry 20 gone "$name"
t_is "and nothing on the machine" "$(host_fingerprint)" "$before"

# shellcheck disable=SC2016 # expands in the lab
bare='for c in docker dockerd exportfs; do command -v $c; done; dpkg -s docker.io >/dev/null 2>&1 && echo docker.io; sudo -n id -un'
t_run "$lab" run --bare --nodes gmktec,hpr -- ssh -o BatchMode=yes ops@hpr "$bare"
t_is "a bare host has nothing but sshd and sudo" "$t_status:$t_out" "0:root"
t_run "$lab" run --nodes gmktec,unheard-of -- true
t_like "a host needs an address" "$t_status:$t_err" "^64:.*'unheard-of' has no address"

# A lab that stays. Its state is kept below $BUILD, and is not that of a person's lab.
export BUILD=$t_dir
name_of_lab() {
	basename "$(cut -d' ' -f2 "$t_dir/lab/up")"
}
t_run "$lab" enter gmktec
t_like "there is none at first" "$t_status:$t_err" '^1:.*no lab is up'
t_ok "lab up makes one that stays" "$lab" up
name=$(name_of_lab)
t_is "one can enter its hosts" "$("$lab" enter hpr hostname; "$lab" enter gmktec docker node ls -q | wc -l)" $'hpr\n4'
t_not_ok "there is no second one" "$lab" up
t_ok "lab down ends it" "$lab" down
t_is "and leaves nothing" "$(left_of "$name"; ls "$t_dir/lab")" ""
t_ok "lab up works again" "$lab" up --bare
name=$(name_of_lab)
kill -KILL "$(cut -d' ' -f1 "$t_dir/lab/up")"
t_ok "and leaves nothing when it is killed" t_retry 20 gone "$name"
t_run "$lab" down
t_is "which lab down has no problem with" "$t_status:$t_out" "0:lab: no lab was up"
