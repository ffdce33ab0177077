# probe of a node. Requests on stdin, one a line: "dir P", "file P", "look NAME [P]", "exports"; P is escaped for
# printf's %b.
# Answers on stdout in the same order: a header line, then blocks: a line with the number of bytes, the bytes, a line's
# end; of files base64 that a line "." ends. What runs on every pass starts few processes.
# POSIX sh with coreutils or busybox. host/probe.c is the other side.
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin silent=
export LC_ALL PATH

block() {
	printf '%s\n%s\n' "${#1}" "$1"
}

# Into p, without a process where nothing is escaped.
unescape() {
	case $1 in
	*\\*) p=$(printf '%b.' "$1") p=${p%.} ;;
	*) p=$1 ;;
	esac
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
	real=$(cd -P -- "$1" 2>/dev/null && pwd -P && echo .) || real=$(readlink -f -- "$1" && echo .)
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

# Functions look_NAME print what they see; status 0: that is it, 3: there is no such thing, else the error. Each bounds
# its own time where something can hang.
look() {
	name=${1%% *} p=
	[ "$name" = "$1" ] || unescape "${1#* }"
	s=$("look_$name" "$p" 2>&1)
	case "$? $name" in
	'0 '*) echo 'look ok' ;;
	'3 '*) echo 'look none' && s= ;;
	'124 engine' | '124 docker') echo 'look error' && silent=$s ;;
	*) echo 'look error' ;;
	esac
	block "$s"
}

# GET of the Engine's API, for what only this node's engine knows. Perl is part of every Debian; the docker client has
# no way to ask for a path. Socket.pm takes longer to load than the engine to answer: AF_UNIX is 1, and so is SOCK_STREAM,
# but on MIPS, where it is 2. A stopped engine accepts: waiting for it at each look would take the whole probe's time.
look_engine() {
	[ -S /var/run/docker.sock ] || return 3
	[ -z "$silent" ] || { echo "$silent" && return 124; }
	perl -e '
		$SIG{ALRM} = sub { exit 124 };
		alarm 5;
		my $at = pack "SZ108", 1, "/var/run/docker.sock";
		socket(S, 1, 1, 0) && connect(S, $at) or socket(S, 1, 2, 0) && connect(S, $at) or die "$!\n";
		syswrite S, "GET $ARGV[0] HTTP/1.0\r\nHost: docker\r\n\r\n";
		local $/; $_ = <S>;
		m{^HTTP/\S+ (\d+)[^\n]*\n.*?\r?\n\r?\n(.*)}s or die "the engine did not answer\n";
		exit 3 if $1 == 404;
		print $2; exit($1 != 200)' -- "$1" || {
		s=$?
		[ $s != 124 ] || echo 'the engine does not answer: look there with `systemctl status docker`'
		return $s
	}
}

