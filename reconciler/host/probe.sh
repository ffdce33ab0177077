# probe of a node. Requests on stdin, one a line: "dir P", "file P", "exports"; P is escaped for printf's %b.
# Answers on stdout in the same order: a header line, then blocks of base64 that a line "." ends.
# POSIX sh with coreutils or busybox. host/probe.c is the other side.
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH

block() {
	[ -z "$1" ] || printf %s "$1" | base64
	echo .
}

# What could not be looked at; what is not there is no error.
miss() {
	case $2 in
	*': No such file or directory' | *': Not a directory') echo "$1 none" && block '' ;;
	*) echo "$1 error" && block "$2" ;;
	esac
}

dir() {
	s=$(stat -c '%u|%g|%a|%F|%U:%G' -- "$1" 2>&1) || { miss dir "$s" && return; }
	real=$(readlink -f -- "$1" && echo .)
	real=${real%??}
	[ "$real" != "$1" ] || real=
	printf 'dir ok %s\n' "$s"
	block "$real"
}

file() {
	s=$(stat -L -c '%a|%s|%F' -- "$1" 2>&1) || { miss file "$s" && return; }
	mode=${s%%|*} size=${s#*|} size=${size%%|*}
	case $s in
	*'|regular'*) ;;
	*) miss file "it is a ${s##*|}, not a regular file" && return ;;
	esac
	[ "$size" -le 1048576 ] || { miss file 'it is larger than 1 MiB' && return; }
	s=$(base64 -- "$1" 2>&1) || { miss file "$s" && return; }
	printf 'file ok %s\n%s\n.\n' "$mode" "$s"
}

# exportfs -s says less than the table it reads: asked only when that is kept elsewhere.
exports() {
	etab=/var/lib/nfs/etab active=
	if ! command -v exportfs >/dev/null; then
		echo 'exports none' && block ''
	elif [ -r $etab ] || active=$(exportfs -s 2>&1); then
		echo 'exports ok' && block "$active"
	else
		miss exports "exportfs -s: $active"
	fi
	file $etab
	for f in /etc/exports /etc/exports.d/*.exports; do
		[ -e "$f" ] || [ -L "$f" ] || continue
		echo table && block "$f"
		file "$f"
	done
	echo 'exports end'
}

read -r name </proc/sys/kernel/hostname
echo "node $name"
while IFS=' ' read -r what arg; do
	p=$(printf '%b.' "$arg")
	case $what in
	dir) dir "${p%.}" ;;
	file) file "${p%.}" ;;
	exports) exports ;;
	esac
done
echo end
