#!/bin/bash
#
# Saved plans: what was reviewed is what is applied. Refused once something that the
# plan uses has changed, not for what only moves; approval of what is destructive.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 69

repo=$t_dir/infrastructure
plan=$t_dir/shop.plan
trace=$t_dir/trace
export SHOP_TOKEN=correct-horse-battery

git_repo() {
	git -C "$repo" -c user.name=test -c user.email=test@example.net "$@" >/dev/null
}

commit() { # MESSAGE; the spec on stdin
	cat >"$repo/cluster.yaml"
	git_repo add -A
	git_repo commit -q -m "$1"
}

program() {
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 100 "$RECONCILE" "$@"
}

# One command about the repository; a saved plan names its source itself.
reconcile() {
	program "$@" --repo "$repo" --allow-env SHOP_TOKEN --state-dir "$t_dir/state"
}

apply_plan() { # OPTION...
	t_run program apply --yes --allow-env SHOP_TOKEN --state-dir "$t_dir/state" "$@" "$plan"
}

mutations() {
	grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace" | sed -E 's/"target":"//; s/"$//; s/[?].*//'
}

service() { # NAME FORMAT
	docker service inspect -f "$2" "$1"
}

spec() { # A [NAME OF ANOTHER SERVICE...]
	local a=$1
	shift
	cat <<YAML
version: 1
cluster: shop
nodes:
  gmktec: { address: 127.0.0.1, role: manager, labels: { disk: ssd } }
policy: { approval: ${approval:-never} }
configs:
  motd: { content: welcome }
services:
  web:
    image: lab/busybox:1
    command: [sleep, "1000"]
    configs: [motd]
    environment: { A: "$a", TOKEN: "\${SHOP_TOKEN}" }
    stop_grace_period: 1s
    deploy:
      replicas: 1
      endpoint_mode: dnsrr
      placement: { constraints: [node.labels.disk == ssd] }
      update_config: { monitor: 500ms }
YAML
	for other; do
		printf '  %s: { image: "lab/busybox:1", command: [sleep, "9"], deploy: { replicas: 0 } }\n' "$other"
	done
}

