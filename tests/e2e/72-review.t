#!/bin/bash
#
# A spec in review: whoever wrote it may not run a command, read a file outside its commit, print a variable or
# write to the reviewer's terminal, with --dry-run on a machine where root runs it. What 52 (configs, paths) and
# 63 (secrets) have tried is not repeated here.

# shellcheck disable=SC2016 # ${...} and $(...) of specs
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

repo=$t_dir/repo bait=$t_dir/bait
export HOSTILE=hunter2-4711 RECONCILE_TRACE=$t_dir/trace
mkdir "$repo" "$t_dir/outside" && cd "$t_dir" || exit 1
echo "MARKER-OF-A-FILE=$HOSTILE" >"$t_dir/outside/file"
chmod 600 "$t_dir/outside/file"

git_repo() {
	git -C "$repo" -c user.name=test -c user.email=test@example.net -c protocol.file.allow=always "$@" >/dev/null 2>&1
}

# Control characters, Unicode's second range of them, and what turns the order of text round.
obeyed=$'[\x01-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]'

# Everything that a reviewer is shown, in each form; and the trace.
shown=$t_dir/shown
review() { # COMMAND-LINE...
	local option
	: >"$shown"
	rm -f "$RECONCILE_TRACE"
	t_worst=0
	for option in '' --json --markdown --detailed-exitcode; do
		# shellcheck disable=SC2086 # no option is none
		t_run timeout -k 1 60 "$RECONCILE" --dry-run $option --state-dir "$t_dir/state" "$@"
		[ "$option" != --json ] || t_out=$(tr -d '\177\200-\377' <<<"$t_out") # machines read any of these
		printf '%s\n' "$t_out" "$t_err" >>"$shown"
		[ "$t_status" -le "$t_worst" ] || t_worst=$t_status
	done
	t_run timeout -k 1 60 "$RECONCILE" validate "$@"
	printf '%s\n' "$t_out" "$t_err" >>"$shown"
	cat "$RECONCILE_TRACE" >>"$shown" 2>/dev/null
}

t_harmless() { # TEXT
	[ "$t_worst" -le 4 ]
	t_result $? "$1: it ends as a dry run does" || t_diag "exit $t_worst" "$(cat "$shown")"
	t_ok "$1: nothing was run" test ! -e "$bait"
	rm -f "$bait"
	t_is "$1: nothing of this machine is shown" "$(grep -aE "$HOSTILE|MARKER-OF-A-FILE|root:[*!x]:" "$shown")" ""
	t_is "$1: nothing for the terminal to obey" "$(LC_ALL=C grep -aE "$obeyed" "$shown")" ""
}

# A spec as a file and in a commit, where it says what is expected.
t_hostile() { # TEXT [WORDS]; the spec after its first lines on stdin
	{
		printf 'version: 1\ncluster: shop\nnodes: { gmktec: { address: 10.99.0.1, role: manager } }\n'
		cat
	} >"$repo/cluster.yaml"
	git_repo add -A && git_repo commit -m x
	rm -f "$bait" # git itself runs hooks
	review "$repo/cluster.yaml"
	t_harmless "$1, a file"
	[ -z "${2:-}" ] || t_like "$1, a file: it says so" "$(cat "$shown")" "$2"
	review --repo "$repo" --path cluster.yaml
	t_harmless "$1, in a commit"
	[ -z "${2:-}" ] || t_like "$1, in a commit: it says so" "$(cat "$shown")" "$2"
}

