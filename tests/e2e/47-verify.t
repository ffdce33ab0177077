#!/bin/bash
#
# verify on a real engine: a cluster that is what its spec says is well; each way in which it is not is a check that
# fails, with where and why; what cannot be seen is unknown. It changes nothing; with --disrupt it kills a replica.

# shellcheck disable=SC2016 # Perl's variables
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 34

spec=$t_dir/cluster.yaml
trace=$t_dir/trace
cd "$t_dir" || exit 1

verify() {
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 150 "$RECONCILE" verify "$@"
}

apply() {
	timeout 150 "$RECONCILE" --state-dir "$t_dir/state" --yes "$@" "$spec"
}

# "check: state" of those that are not ok in the last document.
bad() {
	perl -MJSON::PP -0777 -e 'my $d = JSON::PP->new->utf8->decode(<STDIN>);
		print join " ", map { "$_->{check}:$_->{state}" } grep { $_->{state} ne "ok" } @{$d->{checks}}' <<<"$t_out"
}

what() { # CHECK
	perl -MJSON::PP -0777 -e 'my $d = JSON::PP->new->utf8->decode(<STDIN>); my $c = shift;
		print map { $_->{what} } grep { $_->{check} eq $c } @{$d->{checks}}' "$1" <<<"$t_out"
}

t_ok "the state before the change is made" "$t_root/tests/lab/before"
cp "$t_root/examples/one-host-migration/cluster.yaml" "$spec"
t_run verify --timeout 0 --json
t_is "before, much fails" "$t_status" 1
t_like "the service is not there" "$(bad)" 'service/ollama:failed'
t_like "HAProxy still is" "$(bad)" 'absent/haproxy:failed'
t_like "nor is there a route" "$(bad)" 'route/ollama:failed'
t_is "nothing was changed" "$(grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace")" ""

t_run apply --wait
t_is "the migration converges" "$t_status" 0
t_run verify --json
t_is "afterwards all is well" "$t_status $(bad)" "0 "
t_like "the route answers" "$(what route/ollama)" 'answers through its entrypoints'
t_like "all tasks run" "$(what service/ollama)" '^2 of 2 tasks run'
t_like "the node is ready" "$(what node/gmktec)" '^ready'
t_like "HAProxy is gone" "$(what absent/haproxy)" '^gone'
t_is "nothing was changed" "$(grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace")" ""
t_run verify
t_like "as text, too" "$t_status $(tail -n 1 <<<"$t_out")" '^0 [0-9]+ ok, 0 failed, 0 unknown\.$'

# A replica is killed.
t_run verify --disrupt
t_is "without a terminal nothing is killed unasked" "$t_status" 64
before=$(docker ps -q --no-trunc --filter label=com.docker.swarm.service.name=ollama | sort)
t_run verify --disrupt --yes --json
after=$(docker ps -q --no-trunc --filter label=com.docker.swarm.service.name=ollama | sort)
t_is "a replica that is killed comes back" "$t_status $(perl -MJSON::PP -0777 -e '
	my $d = JSON::PP->new->utf8->decode(<STDIN>)->{disruption};
	print "$d->{service} on $d->{node} ", ($d->{back_ms} > 500 ? "later" : "at once"), " ", ($d->{requests} > 0 ? "asked" : "")
	' <<<"$t_out")" "0 ollama on gmktec later asked"
t_is "another one, and only that" "$(comm -13 <(echo "$before") <(echo "$after") | wc -l) $(wc -l <<<"$after")" "1 2"
t_run verify --disrupt=nothing --yes
t_like "only a service of the spec that has two" "$t_status $t_err" "^3 .*'nothing'.*no two running replicas"
t_ok "a suspended cluster" timeout 60 "$RECONCILE" suspend --state-dir "$t_dir/state" "$spec"
t_run verify --disrupt --yes
t_like "is left alone" "$t_status $t_err" '^5 .*suspended'
t_ok "until it is resumed" timeout 60 "$RECONCILE" resume --state-dir "$t_dir/state" "$spec"

docker service update --detach --env-add DRIFT=1 ollama >/dev/null
t_run verify --timeout 0 --json
t_like "drift is a check that fails" "$t_status $(bad) $(what service/ollama)" '^1 .*service/ollama:failed.* env'
t_run apply --wait
t_is "it is repaired" "$t_status" 0
t_run verify --json
t_is "then all is well again" "$t_status $(bad)" "0 "

docker node update --label-rm ollama gmktec >/dev/null
t_run verify --timeout 0 --json
t_like "so is a label that is gone" "$t_status $(bad)" '^1 .*node/gmktec:failed'
t_run apply --wait
docker stop traefik >/dev/null
t_run verify --timeout 0 --json
t_like "so is a Traefik that is stopped" "$t_status $(bad)" '^1 .*route/ollama:failed'
docker start traefik >/dev/null
t_run verify --json
t_is "what comes up is waited for" "$t_status $(bad)" "0 "

sed -i 's/^nfs:/  hpr: { address: 10.99.0.99, optional: true }\n\n&/' "$spec"
t_run verify --json
t_is "an optional node that is away is skipped" "$t_status $(bad)" "0 node/hpr:skipped swarm/demo@hpr:skipped"
sed -i 's/, optional: true//' "$spec"
t_run verify --timeout 0 --json
t_unlike "one that is not optional is not" "$t_status $(bad)" '^0 '

t_run env DOCKER_HOST=unix:///nowhere.sock "$RECONCILE" verify --timeout 0 --json
t_unlike "without an engine nothing is well" "$t_status" '^0$'
t_like "and it says why" "$t_out" 'nowhere.sock'
t_run verify --timeout never "$spec"
t_is "a wrong duration is said" "$t_status" 64
t_run verify --timeout 10 "$spec"
t_is "and one without a unit" "$t_status" 64
sed -i 's/^version: 1/version: 7/' "$spec"
t_run verify
t_is "and a spec with errors" "$t_status" 4
