#!/bin/bash
#
# Going back, and holding still: rollback by default, by number and by commit, with the
# digests of that run; it holds until resume. Suspending the cluster or one resource.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab --registry
t_plan 78

repo=$t_dir/infrastructure
trace=$t_dir/trace
image=10.99.0.1:5000/web:1

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

reconcile() {
	program "$@" --repo "$repo" --state-dir "$t_dir/state"
}

mutations() {
	grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace" | sed -E 's/"target":"//; s/"$//; s/[?].*//'
}

service() { # FORMAT
	docker service inspect -f "$1" web
}

env_a() {
	service '{{index .Spec.TaskTemplate.ContainerSpec.Env 0}}'
}

digest() {
	service '{{.Spec.TaskTemplate.ContainerSpec.Image}}' | sed 's/.*@//'
}

# Moves the tag to another image.
push() { # LABEL
	local container
	container=$(docker create lab/busybox:1)
	docker commit --change "LABEL build=$1" "$container" "$image" >/dev/null
	docker rm "$container" >/dev/null
	docker push -q "$image" >/dev/null
}

spec() { # A [LINE...]
	local a=$1
	shift
	cat <<YAML
version: 1
cluster: shop
nodes:
  gmktec: { address: 127.0.0.1, role: manager }
configs:
  motd: { file: motd }
services:
  web:
    image: $image
    command: [sleep, "1000"]
    configs: [motd]
    environment: { A: "$a" }
    stop_grace_period: 1s
    deploy: { replicas: 1, endpoint_mode: dnsrr, update_config: { monitor: 500ms } }
YAML
	[ $# = 0 ] || printf '  %s\n' "$@"
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
git init -q -b main "$repo"

# Three commits, the tag moving with each.
push one
echo one >"$repo/motd"
# Its maintenance window is hours away, for which a rollback does not wait.
{
	spec 1
	printf 'policy: { maintenance: { windows: [{ from: "%s", to: "%s" }] } }\n' "$(date -u -d '+3 hours' +%H:%M)" \
		"$(date -u -d '+4 hours' +%H:%M)"
} | commit one
first=$(git -C "$repo" rev-parse HEAD)
t_run reconcile --yes
t_is "the first commit converges" "$t_status" 0
digest_one=$(digest)
push two
echo two >"$repo/motd"
spec 2 | commit two
t_run reconcile --yes --refresh-images
t_is "the second one, too" "$t_status" 0
digest_two=$(digest)
t_ok "with another digest" test "$digest_one" != "$digest_two"
docker service update --detach --env-add A=stranger web >/dev/null
t_run reconcile --yes
t_is "and drift is repaired" "$(env_a)" A=2
push three
spec 3 'idle: { image: "lab/busybox:1", deploy: { replicas: 0 } }' | commit three
t_run reconcile --yes --refresh-images
t_is "the third one, too" "$(env_a) $t_status" "A=3 0"

# Back
t_run reconcile rollback --dry-run
t_is "a dry run of a rollback" "$t_status" 0
t_like "shows its plan" "$t_out" 'env\[A\]: "3" -> "2"'
t_like "with the digest of that run" "$t_out" "$digest_two"
t_is "and changes nothing" "$(mutations)" ""
t_run reconcile rollback
t_is "what it removes needs a word of consent" "$t_status" 1
t_is "nothing was changed" "$(env_a)" A=3
t_run reconcile rollback --yes
t_is "the run before the last spec is gone back to" "$t_status" 0
t_is "not to the one that repaired drift of it" "$(env_a)" A=2
t_is "with its digest, though the tag has moved on" "$(digest)" "$digest_two"
t_is "what came later is gone" "$(docker service ls -q -f name=idle)" ""
t_like "it says that it holds" "$t_err" 'held there.*reconcile resume'
t_run reconcile --yes
t_is "so the timer's pass changes nothing" "$t_status $(env_a)" "5 A=2"
t_like "and says why" "$t_err" 'rolled back to run [0-9]+ \(commit '
t_is "it makes no call that changes something" "$(mutations)" ""
t_run reconcile --dry-run
t_is "a dry run works" "$t_status" 0
t_like "and shows what resume lets through" "$t_out" 'env\[A\]: "2" -> "3"'
t_run reconcile status
t_like "status tells of the hold" "$t_out" 'rolled back to run'
t_run reconcile rollback --yes
t_is "again is one step further" "$t_status $(env_a)" "0 A=1"
t_is "with the first digest" "$(digest)" "$digest_one"
t_is "and its file" "$(docker exec "$(docker ps -q -f label=com.docker.swarm.service.name=web | head -n 1)" \
	cat /motd)" one
t_run reconcile rollback --yes
t_is "there is nothing before the first" "$t_status $(env_a)" "1 A=1"
t_like "it says how to go on" "$t_err" '--to COMMIT'
t_run reconcile history
t_like "the history calls it a rollback" "$t_out" 'rollback'
t_run reconcile resume
t_is "resume lifts the hold" "$t_status" 0
t_run reconcile --yes
t_is "and the newest commit comes back" "$t_status $(env_a)" "0 A=3"

# By number and by commit
t_run reconcile rollback 2 --yes
t_is "a run by its number" "$t_status $(env_a) $(digest)" "0 A=2 $digest_two"
t_run reconcile rollback 99 --yes
t_is "no such run" "$t_status" 1
t_run reconcile resume
rm -rf "$t_dir/state"
t_run reconcile rollback --yes
t_is "without the history it does not guess" "$t_status $(env_a)" "1 A=2"
t_like "and says how to" "$t_err" '--to COMMIT'
echo "repo: $repo" >"$t_dir/settings.yaml"
t_run program rollback --to "${first:0:12}" --cluster shop --config "$t_dir/settings.yaml"
t_like "a commit is read, which a cluster's name is not enough for" "$t_status $t_err" '^64 .*name one or the other'
t_run reconcile rollback --to "${first:0:12}" --yes
t_is "a commit will do" "$t_status $(env_a)" "0 A=1"
t_like "the digests are not known, it says" "$t_err" 'digests of that time are not known'
t_is "the cluster is held, too" "$(program --yes --repo "$repo" --state-dir "$t_dir/state" >/dev/null 2>&1; echo $?)" 5
t_run reconcile resume
t_run reconcile --yes
t_is "on again" "$t_status $(env_a)" "0 A=3"

# A plain directory: its files are in the record, its secrets are not.
mkdir "$t_dir/plain"
plain() { # A SECRET...; the rest of the options
	spec "$1" >"$t_dir/plain/cluster.yaml"
	echo "$2" >"$t_dir/plain/motd"
}
plain 7 seven
t_run program --yes --state-dir "$t_dir/state" "$t_dir/plain"
plain 8 eight
t_run program --yes --state-dir "$t_dir/state" "$t_dir/plain"
t_is "a directory is applied twice" "$t_status $(env_a)" "0 A=8"
t_run program rollback --yes --state-dir "$t_dir/state" "$t_dir/plain"
t_is "and gone back to, though its files are overwritten" "$t_status $(env_a)" "0 A=7"
t_run reconcile resume

# Suspending
t_run reconcile --yes
t_run reconcile suspend --for 1h --reason "moving house"
t_is "the cluster is suspended" "$t_status" 0
t_like "until when is said" "$t_out" 'until 20'
spec 9 'idle: { image: "lab/busybox:1", deploy: { replicas: 0 } }' | commit nine
t_run reconcile --yes
t_is "nothing is changed then" "$t_status $(env_a)" "5 A=3"
t_like "who and why is said" "$t_err" '@.*moving house'
t_run reconcile --dry-run --detailed-exitcode
t_is "a dry run works" "$t_status" 2
t_run reconcile rollback --yes
t_is "a rollback does not go over it either" "$t_status $(env_a)" "5 A=3"
t_like "and says what to do first" "$t_err" 'moving house.*reconcile resume'
t_run reconcile resume
t_run reconcile suspend service/web --for 6s
t_is "one resource is suspended" "$t_status" 0
spec 10 'idle: { image: "lab/busybox:1", deploy: { replicas: 0 } }' \
	'other: { image: "lab/busybox:1", deploy: { replicas: 0 } }' | commit ten
t_run reconcile --yes
t_is "it is blocked" "$t_status" 3
t_unlike "and not changed" "$(env_a)" 'A=10'
t_is "the rest goes on" "$(docker service ls -q -f name=other | wc -l)" 1
t_ok "its time is over after a while" t_retry 12 bash -c \
	"'$RECONCILE' --dry-run --repo '$repo' --state-dir '$t_dir/state' | grep -q 'update.*service/web'"
t_run reconcile --yes
t_is "then it goes on" "$t_status $(env_a)" "0 A=10"
t_run reconcile suspend service/wbe
t_is "a mistyped name is refused" "$t_status" 64
t_like "with a suggestion" "$t_err" "did you mean 'service/web'"
t_run reconcile suspend --for soon
t_is "a duration that is none is refused" "$t_status" 64
t_run reconcile resume service/idle
t_like "resuming what is not suspended says so" "$t_out" 'was not suspended'

# With a spec that cannot be read
cp "$repo/cluster.yaml" "$t_dir/keep"
echo 'cluster: [' | commit broken
t_run reconcile suspend
t_is "a broken spec does not name the cluster" "$t_status" 4
t_like "what does is said" "$t_err" '--cluster NAME'
t_run program suspend --cluster shop --reason "spec is broken"
t_is "--cluster does" "$t_status" 0
commit mended <"$t_dir/keep"
t_run reconcile --yes
t_is "it is suspended" "$t_status" 5
t_run program resume --cluster shop
t_is "and resumed" "$t_status" 0

# While a run is at work: it is stopped before a change, and goes on when somebody has suspended.
suspended_at_work() { # CHANGE OPTION-OF-SUSPEND...
	local at=$1 pid
	shift
	RECONCILE_KILL_AT=${at}s "$RECONCILE" --yes --repo "$repo" --state-dir "$t_dir/state" >"$t_dir/out" 2>&1 </dev/null &
	pid=$!
	t_ok "a run is at work" t_retry 20 t_is_stopped "$pid"
	t_run reconcile suspend "$@"
	kill -CONT "$pid"
	status=0
	wait "$pid" || status=$?
}
image_of() { # SERVICE
	local image
	image=$(docker service inspect -f "{{.Spec.TaskTemplate.ContainerSpec.Image}}" "$1" 2>/dev/null) && echo "$image" || echo none
}
cat >>"$t_dir/keep" <<'YAML'
  first: { image: "lab/busybox:1", deploy: { replicas: 0 } }
  last: { image: "lab/busybox:1", after: [service/first], deploy: { replicas: 0 } }
YAML
commit first <"$t_dir/keep"
# Its first change is the lease, its second the service `first`.
suspended_at_work 3 --reason "stop now"
t_like "suspending says that a run is at work" "$t_out" 'A run is at work: it stops before its next change\.'
t_is "it stops before its next change" "$status $(image_of first) $(image_of last)" "5 lab/busybox:1 none"
t_like "and says who stopped it" "$(cat "$t_dir/out")" 'suspended.*stop now'
t_run reconcile resume --all
t_run reconcile --yes
t_is "after resume it is finished" "$t_status $(image_of last)" "0 lab/busybox:1"

# One resource of it
cat >>"$t_dir/keep" <<'YAML'
  next: { image: "lab/busybox:1", after: [service/last], deploy: { replicas: 0 } }
  other: { image: "lab/busybox:1", after: [service/first], deploy: { replicas: 0, labels: { new: "1" } } }
YAML
sed -i '/^  \(first\|last\):/s/replicas: 0/&, labels: { new: "1" }/; /^  other:.*replicas: 0 } }$/d' "$t_dir/keep"
commit next <"$t_dir/keep"
new() { # SERVICE
	docker service inspect -f '{{index .Spec.Labels "new"}}' "$1"
}
suspended_at_work 3 service/last --reason "not this"
t_like "one resource is suspended while a run is at work" "$t_out" 'it stops before its next change of this'
t_is "it is not changed any more" "$(new last)" ""
t_is "nor what requires it" "$(image_of next)" none
t_is "the rest is" "$(new first) $(new other)" "1 1"
t_is "it ends as a run that finds it suspended" "$status" 3
t_like "and says who stopped it" "$(cat "$t_dir/out")" 'service/last.*not begun: stopped before this step.*suspended.*not this'
t_run reconcile --yes
t_is "the next run leaves it alone, too" "$t_status $(new last)" "3 "
t_run reconcile resume service/last
t_run reconcile --yes
t_is "until it is resumed" "$t_status $(new last) $(image_of next)" "0 1 lab/busybox:1"
