#!/bin/bash
#
# What a run leaves alone although the spec says otherwise, and for how long: ignored fields, drift that is only reported,
# what somebody else keeps changing, maintenance windows, --only, and adopted things that cannot carry a label.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 52

spec=$t_dir/cluster.yaml

apply() { # OPTION...
	t_run timeout 60 "$RECONCILE" --yes --state-dir "$t_dir/state" "$@" "$spec"
}

forget() {
	rm -rf "$t_dir/state"
}

label() { # SERVICE NAME
	docker service inspect -f "{{index .Spec.Labels \"$2\"}}" "$1"
}

variables() { # SERVICE
	docker service inspect -f '{{.Spec.TaskTemplate.ContainerSpec.Env}}' "$1"
}

version() { # SERVICE
	docker service inspect -f '{{.Version.Index}}' "$1"
}

# By hand, from outside.
set_label() { # SERVICE NAME=VALUE
	docker service update --detach --quiet --label-add "$2" "$1" >/dev/null
}

services() { # LINE...: of web; db beside it
	printf '%s\n' 'version: 1' 'cluster: lab' 'services:' '  web:' '    image: lab/busybox:1' "$@" \
		'  db:' '    image: lab/busybox:1' '    deploy: { replicas: 0 }' >"$spec"
}

# ignore

ignoring='    ignore: ["labels[team]", "env[DEBUG]", update_config.delay]'
services "$ignoring" '    deploy: { replicas: 0, labels: { team: ops, tier: "1" }, update_config: { delay: 1s } }'
apply
t_is "a service with ignored fields is created" "$t_status" 0
t_is "with the values of the spec" "$(label web team)" ops
docker service update --detach --quiet --label-add team=dev --env-add DEBUG=1 --update-delay 9s web >/dev/null
before=$(version web)
apply
t_is "what others write to ignored fields is no difference" "$t_status" 0
t_like "and the run says so" "$t_out" 'No changes'
t_is "and writes nothing" "$(version web)" "$before"
services "$ignoring" '    deploy: { replicas: 0, labels: { team: ops, tier: "2" }, update_config: { delay: 1s } }'
apply
t_is "another label of the same field is applied" "$t_status $(label web tier)" '0 2'
t_is "and the ignored ones are written back as they were" "$(label web team) $(variables web)" 'dev [DEBUG=1]'
services '    deploy: { replicas: 0, labels: { team: ops, tier: "2" }, update_config: { delay: 1s } }'
apply
t_is "without ignore they are repaired" "$t_status $(label web team) $(variables web)" '0 ops []'
services '    ignore: [label]' '    deploy: { replicas: 0 }'
apply
t_is "an unknown field is an error of the spec" "$t_status" 4
t_like "with a suggestion" "$t_err" "did you mean 'labels'"

# drift: report

reporting='    drift: report'
services "$reporting" '    deploy: { replicas: 0, labels: { team: ops } }'
apply
t_is "drift is to be reported" "$t_status" 0
set_label web team=dev
before=$(version web)
forget
apply
t_is "drift is no failure, and what was applied is not forgotten with the local state" "$t_status" 0
t_like "it is told" "$t_out" 'drift, not repaired: labels.team is "dev", the spec says "ops"'
t_is "and left" "$(version web)" "$before"
services "$reporting" '    environment: { A: "1" }' '    deploy: { replicas: 0, labels: { team: ops } }'
apply
t_is "what the spec changes is applied" "$t_status $(variables web)" '0 [A=1]'
t_is "with the drift in place" "$(label web team)" dev
docker service rm web >/dev/null
apply
t_is "what somebody removed is told" "$t_status" 0
t_like "too" "$t_out" 'drift, not repaired: it was removed'
t_not_ok "and not made again" docker service inspect web
services '    environment: { A: "1" }' '    deploy: { replicas: 0, labels: { team: ops } }'
apply
t_is "until drift is to be repaired" "$t_status $(label web team)" '0 ops'

# Somebody else keeps writing

for i in 1 2 3; do
	set_label web team=other
	forget
	apply
	t_is "drift is repaired, time $i" "$t_status $(label web team)" '0 ops'
done
set_label web team=other
before=$(version web)
forget
apply
t_is "the fourth time within the hour is contested" "$t_status" 1
t_like "with the field, and what to do" "$t_out" 'contested: labels.team was reverted 3 times.*--retry'
t_is "nothing is written" "$(version web)" "$before"
services '    environment: { A: "1" }' '    deploy: { replicas: 0, labels: { team: other } }'
apply
t_is "the spec can give in" "$t_status" 0
services '    environment: { A: "1" }' '    deploy: { replicas: 0, labels: { team: new } }'
apply
t_is "or say something new" "$t_status $(label web team)" '0 new'
set_label web team=other
apply
t_is "what was contested stays so" "$t_status $(label web team)" '1 other'
apply --retry
t_is "--retry repairs it once more" "$t_status $(label web team)" '0 new'

