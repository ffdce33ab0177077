#!/bin/bash
#
# What a host needs before anything runs on it: packages, dockerd's configuration, the firewall. With the real apt and
# dpkg (a repository in a directory), dockerd, ufw, nftables and firewalld. Where dockerd is restarted a stand-in takes
# systemd's place; that systemd does the same is for tests/vm.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

spec=$t_dir/cluster.yaml daemon=/etc/docker/daemon.json

reconcile() {
	local command=apply
	[ "$1" != bootstrap ] || { command=bootstrap && shift; }
	timeout -k 1 120 "$RECONCILE" "$command" --state-dir "$t_dir/state" "$@" "$spec"
}

in_sync() { # TEXT
	t_run reconcile --dry-run --detailed-exitcode
	t_is "$1" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
}

converges() { # TEXT OPTION...
	local text=$1
	shift
	t_run reconcile "$@" --yes
	t_is "$text" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
}

# Packages. None of them reaches beyond the directories that the lab has for itself.
repository=$t_dir/repository
make_package() { # NAME [FIELD]
	mkdir -p "$t_dir/$1/DEBIAN" "$t_dir/$1/opt/$1"
	printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: lab <lab@example.org>\n%sDescription: for a test\n' \
		"$1" "${2:+$2$'\n'}" >"$t_dir/$1/DEBIAN/control"
	dpkg-deb --root-owner-group -b "$t_dir/$1" "$repository/$1.deb" >/dev/null
}

packages() { # NAME...
	cat >"$spec" <<YAML
version: 1
cluster: lab
nodes:
  gmktec: { address: 10.99.0.1, role: manager, packages: [$(IFS=, && echo "$*")] }
YAML
}

mkdir "$repository" && chmod 755 "$t_dir"
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d
echo "deb [trusted=yes] file:$repository ./" >/etc/apt/sources.list
make_package lab-plain
make_package lab-needy 'Depends: lab-no-such-package'
mkdir -p "$t_dir/lab-failing/DEBIAN"
# shellcheck disable=SC2016 # for the package's shell
printf '#!/bin/sh\n[ -e /opt/lab-may ] || exit 7\n' >"$t_dir/lab-failing/DEBIAN/postinst"
chmod 755 "$t_dir/lab-failing/DEBIAN/postinst"
make_package lab-failing
(cd "$repository" && dpkg-scanpackages . 2>/dev/null >Packages)

packages
in_sync "an engine that is there needs no package"
packages lab-plain
t_run reconcile --yes
t_is "a plain pass installs nothing: exit 3" "$t_status" 3
# shellcheck disable=SC2016 # backquotes of the message
t_like "it says who does" "$t_out" 'blocked +package/gmktec.*
 +lab-plain: not installed on node .gmktec.: run `reconcile bootstrap`'
t_run reconcile bootstrap
t_is "bootstrap asks, and nobody is there to answer: exit 1" "$t_status" 1
t_like "it says what for" "$t_err" 'the plan installs packages; give --yes'
t_not_ok "nothing was installed" test -e /opt/lab-plain
converges "bootstrap installs, and fetches the lists for it" bootstrap
t_ok "it is there" test -d /opt/lab-plain
t_is "dpkg has it whole" "$(dpkg-query -W -f '${db:Status-Status}' lab-plain)" installed
in_sync "then a plain pass has nothing to do"
packages
in_sync "what the spec drops is forgotten"
t_ok "and not removed" test -d /opt/lab-plain

packages lab-nowhere
t_run reconcile bootstrap --yes
t_is "a package that does not exist: exit 1" "$t_status" 1
t_like "in apt's words" "$t_out" 'FAILED package/gmktec: .*install lab-nowhere: .*E: Unable to locate package lab-nowhere'
packages lab-needy
t_run reconcile bootstrap --yes
t_like "a package whose dependency is missing, in apt's words" "$t_out" 'Depends: lab-no-such-package but it is not installable'
packages lab-failing
t_run reconcile bootstrap --yes
t_like "a package that cannot be configured, in dpkg's words" "$t_out" 'lab-failing.*exit status 7'
touch /opt/lab-may
converges "half installed is not there: the next bootstrap ends it" bootstrap
t_is "dpkg has that one whole, too" "$(dpkg-query -W -f '${db:Status-Status}' lab-failing)" installed

