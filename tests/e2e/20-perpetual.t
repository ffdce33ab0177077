#!/bin/bash
#
# 200 services with random settings, made by the docker command line, are adopted:
# nothing but the label of ownership is written, and then the plan is empty.
# SALT=n makes other services.

# Perl in single quotes.
# shellcheck disable=SC2016
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 24

gen=$BUILD/tests/e2e/gen
"$gen" head >/dev/null || exit 1
salt=${SALT:-1}
count=200
spec=$t_dir/cluster.yaml
trace=$t_dir/trace

reconcile() {
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 120 "$RECONCILE" --state-dir "$t_dir/state" "$@" "$spec"
}

show_failures() {
	[ "$t_status" = 0 ] || t_diag "$(grep -hE '^ *FAILED|error' "$t_dir/.out" "$t_dir/.err")"
}

# Calls of the last run that changed something, with how often.
mutations() { # [FILTER]
	grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace" | "${1:-cat}" |
		sed -E 's/"target":"//; s/"$//; s/[?].*//; s,/v[0-9.]+,,; s,[a-z0-9]{25},ID,' | sort | uniq -c | sed 's/^ *//'
}

# The services as the engine has them, one a line.
services() { # PERL-EXPRESSION: what of $s
	docker service ls -q | xargs docker service inspect | perl -MJSON::PP -0777 -e '
		my $json = JSON::PP->new->canonical->utf8;
		for my $s (sort { $a->{Spec}{Name} cmp $b->{Spec}{Name} } @{$json->decode(<STDIN>)}) {
			print "$s->{Spec}{Name} ", $json->encode('"$1"'), "\n";
		}'
}

running_tasks() {
	docker ps -q --no-trunc --filter label=com.docker.swarm.service.name | sort
}

settled() { # what is no job has as many tasks as it wants
	[ -z "$(docker service ls --format '{{.Replicas}} {{.Mode}}' | awk '{ split($1, n, "/") } !/job/ && n[1] != n[2]')" ]
}

