#!/bin/bash
#
# 200 random steps from spec to spec, with changes from outside in between: the
# calls that are recorded are the changes that the plans announce, no more and no
# fewer, in an order that respects what they require; then the plan is empty.
# SALT=n makes other steps, STEPS=n more or fewer.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 9

cat >"$t_dir/walk.pl" <<'PERL'
use strict;
use warnings;
use JSON::PP;

my ($dir, $steps, $salt) = @ARGV;
my $json = JSON::PP->new->canonical->utf8;
my %bad = map { $_ => [] } qw(status calls order once empty quiet);
my %seen;
srand $salt;

sub chance { return rand(100) < $_[0] }
sub pick { return $_[rand @_] }
sub some { my $percent = shift; return grep { chance($percent) } @_ }
sub slurp { open my $f, '<', $_[0] or return ''; local $/; return <$f> // '' }

sub service {
	my ($spec, $running) = @_;
	my %s = (image => 'lab/busybox:' . pick(1, 1, 1, 2), command => [ 'sleep', '1000' ], stop_grace_period => '1s');
	my %deploy = (replicas => 0, update_config => { monitor => '1s', parallelism => pick(0, 1) });
	$s{environment} = { map { $_ => pick('x', 'y', '') } some(50, qw(A B)) } if chance(50);
	$s{labels} = { inner => pick('x', 'y') } if chance(30);
	$s{user} = pick('nobody', '1000:1000') if chance(20);
	$s{networks} = [ some(50, sort keys %{$spec->{networks}}) ];
	$s{configs} = [ some(50, sort keys %{$spec->{configs}}) ];
	$s{secrets} = [ map { { source => $_, mode => pick('0400', '0444') } } some(50, sort keys %{$spec->{secrets}}) ];
	$s{volumes} = [ map { "$_:/mnt/$_" } some(50, sort keys %{$spec->{volumes}}) ];
	$deploy{labels} = { team => pick('x', 'y') } if chance(40);
	$deploy{placement}{constraints} = [ 'node.labels.disk == ssd' ] if chance(20) && $spec->{nodes}{gmktec}{labels}{disk};
	$deploy{resources}{reservations}{memory} = pick('8M', '16M') if chance(20);
	if (chance(2)) {
		$deploy{mode} = 'global';
		delete $deploy{replicas};
		push @{$deploy{placement}{constraints}}, 'node.platform.os != linux';
	} elsif ($running) {
		$deploy{replicas} = 1;
		$s{image} = 'lab/busybox:1';
		$s{networks} = [];
	}
	return { %s, deploy => \%deploy };
}

sub spec {
	my ($step) = @_;
	my %s = (version => 1, cluster => 'lab', policy => { max_deletions => 100 });
	$s{nodes}{gmktec} = { address => '10.99.0.1', role => 'manager', labels => { zone => pick('a', 'b') } };
	$s{nodes}{gmktec}{labels}{disk} = 'ssd' if chance(70);
	$s{networks} = { map { $_ => { attachable => JSON::PP::true } } some(70, qw(net1 net2)) };
	$s{configs} = { map { $_ => { content => pick('one', 'two', 'three') } } some(70, qw(conf1 conf2)) };
	$s{secrets} = { map { $_ => { content => pick('one', 'two') } } some(70, qw(sec1)) };
	$s{configs}{$_}{labels} = { shelf => pick('x', 'y') } for some(40, keys %{$s{configs}});
	$s{volumes} = { map { $_ => undef } some(70, qw(vol1)) };
	$s{volumes}{vol2} = { driver_opts => { type => 'tmpfs', device => 'tmpfs', o => pick('size=1m', 'size=2m') } } if chance(50);
	$s{services} = { map { $_ => service(\%s, $_ eq 's4' && $step % 25 == 0) } some(75, qw(s1 s2 s3 s4)) };
	return \%s;
}

# Somebody else changes what is ours.
sub meddle {
	my @services = split /\n/, `docker service ls --format '{{.Name}}'`;
	my $victim = @services ? pick(@services) : return;
	my @ways = ([ qw(update --detach --no-resolve-image --label-add meddled=1) ],
		[ qw(update --detach --no-resolve-image --env-add MEDDLED=1 --workdir /tmp) ], ['rm']);
	my @way = @{pick(@ways)};
	open my $quiet, '-|', 'docker', 'service', @way, $victim or die;
	local $/;
	<$quiet>;
	close $quiet;
}

# The engine's ids, by what they are in the plan: configs and secrets carry a hash in their names.
my %name_of;
sub learn_ids {
	my @kinds = qw(services networks configs secrets nodes);
	my @urls = map { "http://engine/v1.41/$_" } @kinds;
	my $all = `curl -sS --unix-socket /var/run/docker.sock @urls`;
	$json->incr_reset;
	$json->incr_parse($all);
	for my $kind (@kinds) {
		my $list = $json->incr_parse // die "no $kind: $all";
		for my $o (@$list) {
			my $name = $o->{Spec}{Name} // $o->{Name} // $o->{Description}{Hostname};
			$name = $o->{Description}{Hostname} if $kind eq 'nodes';
			$name_of{"$kind/" . ($o->{ID} // $o->{Id})} = without_hash("$kind/$name");
		}
	}
}

sub without_hash {
	my ($key) = @_;
	$key =~ s/-[0-9a-f]{12}$// if $key =~ m,^(config|secret)s?/,;
	return $key;
}

sub expected_calls {
	my ($c) = @_;
	my ($kind, $name) = split m,/,, without_hash($c->{resource}), 2;
	my ($create, $update, $delete) = ("POST $kind create", "POST $kind/$name update", "DELETE $kind/$name");
	my %calls = (create => [$create], update => [$update], adopt => [$update], replace => [ $delete, $create ],
		delete => [$delete], remove => [$delete], verify => []);
	return @{$calls{$c->{action}} // die "action $c->{action}"};
}

# The object of the shared state is made by the first run before anything else, and written by each that changes something.
my $shared_made = 0;
sub recorded_calls {
	my @calls;
	chomp(my $shared = qx(docker config ls -q --filter label=io.reconcile.state));
	for (split /\n/, slurp("$dir/trace")) {
		my $event = $json->decode($_);
		next if $shared ne '' && ($event->{target} // '') =~ m,/configs/\Q$shared\E/,;
		my ($method, $kind, $rest) = ($event->{target} // '') =~ m,^(POST|PUT|DELETE|PATCH) /v[0-9.]+/([a-z]+)/([^?]*), or next;
		(my $singular = $kind) =~ s/s$//;
		next if "$kind $rest" eq 'configs create' && !$shared_made++;
		if ($rest eq 'create') {
			push @calls, "$method $singular create";
			next;
		}
		my ($id, $verb) = split m,/,, $rest;
		my $name = $name_of{"$kind/$id"} // "$kind/$id";
		$name =~ s,^[a-z]+/,$singular/,;
		push @calls, $method . " $name" . ($verb ? " $verb" : '');
	}
	return @calls;
}

sub check_order {
	my ($step, $plan, $lines, $from) = @_;
	my (%started, %done);
	my $n = grep { $_->{state} eq 'ready' && $_->{action} ne 'verify' } @{$plan->{changes}};
	while ($n > 0 && $$from < @$lines) {
		my $line = $lines->[$$from++];
		if ($line =~ /^[a-z]+ (\S+\/\S+) …$/) { $started{$1} = $$from; }
		elsif ($line =~ /^ +(?:done|FAILED|to be planned anew:) (\S+\/[^ :]+)/) { $done{$1} = $$from; $n--; }
	}
	for my $c (grep { $_->{state} eq 'ready' } @{$plan->{changes}}) {
		for my $first (@{$c->{after}}) {
			next unless $done{$first} && $started{$c->{resource}};
			$seen{required}++;
			push @{$bad{order}}, "step $step: $c->{resource} began before $first was done"
				if $started{$c->{resource}} < $done{$first};
		}
	}
}

for my $step (1 .. $steps) {
	open my $f, '>', "$dir/spec" or die;
	print $f $json->encode(spec($step));
	close $f;
	meddle() if chance(30);
	learn_ids();
	unlink "$dir/trace";
	$ENV{RECONCILE_TRACE} = "$dir/trace";
	my $status = system("timeout 60 $ENV{RECONCILE} --yes --json --state-dir $dir/state $dir/spec >$dir/plans 2>$dir/said </dev/null") >> 8;
	my $said = slurp("$dir/said");
	push @{$bad{status}}, "step $step: status $status: " . join '; ', grep { /FAILED|error/ } split /\n/, $said if $status != 0;
	learn_ids();

	my @plans;
	$json->incr_reset;
	$json->incr_parse(slurp("$dir/plans"));
	while (my $plan = $json->incr_parse) { push @plans, $plan; }
	if (!@plans) {
		push @{$bad{status}}, "step $step: no plan: $said";
		next;
	}
	my @ready = grep { $_->{state} eq 'ready' } map { @{$_->{changes}} } @plans;
	my $expected = join "\n  ", sort map { expected_calls($_) } @ready;
	my $recorded = join "\n  ", sort(recorded_calls());
	push @{$bad{calls}}, "step $step\n announced:\n  $expected\n recorded:\n  $recorded" if $expected ne $recorded;
	my @lines = split /\n/, $said;
	my $from = 0;
	check_order($step, $_, \@lines, \$from) for @plans;
	my @later = grep { $_->{action} ne 'delete' || $_->{resource} !~ /^(config|secret)/ } map { @{$_->{changes}} } @plans[1 .. $#plans];
	push @{$bad{once}}, "step $step: $_->{action} $_->{resource}" for @later;
	push @{$bad{empty}}, "step $step" if @{$plans[-1]{changes} // []};
	$seen{$_->{action}}++ for @ready;

	unlink "$dir/trace";
	$status = system("timeout 60 $ENV{RECONCILE} --yes --state-dir $dir/state $dir/spec >$dir/again 2>&1 </dev/null") >> 8;
	push @{$bad{quiet}}, "step $step: status $status: " . join ', ', recorded_calls() if $status != 0 || recorded_calls();
}

for my $check (sort keys %bad) {
	open my $f, '>', "$dir/bad-$check" or die;
	print $f map { "$_\n" } @{$bad{$check}};
}
open my $f, '>', "$dir/seen" or die;
print $f map { "$_ $seen{$_}\n" } sort keys %seen;
PERL

t_ok "the images are made" "$t_root/tests/lab/images" lab/busybox:1
docker tag lab/busybox:1 lab/busybox:2
t_ok "${STEPS:-200} steps are made" perl "$t_dir/walk.pl" "$t_dir" "${STEPS:-200}" "${SALT:-1}"
t_diag "changes: $(tr '\n' ' ' <"$t_dir/seen")"
none() { # CHECK TEXT
	t_is "$2" "$(head -n 40 "$t_dir/bad-$1")" ""
}
none status "every run converges"
none calls "the recorded calls are the plans' changes"
none order "what a change requires is done before it begins"
none once "one plan does it; a second one removes only what the first left unused"
none empty "the last plan is empty"
none quiet "the next run changes nothing"
t_is "every sort of change occurred" "$(cut -d ' ' -f 1 "$t_dir/seen" | tr '\n' ' ')" "create delete replace required update "