service() { # LINE...
	printf 'services:\n  web:\n    image: lab/busybox:1\n    deploy: { endpoint_mode: dnsrr }\n'
	printf '    %s\n' "$@"
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1

# Commands: in the repository's own configuration, in names that reach a script, in the text of the spec.

git init -q -b main "$repo"
hook='#!/bin/sh
touch '$bait
for name in post-checkout post-merge pre-commit fsmonitor reference-transaction; do
	printf '%s\n' "$hook" >"$repo/.git/hooks/$name"
	chmod 755 "$repo/.git/hooks/$name"
done
printf '* filter=evil diff=evil\n' >"$repo/.gitattributes"
echo content >"$repo/motd"
t_hostile "hooks of the repository" <<<'configs: { motd: { file: motd } }'
git -C "$repo" config core.fsmonitor "touch $bait; true"
git -C "$repo" config core.sshCommand "touch $bait; true"
git -C "$repo" config core.pager "touch $bait; true"
git -C "$repo" config filter.evil.smudge "touch $bait; cat"
git -C "$repo" config filter.evil.process "touch $bait; cat"
git -C "$repo" config diff.evil.textconv "touch $bait; cat"
rm -f "$bait"
review --repo "$repo" --path cluster.yaml
t_harmless "commands in the repository's configuration"
review --repo "file://$repo" --path cluster.yaml
t_harmless "the same, fetched"
rm -rf "$repo"
git init -q -b main "$repo"
echo content >"$repo/motd"

t_hostile "commands in names that are looked for on the host" <<YAML
nfs:
  models:
    server: gmktec
    path: "/srv/\$\$(touch $bait)/\`touch $bait\`"
    owner: "0:0"
    mode: "0755"
    export: { clients: [10.99.0.2], options: [ro] }
absent:
  one: { container: "x; touch $bait", node: gmktec }
YAML
t_hostile "commands in a service" < <(service "command: ['\$\$(touch $bait)', '; touch $bait']" \
	"healthcheck: { test: 'touch $bait' }" "labels: { a: '\`touch $bait\`' }")

# Files: by way of a linked directory, a submodule, an env_file, a stack, or a file of the host that a section names.

ln -s "$t_dir/outside" "$repo/linked"
t_hostile "a file behind a linked directory" "leads out|outside|symbolic link" <<YAML
configs: { motd: { file: linked/file } }
YAML
t_hostile "an env_file behind a linked directory" "leads out|outside|symbolic link" < <(service 'env_file: linked/file')
t_hostile "an env_file outside" "leads out|outside|absolute" < <(service "env_file: ['../outside/file']")
t_hostile "an absolute env_file" "leads out|outside|absolute" < <(service "env_file: [$t_dir/outside/file]")
t_hostile "a file that is the kernel's" "leads out|outside|absolute" <<YAML
configs: { motd: { file: /proc/self/environ } }
YAML
t_hostile "a stack outside" "leads out|outside|absolute|symbolic link" <<YAML
stacks: { blog: { file: ../outside/file } }
YAML
printf 'services: { web: { image: x, env_file: linked/file } }\n' >"$repo/stack.yml"
t_hostile "an env_file of a stack" "leads out|outside|symbolic link" <<YAML
stacks: { blog: { file: stack.yml } }
YAML
printf 'services: { web: { image: x } }\nsecrets: { s: { file: %s/outside/file } }\n' "$t_dir" >"$repo/stack.yml"
t_hostile "a secret of a stack" "leads out|outside|absolute" <<YAML
stacks: { blog: { file: stack.yml } }
YAML
git init -q -b main "$t_dir/sub"
echo "MARKER-OF-A-FILE=$HOSTILE" >"$t_dir/sub/file"
git -C "$t_dir/sub" add -A
git -C "$t_dir/sub" -c user.name=test -c user.email=test@example.net commit -q -m x
git_repo submodule add "$t_dir/sub" sub
printf 'version: 1\ncluster: shop\nconfigs: { motd: { file: sub/file } }\n' >"$repo/cluster.yaml"
git_repo add -A && git_repo commit -m x
review --repo "$repo" --path cluster.yaml
t_harmless "a file of a submodule"

docker run -d --name traefik --restart no -v /etc/shadow:/etc/traefik/traefik.yml:ro \
	-v "$t_dir/outside/file":/etc/traefik/other.yml:ro lab/busybox:1 sleep 1000 >/dev/null
printf 'root:*:19000:0:99999:7:::\n%s\n' "$HOSTILE:x" >>/etc/shadow
for file in /etc/shadow "$t_dir/outside/file" /proc/self/environ /etc/traefik/other.yml; do
	t_hostile "Traefik's file is said to be $file" <<YAML
traefik: { container: traefik, node: gmktec, static_config: $file, swarm_mode: true, api: "http://127.0.0.1:1" }
YAML
done

# Variables: in every form of a substitution, and where Compose takes them from the caller's environment.

for form in '${HOSTILE}' '${HOSTILE:-x}' '${HOSTILE-x}' '${HOSTILE:+x}' '${HOSTILE:?x}' '$HOSTILE' '${RECONCILE_TRACE}' '${PATH}'; do
	t_hostile "the variable $form" < <(service "labels: { a: '$form' }")
done
t_hostile "a variable without a value" < <(service 'environment: [HOSTILE]')
t_hostile "a variable that is null" < <(service 'environment: { HOSTILE: }')
printf 'HOSTILE\nA=${HOSTILE}\n' >"$repo/hostile.env"
t_hostile "variables of an env_file" < <(service 'env_file: hostile.env')
printf 'services: { web: { image: "x:${HOSTILE}", environment: [HOSTILE], labels: ["a=$HOSTILE"] } }\n' >"$repo/stack.yml"
t_hostile "variables of a stack" <<YAML
stacks: { blog: { file: stack.yml } }
YAML

# What an earlier spec took from a variable is live. A commit that drops or replaces it does not show it.

{
	printf 'version: 1\ncluster: shop\nnodes: { gmktec: { address: 10.99.0.1, role: manager } }\n'
	service 'command: [sh, -c, "sleep 1000", "${HOSTILE}"]' 'environment: { TOKEN: "${HOSTILE}", A: "1" }' \
		'labels: { auth: "a-${HOSTILE}" }'
} >"$repo/cluster.yaml"
t_run "$RECONCILE" --yes --allow-env HOSTILE --state-dir "$t_dir/state" "$repo/cluster.yaml"
t_is "a spec with a variable is applied" "$t_status $(docker service inspect -f '{{.Spec.TaskTemplate.ContainerSpec.Labels.auth}}' web)" "0 a-$HOSTILE" ||
	t_diag "$t_out" "$t_err"
t_is "the history has nothing of it" "$(grep -ra "$HOSTILE" "$t_dir/state")" ""
for state in there lost; do
	[ "$state" = there ] || rm -rf "$t_dir/state"
	t_hostile "dropped, history $state" 'env.TOKEN..?: \(removed\)' < <(service 'command: [sleep, "1000"]' 'environment: { A: "2" }')
	t_hostile "replaced, history $state" < <(service 'command: [sleep, "1001", x]' 'environment: { TOKEN: x }' 'labels: { auth: y }')
done
t_like "what was never a variable's is shown" "$(cat "$shown")" 'env.A..?: "1"'
docker service rm web >/dev/null

# The same under another name, and where the difference is only told: by its key a volume and a network are other ones.

printf 'version: 1\ncluster: shop\nnetworks: { back: { labels: { auth: "a-${HOSTILE}" } } }\n%s\n' \
	'volumes: { disk: { labels: { auth: "a-${HOSTILE}" } } }' \
	>"$repo/cluster.yaml"
t_run "$RECONCILE" --yes --allow-env HOSTILE --state-dir "$t_dir/state" "$repo/cluster.yaml"
t_is "a network and a volume with a variable are applied" "$t_status $(docker network inspect -f '{{.Labels.auth}}' back)" \
	"0 a-$HOSTILE" || t_diag "$t_out" "$t_err"
t_hostile "a volume's label, replaced" 'used at creation only' <<<'volumes: { disk: { labels: { auth: x } } }'
t_hostile "a network by another key" 'network/other' <<<'networks: { other: { name: back, labels: { x: y } } }'
docker network rm back >/dev/null

# What is not ours: no plan tells what a service has that a spec only names.

docker service create --quiet --detach --replicas 0 --name theirs --endpoint-mode dnsrr -e "TOKEN=$HOSTILE" -l "auth=$HOSTILE" lab/busybox:1 \
	sleep "$HOSTILE" >/dev/null
t_hostile "a service that is not ours" 'does not own it' <<<'services: { theirs: { image: lab/busybox:1 } }'
docker service rm theirs >/dev/null

# The reviewer's terminal.

t_hostile "what a terminal obeys, in values" < <(service 'labels: { "a": "\e]0;owned\a\e[2J\x9b31m\u202e" }' \
	'environment: { A: "line\rover\bwritten\x7f" }')
t_hostile "what a terminal obeys, in names" < <(service 'labels: { "a\e[2J\x9bb\u202ec": "x" }' \
	'environment: { "A\e[31m": x }')
t_hostile "what a terminal obeys, in keys" < <(service '"ima\e[31mge": x')
printf 'version: 1\ncluster: shop\nnetworks: { "a\\e[2Jb": {} }\n# \033[2J\nbad: [\033[31m]\n' >"$repo/cluster.yaml"
git_repo add -A && git_repo commit -m x
review "$repo/cluster.yaml"
t_harmless "what a terminal obeys, as it is"
