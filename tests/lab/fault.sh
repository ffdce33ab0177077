# shellcheck shell=bash
#
# What ./lab-fault does to a host, from within: sourced by ./node.

fault_sshd() { # stop|continue|kill|start
	case $1 in
	stop) pkill -STOP -x sshd ;;
	continue) pkill -CONT -x sshd ;;
	kill) pkill -KILL -x sshd ;;
	start) service ssh start >/dev/null ;;
	*) unknown ;;
	esac
}

# What the engine answers, its containers and their shims run on.
fault_dockerd() { # stop|continue|kill|start
	local pid
	pid=$(cat /run/docker.pid 2>/dev/null || :)
	case $1 in
	stop) kill -STOP "$pid" ;;
	continue) kill -CONT "$pid" ;;
	kill)
		kill -KILL "$pid"
		while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
		;;
	start) start_dockerd ;;
	*) unknown ;;
	esac
}

# All of the host is one tmpfs (/run and /dev/shm apart), the engine's data
# included: it gets as large as what is in it.
fault_disk() { # full|free
	case $1 in
	full)
		[ -e "$LAB/disk" ] || df --output=size /var/lib/docker | tail -n 1 >"$LAB/disk"
		mount -o remount,size="$(df --output=used /var/lib/docker | tail -n 1 | tr -d ' ')k" /var/lib/docker
		;;
	free) mount -o remount,size="$(tr -d ' ' <"$LAB/disk")k" /var/lib/docker ;;
	*) unknown ;;
	esac
}

fault_hostkey() { # new|old
	local key=/etc/ssh/ssh_host_ed25519_key
	case $1 in
	new)
		rm -f "$key" "$key.pub"
		ssh-keygen -q -t ed25519 -N '' -f "$key"
		;;
	old) install -m 600 "$LAB/ssh_host_ed25519_key" "$key" ;;
	*) unknown ;;
	esac
	pkill -KILL -x sshd || : # connections to the host as it was end, too
	service ssh start >/dev/null
}

fault_sudo() { # off|on
	case $1 in
	off) rm -f /etc/sudoers.d/lab ;;
	on) give_sudo ;;
	*) unknown ;;
	esac
}

# No namespace has a wall clock of its own. libfaketime gives one to every
# program that is linked with libc and starts from now on: sh, date, sudo, what
# new sessions run. The engine, a Go program, asks the kernel by itself and keeps
# the machine's clock, and so does what the kernel says: /proc, times of files.
fault_clock() { # OFFSET|right
	local library
	if [ "$1" = right ]; then
		rm -f /etc/ld.so.preload
	else
		library=$(dpkg -L libfaketime | grep '/libfaketime\.so\.1$')
		echo "$1" >/etc/faketimerc
		echo "$library" >/etc/ld.so.preload
	fi
	service ssh restart >/dev/null # half of it with the library would not get past sshd's sandbox
}

# The engine tells the swarm the name that it had when it started.
fault_hostname() { # NAME
	hostname "$1"
	echo "$1" >/etc/hostname
	[ ! -e /run/docker.pid ] || service docker restart >/dev/null
	[ ! -e /run/docker.pid ] || wait_for dockerd '' docker version
}

fault_swarm() { # other|leave
	case $1 in
	other | leave) docker swarm leave --force >/dev/null ;;
	*) unknown ;;
	esac
	[ "$1" = leave ] || start_swarm "$(ip -4 -o address show dev eth0 | sed 's/.*inet //; s|/.*||')"
}

unknown() {
	echo "lab-fault: see lab-fault --help" >&2
	exit 64
}

fault() { # WHAT HOW
	[ $# = 2 ] && declare -F "fault_$1" >/dev/null || unknown
	make_environment_fresh
	"fault_$1" "$2"
}