# dockerd's configuration: a reload.
engine() { # DAEMON [NODE-KEYS]
	cat >"$spec" <<YAML
version: 1
cluster: lab
engine: { daemon: $1 }
nodes:
  gmktec: { address: 10.99.0.1, role: manager${2:+, $2} }
YAML
}
container_before=$(docker ps -q)
started=$(stat -c %Y /run/docker.pid)
mkdir -p /etc/docker
printf '{\n\t"max-concurrent-uploads": 3,\n\t"debug": false\n}\n' >"$daemon"
chmod 600 "$daemon"
engine '{ labels: [disk=ssd] }' 'engine: { daemon: { debug: true } }'
t_run reconcile --dry-run
t_like "a reload is enough" "$t_out" 'dockerd is reloaded, nothing restarts'
converges "labels and debug are taken over"
t_is "dockerd has them" "$(docker info -f '{{.Labels}} {{.Debug}}')" "[disk=ssd] true"
t_is "other keys and the order of the file are as they were" \
	"$(perl -MJSON::PP -0e 'print join ",", map { /"([a-z-]+)"/ } grep { /:/ } split /\n/, <>' "$daemon")" \
	"max-concurrent-uploads,debug,labels"
t_is "so is its mode" "$(stat -c %a "$daemon")" 600
t_is "dockerd did not restart" "$(stat -c %Y /run/docker.pid) $(docker ps -q)" "$started $container_before"
t_is "nothing is left beside" "$(find /etc/docker /run/reconcile -name '*daemon.json*' | sort)" "$daemon"
in_sync "then there is nothing to do"
sed -i 's/disk=ssd/disk=hdd/' "$daemon"
converges "a change by hand is undone"
t_is "and dockerd still has the label" "$(docker info -f '{{.Labels}}')" "[disk=ssd]"
sed -i 's/"debug": true/"debug": false/' "$daemon" && kill -HUP "$(cat /run/docker.pid)"
t_retry 5 test "$(docker info -f '{{.Debug}}')" = false
sed -i 's/"debug": false/"debug": true/' "$daemon"
t_run reconcile --dry-run
t_like "a file that was never loaded is noticed" "$t_out" 'loaded: false -> true'
converges "and loaded"
t_is "debug is on again" "$(docker info -f '{{.Debug}}')" true

before=$(cat "$daemon")
engine '{ labels: [disk=ssd], no-such-key: 1 }'
mkdir -p "$t_dir/bin" /run/systemd/system
ln -s "$t_root/tests/lab/standins/systemctl" "$t_dir/bin/systemctl"
export PATH=$t_dir/bin:$PATH
t_run reconcile --yes
t_is "a key that dockerd does not know: exit 1" "$t_status" 1
t_like "dockerd itself refuses it before it is written" "$t_out" "the following directives don't match any configuration option: no-such-key"
t_is "the file is as it was" "$(cat "$daemon")" "$before"
engine '{ insecure-registries: ["10.99.0.9:5000"] }'
t_run reconcile --yes
t_like "a flag of the running dockerd that says the same is named" "$t_out" 'specified both as a flag and in the configuration file: insecure-registries'
t_is "the file is still as it was" "$(cat "$daemon")" "$before"
t_is "and the node takes tasks" "$(docker node inspect -f '{{.Spec.Availability}}' self)" active

