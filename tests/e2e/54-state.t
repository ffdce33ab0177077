#!/bin/bash
#
# The local state is a convenience: read-only, full, broken, of another version or gone, the plan stays
# right. And what people and machines see: the question before removals, colour, JSON, Markdown.

# shellcheck disable=SC2016 # Perl's variables and Markdown's backquotes
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

spec=$t_dir/cluster.yaml state=$t_dir/state

write_spec() { # TEAM [LINE...]
	cat >"$spec" <<YAML
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
nodes:
  gmktec: { address: 10.99.0.1, role: manager }
networks:
  front: { driver: overlay }
YAML
	local team=$1
	shift
	cat >>"$spec" <<YAML
services:
  web:
    image: lab/busybox:1
    command: [echo, "a | b \`c\` *d* <e>"]
    networks: [front]
    deploy: { replicas: 0, endpoint_mode: dnsrr, labels: { team: "$team" } }
YAML
	printf '%s\n' "$@" >>"$spec"
}

reconcile() {
	"$RECONCILE" --state-dir "$state" "$@" "$spec"
}

team() {
	docker service inspect -f '{{.Spec.Labels.team}}' web
}

# Perl with the JSON document that the last run printed as $p.
json() {
	perl -MJSON::PP -0 -e 'my $p = decode_json(<STDIN>);'" $1" <<<"$t_out"
}

without_reasons() {
	json 'for (@{$p->{changes}}) { delete $_->{why}; delete $_->{why} for @{$_->{fields}} }
		print JSON::PP->new->canonical->encode($p)'
}

# Applies a new team with the state as it is.
n=0
t_applies() { # TEXT EXTENDED-REGULAR-EXPRESSION-OF-WHAT-IS-SAID
	n=$((n + 1))
	write_spec "team$n"
	t_run reconcile --dry-run --detailed-exitcode
	t_is "$1: a dry run sees the change" "$t_status" 2
	t_like "$1: and shows it" "$t_out" 'labels\.team: "[^"]*" -> "team'"$n"'"'
	t_run reconcile --yes
	t_is "$1: it is applied" "$t_status $(team)" "0 team$n"
	[ "$t_status" = 0 ] || t_show_run
	t_like "$1: what is said" "$t_err" "$2"
	t_run reconcile --dry-run --detailed-exitcode
	t_is "$1: nothing is left to do" "$t_status" 0
}