# Mounts, and the units of a cluster for them: "CLUSTER", then a path and its mount unit, a line each; a line's end alone
# means all NFS mounts. kinds/mount/view.h says what is printed. A hung NFS server stops whoever looks: that is done by
# children, and after three seconds nobody waits for them any more. statfs asks the server, where stat may be answered
# from a cache.
look_mounts() {
	case $1 in
	*"
"*) ;;
	*) set -- "$1" /etc/systemd/system/*.mount && [ -e "$2" ] || return 3 ;;
	esac
	perl -e '
		my ($cluster, %unit) = split /\n/, $ARGV[0];
		my %at = %unit;
		my $dir = "/etc/systemd/system";
		my (%mounted, %job, %text, @show);
		sub record { my ($head, $t) = @_; $t =~ s/^/\t/mg if length $t; print "$head\n$t", $t =~ /[^\n]\z/ ? "\n" : "" }
		sub mountinfo {
			my $all = "";
			open my $f, "<", "/proc/self/mountinfo" or die "/proc/self/mountinfo: $!\n";
			while (<$f>) {
				my $path = (split / /)[4];
				$path =~ s/\\([0-7]{3})/chr oct $1/ge;
				$mounted{$path} = 1;
				$at{$path} = 1 if !defined $cluster && / - nfs4? /;
				$all .= $_ if exists $unit{$path} || / - (?:nfs4?|autofs) /;
			}
			$all;
		}
		sub start {
			my ($name, @do) = @_;
			pipe my $in, my $out or die "pipe: $!\n";
			defined(my $pid = fork) or die "fork: $!\n";
			if (!$pid) {
				open STDOUT, ">&", $out;
				open STDERR, ">&", $out;
				exec @do if !ref $do[0];
				print $do[0]->();
				exit;
			}
			$job{fileno $in} = { name => $name, in => $in, pid => $pid };
		}
		sub local_state {
			my ($path, $at) = @_;
			for (split m{/}, substr $path, 1) {
				$at .= "/$_";
				return "link $at" if -l $at;
			}
			return -e $path ? "not a directory" : "none" if !-d $path;
			opendir my $d, $path or return "failed: $!";
			return (grep { !/^\.\.?\z/ } readdir $d) ? "files" : "empty";
		}
		my $systemd = -d "/run/systemd/system";
		mountinfo();
		for my $p (sort keys %at) {
			start($p, $mounted{$p} ? ("stat", "-f", "-c", "ok %T", "--", $p) : sub { local_state($p) });
		}
		push @show, $_, s/mount\z/automount/r for sort values %unit;
		start("show", "systemctl", "show", "-p", "Id,UnitFileState,NeedDaemonReload", "--", @show) if $systemd && @show;
		my $end = time + 3;
		while (%job && (my $left = $end - time) > 0) {
			my $bits = "";
			vec($bits, $_, 1) = 1 for keys %job;
			last if select($bits, undef, undef, $left) <= 0;
			for my $fd (keys %job) {
				next if !vec($bits, $fd, 1);
				my $j = $job{$fd};
				next if sysread $j->{in}, $text{$j->{name}}, 65536, length($text{$j->{name}} // "");
				waitpid $j->{pid}, 0;
				$text{$j->{name}} = "failed: $text{$j->{name}}" if $? && $j->{name} ne "show";
				delete $job{$fd};
			}
		}
		for (values %job) {
			kill 9, $_->{pid};
			$text{$_->{name}} = $_->{name} eq "show" ? "" : "hung";
		}
		record("systemd " . ($systemd ? "yes" : "no"), "");
		record("nfs " . ((grep { -x "$_/mount.nfs" } "/sbin", "/usr/sbin") ? "yes" : "no"), "");
		record("mountinfo", mountinfo());
		record("show", $text{show} // "");
		record("at $_", $text{$_}) for sort keys %at;
		my %wanted = map { $_ => 1 } values %unit;
		for my $file (sort keys %{{ map { $_ => 1 } keys %wanted, map { s{.*/}{}r } glob "$dir/*.mount" }}) {
			my $n = 0;
			for my $name ($file, $file =~ s/mount\z/automount/r) {
				open my $f, "<", "$dir/$name" or next;
				my $t = do { local $/; <$f> } // "";
				last if !$n++ && !$wanted{$file} && $t !~ /^# Written by reconcile for the cluster \x27\Q$cluster\E\x27/;
				record("unit $name", $t);
			}
		}' -- "$1" </dev/null
}

# The same for who knows that there must be an engine: without one nothing is known of what it has.
look_docker() {
	[ -S /var/run/docker.sock ] || { echo 'there is no Docker Engine at /var/run/docker.sock' && return 1; }
	look_engine "$1"
}

# A systemd unit, its main process's name, and whether what starts it (sockets, timers) waits for something.
# kinds/absent/unit.h reads it.
look_unit() {
	[ -d /run/systemd/system ] || return 3
	show() { timeout -k 1 5 systemctl show -p "$1" -- "$2"; }
	s=$(show LoadState,ActiveState,UnitFileState,FragmentPath,MainPID,InvocationID,TriggeredBy "$1") || return 1
	printf '%s\n' "$s"
	pid=$(printf '%s\n' "$s" | sed -n 's/^MainPID=//p')
	[ "${pid:-0}" = 0 ] || sed 's/^/Program=/' "/proc/$pid/comm"
	for t in $(printf '%s\n' "$s" | sed -n 's/^TriggeredBy=//p'); do
		show ActiveState,UnitFileState "$t" | sed 's/^ActiveState/TriggerState/; s/^UnitFileState/TriggerFileState/'
	done
}

