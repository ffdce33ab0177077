#!/bin/bash
#
# The lab of four hosts: each is one, they make a swarm, and they can be broken and mended.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab --registry --nodes gmktec,hppavilion,wsasus,hpr
t_plan 50

on() { # USER@HOST COMMAND...: without what a person has configured
	timeout 15 ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=3 "$@"
}

state_of() { # HOST
	docker node inspect -f '{{.Status.State}}' "$1"
}

is_state() { # HOST STATE
	[ "$(state_of "$1")" = "$2" ]
}

everywhere() { # COMMAND...: what it says on each host, in one line
	local node
	for node in $LAB_NODES; do
		lab-node "$node" "$@"
	done | paste -sd' '
}

t_diag "the lab took $(($(date +%s) - $(stat -c %Y "$LAB/operator"))) s to start"
t_is "the command runs on the first host" "$(hostname)" gmktec
t_is "all four are in one swarm" "$(docker node ls --format '{{.Hostname}}:{{.Status}}:{{.ManagerStatus}}' | sort | paste -sd' ')" \
	"gmktec:Ready:Leader hppavilion:Ready: hpr:Ready: wsasus:Ready:"
t_is "each has its address" "$(everywhere sh -c "ip -4 -o address show dev eth0 | awk '{ print \$4 }'")" \
	"10.0.0.84/24 10.0.0.80/24 10.0.0.81/24 10.0.0.82/24"
t_is "and its name" "$(everywhere sh -c 'hostname; cat /etc/hostname')" \
	"gmktec gmktec hppavilion hppavilion wsasus wsasus hpr hpr"
t_is "and its identity" "$(everywhere cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub | wc -w)" 16
t_is "no two the same" "$(everywhere cat /etc/machine-id | tr ' ' '\n' | sort -u | wc -l)" 4
t_is "no way out of any of them" "$(everywhere sh -c 'ip route get 192.0.2.1 >/dev/null 2>&1 || echo none')" "none none none none"
t_is "each sees only its own processes" "$(everywhere sh -c 'pgrep -xc dockerd; pgrep -xc sshd')" "1 1 1 1 1 1 1 1"
for host in $LAB_NODES; do
	t_ok "a user logs in at $host and becomes root there" on "wizardsofts@$host" sudo -n true
done
t_is "so does the other user, by address" "$(on ops@10.0.0.82 'sudo -n id -un; hostname')" $'root\nhpr'
places="/etc/lab-test /opt/lab-test /root/lab-test /tmp/lab-test /usr/bin/lab-test /var/lib/docker/lab-test"
# shellcheck disable=SC2086 # words
lab-node hpr touch $places
t_is "what is written stays on the host" "$(everywhere sh -c "ls -d $places 2>/dev/null")" "$places"
t_is "nothing of the machine's is mounted or exported" "$(everywhere cat /etc/fstab /etc/exports)" ""
t_ok "a host has no systemd, and restarts its engine as Debian does without" \
	on wizardsofts@hpr 'test ! -d /run/systemd/system && sudo -n service docker restart'
t_ok "the engine answers again" t_retry 30 on wizardsofts@hpr sudo -n docker version
t_ok "it is in the swarm again" t_retry 20 is_state hpr ready

# Other hosts, without ssh
t_is "lab-node hands input, output and errors on" "$(echo in | lab-node hpr sh -c 'cat; echo err >&2' 2>&1)" $'in\nerr'
t_run lab-node hpr sh -c 'exit 7'
t_is "and the status" "$t_status" 7
t_run lab-node nobody true
t_like "it knows its hosts" "$t_status:$t_err" '^64:.*no such host in this lab: nobody'
lab-node hpr sleep 4711 &
ok=1
t_retry 10 lab-node hpr pgrep -f 'sleep 4711' && kill $! && wait $! 2>/dev/null
t_retry 10 bash -c "! lab-node hpr pgrep -f 'sleep 4711'" && ok=0
t_result $ok "a command ends with its lab-node"

# Images and the network between them
t_ok "an image is loaded on all hosts" "$t_root/tests/lab/images" lab/busybox:1
t_is "it is the same one" "$(everywhere docker images -q --no-trunc lab/busybox:1 | tr ' ' '\n' | sort | uniq -c | awk '{ print $1 }')" 4
docker tag lab/busybox:1 10.0.0.84:5000/busybox:2
docker push -q 10.0.0.84:5000/busybox:2 >/dev/null
t_ok "a registry serves all hosts" lab-node hpr docker pull -q 10.0.0.84:5000/busybox:2
docker network create -d overlay --attachable net >/dev/null
docker service create -q --detach --no-resolve-image --name web --mode global --network net --endpoint-mode dnsrr \
	--hostname '{{.Node.Hostname}}' lab/busybox:1 sh -c 'hostname >/tmp/index.html; exec httpd -f -p 80 -h /tmp' >/dev/null
