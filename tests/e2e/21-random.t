#!/bin/bash
#
# 200 services with random settings, written by reconcile: the second plan is
# empty, and the engine then has what the docker client makes of the same
# settings. Then other settings for the same services, and back. SALT=n makes
# others.

# Perl in single quotes.
# shellcheck disable=SC2016
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 21

gen=$BUILD/tests/e2e/gen
"$gen" head >/dev/null || exit 1
salt=${SALT:-1}
count=200
trace=$t_dir/trace

reconcile() { # SPEC OPTION...
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 300 "$RECONCILE" --state-dir "$t_dir/state" "${@:2}" "$1"
}

show_failures() {
	[ "$t_status" = 0 ] || t_diag "$(grep -hE '^ *FAILED|error' "$t_dir/.out" "$t_dir/.err")"
}

mutations() { # [FILTER]
	grep -E '"target":"(POST|PUT|DELETE|PATCH) ' "$trace" | "${1:-cat}" | wc -l
}

# What means the same to Swarm becomes the same: order, absent values and defaults.
cat >"$t_dir/normal.pl" <<'PERL'
use strict;
use warnings;
use JSON::PP;

my $json = JSON::PP->new->canonical->utf8->allow_nonref;

sub by_text { return [ sort { $json->encode($a) cmp $json->encode($b) } @{$_[0]} ] }