# A restart, behind a drain.
t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
service() { # [GRACE]
	cat >>"$spec" <<YAML
services:
  web:
    image: lab/busybox:1
    command: [sleep, "1000"]
    stop_grace_period: ${1:-1s}
    deploy: { endpoint_mode: dnsrr, update_config: { monitor: 1s } }
YAML
}
engine '{ labels: [disk=ssd] }' && service
converges "a service runs"
engine '{ labels: [disk=ssd], log-opts: { max-size: 10m } }' && service
rmdir /run/systemd/system
t_run reconcile --yes
t_is "without systemd nothing is restarted: exit 3" "$t_status" 3
t_like "and it says so" "$t_out" "has to be restarted for this, and systemd does not run it"
mkdir /run/systemd/system
export RECONCILE_TRACE=$t_dir/trace
converges "dockerd is restarted"
unset RECONCILE_TRACE
t_like "its tasks had moved away before" "$(grep -oE '"target":"(POST [^"]*/nodes/|env LC_ALL=C sh -c restart)' "$t_dir/trace" | tr '\n' ' ')" \
	'POST [^ ]*/nodes/ .*restart.*POST [^ ]*/nodes/'
t_is "the node takes tasks again" "$(docker node inspect -f '{{.Spec.Availability}}' self)" active
t_is "and runs them" "$(docker service ls --format '{{.Replicas}}')" 1/1
t_like "with the new options" "$(docker inspect -f '{{.HostConfig.LogConfig.Config}}' "$(docker ps -q)")" 'max-size:10m'

before=$(cat "$daemon")
engine '{ labels: [disk=ssd], log-opts: { no-such-option: 1 } }' && service
t_run reconcile --yes
t_is "options with which dockerd does not come up: exit 1" "$t_status" 1
t_like "its former file is put back" "$t_out" 'FAILED engine/gmktec: .*the former configuration was put back'
t_is "it is the one of before" "$(cat "$daemon")" "$before"
t_is "dockerd runs, and the node takes tasks" "$(docker node inspect -f '{{.Spec.Availability}}' self)" active
started=$(stat -c %Y /run/docker.pid)
t_run reconcile --yes
t_is "the same spec is an error of the next run, too" "$t_status" 1
t_is "which does not try it again" "$(stat -c %Y /run/docker.pid)" "$started"

# Ctrl-C while the tasks move away.
availability() {
	docker node inspect -f '{{.Spec.Availability}}' self
}
is_drained() {
	[ "$(availability)" = drain ]
}
engine '{ labels: [disk=ssd], log-opts: { max-size: 10m } }' && service 30s
converges "a task takes its time to end"
engine '{ labels: [disk=ssd], log-opts: { max-size: 9m } }' && service 30s
reconcile --yes >"$t_dir/interrupted" 2>&1 </dev/null &
run=$!
t_ok "the node is drained for a restart" t_retry 30 is_drained
pkill -TERM -x reconcile # as Ctrl-C, which the shell hides from what runs in the background
t_status=0
wait "$run" || t_status=$?
t_is "interrupted, the run ends with 1" "$t_status" 1
t_is "and the node takes tasks" "$(availability)" active
t_is "dockerd has not restarted" "$(stat -c %Y /run/docker.pid)" "$started"
engine '{ labels: [disk=ssd], log-opts: { max-size: 10m } }' && service
t_run reconcile --yes --retry
t_is "the next run goes on" "$t_status" 0

# Killed before and after each of its changes, a restart is ended by the next run.
kills=1 # every time another size, and another than now
for ((at = 1; at <= 40; at++)); do
	for when in before after; do
		size=$((10 + kills))
		engine "{ labels: [disk=ssd], log-opts: { max-size: ${size}m } }" && service
		[ "$when" = before ] && n=$at || n=$at+
		RECONCILE_KILL_AT=$n t_run reconcile --yes
		[ "$t_status" = 137 ] || break 2
		kills=$((kills + 1))
		rm -rf "$t_dir/state"
		t_retry 30 docker node ls
		t_run reconcile --yes
		[ "$t_status" = 0 ] || t_show_run
		t_is "killed $when change $at: the next run converges, the node takes tasks" \
			"$t_status $(docker node inspect -f '{{.Spec.Availability}}' self) $(grep -c "\"${size}m\"" "$daemon")" \
			"0 active 1"
	done
done
t_is "there were changes to be killed at" "$((kills > 10))" 1

# Firewalls. The other node is an address only: nobody answers there, and nobody has to.
ip route add unreachable 10.99.0.2/32
ip route add unreachable 10.99.0.3/32
firewall() { # ADDRESS [NODE-KEYS]
	cat >"$spec" <<YAML
version: 1
cluster: lab
nodes:
  gmktec: { address: 10.99.0.1, role: manager${2:+, $2} }
  hpr: { address: $1, optional: true }
nfs:
  models:
    server: gmktec
    path: /srv/models
    export: { options: [ro] }
    mount: { path: /srv/models, nodes: [hpr], options: [ro, nofail] }
YAML
}
only=(--only firewall/gmktec)
expect_rules() { # TEXT GOT ADDRESS
	t_is "$1" "$2" "$3 2049/tcp
$3 2377/tcp
$3 4789/udp
$3 7946/tcp
$3 7946/udp"
}

firewall 10.99.0.2
if ! command -v ufw >/dev/null; then
	t_skip "ufw is missing: apt-get install ufw" 6
else
	own() { ufw status | sed -nE 's/^([0-9]+\/[a-z]+) +ALLOW +([0-9.]+) +# reconcile lab *$/\2 \1/p' | sort; }
	sed -i 's/^ENABLED=no/ENABLED=yes/' /etc/ufw/ufw.conf && /usr/lib/ufw/ufw-init start
	t_like "ufw is at work" "$(ufw status)" 'Status: active'
	ufw allow proto tcp from 10.99.0.7 to any port 2049 comment mine >/dev/null
	converges "ufw is told" "${only[@]}"
	expect_rules "it has the rules of Swarm and NFS, and who wants them" "$(own)" 10.99.0.2
	firewall 10.99.0.3
	converges "another address" "${only[@]}"
	expect_rules "those of the former are removed" "$(own)" 10.99.0.3
	t_is "those of others are not" "$(ufw status | grep -c '10.99.0.7 *# mine')" 1
	/usr/lib/ufw/ufw-init force-stop >/dev/null 2>&1
	sed -i 's/^ENABLED=yes/ENABLED=no/' /etc/ufw/ufw.conf
fi

if ! command -v nft >/dev/null; then
	t_skip "nft is missing: apt-get install nftables" 5
else
	nft -f - <<-'NFT'
		table inet site {
			chain input {
				type filter hook input priority filter; policy drop;
				iif lo accept
				ct state established,related accept
			}
		}
	NFT
	ruleset=$(nft list table inet site)
	t_run reconcile --yes "${only[@]}"
	t_is "a ruleset by hand: exit 3" "$t_status" 3
	t_is "it is not changed" "$(nft list table inet site)" "$ruleset"
	grep -oE "nft add rule inet site input '[^']*'" <<<"$t_out" >"$t_dir/rules"
	t_is "it says what to add" "$(wc -l <"$t_dir/rules")" 5
	t_ok "which nft takes as it is" bash -e "$t_dir/rules"
	t_run reconcile --yes "${only[@]}"
	t_is "then all is well" "$t_status" 0
	nft delete table inet site
fi

if ! command -v firewalld >/dev/null; then
	t_skip "firewalld is missing: apt-get install firewalld" 5
else
	mkdir -p /run/dbus && dbus-daemon --system --fork --nopidfile
	firewalld --nofork --nopid >"$t_dir/firewalld.log" 2>&1 &
	firewalld=$!
	rich() { firewall-cmd "$@" --list-rich-rules | sed -nE 's/^rule priority="-[0-9]+" .*address="([0-9.]+)" port port="([0-9]+)" protocol="([a-z]+)" accept$/\1 \2\/\3/p' | sort; }
	t_ok "firewalld is at work" t_retry 30 firewall-cmd --state
	firewall-cmd -q --add-rich-rule='rule family="ipv4" source address="10.99.0.7" port port="2049" protocol="tcp" accept'
	converges "firewalld is told" "${only[@]}"
	firewall 10.99.0.2
	converges "of another address, too" "${only[@]}"
	expect_rules "it has the rules, those of the former address are removed" "$(rich)" 10.99.0.2
	expect_rules "also for good" "$(rich --permanent)" 10.99.0.2
	t_is "those of others are not" "$(firewall-cmd --list-rich-rules | grep -c '10.99.0.7')" 1
	kill "$firewalld"
	wait "$firewalld" 2>/dev/null
fi
