#!/bin/bash
#
# The command line and the spec's way in: what is mistyped, missing, too large, no text, out of
# bounds or stalled is said clearly, with the right exit status, and without the value of a variable.

# shellcheck disable=SC2016 # ${...} of specs
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

repo=$t_dir/repo
export HOME=$t_dir/home SECRET=hunter2-4711 XDG_CACHE_HOME=$t_dir/cache
unset DOCKER_HOST DOCKER_CONTEXT
mkdir "$HOME" "$repo"
cd "$t_dir" || exit 1

git_repo() {
	git -C "$repo" -c user.name=test -c user.email=test@example.net "$@" >/dev/null
}

t_refused() { # TEXT STATUS EXTENDED-REGULAR-EXPRESSION COMMAND-LINE...
	local text=$1 status=$2 reason=$3
	shift 3
	t_run timeout -k 1 30 "$RECONCILE" "$@"
	t_is "$text: exit $status" "$t_status" "$status"
	t_like "$text: it says why" "$t_err" "$reason"
	t_unlike "$text: and tells no secret" "$t_out$t_err" "$SECRET"
}

# The spec as a file and as a file of a commit.
t_refused_both() { # TEXT STATUS EXTENDED-REGULAR-EXPRESSION PATH OPTION...
	local text=$1 status=$2 reason=$3 path=$4
	shift 4
	t_refused "$text, a file" "$status" "$reason" validate "$@" "repo/$path"
	t_refused "$text, in a commit" "$status" "$reason" validate "$@" --repo "$repo" --path "$path"
}

has_helper() { # PID
	helper=$(ps -o pid= --ppid "$1" | tr -d ' ')
	[ -n "$helper" ]
}

# A zombie is gone: whoever inherited it has only not looked yet.
is_gone() { # PID
	! kill -0 "$1" || grep -q '^State:.*Z' "/proc/$1/status"
}

# The command line.
t_refused "a mistyped command" 64 "'aply' is neither a command nor a file; did you mean 'apply'\?" aply
t_refused "another one, with a spec" 64 "did you mean 'validate'\?" validat cluster.yaml
t_refused "a word that is like none" 64 "'frobnicate' is neither a command nor a file; see reconcile help" frobnicate
t_refused "an unknown option" 64 "^reconcile: unrecognized option '--bogus'
reconcile: see reconcile help$" --bogus
t_refused "an unknown option of a command" 64 "^reconcile: unrecognized option '--dry-run'" validate --dry-run x.yaml
t_refused "two specs" 64 "unexpected argument 'b.yaml'" a.yaml b.yaml
t_refused "a spec and a repository" 64 "unexpected argument 'a.yaml'" --repo "$repo" a.yaml
t_refused "--ref without --repo" 64 "--ref and --path go with --repo" --ref main
t_refused "--path without --repo" 64 "--ref and --path go with --repo" --path x.yaml
for duration in 5 -1s 0s s 400d '5 m' 1h30 99999999999999999999s ''; do
	t_refused "--timeout '$duration'" 64 "--timeout wants a duration of at most a year such as 90s, 2h or 1h30m, not '$duration'" --timeout "$duration"
done
t_refused "an option without its value" 64 "option '--path' requires an argument" --path
t_refused "an exit status for a plan, without the plan" 64 "--detailed-exitcode goes with --dry-run" --detailed-exitcode x.yaml
for help in help --help -h 'apply --help' 'validate -h'; do
	# shellcheck disable=SC2086 # two words
	t_run "$RECONCILE" $help
	t_like "'$help' helps" "$t_status $t_out" '^0 usage: reconcile '
done

# The spec's whereabouts.
t_refused "no file" 1 "there is no none.yaml: name the spec" none.yaml
t_refused "no spec here" 1 "there is no cluster.yaml: name the spec" --dry-run
mkdir empty
t_refused "no spec in a directory" 1 "there is no empty/cluster.yaml: name the spec" empty
t_refused "a device" 1 "reading the spec /dev/zero: .*a device or pipe, not a file" /dev/zero
mkfifo pipe
t_refused "a pipe" 1 "reading the spec ./pipe: .*a device or pipe, not a file" ./pipe
t_refused "no repository" 1 "repository $t_dir/none: opening it: No such file or directory" --repo "$t_dir/none"
t_refused "a directory that is none" 1 "repository $t_dir/empty: it is no git repository" --repo "$t_dir/empty"
git init -q -b main "$repo"
t_refused "a repository without commits" 1 "repository $repo: it has no commits yet" --repo "$repo"