all_run() {
	[ "$(docker service ps -q --filter desired-state=running web | xargs docker inspect -f '{{.Status.State}}' | grep -c running)" = 4 ]
}
t_ok "a service runs on each host" t_retry 30 all_run
# shellcheck disable=SC2016 # expands in the container
ask_all='for i in $(nslookup tasks.web | sed -n "s/^Address: //p"); do timeout 5 wget -qO- "http://$i/"; done'
answers() {
	[ "$(docker run --rm --network net lab/busybox:1 sh -c "$ask_all" | sort | paste -sd' ')" = "gmktec hppavilion hpr wsasus" ]
}
t_ok "and answers across hosts" t_retry 30 answers
docker service rm web >/dev/null
no_container() {
	[ -z "$(everywhere docker ps -aq)" ]
}
t_ok "and is gone" t_retry 30 no_container # also, nothing frees a disk any more

# Faults, and their end
lab-fault hpr sshd stop
t_run on wizardsofts@hpr true
t_like "sshd stopped: a connection and no answer" "$t_status:$t_err" '^255:.*(timed out|timeout)'
lab-fault hpr sshd continue
t_ok "sshd goes on" on wizardsofts@hpr true
lab-fault hpr sshd kill
t_run on wizardsofts@hpr true
t_like "no sshd: refused" "$t_status:$t_err" '^255:.*refused'
lab-fault hpr sshd start
t_ok "sshd is back" on wizardsofts@hpr true
lab-fault hpr dockerd stop
t_run on wizardsofts@hpr sudo -n timeout 2 docker ps
t_is "dockerd stopped: no answer" "$t_status" 124
lab-fault hpr dockerd continue
t_ok "dockerd goes on" on wizardsofts@hpr sudo -n docker ps
lab-fault hpr dockerd kill
t_run on wizardsofts@hpr sudo -n docker ps
t_like "no dockerd: no connection" "$t_status:$t_err" '^1:.*Cannot connect'
lab-fault hpr dockerd start
t_ok "dockerd is back" on wizardsofts@hpr sudo -n docker ps
lab-fault hpr hostkey new
t_run on wizardsofts@hpr true
t_like "another host key is refused" "$t_status:$t_err" '^255:.*IDENTIFICATION HAS CHANGED'
lab-fault hpr hostkey old
t_ok "the old one is known" on wizardsofts@hpr true
lab-fault hpr sudo off
t_run on wizardsofts@hpr sudo -n true
t_like "no sudo" "$t_status:$t_err" '^1:sudo: a password is required'
lab-fault hpr sudo on
t_ok "sudo again" on wizardsofts@hpr sudo -n true
lab-fault hpr disk full
t_run on wizardsofts@hpr 'sudo -n tee /opt/lab-file </etc/services >/dev/null; sudo -n docker create lab/busybox:1'
t_like "a full disk takes no file and no container" "$t_status:$t_err" '^1:.*/opt/lab-file: No space left.*no space left on device'
lab-fault hpr disk free
t_ok "a free one does" on wizardsofts@hpr 'sudo -n tee /opt/lab-file </etc/services >/dev/null && sudo -n docker create lab/busybox:1'
lab-fault hpr clock +1d
t_like "a clock is a day ahead" "$(($(on wizardsofts@hpr sudo -n date +%s) - $(date +%s)))" '^86(39|40)[0-9]$'
lab-fault hpr clock right
t_like "and is right" "$(($(on wizardsofts@hpr date +%s) - $(date +%s)))" '^-?[0-5]$'

docker swarm update --dispatcher-heartbeat 1s >/dev/null
lab-fault hpr network cut
t_run on wizardsofts@hpr true
t_is "a host that is cut off does not answer" "$t_status" 255
t_ok "the swarm sees that" t_retry 60 is_state hpr down
lab-fault hpr network join
t_ok "and that it is back" t_retry 60 is_state hpr ready
lab-fault hpr hostname wsasus
two_of_a_name() {
	[ "$(docker node ls --filter name=wsasus -q | wc -l)" = 2 ]
}
t_ok "two hosts have one name" t_retry 30 two_of_a_name
lab-fault wsasus swarm other
t_is "a host manages another swarm" "$(lab-node wsasus docker node ls -q | wc -l)" 1
lab-fault wsasus swarm leave
t_is "or is in none" "$(lab-node wsasus docker info -f '{{.Swarm.LocalNodeState}}')" inactive