t_refuses() { # TEXT STATUS EXTENDED-REGULAR-EXPRESSION
	n=$((n + 1))
	write_spec "team$n"
	before=$(team)
	t_run reconcile --yes
	t_is "$1: exit $2" "$t_status" "$2"
	t_like "$1: why, and that nothing was changed" "$t_err" "$3"
	t_is "$1: nothing was changed" "$(team)" "$before"
	t_run reconcile --dry-run --detailed-exitcode
	t_is "$1: a dry run works" "$t_status" 2
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
write_spec first
t_run reconcile --yes
t_is "the first run converges" "$t_status" 0

# Without a state, the plan is the same but for the word that says who changed it.
write_spec second
t_run reconcile --dry-run --json
plan=$(without_reasons)
mv "$state" "$state.away"
t_run reconcile --dry-run --json
t_is "a state that is gone changes no plan" "$(without_reasons)" "$plan"
t_like "which is one" "$plan" 'service/web'
t_ok "and a dry run makes none" test ! -e "$state"
t_applies "a state that is gone" '^$'

db=$state/state.db
head -c 4096 /dev/urandom >"$db"
before=$(sha256sum "$db")
t_applies "a state that is garbage" "state $db: .*move it away to start anew"
t_is "it is left as it is" "$(sha256sum "$db")" "$before"
rm "$db"
t_applies "its file is gone" '^$'
truncate -s 5000 "$db"
t_applies "a state that is cut short" "state $db: "
rm "$db"
n=$((n + 1)) && write_spec "team$n" && t_run reconcile --yes
printf '\0\0\0\143' | dd of="$db" bs=1 seek=60 conv=notrunc status=none # user_version, sqlite.org/fileformat.html
before=$(sha256sum "$db")
t_applies "a state of a later version" "state $db: format 99, this version knows 2; move it away"
t_is "it is left as it is, too" "$(sha256sum "$db")" "$before"
rm -rf "$state" && mkdir "$state" && mkdir "$db"
t_applies "a directory in its place" "state $db: "

# Where it cannot be kept.
rm -rf "$state" && : >"$state"
t_refuses "a file in place of the directory" 1 "nothing was changed: create directory $state: Not a directory"
rm "$state" && mkdir "$state" && mount -t tmpfs -o ro,mode=700 none "$state"
t_refuses "a read-only directory" 1 "nothing was changed: .*$state.*Read-only file system"
umount "$state"

fill() {
	dd if=/dev/zero of="$state/filler" bs=4096 2>/dev/null
}
mount -t tmpfs -o size=64k,nr_inodes=32 none "$state"
fill
t_applies "a full disk" "this run is not recorded: .*(full|disk I/O error|No space)"
umount "$state"
mount -t tmpfs -o size=256k none "$state"
n=$((n + 1)) && write_spec "team$n"
t_run reconcile --yes # makes the tables
fill
truncate -s -24576 "$state/filler"
for ((i = 0; i < 40; i++)); do
	n=$((n + 1)) && write_spec "team$n"
	t_run reconcile --yes
	[ -z "$t_err" ] || break
done
t_like "a disk that fills up meanwhile: it is said" "$t_err" "this run is not recorded: .*full"
t_is "and all is done" "$t_status $(team)" "0 team$n"
t_ok "not at once" test "$i" -gt 0
t_run reconcile --dry-run --detailed-exitcode
t_is "nothing is left to do" "$t_status" 0
umount "$state"
t_applies "room again" '^$'

# What machines read.
write_spec json 'configs: { extra: { content: x } }'
t_run reconcile --dry-run --json
t_is "--json is one JSON document with the changes" \
	"$(json 'print join " ", $p->{format}, map { "$_->{action}:$_->{resource}" } @{$p->{changes}}')" \
	"1 create:config/extra update:service/web"
t_run "$RECONCILE" --dry-run --json --state-dir "$state" --host unix:///nowhere.sock "$spec"
t_is "without an engine, too, with the reason of each" \
	"$(json 'print scalar grep { $_->{reason} =~ /no Docker engine/ } @{$p->{changes}}')" 5
docker service rm web >/dev/null
t_run reconcile --dry-run --markdown
t_is "every row of the table has its five cells" \
	"$(grep '^|' <<<"$t_out" | sed 's/\\|//g' | awk -F'|' 'NF != 7' | wc -l)" 0
t_is "code spans are closed" "$(awk -F'`' 'NF % 2 == 0' <<<"$t_out")" ""
t_like "text of the spec stays text" "$t_out" '`.*a \\\| b .c. \*d\* <e>.*`'
t_run reconcile --yes --json
t_is "an apply with --json prints nothing else: a plan, and the look after it" \
	"$(perl -MJSON::PP -0 -e 'my @p = JSON::PP->new->incr_parse(<STDIN>); print join " ", map { scalar @{$_->{changes}} } @p' \
		<<<"$t_out")" "2 0"
t_is "it is done" "$t_status $(team)" "0 json"

# On a terminal it asks, elsewhere it refuses.
write_spec json
terminal() { # INPUT COMMAND...
	local input=$1
	shift
	t_status=0
	t_out=$(printf '%s' "$input" | script -qec "$(printf '%q ' "$@")" /dev/null) || t_status=$?
}
export TERM=xterm
t_run reconcile
t_is "a pipe: removals need --yes: exit 1" "$t_status" 1
t_like "a pipe: it says so" "$t_err" 'give --yes to do it without a terminal.*
.*not confirmed: nothing was changed'
for answer in n "" y; do
	[ "$answer" != y ] || t_is "no answer but y removes" "$(docker config ls -q --filter label=io.reconcile.cluster | wc -l)" 1
	terminal "$answer"$'\n' "$RECONCILE" --state-dir "$state" "$spec"
	t_like "a terminal asks" "$t_out" 'Apply this plan\? It removes or replaces something\. \[y/N\]'
	t_is "'$answer': exit status" "$t_status" "$([ "$answer" = y ] && echo 0 || echo 1)"
done
t_is "y removes" "$(docker config ls -q --filter label=io.reconcile.cluster | wc -l)" 0
write_spec terminal
terminal '' "$RECONCILE" --state-dir "$state" --dry-run "$spec"
t_like "a terminal has colour" "$t_out" $'\033\\[3'
NO_COLOR=1 terminal '' "$RECONCILE" --state-dir "$state" --dry-run "$spec"
t_unlike "NO_COLOR has none" "$t_out" $'\033'
TERM=dumb terminal '' "$RECONCILE" --state-dir "$state" --dry-run "$spec"
t_unlike "nor has a dumb terminal" "$t_out" $'\033'
t_run reconcile --dry-run
t_unlike "nor has a pipe" "$t_out" $'\033'
