# shellcheck shell=bash
#
# A lab of several hosts: sourced by ./inside, which is then no host itself but
# the wire between them, and the only one that sees them all.
#
#	DIR/control/socket       ./control, through which tests reach other hosts
#	DIR/control/names        the hosts, the first one first
#	DIR/control/pids/NAME    a host's first process
#	DIR/NAME                 a host's $LAB: its keys and logs; "ready" once it is

lan='' first=''
names=()
declare -A address_of pid_of

read_nodes() { # NAME=ADDRESS,...
	local node name
	for node in ${1//,/ }; do
		name=${node%%=*}
		names+=("$name")
		address_of[$name]=${node#*=}
	done
	first=${names[0]}
}

on() { # NODE COMMAND...
	nsenter --target "${pid_of[$1]}" --all -- "$here/node" enter / "${@:2}"
}

# Who is who, and the key that an operator would have put on the hosts.
make_identities() {
	local name
	ssh-keygen -q -t ed25519 -N '' -C "operator@$first" -f "$lan/operator"
	for name in "${names[@]}"; do
		mkdir -p "$lan/$name/control"
		ssh-keygen -q -t ed25519 -N '' -C "root@$name" -f "$lan/$name/ssh_host_ed25519_key"
		printf '%s %s\n' "${address_of[$name]}" "$name" >>"$lan/hosts"
		printf '%s,%s %s\n' "$name" "${address_of[$name]}" \
			"$(cut -d' ' -f1,2 "$lan/$name/ssh_host_ed25519_key.pub")" >>"$lan/known_hosts"
	done
	for name in "${names[@]}"; do
		cp "$lan/hosts" "$lan/operator.pub" "$lan/$name"
	done
	mv "$lan/operator" "$lan/known_hosts" "$lan/$first"
	mkdir -p "$lan/control/pids"
	echo "${names[*]}" >"$lan/control/names"
}

make_lan() {
	ip link set lo up
	ip link add name lan type bridge
	ip link set lan up
}

port_of() { # NODE: its end of the wire on the bridge
	echo "port-${1:0:10}"
}

start_node() { # NAME
	local name=$1 namespace=$lan/control/$1.net port starter
	port=$(port_of "$name")
	touch "$namespace"
	unshare --net="$namespace" ip link set lo up
	ip link add name "$port" type veth peer name eth0 netns "$namespace"
	ip link set "$port" master lan up
	nsenter --net="$namespace" ip address add "${address_of[$name]}/24" dev eth0
	nsenter --net="$namespace" ip link set eth0 up
	LAB_CONTROL=$lan/control setsid nsenter --net="$namespace" \
		unshare --mount --uts --ipc --pid --fork --kill-child \
		"$here/node" init "$lan/$name" "$name" "${address_of[$name]}" "$first" \
		</dev/null >"$lan/$name/init.log" 2>&1 &
	starter=$!
	until pid_of[$name]=$(pgrep -P "$starter"); do
		kill -0 "$starter" 2>/dev/null || break
	done
	echo "${pid_of[$name]}" >"$lan/control/pids/$name"
}

wait_for_node() { # NAME
	local end=$((SECONDS + 2 * deadline))
	until [ -e "$lan/$1/ready" ]; do
		if [ ! -d "/proc/${pid_of[$1]:-none}" ] || [ "$SECONDS" -ge "$end" ]; then
			cat "$lan/$1/init.log" >&2
			die "the host $1 did not start"
		fi
		sleep 0.05
	done
}

join_swarm() {
	local token name joins=()
	token=$(on "$first" docker swarm join-token --quiet worker) || die "the swarm has no token"
	for name in "${names[@]:1}"; do
		on "$name" timeout "$deadline" docker swarm join --advertise-addr "${address_of[$name]}" \
			--token "$token" "${address_of[$first]}:2377" >"$lan/$name/swarm.log" 2>&1 &
		joins+=("$!" "$name")
	done
	set -- "${joins[@]}"
	for (( ; $# > 0; )); do
		wait "$1" || {
			cat "$lan/$2/swarm.log" >&2
			die "$2 could not join the swarm"
		}
		shift 2
	done
}

several_hosts() { # LAB'S REAL DIRECTORY
	local name
	lan=$1
	read_nodes "$LAB_NODES"
	make_identities
	make_lan
	for name in "${names[@]}"; do
		start_node "$name"
	done
	setsid "$here/control" "$lan/control" </dev/null >"$lan/control.log" 2>&1 &
	for name in "${names[@]}"; do
		wait_for_node "$name"
	done
	[ "$LAB_SWARM" = no ] || join_swarm
	[ -S "$lan/control/socket" ] || wait_for control $! test -S "$lan/control/socket"
}

on_first_host() { # COMMAND...
	unset "${!LAB_@}"
	nsenter --target "${pid_of[$first]}" --all -- "$here/node" enter "$PWD" "$@"
}