# The HAProxy that a process is, or that runs in its container: what client/haproxy/haproxy.h says. Its files are read as
# it sees them, and of them only lines without secrets are shown; its statistics are asked for where it listens, in its
# own network, by its socket or by a page.
look_haproxy() {
	[ -d "/proc/$1" ] || return 3
	timeout -k 1 10 nsenter --net="/proc/$1/ns/net" perl -MSocket -e '
		my $pid = $ARGV[0];
		sub comm { open my $f, "<", "/proc/$_[0]/comm" or return ""; my $c = <$f> // ""; chomp $c; $c }
		sub space { readlink("/proc/$_[0]/ns/pid") // "" }
		if (comm($pid) ne "haproxy") {
			my $inside = space($pid);
			exit 3 if $inside eq space("self");
			($pid) = grep { comm($_) eq "haproxy" && space($_) eq $inside } map { m{(\d+)} } glob "/proc/[0-9]*";
			exit 3 if !$pid;
		}
		sub slurp { open my $f, "<", $_[0] or return; local $/; read $f, my $t, 1 << 20; $t // "" }
		my (undef, @argv) = split /\0/, slurp("/proc/$pid/cmdline") // "";
		my (@files, @found, @sockets, @pages);
		while (@argv) {
			my $a = shift @argv;
			push @files, shift @argv if $a eq "-f" && @argv;
			push @files, splice @argv if $a eq "--";
		}
		sub at { $_[0] =~ m{^/} ? "/proc/$pid/root$_[0]" : "/proc/$pid/cwd/$_[0]" }
		@files = map { my $f = $_; -d at($f) ? map { s{.*/}{$f/}r } sort glob(at($f) . "/*.cfg") : $f } @files;
		my $shown = qr/^\s*(?:global|defaults|frontend|backend|listen|peers|resolvers|mailers|program|cache|ring|userlist|bind|server|server-template|default_backend|use_backend)\b/;
		my (%page, %bind, %auth, @order);
		my $section = "";
		for my $file (@files) {
			my $text = slurp(at($file));
			print defined $text ? "config $file\n" : "unreadable $file: $!\n";
			for (split /\n/, $text // "") {
				print "\t$_\n" if /$shown/;
				s/\s#.*//;
				my @w = split;
				next if !@w;
				if ($w[0] =~ /^(?:global|defaults|frontend|backend|listen|peers|resolvers|mailers|program|cache|ring|userlist)$/) {
					$section = "$w[0] " . ($w[1] // "");
					push @order, $section;
					($page{$section}, $auth{$section}) = ($page{defaults}, $auth{defaults}) if $w[0] ne "defaults";
				}
				my $key = $section =~ /^defaults/ ? "defaults" : $section;
				push @sockets, $w[2] if "@w[0, 1]" eq "stats socket" && $w[2];
				push @{$bind{$section}}, split /,/, $w[1] if $w[0] eq "bind" && $w[1] && !grep { $_ eq "ssl" } @w;
				next if $w[0] ne "stats";
				$page{$key} = $w[2] if $w[1] eq "uri" && $w[2];
				$page{$key} //= "/haproxy?stats" if $w[1] =~ /^(?:enable|auth|realm|refresh|admin)$/;
				$auth{$key} = $w[2] if $w[1] eq "auth" && $w[2];
			}
		}
		sub talk {
			my ($addr, $say) = @_;
			socket my $s, $addr =~ m{^/} ? AF_UNIX : AF_INET, SOCK_STREAM, 0 or die "$!\n";
			my ($host, $port) = $addr =~ /^(.*):(\d+)$/;
			$host = "127.0.0.1" if !defined $host || $host !~ /^\d+\.\d+\.\d+\.\d+$/ || $host eq "0.0.0.0";
			my $to = $addr =~ m{^/} ? sockaddr_un($addr) : sockaddr_in($port, inet_aton($host));
			connect $s, $to or die "$!\n";
			syswrite $s, $say;
			local $/;
			my $answer = <$s> // "";
			$answer;
		}
		sub ask {
			my ($name, $addr, $say) = @_;
			my $csv = eval {
				local $SIG{ALRM} = sub { die "it does not answer\n" };
				alarm 3;
				my $a = talk($addr, $say);
				alarm 0;
				if ($a =~ s/^(HTTP\S+ (\d+).*?\r?\n)\r?\n//s) {
					die "HTTP $2\n" if $2 != 200;
					if ($1 =~ /^transfer-encoding: *chunked/mi) { # also to a client of HTTP/1.0
						my ($rest, $n) = ($a, 0);
						for ($a = ""; $rest =~ s/^\s*([0-9a-f]+)[^\n]*\n//i && ($n = hex $1);) {
							$a .= substr $rest, 0, $n, "";
						}
					}
				}
				$a =~ /^# pxname,/ or die "it sent no statistics\n";
				$a;
			};
			alarm 0;
			print "silent $name: $@" and return if !defined $csv;
			$csv =~ s/^/\t/mg;
			print "stats $name\n$csv\n";
			exit 0;
		}
		for my $s (@sockets) {
			my $path = $s =~ s/^(?:unix|ipv4|ipv6)@//r;
			next if $path !~ m{^/} && $path !~ /:\d+$/;
			ask("socket $s", $path =~ m{^/} ? at($path) : $path, "show stat\n");
		}
		for my $k (@order) {
			next if !defined $page{$k} || $k !~ /^(?:frontend|listen)/;
			my $uri = $page{$k};
			my $login = $auth{$k} // "";
			if ($login ne "") {
				$login = join "", map { substr $_, 1 } split /\n/, pack "u", $login;
				my $pad = (3 - length($auth{$k}) % 3) % 3;
				$login =~ tr#` -_#AA-Za-z0-9+/#;
				substr $login, -$pad, $pad, "=" x $pad if $pad;
				$login = "Authorization: Basic $login\r\n";
			}
			for my $b (@{$bind{$k} // []}) {
				next if $b !~ /:\d+$/;
				ask("page $b$uri", $b, "GET $uri;csv HTTP/1.0\r\nHost: localhost\r\n$login\r\n");
			}
		}' -- "$1" </dev/null
}

look_clock() { date +%s; }

# A model in a store of Ollama's: "manifests/… [manifests/…] /directory". Of the first manifest that is there: its
# checksum, its name, the sizes of the blobs that it names, ".", and what it says.
look_model() {
	set -f
	dir=/${1#* /}
	[ ! -d "$dir" ] || cd -- "$dir" || return 1
	[ -d "$dir" ] || return 3
	for m in ${1%% /*}; do
		s=$(stat -L -c '%s %F' -- "$m" 2>&1) || case $s in
		*': No such file or directory' | *': Not a directory') continue ;;
		*) echo "$s" && return 1 ;;
		esac
		[ "${s%% *}" -le 1048576 ] || { echo "$m: it is larger than 1 MiB" && return 1; }
		sha256sum <"$m" && echo "$m" || return 1
		set -- $(grep -o 'sha256:[0-9a-f]*' <"$m" | sed 's|sha256:|blobs/sha256-|' | sort -u)
		[ $# = 0 ] || stat -L -c '%s %n' -- "$@" # a complaint for each that is missing
		echo . && cat <"$m"
		return
	done
	return 3
}

# "docker.io=moby-engine …": names for dpkg and for rpm. Read from dpkg's own table: dpkg-query takes several times as long.
look_package() {
	set -f
	if command -v dockerd >/dev/null || [ -S /var/run/docker.sock ]; then
		echo dockerd
	fi
	# Without the parser no container starts where the kernel has AppArmor switched on.
	if [ -d /sys/kernel/security/apparmor ] && [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] &&
		! command -v apparmor_parser >/dev/null && ! [ -x /sbin/apparmor_parser ]; then
		echo 'no apparmor_parser'
	fi
	# shellcheck disable=SC2086
	set -- $1
	if [ -r /var/lib/dpkg/status ]; then
		for p; do
			shift
			set -- "$@" -e "Package: ${p%=*}"
		done
		echo apt
		grep -A1 -Fx "$@" /var/lib/dpkg/status || :
	elif command -v rpm >/dev/null; then
		for p; do
			shift
			set -- "$@" "${p#*=}"
		done
		echo rpm
		rpm -q --qf 'Package: %{NAME}\nStatus: install ok installed\n' -- "$@" || :
	fi
}

# How dockerd runs, and whether it has been told of the last change of its file (kinds/engine/daemon.h). A mark that is
# older than the process is of no matter: it has read the file since.
look_dockerd() {
	command -v dockerd >/dev/null || return 3
	[ ! -d /run/systemd/system ] || echo systemd
	pid=
	[ ! -r /var/run/docker.pid ] || read -r pid </var/run/docker.pid || :
	if [ -n "$pid" ] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null |
		while IFS= read -r arg; do printf 'arg %s\n' "$arg"; done; then
		echo "pid $pid"
	else
		pid=
	fi
	if [ -r "$1" ] && { [ -z "$pid" ] || [ "$1" -nt /var/run/docker.pid ]; }; then
		read -r pending <"$1"
		echo "pending $pending"
	fi
}

# Whether a line of the file begins so, without a grep.
says() {
	while read -r line || [ -n "$line" ]; do
		case $line in "$1"*) return 0 ;; esac
	done <"$2"
	return 1
}

# Which firewall decides about what comes in, and its rules as far as kinds/firewall/rules.h reads them. ufw's tables are
# read as files, and firewalld is asked over D-Bus: their programs take a third of a second and more.
look_firewall() {
	if [ -r /etc/ufw/ufw.conf ] && says ENABLED=yes /etc/ufw/ufw.conf &&
		{ [ ! -r /etc/default/ufw ] || ! says DEFAULT_INPUT_POLICY='"ACCEPT"' /etc/default/ufw; }; then
		echo ufw
		grep -h '^### tuple ### ' /etc/ufw/user.rules /etc/ufw/user6.rules || [ $? = 1 ]
		return
	fi
	if command -v firewalld >/dev/null && grep -qxs firewalld /proc/[0-9]*/comm; then
		echo firewalld
		bus=org.fedoraproject.FirewallD1 # "done" ends an answer without any rule; none is no answer
		timeout -k 1 5 dbus-send --system --print-reply --dest=$bus /org/fedoraproject/FirewallD1 \
			$bus.zone.getRichRules string: 2>/dev/null | sed -n 's/^ *string "\(rule .*\)"$/\1/p; $a done' |
			grep . || timeout -k 1 10 firewall-cmd --list-rich-rules
		return
	fi
	command -v nft >/dev/null || return 3
	rules=$(nft list ruleset 2>&1) || { echo "nft: $rules" && return 1; }
	[ -n "$rules" ] || return 3
	rules=$(printf '%s\n' "$rules" | awk '
		$1 == "table" { table = $2 " " $3 }
		$1 == "chain" { chain = $2 }
		/hook input/ && /policy drop/ { print "chain " table " " chain }
		/comment "reconcile / { $1 = $1; print "rule " $0 }')
	case $rules in
	chain\ * | *'
chain '*) echo nftables && printf '%s\n' "$rules" ;;
	*) return 3 ;;
	esac
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
	case $what in
	dir) unescape "$arg" && dir "$p" ;;
	file) unescape "$arg" && file "$p" ;;
	look) look "$arg" ;;
	exports) exports ;;
	esac
done
echo end