in_plan() { # PERL-EXPRESSION on the plan $p
	printf '%s' "$t_out" | perl -MJSON::PP -0777 -e '
		my $p = JSON::PP->new->utf8->decode(<STDIN>);
		my @c = @{$p->{changes}};
		print '"$1"
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
"$gen" setup | bash -e >/dev/null
"$gen" cli s "$count" "$salt" | bash -e >/dev/null
t_is "$count services are made by the docker client" "$(docker service ls -q | wc -l)" "$count"
t_ok "those with tasks run" t_retry 60 settled
{
	"$gen" head
	"$gen" spec s "$count" "$salt"
} >"$spec"

t_run reconcile --dry-run --json
t_is "what nobody gave away is not taken" "$t_status $(in_plan '$p->{summary}{blocked}')" "3 $count"

echo "policy: { adopt: [$(seq -f 'service/s%g' -s ', ' 0 $((count - 1)))] }" >>"$spec"
services '$s->{Spec}' >"$t_dir/before"
services '+{ id => $s->{ID}, created => $s->{CreatedAt} }' >"$t_dir/ids-before"
tasks=$(running_tasks)
t_run reconcile --dry-run --json
t_is "the plan adopts all" "$(in_plan 'scalar(grep { $_->{action} eq "adopt" && $_->{state} eq "ready" } @c), " of ", scalar(@c)')" \
	"$count of $count"
t_is "no setting differs" "$(in_plan 'map { my $c = $_; map { "$c->{resource} $_->{path}\n" } @{$c->{fields}} } @c')" ""
jobs=$(docker service ls --format '{{.Name}} {{.Mode}}' | grep -c job)
t_is "only jobs run again, which every change of a job makes them do" \
	"$(in_plan 'scalar(grep { $_->{restarts} } @c)')" "$jobs"
t_is "nothing was changed" "$(mutations)" ""

t_run reconcile --yes
t_is "adopting converges" "$t_status" 0
show_failures
t_is "with one call for each service" "$(mutations t_not_shared)" "1 POST /configs/create
$count POST /services/ID/update"
services '$s->{Spec}' >"$t_dir/after"
t_is "each is marked as ours" "$(grep -c '"io.reconcile.cluster":"lab"' "$t_dir/after")" "$count"
sed -E 's/"io.reconcile.cluster":"lab",?//; s/,\}/}/' "$t_dir/after" >"$t_dir/unmarked"
t_is "and is otherwise what it was" "$(diff "$t_dir/before" "$t_dir/unmarked")" ""
services '+{ id => $s->{ID}, created => $s->{CreatedAt} }' >"$t_dir/ids-after"
t_ok "they are the same services" cmp "$t_dir/ids-before" "$t_dir/ids-after"
t_is "no task of a service restarted" "$(running_tasks | comm -13 - <(echo "$tasks"))" ""

t_run reconcile --dry-run --detailed-exitcode --json
t_is "then the plan is empty" "$t_status $(in_plan 'scalar(@c)')" "0 0"
t_run reconcile --yes
t_is "another run succeeds" "$t_status" 0
t_is "and changes nothing" "$(mutations)" ""
services '$s->{Spec}' >"$t_dir/last"
t_ok "nothing changed" cmp "$t_dir/after" "$t_dir/last"
rm -rf "$t_dir/state"
t_run reconcile --dry-run --detailed-exitcode --json
t_is "nor without the local state" "$t_status $(in_plan 'scalar(@c)')" "0 0"

# So that an empty plan means something: one setting of each kind, changed from outside.
idle=$(docker service ls --format '{{.Name}} {{.Mode}} {{.Replicas}}' | awk '$2 == "replicated" && $3 ~ /^0\/0/ { print $1 }' | sort -V)
n=0
while read -r name; do
	read -ra option || break
	[ "${#option[@]}" -gt 0 ] || break
	docker service update --detach --no-resolve-image "${option[@]}" "$name" >/dev/null || t_diag "${option[*]}"
	n=$((n + 1))
done < <(paste -d '\n' <(echo "$idle") - <<'OPTIONS'
--env-add DRIFT=1
--label-add drift=1
--container-label-add drift=1
--mount-add type=tmpfs,target=/drift
--mount-add type=bind,source=/srv,target=/drift,readonly
--mount-add type=volume,source=vol1,target=/drift
--publish-add published=29000,target=99,mode=host
--config-add source=conf2,target=/drift
--secret-add source=sec2,target=drift
--constraint-add node.labels.drift!=1
--placement-pref-add spread=node.labels.drift
--replicas-max-per-node 77
--limit-cpu 0.77
--limit-memory 777m
--limit-pids 777
--reserve-cpu 0.07
--reserve-memory 7m
--update-delay 7s
--update-failure-action rollback --update-order start-first --update-parallelism 7
--update-monitor 77s
--update-max-failure-ratio 0.77
--rollback-delay 7s
--rollback-monitor 77s
--rollback-parallelism 7
--restart-delay 77s
--restart-max-attempts 77
--restart-window 77s
--health-cmd drift
--user 7777
--group-add 7777
--workdir /drift
--hostname drift
--host-add drift:10.7.7.7
--dns-add 10.7.7.7
--dns-search-add drift
--dns-option-add drift:7
--cap-add CAP_SYS_NICE
--sysctl-add net.ipv4.ip_forward=7
--ulimit-add stack=7:7
--stop-signal SIGSTOP
--stop-grace-period 77s
--log-driver syslog
--entrypoint drift
--args drift
--image drift:7
--replicas 1 --constraint-add node.role==worker
OPTIONS
)
t_run reconcile --dry-run --detailed-exitcode --json
t_is "each of $n settings that is changed from outside is seen" \
	"$t_status $(in_plan 'scalar(grep { $_->{action} eq "update" && $_->{state} eq "ready" } @c)')" "2 $n"
t_run reconcile --yes
t_is "and put back" "$t_status" 0
show_failures
t_is "with one call for each" "$(mutations t_not_shared)" "$n POST /services/ID/update"
t_run reconcile --dry-run --detailed-exitcode --json
t_is "then nothing is left to do" "$t_status $(in_plan 'scalar(@c)')" "0 0"
t_is "no task of a service restarted" "$(running_tasks | comm -13 - <(echo "$tasks"))" ""