# Maintenance windows

later() { # OFFSET
	date -u -d "$1" +%H:%M
}
window() {
	cat >>"$spec" <<-YAML
	policy:
	  maintenance:
	    windows: [{ from: "$(later '+3 hours')", to: "$(later '+4 hours')" }]
	YAML
}
services '    environment: { A: "2" }' '    deploy: { replicas: 0, labels: { team: new } }'
sed -i 's/    deploy: { replicas: 0 }/    deploy: { replicas: 0, labels: { new: "1" } }/' "$spec"
cp "$spec" "$t_dir/open.yaml"
window
apply
t_is "outside the windows what restarts waits" "$t_status $(variables web)" '3 [A=1]'
t_like "and says until when" "$t_out" 'outside the maintenance windows; the next one opens .* \(UTC\)'
t_is "what restarts nothing does not" "$(label db new)" 1
apply --dry-run --json
t_like "how long is told to machines" "$t_out" '"retry_after_s": ?1[0-9]{4}'
cp "$t_dir/open.yaml" "$spec"
apply
t_is "without windows it is done" "$t_status $(variables web)" '0 [A=2]'

# A window that closes while a run is at work: what has been begun is done, nothing more is.
to_the_next_minute() {
	sleep $((61 - 10#$(date +%S)))
}
services '    environment: { A: "3" }' '    deploy: { replicas: 0, labels: { team: new } }'
sed -i 's/    deploy: { replicas: 0 }/    environment: { B: "1" }\n    after: [service\/web]\n&/' "$spec"
[ "$(date +%S)" -lt 45 ] || to_the_next_minute
printf 'policy:\n  maintenance:\n    windows: [{ from: "%s", to: "%s" }]\n' "$(later '-1 hour')" "$(later '+1 minute')" >>"$spec"
RECONCILE_LEASE_TTL=300 RECONCILE_KILL_AT=2s "$RECONCILE" --yes --state-dir "$t_dir/state" "$spec" >"$t_dir/closing" 2>&1 &
t_ok "a run is stopped before its first change" t_retry 10 t_is_stopped $!
to_the_next_minute
kill -CONT $!
wait $!
t_is "the window closes: what was begun is done, what comes after it waits" "$? $(variables web) $(variables db)" '3 [A=3] []'
t_like "and it says so" "$(cat "$t_dir/closing")" 'service/db.*the maintenance window has closed'
cp "$t_dir/open.yaml" "$spec"
apply

# --only

services '    environment: { A: "3" }' '    deploy: { replicas: 0 }'
echo x | docker config create --label io.reconcile.cluster=lab stray - >/dev/null
apply --only service/db
t_is "--only applies that one" "$t_status $(label db new) $(variables web)" '0  [A=2]'
t_like "and says what is left out" "$t_out" 'only service/db and what it requires: 2 other changes are left out'
t_ok "nothing is pruned" docker config inspect stray
apply --only service/wbe
t_is "an unknown name is a usage error" "$t_status" 64
t_like "with a suggestion" "$t_err" "did you mean 'service/web'"
apply
t_is "then the rest" "$t_status $(variables web)" '0 [A=3]'
t_not_ok "is done" docker config inspect stray

services "$reporting" '    environment: { A: "3" }' '    deploy: { replicas: 0 }'
apply
services "$reporting" '    environment: { A: "4" }' '    deploy: { replicas: 0 }'
apply --only service/db
apply
t_is "what was left out is not taken for drift later" "$t_status $(variables web)" '0 [A=4]'

# Adoption of what cannot carry a label

docker network create --driver overlay front >/dev/null
adopting() { # [ADOPT]
	cat >"$spec" <<-YAML
	version: 1
	cluster: lab
	networks: { front: {} }
	services: { web: { image: "lab/busybox:1", networks: [front], deploy: { replicas: 0 } } }
	policy: { adopt: [${1:-}] }
	YAML
}
adopting
apply
t_is "a network that somebody else made is not touched" "$t_status" 3
id=$(docker network inspect -f '{{.Id}}' front)
adopting network/front
apply
t_is "it is adopted" "$t_status" 0
t_like "visibly" "$t_out" 'adopt +network/front'
adopting
forget
apply
t_is "and stays so" "$t_status" 0
t_like "whoever runs next" "$t_out" 'No changes'
t_is "it is the same network" "$(docker network inspect -f '{{.Id}}' front)" "$id"
