# shellcheck shell=bash
#
# What makes namespaces a host: sourced by ./inside, the PID 1 of a lab, and by
# ./node, the PID 1 of one of several hosts. Everything here runs as root in
# mount, UTS, IPC, PID and network namespaces of its own.

readonly failed=125
readonly deadline=30 # seconds for a daemon to answer
export LAB=/run/lab
# shellcheck disable=SC2034 # read by the files that source this one
started='' # PID of what start() started last

die() {
	echo "lab: $*" >&2
	exit "$failed"
}

# Moves into a new root: an overlay of the machine's `/`, whose changes are kept
# in a tmpfs that dies with the namespace. File systems below `/` are not part
# of such an overlay and get one each. Only what $LAB_SHARES names, separated by
# colons, is the machine's own.
#
# REAL-DIRECTORY becomes $LAB; $LAB/written has what was written on the host, and
# nothing of the machine's own files. The engine's data are on the machine's disk,
# unless $LAB_DISK is set: then all that the host has is on a tmpfs of that
# size. HIDDEN directories are empty at first.
move_to_new_root() { # REAL-DIRECTORY [HIDDEN...]
	local directory=$1 private=$1/private root=$1/private/root hidden parent
	shift
	mkdir -p "$private" "$directory/docker"
	mount -t tmpfs -o "mode=0755${LAB_DISK:+,size=$LAB_DISK}" lab "$private"
	mkdir -p "$private/upper" "$private/work" "$private/docker" "$root"
	for hidden; do
		parent=$(dirname "$hidden")
		[ -d "$private/upper$parent" ] || mkdir --mode="$(stat -c %a "$parent")" "$private/upper$parent"
		mknod "$private/upper$hidden" c 0 0 # to an overlay: not there
	done
	mount -t overlay -o "lowerdir=/,upperdir=$private/upper,workdir=$private/work" lab "$root" ||
		die "cannot put an overlay on /"
	for hidden; do
		mkdir --mode="$(stat -c %a "$hidden")" "$root$hidden"
	done
	add_other_file_systems "$private" "$@"
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys" # this one shows the interfaces of this network namespace
	mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
	! mountpoint -q /sys/kernel/security || mount --rbind /sys/kernel/security "$root/sys/kernel/security"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=1777 lab "$root/dev/shm"
	mount -t tmpfs -o mode=0755 lab "$root/run"
	mkdir -p "$root/run/lock" "$root$LAB" "$root/var/lib/docker"
	mount --bind "$directory" "$root$LAB"
	mkdir -p "$root$LAB/written"
	mount --bind "$private/upper" "$root$LAB/written"
	mount -o remount,bind,ro "$root$LAB/written"
	[ -z "${LAB_CONTROL:-}" ] || mount --bind "$LAB_CONTROL" "$root$LAB/control"
	[ -z "${LAB_DISK:-}" ] || directory=$private
	mount --bind "$directory/docker" "$root/var/lib/docker"
	add_shares "$root"
	parent=$PWD
	cd "$root"
	pivot_root . .
	umount -l . # the old root, which covers the new one
	cd "$parent" 2>/dev/null || cd /
}

add_other_file_systems() { # PRIVATE-DIRECTORY [HIDDEN...]
	local private=$1 target hidden number=0
	shift
	while read -r target; do
		target=$(printf %b "$target")
		for hidden in / /dev /proc /run /sys /var/lib/docker "$private" "$@"; do
			[ "$target" != "$hidden" ] || continue 2
			[ "$hidden" = / ] || [ "${target#"$hidden"/}" = "$target" ] || continue 2
		done
		[ -d "$target" ] && [ -d "$private/root$target" ] || continue
		number=$((number + 1))
		mkdir -p "$private/other$number/upper" "$private/other$number/work"
		chmod --reference="$target" "$private/other$number/upper"
		chown --reference="$target" "$private/other$number/upper"
		mount -t overlay -o "lowerdir=$target,upperdir=$private/other$number/upper,workdir=$private/other$number/work" \
			lab "$private/root$target" 2>/dev/null ||
			echo "lab: no overlay of $target is possible: it is left out" >&2
	done < <(findmnt --raw --noheadings --output TARGET --types ext2,ext3,ext4,xfs,btrfs,f2fs,bcachefs,zfs,tmpfs)
}

add_shares() { # ROOT
	local share shares
	IFS=: read -r -a shares <<<"$LAB_SHARES"
	for share in "${shares[@]}"; do
		if [ -d "$share" ]; then
			mkdir -p "$1$share"
		else
			mkdir -p "$(dirname "$1$share")"
			touch "$1$share"
		fi
		mount --rbind "$share" "$1$share"
	done
}

# What the machine has configured must not show in the lab. HOSTS are lines for
# /etc/hosts.
make_configuration_fresh() { # NAME HOSTS
	rm -rf /etc/docker/daemon.json /etc/exports.d /etc/reconcile \
		/var/lib/reconcile /var/lib/nfs/etab /var/lib/nfs/rmtab
	: >/etc/exports
	: >/etc/fstab
	mkdir -p /var/lib/nfs
	touch /var/lib/nfs/etab /var/lib/nfs/rmtab
	hostname "$1"
	echo "$1" >/etc/hostname
	printf '127.0.0.1 localhost\n%s\n' "$2" >/etc/hosts
}

make_environment_fresh() {
	unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION \
		http_proxy https_proxy all_proxy no_proxy \
		HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
	export DOCKER_CONFIG=$LAB/docker-config DOCKER_HOST=unix://$LAB/docker.sock
	export TMPDIR=/tmp
}

# Waits until COMMAND succeeds; the daemon's last words are shown if it does not.
wait_for() { # NAME PID COMMAND...: PID may be empty
	local daemon=$1 pid=$2 end=$((SECONDS + deadline))
	shift 2
	until timeout 5 "$@" >/dev/null 2>&1; do
		if { [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; } || [ "$SECONDS" -ge "$end" ]; then
			tail -n 20 "$LAB/$daemon.log" >&2
			die "$daemon did not start within $deadline s, its last words are above"
		fi
		sleep 0.1
	done
}

start() { # NAME COMMAND...
	local daemon=$1
	shift
	setsid "$@" </dev/null >"$LAB/$daemon.log" 2>&1 &
	started=$!
}

start_registry() { # ADDRESS
	mkdir "$LAB/registry"
	cat >"$LAB/registry.yml" <<-END
		version: 0.1
		log: {level: warn}
		storage:
		  filesystem: {rootdirectory: $LAB/registry}
		  delete: {enabled: true}
		http: {addr: "$1:5000"}
	END
	start registry docker-registry serve "$LAB/registry.yml"
	wait_for registry "$started" bash -c ": </dev/tcp/$1/5000"
}

start_swarm() { # ADDRESS
	timeout "$deadline" docker swarm init --advertise-addr "$1" \
		--default-addr-pool 10.64.0.0/14 >"$LAB/swarm.log" 2>&1 || {
		cat "$LAB/swarm.log" >&2
		die "docker swarm init failed"
	}
}