printf 'version: 1\ncluster: shop\nconfigs: { motd: { file: motd } }\n' >"$repo/cluster.yaml"
echo hello >"$repo/motd"
mkdir "$repo/dir"
ln -s /etc/hostname "$repo/link"
ln -s ../cluster.yaml "$repo/dir/inside.yaml"
printf '%s\n' "$SECRET" >"$t_dir/outside"
config() { # NAME FILE
	printf 'version: 1\ncluster: shop\nconfigs: { motd: { file: %s } }\n' "$2" >"$repo/$1.yaml"
}
config up ../outside
config absolute "$t_dir/outside"
config symlink link
config missing nowhere
config directory dir
printf 'version: 1\ncluster: caf\xe9\n' >"$repo/latin.yaml"
printf 'version: 1\ncluster: a\0b\n' >"$repo/nul.yaml"
printf 'version: 1\ncluster: shop\nconfigs: { c: { content: "${SECRET}" } }\n' >"$repo/variable.yaml"
printf 'version: 1\ncluster: shop\nservices: { web: { image: x, deploy: { replicas: "${SECRET}" } } }\n' >"$repo/number.yaml"
printf 'version: 1\ncluster: "${SECRET}"\nnetworks: { a: { driver: "${SECRET}", "${SECRET}": 1 } }\nservices: { web: { image: "${SECRET}!", networks: ["${SECRET}"], user: [] } }\n' >"$repo/everywhere.yaml"
{ cat "$repo/cluster.yaml" && head -c 1048576 /dev/zero | tr '\0' '#'; } >"$repo/big.yaml"
{ cat "$repo/cluster.yaml" && head -c 10485760 /dev/zero | tr '\0' '#'; } >"$repo/huge.yaml"
git_repo add -A
git_repo commit -q -m first
git_repo branch develop
git_repo tag v1.0

# A remote that accepts and never answers; its deadline passes while the rest goes on.
perl -MIO::Socket::INET -e '$| = 1; my $l = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die;
	print $l->sockport, "\n"; sleep 60' >port &
listener=$!
t_retry 5 test -s port
(
	start=${EPOCHREALTIME/./}
	timeout -k 1 40 "$RECONCILE" validate --repo "http://user:$SECRET@127.0.0.1:$(cat port)/x.git" >stalled 2>&1
	echo "$? $(((${EPOCHREALTIME/./} - start) / 1000000))" >stalled.status
) &
stalled=$!

# Who waits for one can stop waiting.
for signal in INT TERM KILL; do
	"$RECONCILE" validate --repo "http://127.0.0.1:$(cat port)/$signal.git" >interrupted 2>&1 &
	pid=$!
	t_retry 5 has_helper "$pid"
	kill -"$signal" "$pid"
	wait "$pid" 2>/dev/null
	status=$?
	t_ok "SIG$signal while a remote stalls leaves no helper" t_retry 2 is_gone "$helper"
	[ "$signal" = KILL ] || t_like "SIG$signal while a remote stalls: exit 1" "$status $(cat interrupted)" \
		"^1 .*fetching http://127.0.0.1:[0-9]+/$signal.git: .*cancelled"
done

t_run "$RECONCILE" validate --repo "$repo"
t_is "a commit's spec is read without a checkout" "$t_status $t_out" \
	"0 $(git -C "$repo" rev-parse --short=7 HEAD):cluster.yaml: cluster shop is valid"
t_run "$RECONCILE" validate --repo "$repo" --ref v1.0 --path dir/../cluster.yaml
t_is "also by a tag" "$t_status" 0
t_refused "a ref that is mistyped" 1 "it has no branch, tag or commit 'mian'; did you mean 'main'\?" --repo "$repo" --ref mian
t_refused "a ref that is like none" 1 "it has no branch, tag or commit 'production'; its branches are: develop, main" \
	--repo "$repo" --ref production