sub without_empty {
	my ($v) = @_;
	if (ref $v eq 'HASH') {
		my %kept;
		for my $k (keys %$v) {
			my $kept = without_empty($v->{$k});
			$kept{$k} = $kept if defined $kept;
		}
		return %kept ? \%kept : undef;
	}
	if (ref $v eq 'ARRAY') {
		return @$v ? [ map { without_empty($_) // $_ } @$v ] : undef;
	}
	return undef if !defined $v || JSON::PP::is_bool($v) && !$v;
	return $v eq '' || $v eq '0' ? undef : $v;
}

sub normal {
	my ($s) = @_;
	my $task = $s->{TaskTemplate};
	my $c = $task->{ContainerSpec};
	delete $s->{Labels}{'io.reconcile.cluster'};
	for my $block (qw(UpdateConfig RollbackConfig)) {
		next if $s->{Mode}{ReplicatedJob} || $s->{Mode}{GlobalJob};
		my $u = $s->{$block} //= { Parallelism => 1 };
		$u->{FailureAction} //= 'pause';
		$u->{Order} //= 'stop-first';
		$u->{Monitor} ||= 5e9;
		$u->{MaxFailureRatio} = sprintf '%.6g', $u->{MaxFailureRatio} // 0;
	}
	my $r = $task->{RestartPolicy} //= {};
	$r->{Condition} //= 'any';
	$r->{Delay} //= 5e9;
	$c->{StopGracePeriod} //= 10e9;
	$s->{EndpointSpec}{Mode} //= 'vip';
	for my $kind ([ 'Configs', '/' ], [ 'Secrets', '/run/secrets/' ]) {
		for my $file (@{$c->{$kind->[0]} // []}) {
			$file->{File}{Name} = $kind->[1] . $file->{File}{Name} unless $file->{File}{Name} =~ m,^/,;
		}
	}
	for my $mount (@{$c->{Mounts} // []}) {
		delete $mount->{BindOptions}{Propagation} if ($mount->{BindOptions}{Propagation} // '') eq 'rprivate';
	}
	for my $constraint (@{$task->{Placement}{Constraints} // []}) {
		$constraint =~ s/\s*(==|!=)\s*/$1/;
	}
	$_->{Aliases} = by_text($_->{Aliases} // []) for @{$task->{Networks} // []};
	for my $owner ([ $c, qw(Configs Secrets Env Mounts Hosts Ulimits Groups CapabilityAdd CapabilityDrop) ],
		[ $task, 'Networks' ], [ $task->{Placement}, 'Constraints' ], [ $s->{EndpointSpec}, 'Ports' ]) {
		my ($at, @lists) = @$owner;
		for my $list (@lists) { $at->{$list} = by_text($at->{$list}) if $at->{$list}; }
	}
	return without_empty($s);
}

local $/;
for my $s (sort { $a->{Spec}{Name} cmp $b->{Spec}{Name} } @{$json->decode(<STDIN>)}) {
	print "$s->{Spec}{Name} ", $json->encode(normal($s->{Spec})), "\n";
}
PERL

services() {
	docker service ls -q | xargs docker service inspect | perl "$t_dir/normal.pl"
}

no_task_left() {
	[ -z "$(docker ps -q --filter label=com.docker.swarm.service.name)" ]
}

make_twins() { # SALT FILE
	"$gen" cli s "$count" "$1" | bash -e >/dev/null
	services >"$2"
	docker service ls -q | xargs docker service rm >/dev/null
	t_retry 60 no_task_left
}

make_spec() { # SALT FILE
	{
		echo "policy: { max_deletions: $count }"
		"$gen" head
		"$gen" spec s "$count" "$1"
	} >"$2"
}

plan_is_empty() { # SPEC
	t_run reconcile "$1" --dry-run --detailed-exitcode --json
	[ "$t_status" = 0 ] && [ "$(printf '%s' "$t_out" | perl -MJSON::PP -0777 -e 'print scalar @{decode_json(<STDIN>)->{changes}}')" = 0 ]
}

differences() { # FILE: of what the engine has from it
	services >"$t_dir/live"
	diff <(tr ',' '\n' <"$1") <(tr ',' '\n' <"$t_dir/live")
}

apply() { # SPEC TEXT
	t_run reconcile "$1" --yes
	t_is "$2" "$t_status" 0
show_failures
	plan_is_empty "$1"
	t_result $? "then the plan is empty" || t_diag "$t_out"
}

t_ok "the image is made" "$t_root/tests/lab/images" lab/busybox:1
"$gen" setup | bash -e >/dev/null
make_twins "$salt" "$t_dir/twins1"
make_twins "$((salt + 1000))" "$t_dir/twins2"
make_spec "$salt" "$t_dir/spec1"
make_spec "$((salt + 1000))" "$t_dir/spec2"
t_is "the docker client made $count services" "$(wc -l <"$t_dir/twins1")" "$count"
t_is "and made others with other settings" "$(comm -12 "$t_dir/twins1" "$t_dir/twins2" | wc -l)" 0

apply "$t_dir/spec1" "$count services are created"
t_is "as the docker client would have" "$(differences "$t_dir/twins1")" ""
t_run reconcile "$t_dir/spec1" --yes
t_is "the second run changes nothing" "$t_status $(mutations)" "0 0"

apply "$t_dir/spec2" "all get other settings"
t_is "and are what the docker client would have created" "$(differences "$t_dir/twins2")" ""
apply "$t_dir/spec1" "and the first ones back"
t_is "and are what the docker client would have created" "$(differences "$t_dir/twins1")" ""
rm -rf "$t_dir/state"
plan_is_empty "$t_dir/spec1"
t_result $? "nothing is to be done without the local state either" || t_diag "$t_out"

printf 'version: 1\ncluster: lab\npolicy: { max_deletions: %s }\n' "$count" >"$t_dir/none"
t_run reconcile "$t_dir/none" --yes
t_is "all are pruned when the spec names none" "$t_status $(docker service ls -q | wc -l)" "0 0"
show_failures

# The table of defaults against the engine's own words.
engine() { # PATH [CURL-OPTION...]
	curl -sSf --unix-socket /var/run/docker.sock -H 'Content-Type: application/json' "${@:2}" "http://engine/v1.41$1"
}
t_ok "a service is made with nothing set" engine /services/create \
	-d '{"Name": "silent", "TaskTemplate": {"ContainerSpec": {"Image": "lab/busybox:1", "Command": ["sleep", "1000"]}}}'
engine '/services/silent?insertDefaults=true' |
	perl -MJSON::PP -0777 -e '
		my $s = decode_json(<STDIN>)->{Spec};
		$s->{Name} = "explicit";
		print encode_json($s)' >"$t_dir/explicit.json"
t_like "the engine tells its defaults" "$(cat "$t_dir/explicit.json")" '"Monitor":5000000000'
t_ok "another one is made with all of them said" engine /services/create -d "@$t_dir/explicit.json"
cat >"$t_dir/defaults" <<'YAML'
version: 1
cluster: lab
policy: { adopt: [service/silent, service/explicit] }
services:
  silent: { image: "lab/busybox:1", entrypoint: [sleep, "1000"] }
  explicit: { image: "lab/busybox:1", entrypoint: [sleep, "1000"] }
YAML
t_run reconcile "$t_dir/defaults" --dry-run --json
t_is "both are what a silent spec says" "$(printf '%s' "$t_out" | perl -MJSON::PP -0777 -e '
	print map { "$_->{action} $_->{state} " . @{$_->{fields} // []} . "\n" } @{decode_json(<STDIN>)->{changes}}')" \
	"adopt ready 0
adopt ready 0"
# Half of what the spec says is at its default here, said or not.
cat >"$t_dir/said" <<'YAML'
version: 1
cluster: lab
policy: { adopt: [service/silent, service/explicit] }
x-said: &said
  image: docker.io/lab/busybox:1
  entrypoint: [sleep, "1000"]
  stop_grace_period: 10000ms
  tty: false
  read_only: false
  deploy:
    mode: replicated
    replicas: 1
    endpoint_mode: vip
    update_config: &update
      { parallelism: 1, delay: 0s, failure_action: pause, monitor: 5s, max_failure_ratio: 0.0, order: stop-first }
    rollback_config: *update
    restart_policy: { condition: any, delay: 5s, max_attempts: 0, window: 0s }
    placement: { constraints: [], max_replicas_per_node: 0 }
    resources: { limits: { pids: 0 } }
services: { silent: *said, explicit: *said }
YAML
t_run reconcile "$t_dir/said" --yes
t_is "saying the defaults changes nothing either" "$t_status $(mutations t_not_shared)" "0 2"
show_failures
plan_is_empty "$t_dir/said"
t_result $? "nor afterwards" || t_diag "$t_out"
