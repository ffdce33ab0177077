#!/bin/bash
#
# Secrets from commands, files and variables of the machine that applies the spec:
# a spec in review cannot run, read or print anything, the content is found nowhere
# but in Swarm, and rotation keeps what a rollback needs.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

# 24 bytes, so that base64 of what begins with it begins with base64 of it.
marker=$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')
encoded=$(printf %s "$marker" | base64)
spec=$t_dir/spec/cluster.yaml
settings=$t_dir/reconcile.yaml
store=$t_dir/store
export RECONCILE_CONFIG=$settings
mkdir -p "$t_dir/spec" "$store/shop" "$t_dir/keys" "$t_dir/other"
printf '%s\n%s\n' "$marker" "$encoded" >"$t_dir/markers"

# A stand-in for pass, age and the like: prints what the store has, and notes that it ran.
vault=$t_dir/vault
cat >"$vault" <<SH
#!/bin/bash
echo "\$*" >>"$t_dir/ran"
sleep 0.3
case \$2 in
hang) sleep 987 ;;
big) cat "$t_dir/markers"; head -c 10000000 /dev/zero ;;
fail) cat "$t_dir/markers" | tee /dev/stderr; exit 9 ;;
-) cat >"$t_dir/stdin"; rev <"$t_dir/stdin" ;;
*) echo "decrypted \$2" >&2; cat "$store/\$2" ;;
esac
SH
chmod 755 "$vault"
cat >"$settings" <<YAML
allow_env: [SHOP_TOKEN]
allow_files: ["$t_dir/keys/", "$t_dir/other/one"]
commands:
  vault: ["$vault", show, "{name}"]
  reverse: ["$vault", decrypt, "-"]
  missing: [no-such-program-here, "{name}"]
YAML
chmod 600 "$settings"

reconcile() {
	rm -f "$t_dir/trace"
	RECONCILE_TRACE=$t_dir/trace "$RECONCILE" --state-dir "$t_dir/state" "$@" "$spec"
}