t_refused() { # TEXT REGULAR-EXPRESSION
	t_is "$1: refused" "$t_status" 1
	t_like "$1: says so" "$t_err" "$2"
	t_is "$1: nothing is written" "$(mutations)" ""
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
git init -q -b main "$repo"
spec 1 old idle | commit "the shop"
t_run reconcile --yes
t_is "a first apply converges" "$t_status" 0

# Saving
spec 2 idle | commit "another A, no old one"
planned=$(git -C "$repo" rev-parse HEAD)
t_run reconcile --dry-run --out "$plan"
t_is "a plan is saved" "$t_status" 0
t_is "nothing is changed for it" "$(mutations)" ""
t_is "only its owner may read it" "$(stat -c %a "$plan")" 600
t_unlike "no value of a variable is in it" "$(cat "$plan")" "correct-horse"
t_unlike "nor its plain hash" "$(cat "$plan")" \
	"$(printf '"%s"' "$SHOP_TOKEN" | sha256sum | cut -c 1-32)|$(printf %s "$SHOP_TOKEN" | sha256sum | cut -c 1-32)"
t_not_ok "a run that changes things saves none" reconcile --yes --out "$plan"
t_is "it is a usage error" "$t_status" 64
t_not_ok "a spec is not overwritten with a plan" reconcile --dry-run --out "$repo/cluster.yaml"
t_is "nor changed" "$(git -C "$repo" status --porcelain)" ""

# What moves without changing anything
index=$(service web '{{.Version.Index}}')
docker service update --detach web >/dev/null
docker node update --label-add theirs=1 "$(docker node ls -q)" >/dev/null
docker service update --detach --label-add theirs=1 idle >/dev/null
spec 3 idle | commit "the next commit is not the plan's"
t_ok "the version index has moved" test "$(service web '{{.Version.Index}}')" -gt "$index"
apply_plan --dry-run
t_is "version bumps, other labels and other resources do not refuse it" "$t_status" 0
t_like "the plan is that of its commit" "$t_out" "commit ${planned:0:12}"
t_unlike "and has nothing else in it" "$t_out" "service/idle"

# What changes
docker service update --detach --label-add theirs=1 web >/dev/null
apply_plan
t_refused "a changed service" 'service/web: the cluster changed \(labels\)'
docker service update --detach --label-rm theirs web >/dev/null
docker service update --detach --replicas 1 old >/dev/null
apply_plan
t_refused "a changed service that is to be pruned" 'service/old: the cluster changed \(replicas\)'
docker service update --detach --replicas 0 old >/dev/null
docker service rm web >/dev/null
apply_plan
t_refused "a service that is gone" 'service/web: the cluster changed: it was there, now it is not there'
t_run program apply --yes --state-dir "$t_dir/state" --allow-env SHOP_TOKEN --repo "$repo" --ref HEAD~2
t_is "it is put back" "$t_status" 0
apply_plan --dry-run
t_is "as it was it is not refused" "$t_status" 0
node=$(docker node ls -q)
docker node update --label-rm disk "$node" >/dev/null
apply_plan --dry-run
t_is "what it does not use may change" "$t_status" 0
docker node update --label-add disk=ssd "$node" >/dev/null

# Damage
cp "$plan" "$t_dir/keep"
head -c 700 "$t_dir/keep" >"$plan"
apply_plan
t_is "a damaged plan is refused" "$t_status" 1
t_like "and named" "$t_err" "$plan: it is damaged"
sed 's/"reconcile_plan": 1/"reconcile_plan": 2/' "$t_dir/keep" >"$plan"
apply_plan
t_is "a plan of a newer format is refused" "$t_status" 1
t_like "with both numbers" "$t_err" 'format 2.*knows 1'
sed 's/^ "cluster": "shop"/ "cluster": "prod"/' "$t_dir/keep" >"$plan"
apply_plan
t_is "another cluster's plan is refused" "$t_status" 1
sed -E 's/^ "swarm": "./ "swarm": "_/' "$t_dir/keep" >"$plan"
apply_plan
t_refused "another swarm's plan" 'another swarm'
t_run program approve --yes --allow-env SHOP_TOKEN --state-dir "$t_dir/state" "$plan"
t_is "nor is that approved" "$t_status" 1
t_not_ok "a spec cannot be approved" program approve --yes "$repo/cluster.yaml"
cp "$t_dir/keep" "$plan"

# Applying: the newest commit plays no part.
docker service update --detach --label-add theirs=1 idle >/dev/null
t_run program apply --allow-env SHOP_TOKEN --state-dir "$t_dir/state" "$plan"
t_is "without a terminal what it removes needs --yes" "$t_status" 1
apply_plan
t_is "the plan is applied" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_is "its A is set" "$(service web '{{index .Spec.TaskTemplate.ContainerSpec.Env 0}}')" "A=2"
t_is "its removal is made" "$(docker service ls -q -f name=old)" ""
t_is "what it does not name is left alone" "$(service idle '{{.Spec.Labels.theirs}}')" 1
apply_plan
t_refused "a second time" 'service/web: the cluster changed'

# A plain file is not a commit: it can change, too.
spec 4 idle >"$t_dir/plain.yaml"
t_run program --dry-run --out "$plan" --allow-env SHOP_TOKEN --state-dir "$t_dir/state" "$t_dir/plain.yaml"
{ spec 4 idle && echo '# nothing more'; } >"$t_dir/plain.yaml"
apply_plan --dry-run
t_is "a comment in the file refuses nothing" "$t_status" 0
spec 5 idle >"$t_dir/plain.yaml"
apply_plan
t_refused "another value in the file" 'service/web: the spec changed \(env\)'

# Approval
approval=destructive
spec 2 | commit "the policy asks for approval; idle goes"
t_run reconcile --yes
t_is "what is destructive waits" "$t_status" 3
t_like "for what is said" "$t_out" 'needs approval'
t_run reconcile --dry-run --out "$plan"
t_not_ok "approving asks" program approve --allow-env SHOP_TOKEN --state-dir "$t_dir/state" "$plan"
t_like "and needs --yes without a terminal" "$t_err" '--yes'
t_run program approve --yes --allow-env SHOP_TOKEN --state-dir "$t_dir/state" "$plan"
t_is "it is approved" "$t_status" 0
t_like "what it is for is shown" "$t_out" 'delete +service/idle'
docker service update --detach --label-add theirs=2 idle >/dev/null
t_is "what was approved is recorded" "$(docker config inspect reconcile-shop-state \
	-f '{{index .Spec.Labels "io.reconcile.state.approved"}}' | grep -c '"resource":"service/idle"')" 1
t_run reconcile --yes
t_is "another change of it is not approved" "$t_status" 3
docker service update --detach --label-add theirs=1 idle >/dev/null
t_run reconcile --yes
t_is "any pass makes the one that is" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_is "it is made" "$(docker service ls -q -f name=idle)" ""
spec 3 | commit "nothing destructive"
t_run reconcile --dry-run --out "$plan"
t_run program approve --yes --allow-env SHOP_TOKEN --state-dir "$t_dir/state" "$plan"
t_like "what destroys nothing needs no approval" "$t_out" 'needs no approval'
apply_plan
t_is "and is applied" "$t_status" 0

# A secret that a dry run does not look at has no name yet
printf 'commands: { vault: [printf, "%%s", "of {name}"] }\n' >"$t_dir/settings.yaml"
chmod 600 "$t_dir/settings.yaml"
export RECONCILE_CONFIG=$t_dir/settings.yaml
with_secret() {
	sed -e 's/^services:/secrets:\n  key: { command: vault, entry: key }\n&/' -e 's/configs: .motd.$/&\n    secrets: [key]/'
}
approval=never
spec 4 | with_secret | commit "a secret"
t_run reconcile --dry-run --out "$plan"
t_is "a plan with a new secret of a command is saved" "$t_status" 0
apply_plan
t_is "and applied" "$t_status" 0
t_is "the service uses it" "$(service web '{{(index .Spec.TaskTemplate.ContainerSpec.Secrets 0).File.Name}}')" /run/secrets/key
before=$(service web '{{(index .Spec.TaskTemplate.ContainerSpec.Secrets 0).SecretName}}')
printf 'commands: { vault: [printf, "%%s", "another of {name}"] }\n' >"$t_dir/settings.yaml"
approval=destructive
spec 4 | with_secret | sed 's/replicas: 1$/mode: global/' | commit "another mode, and the secret has changed meanwhile"
t_run reconcile --dry-run --out "$plan"
t_run program approve --yes --allow-env SHOP_TOKEN --state-dir "$t_dir/state" "$plan"
t_like "a replacement is approved by who may not look at the secret" "$t_out" 'replace +service/web'
t_run reconcile --yes
t_is "it is made with the new content" \
	"$t_status $(service web '{{(index .Spec.TaskTemplate.ContainerSpec.Secrets 0).SecretName}}' | grep -vc "$before")" "0 1"
[ "$t_status" = 0 ] || t_show_run
unset RECONCILE_CONFIG

# A commit that was forced away
spec 6 | commit "soon gone"
t_run reconcile --dry-run --out "$plan"
git_repo reset -q --hard HEAD~1
git_repo reflog expire --expire=now --all
git_repo gc -q --prune=now
apply_plan
t_refused "a commit that is gone" 'can no longer be read'