t_refused "a path that the commit does not have" 1 "there is no 'none.yaml' in the commit" --repo "$repo" --path none.yaml
t_refused "a path that is a directory" 1 "reading 'dir' of commit .*: it is a directory, not a file" --repo "$repo" --path dir
t_refused "a path out of the repository" 1 "it leads out of the repository" --repo "$repo" --path ../outside
t_refused "an absolute path" 1 "it is an absolute path, not one in the repository" --repo "$repo" --path "$t_dir/outside"
t_refused "a link out of the repository" 1 "'link' is a symbolic link that leads out of the repository" --repo "$repo" --path link
t_refused "a remote where nobody listens" 3 'fetching http://\*\*\*@127.0.0.1:1/x.git: .*Connection refused' \
	--repo "http://user:$SECRET@127.0.0.1:1/x.git"
t_refused "a scheme that is none" 1 'repository gopher://x: only paths, http://' --repo gopher://x

# Its content.
t_refused_both "more than 1 MiB" 4 '(larger than the limit of|at most) 1048576' big.yaml
t_refused_both "10 MiB" 4 '(larger than the limit of|at most) 1048576' huge.yaml
t_refused_both "not UTF-8" 4 'latin\.yaml:2:13: error: this byte is not UTF-8' latin.yaml
t_refused_both "a NUL byte" 4 'nul\.yaml:2:11: error: a NUL byte' nul.yaml
t_refused_both "a file outside" 4 "up\.yaml:3:26: error: config 'motd': .*it leads out of the (spec's directory|repository)" up.yaml
t_refused_both "an absolute file" 4 "absolute\.yaml:3:26: error: .*(leads out of the spec's directory|is an absolute path)" absolute.yaml
t_refused_both "a link to a file outside" 4 "symlink\.yaml:3:26: error: .*leads out of the (spec's directory|repository)" symlink.yaml
t_refused_both "a file that is missing" 0 "missing\.yaml:3:26: warning: .*(No such file|there is no 'nowhere' in the commit).*blocks" \
	missing.yaml
t_refused_both "a directory for a file" 4 "directory\.yaml:3:26: error: .*it is a directory" directory.yaml
t_refused_both "a variable" 4 'variable\.yaml:3:27: error: environment variable SECRET is not on the allow-list; --allow-env SECRET' \
	variable.yaml
t_refused_both "a variable that is no number" 4 "number\.yaml:3:50: error: " number.yaml --allow-env SECRET
t_refused_both "a variable everywhere" 4 "everywhere\.yaml:[0-9:]+ error: " everywhere.yaml --allow-env SECRET
t_run "$RECONCILE" validate --allow-env SECRET "$repo/variable.yaml"
t_is "a variable that is allowed is read" "$t_status" 0
t_run "$RECONCILE" --dry-run --state-dir "$t_dir/state" --host unix:///none "$repo/nul.yaml"
t_like "a run shows the findings as validate does" "$t_status $t_err" '^4 .*nul\.yaml:2:11: error: a NUL byte'
t_run "$RECONCILE" validate --json "$repo/nul.yaml"
t_like "for machines, too" "$t_status $t_out" '^4 .*"line": 2'

# What is not needed is not loaded (DESIGN 6).
t_run env LD_DEBUG=libs "$RECONCILE" validate "$t_root/tests/cases/spec/good/long-forms.yaml"
t_like "validate loads libyaml" "$t_err" 'libyaml'
t_is "and neither HTTP nor git, cryptography, databases" "$(grep -cE 'lib(curl|git2|crypto|ssl|sqlite3)' <<<"$t_err")" 0

wait "$stalled"
kill "$listener"
wait "$listener" 2>/dev/null
read -r status seconds <stalled.status
t_is "a remote that stalls: exit 3" "$status" 3
t_ok "a remote that stalls: it ends within its 20 s" test "$seconds" -ge 18 -a "$seconds" -le 25
t_like "a remote that stalls: it says so" "$(cat stalled)" 'fetching http://\*\*\*@127.0.0.1:[0-9]+/x.git: no answer within 20 s'
