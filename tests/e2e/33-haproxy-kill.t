#!/bin/bash
#
# Killed (SIGKILL) before and after every single change of HAProxy's removal, as a Compose project and as a Swarm
# service, and of its end after `keep`, and of the rollback: the next run goes on to the same end, the one after it
# changes nothing, and a rollback starts again what ran before, with the restart policy that it had. A run
# tries some of the places, EVERY=1 all (lib.sh, t_sample_start).
#
# KILL_AT="3 3+" PART="back compose" tries these places of this part only.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_labs 2

# shellcheck source=tests/e2e/haproxy.sh
. "$t_root/tests/e2e/haproxy.sh"

turn=0
t_sample_start

before() { # FORM
	clean
	write_config 10.99.0.77:81
	start_app
	if [ "$1" = service ]; then
		docker service create --detach --name lb --replicas 2 --endpoint-mode dnsrr \
			--mount "type=bind,source=$files/haproxy.cfg,target=/usr/local/etc/haproxy/haproxy.cfg,readonly" \
			lab/haproxy:1
		t_retry 60 runs service
	else
		# shellcheck disable=SC2046 # words
		start_container $(compose haproxy)
		# shellcheck disable=SC2046
		docker run -d --name scaler --network edge --restart always $(compose autoscaler) lab/autoscaler:1
	fi
	turn=$((turn + 1))
	write_old_spec "$turn" # every time another one, or it would be no run
	t_run apply
	wanted "$1"
} >"$t_dir/before.out" 2>&1

wanted() { # FORM [LINE]
	if [ "$1" = service ]; then
		write_spec 'service: lb' "$accept" "${2:-keep: 24h}"
	else
		write_spec 'compose: mega' 'node: gmktec' "$accept" "${2:-keep: 24h}"
	fi
}

runs() { # FORM
	if [ "$1" = service ]; then
		[ "$(docker ps -q --filter label=com.docker.swarm.service.name=lb | wc -l)" = 2 ]
	else
		[ "$(status_of haproxy)" = "running unless-stopped" ] && [[ $(status_of scaler) = *" always" ]]
	fi
}

is_stopped() { # FORM
	if [ "$1" = service ]; then
		[ -z "$(docker ps -q --filter label=com.docker.swarm.service.name=lb)" ] && docker service inspect lb
	else
		[ "$(status_of haproxy)" = "exited no" ] && [ "$(status_of scaler)" = "exited no" ]
	fi
} >/dev/null

is_gone() { # FORM
	[ -z "$(docker ps -aq --filter name=haproxy --filter name=scaler)" ] && [ -z "$(docker service ls -q)" ]
}

# True: it was killed.
killed() { # KILL-AT COMMAND...
	local at=$1
	shift
	RECONCILE_KILL_AT=$at t_run "$@"
	[ "$t_status" = 137 ] && return 0
	t_is "there is no change number ${at%+} any more" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	return 1
}

converges() { # TEXT STATE FORM
	local text=$1
	t_run apply
	t_is "$text: the next run goes on to the end" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_ok "$text: it is as it should be" t_retry 60 "$2" "$3"
	t_run apply
	t_is "$text: then nothing changes" "$t_status $(mutations)" "0 "
}

removal() { # FORM KILL-AT
	local again=0
	before "$1"
	killed "$2" apply || again=1
	converges "$1, killed at $2" is_stopped "$1"
	t_run reconcile rollback --yes "$spec"
	t_is "$1, killed at $2: rollback" "$t_status" 0
	[ "$t_status" = 0 ] || t_show_run
	t_ok "$1, killed at $2: it runs as before" t_retry 60 runs "$1"
	return $again
}

ending() { # FORM KILL-AT
	local again=0
	before "$1"
	t_run apply
	wanted "$1" 'keep: 0s'
	killed "$2" apply || again=1
	converges "the end of $1, killed at $2" is_gone "$1"
	return $again
}

back() { # FORM KILL-AT
	local ended=0
	before "$1"
	t_run apply
	if killed "$2" reconcile rollback --yes "$spec"; then
		t_run reconcile rollback --yes "$spec"
		t_is "rollback of $1, killed at $2: again" "$t_status" 0
		[ "$t_status" = 0 ] || t_show_run
	else
		ended=1
	fi
	t_ok "rollback of $1, killed at $2: it runs as before" t_retry 60 runs "$1"
	return $ended
}

each_place() { # FUNCTION FORM AT-LEAST
	local k place n=-1
	if [ -n "${KILL_AT:-}" ]; then
		[ "${PART:-}" = "$1 $2" ] || return 0
		for place in $KILL_AT; do
			"$1" "$2" "$place"
		done
		return
	fi
	for ((k = 1; k < 40; k++)); do
		for place in "$k" "$k+"; do
			n=$((n + 1))
			t_sampled "$n" || continue
			"$1" "$2" "$place" || break 2
		done
	done
	t_ok "$1 of $2 was killed at $3 changes at least" test "$k" -gt "$3"
}

t_ok "the images are made" "$t_root/tests/lab/images" lab/busybox:1 lab/haproxy:1 lab/autoscaler:1
for form in compose service; do
	each_place removal $form "$([ $form = compose ] && echo 5 || echo 2)"
	each_place ending $form "$([ $form = compose ] && echo 3 || echo 2)"
	each_place back $form "$([ $form = compose ] && echo 5 || echo 2)"
done
clean