# Every secret that the spec declares is used by one service.
write_spec() { # NAME FORM...: a secret and where it comes from
	local names=() lines=()
	while [ $# -gt 0 ]; do
		names+=("$1")
		lines+=("  $1: { $2 }")
		shift 2
	done
	{
		printf 'version: 1\ncluster: shop\nsecrets:\n'
		printf '%s\n' "${lines[@]}"
		printf '%s\n' 'services:' '  web:' '    image: lab/busybox:1' \
			"    command: [sh, -c, '${check:-true} && exec sleep 1000']" \
			"    secrets: [$(IFS=,; echo "${names[*]}")]" '    stop_grace_period: 1s' \
			"    deploy: { endpoint_mode: dnsrr, restart_policy: { delay: 100ms, condition: any }, update_config: { monitor: 1s, failure_action: rollback }, rollback_config: { monitor: 1s } }" \
			"policy: { ${policy:-prune: owned} }"
	} >"$spec"
}

ran() { cat "$t_dir/ran" 2>/dev/null; }
secret_names() { docker secret ls --format '{{.Name}}' | sort; }
used() { docker service inspect -f '{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{.SecretName}}{{end}}' web; }
task() { docker ps -q -f label=com.docker.swarm.service.name=web | grep -m 1 .; }
in_task() { # SECRET
	t_retry 20 task # after a rollback the old task comes back in its own time
	docker exec "$(task)" cat "/run/secrets/$1"
}

# What anybody could see of a run, in one place: the marker must be nowhere in it.
seen=$t_dir/seen
note() { printf '%s\n' "$t_out" "$t_err" >>"$seen"; cat "$t_dir/trace" >>"$seen" 2>/dev/null; }
nowhere() { # TEXT
	local where
	note
	# shellcheck disable=SC2046 # many words are meant
	docker inspect $(docker service ls -q) $(docker secret ls -q) $(docker config ls -q) >>"$seen" 2>/dev/null
	where=$(grep -rlFf "$t_dir/markers" "$seen" "$t_dir/state" "$t_dir/cmdlines" 2>/dev/null)
	t_is "$1: the content is nowhere to be seen" "$where" ""
}
watch_processes() {
	local f
	while :; do
		for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' <"$f"; echo; done >>"$t_dir/cmdlines" 2>/dev/null
		sleep 0.1
	done
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
watch_processes 2>/dev/null &
watcher=$!

# A spec in review.

printf '%s of the store\n' "$marker" >"$store/shop/db"
printf 'terces %s' "$(printf %s "$marker" | rev)" >"$t_dir/spec/db.enc"
printf '%s of the host' "$marker" >"$t_dir/keys/host"
export SHOP_TOKEN="$marker of the environment" OTHER_TOKEN="$marker of another"
write_spec db 'command: vault, entry: shop/db' rev 'command: reverse, file: db.enc' \
	host "host_file: $t_dir/keys/host" env 'environment: SHOP_TOKEN'

t_run "$RECONCILE" validate "$spec"
t_is "validate is content" "$t_status" 0
for option in "" --json --markdown; do
	# shellcheck disable=SC2086 # no option is none
	t_run reconcile --dry-run $option
	t_is "a dry run ${option:-as text} is not blocked by what it may not look at" "$t_status" 0
	note
done
t_run reconcile --dry-run --detailed-exitcode
t_is "it has changes to show" "$t_status" 2
t_like "the secret is created" "$t_out" 'create +secret/db'
t_like "with an unknown name" "$t_out" 'name: "db-\(unknown\)"'
t_like "it says that it did not look" "$t_out" 'secret/env.*not looked at in a dry run'
t_like "the service is shown as it would be" "$t_out" 'create +service/web'
t_is "no command was run" "$(ran)" ""
t_run env -u RECONCILE_CONFIG "$RECONCILE" --config "$settings" validate "$spec"
t_run env RECONCILE_CONFIG="$t_dir/none" "$RECONCILE" validate "$spec"
t_is "settings that were asked for have to be there" "$t_status" 64
t_run env -u RECONCILE_CONFIG "$RECONCILE" --dry-run --state-dir "$t_dir/state" "$spec"
t_is "a dry run needs no settings" "$t_status" 0
t_like "and says what an apply here would say" "$t_out" "there is no command 'vault'"

# It is applied.

t_run reconcile --yes
t_is "the apply converges" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_is "each command ran once" "$(ran | sort | tr '\n' ';')" "decrypt -;show shop/db;"
t_is "the file of the commit was on its standard input" "$(cat "$t_dir/stdin")" "$(cat "$t_dir/spec/db.enc")"
t_is "the task has the command's words, to the last byte" "$(in_task db | od -c)" "$(od -c <"$store/shop/db")"
t_is "the decrypted file" "$(in_task rev)" "$marker secret"
t_is "the host's file" "$(in_task host)" "$marker of the host"
t_is "the variable" "$(in_task env)" "$SHOP_TOKEN"
t_is "the names are no plain hashes" "$(secret_names | grep -cE "$(sha256sum <"$store/shop/db" | cut -c 1-12)")" 0
nowhere "after an apply"
t_run reconcile --yes
t_is "again: nothing to do" "$t_status" 0
t_like "and it says so" "$t_out" 'No changes'
t_is "not even a call" "$(grep -cE '"(POST|PUT|DELETE) ' "$t_dir/trace")" 0
rm -f "$t_dir/ran"
t_run reconcile --dry-run --detailed-exitcode
t_is "a dry run assumes that nothing changed" "$t_status" 0
t_like "and says so" "$t_out" 'it is taken to be what is there'
t_is "without looking" "$(ran)" ""

# What it must not do.

refused() { # TEXT STATUS WORDS
	t_run reconcile --yes
	t_is "$1: exit $2" "$t_status" "$2"
	t_like "$1: says why" "$t_out$t_err" "$3"
	note
}
touch "$t_dir/bait"
ln -s "$t_dir/other" "$t_dir/keys/out"
printf '%s' "$marker" >"$t_dir/other/two"
ln -s ../../other/two "$t_dir/spec/link"
rm -f "$t_dir/ran"
write_spec x "command: [rm, $t_dir/bait]"
refused "a command of its own" 4 'expected'
write_spec x "command: /bin/cat, file: db.enc"
refused "a command by its path" 4 'expected a name'
write_spec x 'command: cat, file: db.enc'
refused "a command that is not in the settings" 3 "there is no command 'cat'"
# shellcheck disable=SC2016
for entry in ../../../etc/passwd /etc/passwd -rf shop/../../x 'shop//x' 'a;b' 'a b' shop/-x '$(id)'; do
	write_spec x "command: vault, entry: '${entry/\$/\$\$}'"
	refused "the entry $entry" 4 'expected an entry such as'
done
for file in ../other/two "$t_dir/other/two" link; do
	write_spec x "file: '$file'"
	refused "the file ${file##*/} outside" 4 "leads out|absolute|outside"
	write_spec x "command: reverse, file: '$file'"
	refused "the encrypted file ${file##*/} outside" 4 "leads out|absolute|outside"
done
write_spec x "host_file: $t_dir/other/two"
refused "a file that is not allowed" 3 'is not, or does not lead to'
write_spec x "host_file: $t_dir/keys/out/two"
refused "a symbolic link out of an allowed directory" 3 'is not, or does not lead to'
write_spec x "host_file: $t_dir/keys/../other/two"
refused "dots" 4 "without '..'"
write_spec x 'environment: OTHER_TOKEN'
refused "a variable that is not allowed" 3 "variable 'OTHER_TOKEN' is not allowed"
# shellcheck disable=SC2016
write_spec x 'content: "${OTHER_TOKEN}"'
refused "the same, written into the spec" 4 'OTHER_TOKEN'
write_spec x 'command: vault, entry: shop/db, content: y'
refused "two ways at once" 4 'exactly one'
t_ok "the bait is there" test -e "$t_dir/bait"
t_is "nothing was run" "$(ran)" ""
nowhere "after all that"

# Commands that do not work, side by side.

write_spec hang 'command: vault, entry: hang' big 'command: vault, entry: big' fail 'command: vault, entry: fail' \
	missing 'command: missing, entry: x' db 'command: vault, entry: shop/db'
before=$(secret_names)
start=$SECONDS
t_run reconcile --yes --timeout 12s
t_is "what cannot be decrypted blocks" "$t_status" 3
t_like "a command that fails, by its name and exit status" "$t_out" "secret/fail.*the command 'vault' failed with exit status 9"
t_like "how to try it by hand" "$t_out" "by hand: $vault show fail"
t_like "a command that is missing" "$t_out" "secret/missing.*no such program"
t_like "a command that prints too much" "$t_out" "secret/big.*more than 511999 bytes"
t_like "a command that hangs" "$t_out" "secret/hang.*still running at its deadline"
[ $((SECONDS - start)) -lt 30 ]
t_result $? "it was ended after $((SECONDS - start)) s"
t_is "with all its children" "$(pgrep -fx 'sleep 987')" ""
t_like "what needs them is blocked" "$t_out" 'blocked +service/web'
t_is "the service keeps what it has" "$(in_task db)" "$(cat "$store/shop/db")"
t_is "nothing is gone" "$(comm -23 <(echo "$before") <(secret_names))" ""
nowhere "after failures"

# Rotation.

check='grep -q good /run/secrets/db'
printf '%s good 1' "$marker" >"$store/shop/db"
write_spec db 'command: vault, entry: shop/db'
t_run reconcile --yes
t_is "a rotation converges" "$t_status $(in_task db)" "0 $marker good 1"
one=$(used)
printf '%s good 2' "$marker" >"$store/shop/db"
t_run reconcile --dry-run
t_like "a dry run cannot know of new content" "$t_out" 'No changes'
t_run reconcile --yes
t_is "new content is a new secret" "$t_status $(in_task db)" "0 $marker good 2"
two=$(used)
t_unlike "of another name" "$two" "$one"
t_is "the one before is kept for Swarm's rollback" "$(secret_names | tr '\n' ' ')" \
	"$(printf '%s\n' "$one" "$two" | sort | tr '\n' ' ')"
printf '%s good 3' "$marker" >"$store/shop/db"
t_run reconcile --yes
three=$(used)
t_like "the third one removes the first" "$t_out" "delete +secret/$one"
t_is "and keeps the second" "$(secret_names | tr '\n' ' ')" "$(printf '%s\n' "$two" "$three" | sort | tr '\n' ' ')"
t_run docker service rollback --detach=false -q web
t_is "so that somebody's rollback finds it" "$(in_task db)" "$marker good 2"
t_run reconcile --yes
t_is "which is drift" "$t_status $(in_task db)" "0 $marker good 3"
nowhere "after rotations"

printf '%s bad' "$marker" >"$store/shop/db"
t_run reconcile --yes
t_is "a rotation that Swarm rolls back fails" "$t_status" 1
t_like "and says so" "$t_out$t_err" 'rolled the update back'
t_is "the service is back at what worked" "$(used)$(in_task db)" "$three$marker good 3"
t_run reconcile --yes
t_is "it is not tried again by itself" "$t_status $(used)" "1 $three"
t_is "and what works is kept" "$(secret_names | grep -c "$three")" 1
nowhere "after a rollback"
printf '%s good 5' "$marker" >"$store/shop/db"
t_run reconcile --yes
t_is "good content repairs it" "$t_status $(in_task db)" "0 $marker good 5"

# Guards of pruning, without a service that takes its time.

bare() { # POLICY
	printf 'version: 1\ncluster: shop\nsecrets: { db: { command: vault, entry: shop/db } }\npolicy: { %s }\n' "$1" >"$spec"
	t_run reconcile --yes
}
bare 'prune: owned'
t_is "without its service the old one goes too" "$t_status $(docker service ls -q) $(secret_names | wc -l)" "0  1"
printf '%s 6' "$marker" >"$store/shop/db"
bare 'prune: never'
printf '%s 7' "$marker" >"$store/shop/db"
bare 'prune: never'
t_is "with prune: never all stay" "$t_status $(secret_names | wc -l)" "0 3"
rm "$store/shop/db"
bare 'prune: owned'
t_is "what cannot be decrypted is not pruned" "$t_status $(secret_names | wc -l)" "3 3"
printf '%s 7' "$marker" >"$store/shop/db"
bare 'max_deletions: 0'
t_is "else all but the current one go, however many" "$t_status $(secret_names | wc -l)" "0 1"
printf 'version: 1\ncluster: shop\npolicy: { max_deletions: 0 }\n' >"$spec"
t_run reconcile --yes
t_is "the current one is not one of them" "$t_status $(secret_names | wc -l)" "3 1"
t_like "and counted" "$t_out" '1 object would be pruned, policy.max_deletions is 0'
bare 'max_deletions: 0'

# The settings themselves.

t_run "$RECONCILE" --config "$settings" validate "$spec"
chmod g+w "$settings"
t_run reconcile --dry-run
t_is "settings that others may write are refused" "$t_status" 64
t_like "with what to do" "$t_err" "chmod go-w $settings"
chmod 600 "$settings"
chown 12345 "$settings"
t_run reconcile --dry-run
t_is "somebody else's too" "$t_status" 64
chown 0 "$settings"
mkdir -m 777 "$t_dir/open"
cp "$settings" "$t_dir/open/"
t_run env RECONCILE_CONFIG="$t_dir/open/reconcile.yaml" "$RECONCILE" validate "$spec"
t_is "and those in a directory where others may put another file" "$t_status" 64
printf 'comands: { x: [y] }\nspec: here\n' >"$settings"
t_run reconcile --dry-run
t_is "broken settings are a usage error" "$t_status" 64
t_like "with their place" "$t_err" "$settings:1:1: error: unknown key 'comands'; did you mean 'commands'"
t_like "all of them" "$t_err" "$settings:2:7: error: "
printf 'spec: %s\nstate_dir: %s/state2\n' "$spec" "$t_dir" >"$settings"
t_run "$RECONCILE" validate
t_is "settings name the spec" "$t_status" 0
printf 'version: 1\ncluster: shop\n' >"$spec"
t_run "$RECONCILE" --yes
t_ok "and the state" test -e "$t_dir/state2/lock"
t_run "$RECONCILE" validate "$t_dir/none.yaml"
t_like "the command line overrides them" "$t_err" "there is no $t_dir/none.yaml"

install -m 600 "$t_root/examples/secrets/reconcile.yaml" "$settings"
t_run "$RECONCILE" validate "$t_root/examples/secrets"
t_is "the example is valid, and its settings are" "$t_status $t_err" "0 "

kill "$watcher"
wait "$watcher" 2>/dev/null
t_ok "processes were looked at" grep -q "show shop/db" "$t_dir/cmdlines"
t_is "the content was in no process list" "$(grep -cFf "$t_dir/markers" "$t_dir/cmdlines")" 0

# The real ones.

export GNUPGHOME=$t_dir/gnupg PASSWORD_STORE_DIR=$t_dir/pass
check=''
if command -v age >/dev/null && command -v pass >/dev/null; then
	printf 'commands:\n  age: [age, -d, -i, "%s/age.key"]\n  pass: [pass, show, "{name}"]\n' "$t_dir" >"$settings"
	age-keygen -o "$t_dir/age.key" 2>/dev/null
	printf '%s by age' "$marker" | age -r "$(age-keygen -y "$t_dir/age.key")" >"$t_dir/spec/db.age"
	mkdir -m 700 "$GNUPGHOME"
	gpg --batch --quiet --passphrase '' --quick-generate-key lab@example.net default default never 2>/dev/null
	pass init lab@example.net >/dev/null 2>&1
	printf '%s by pass\n' "$marker" | pass insert -m shop/db >/dev/null 2>&1
	write_spec a 'command: age, file: db.age' p 'command: pass, entry: shop/db'
	t_run reconcile --yes
	t_is "age decrypts, pass shows" "$t_status $(in_task a), $(in_task p)" "0 $marker by age, $marker by pass"
	printf 'nonsense' >"$t_dir/spec/db.age"
	write_spec a 'command: age, file: db.age' p 'command: pass, entry: shop/none'
	t_run reconcile --yes
	t_is "what they cannot decrypt blocks" "$t_status" 3
	t_like "age" "$t_out" "secret/a .*the command 'age' failed with exit status 1"
	t_like "pass" "$t_out" "secret/p .*the command 'pass' failed with exit status 1"
	nowhere "with them"
	gpgconf --kill all
else
	t_skip "age and pass are not installed" 5
fi
# As docs/settings.md has it; sops is in no Debian package.
if command -v age >/dev/null && command -v sops >/dev/null; then
	export SOPS_AGE_KEY_FILE=$t_dir/age.key
	printf 'commands:\n  sops: [sops, -d, --input-type, binary, --output-type, binary, /dev/stdin]\n' >"$settings"
	printf '%s by sops' "$marker" |
		sops -e --age "$(age-keygen -y "$t_dir/age.key")" --input-type binary --output-type binary /dev/stdin >"$t_dir/spec/db.sops"
	write_spec a 'command: sops, file: db.sops'
	t_run reconcile --yes
	t_is "sops decrypts" "$t_status $(in_task a)" "0 $marker by sops"
	sed -i 's/ENC\[AES256_GCM,data:./&x/' "$t_dir/spec/db.sops"
	t_run reconcile --yes
	t_is "what it cannot decrypt blocks" "$t_status" 3
	t_like "sops" "$t_out" "secret/a .*the command 'sops' failed with exit status [0-9]+"
	nowhere "with sops"
else
	t_skip "sops is not installed" 4
fi
