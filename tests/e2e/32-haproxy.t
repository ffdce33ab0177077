#!/bin/bash
#
# HAProxy, the real one, leaves: as a container, a Compose service and a Swarm service. What it serves and who points at
# it is found out and holds it; sessions count and checks do not; it drains; rollback starts it again. As a systemd unit
# it is tested in virtual machines only (tests/vm): no systemd runs in a lab.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab

# shellcheck source=tests/e2e/haproxy.sh
. "$t_root/tests/e2e/haproxy.sh"

t_ok "the images are made" "$t_root/tests/lab/images" lab/busybox:1 lab/haproxy:1 lab/autoscaler:1

# --- a container ---

write_config 10.99.0.77:81
start_app
start_container
write_spec 'container: haproxy' 'node: gmktec' 'stop_timeout: 20s'
t_run apply --dry-run
t_like "a backend without a route blocks it, with its servers and where it is reached" "$t_out" \
	"blocked +absent/haproxy.*backend 'web' \(one app:8080; reached at :8000\), backend 'old' \(two 10.99.0.77:81; reached at :8001\)"
t_like "what to do is said" "$t_out" 'absent.haproxy.backends.*accept: \[backend/web\]'
t_unlike "no password is" "$t_out$t_err" 'verysecret'
t_run apply
t_is "it stays, and the run says so" "$t_status $(status_of haproxy)" "3 running unless-stopped"

write_spec 'container: haproxy' 'node: gmktec' 'stop_timeout: 20s' 'accept: [backend/web]'
t_run apply --dry-run
t_like "the other one is still in the way" "$t_out" "covers backend 'old'"

write_spec 'container: haproxy' 'node: gmktec' 'stop_timeout: 20s' "$accept" 'quiet: 3s'
t_run apply
t_is "quiet waits" "$t_status" 3
for _ in 1 2 3 4; do
	sleep 1
	answers 8000
	curl -s -o /dev/null http://127.0.0.1:8404/ # a scrape of its statistics
done
t_run apply
t_like "sessions are counted" "$t_out" 'container haproxy served 4 sessions in the last'
t_run apply --wait --timeout 60s
t_is "its own checks and a page of statistics do not count" "$t_status" 0
t_is "it is stopped and does not come back" "$(status_of haproxy)" "exited no"
t_is "it ended by itself" "$(docker inspect -f '{{.State.ExitCode}}' haproxy)" 0
t_run apply
t_is "the second run changes nothing" "$t_status $(mutations)" "0 "
clean

# --- with statistics on a page only, and with none ---

write_config 10.99.0.77:81 'maxconn 100'
start_app
start_container
write_spec 'container: haproxy' 'node: gmktec' "$accept" 'quiet: 1h'
t_run apply --dry-run
answers 8000
t_run apply
answers 8000
t_run apply
t_like "sessions are read from its page, with its password" "$t_out" 'served 1 session in the last'
t_unlike "which nobody sees" "$t_out$t_err$(cat "$trace")" 'verysecret'
clean
write_config 10.99.0.77:81 'maxconn 100'
sed -i '/stats enable/,$d' $files/haproxy.cfg
start_app
start_container
write_spec 'container: haproxy' 'node: gmktec' 'quiet: 1h'
t_run apply --dry-run
t_like "without statistics its configuration tells the backends" "$t_out" "backend 'web' \(one app:8080"
write_spec 'container: haproxy' 'node: gmktec' 'quiet: 1h' "$accept"
t_run apply
answers 8000
t_run apply
t_like "and connections are counted" "$t_out" 'accepted [0-9]+ connection'

# --- who scrapes it ---

if command -v prometheus >/dev/null; then
	printf '%s\n' 'global: { scrape_interval: 1s }' 'scrape_configs:' \
		'  - { job_name: proxies, static_configs: [{ targets: ["10.99.0.1:8001"] }] }' \
		'  - { job_name: itself, static_configs: [{ targets: ["127.0.0.1:9090"] }] }' >"$t_dir/prometheus.yml"
	prometheus --config.file="$t_dir/prometheus.yml" --storage.tsdb.path="$t_dir/tsdb" \
		--web.listen-address=127.0.0.1:9090 >"$t_dir/prometheus.log" 2>&1 &
	prometheus=$!
	t_ok "Prometheus scrapes" t_retry 30 sh -c 'curl -s http://127.0.0.1:9090/api/v1/targets | grep -q 10.99.0.1:8001'
	write_spec 'container: haproxy' 'node: gmktec' "$accept"
	echo 'prometheus: { node: gmktec, url: "http://127.0.0.1:9090" }' >>"$spec"
	t_run apply --dry-run
	t_like "its job is named, no other" "$t_out" \
		"pointed at by Prometheus' job proxies \(http://10.99.0.1:8001/metrics\): .*accept: \[prometheus/proxies\]"
	sed -i 's|accept: \[|accept: [prometheus/proxies, |' "$spec"
	t_run apply --dry-run
	t_like "what is accepted is in the way of nothing" "$t_out" 'remove +absent/haproxy'
	kill "$prometheus"
	wait "$prometheus"
	t_run apply --dry-run
	t_like "a Prometheus that does not answer is waited for" "$t_out" 'whether Prometheus still scrapes it: GET'
else
	t_skip "prometheus is not installed" 4
fi

# --- a drain, of an image that says nothing of SIGUSR1 ---

docker rm -f haproxy >/dev/null
start_container --stop-signal SIGTERM
write_spec 'container: haproxy' 'node: gmktec' 'stop_timeout: 20s' "$accept"
curl -sf -m 30 http://127.0.0.1:8000/cgi-bin/slow >"$t_dir/slow" &
slow=$!
sleep 1
t_run apply
t_is "it goes" "$t_status $(status_of haproxy)" "0 exited no"
wait "$slow"
t_is "a request under way was answered" "$?$(cat "$t_dir/slow")" "0slow"
clean

# --- a deadline ---

write_config 10.99.0.77:81
start_app
start_container
write_spec 'container: haproxy' 'node: gmktec' 'stop_timeout: 1s' "$accept"
curl -s -m 200 http://127.0.0.1:8000/cgi-bin/endless >/dev/null &
slow=$!
sleep 1
SECONDS=0
t_run apply
t_is "one that does not end in its time is killed" "$t_status $(status_of haproxy)" "0 exited no"
t_ok "and not waited for" test "$SECONDS" -lt 60
wait "$slow"
clean

# --- a Compose service, with a scaler beside it ---

write_config 10.99.0.77:81
start_app
# shellcheck disable=SC2046 # words
start_container $(compose haproxy)
# shellcheck disable=SC2046
docker run -d --name scaler --network edge --restart always $(compose autoscaler) lab/autoscaler:1 >/dev/null
write_old_spec 1
t_run apply
t_is "a spec before" "$t_status" 0
write_spec 'compose: mega' 'node: gmktec' "$accept"
t_run apply
t_like "the file that is not ours is named" "$t_out" '/opt/mega/docker-compose.yml\) still lists them'
t_is "both are stopped for good" "$t_status $(status_of haproxy) $(status_of scaler)" "0 exited no exited no"
t_run apply
t_is "the second run changes nothing, compose" "$t_status $(mutations)" "0 "
t_run reconcile rollback --yes "$spec"
t_is "rollback starts them again as they were" "$t_status $(status_of haproxy)" "0 running unless-stopped"
t_is "the other one too" "$(docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' scaler)" always
t_ok "it serves" t_retry 10 answers 8000
t_run reconcile rollback --dry-run "$spec"
t_unlike "and is not started once more" "$t_out" 'kept/'
t_ok "resume" reconcile resume "$spec"
write_spec 'compose: mega' 'services: [haproxy]' 'node: gmktec' "$accept" 'keep: 15s'
t_run apply
t_is "one service of the project" "$t_status $(status_of haproxy)" "0 exited no"
t_is "the other stays" "$(docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' scaler)" always
sleep 15
t_run apply
t_is "it is removed when it was kept long enough" "$t_status$(docker ps -aq --filter name=haproxy)" "0"
clean

# --- a Swarm service ---

write_config 10.99.0.77:81
for mode in 'replicas 2' 'global'; do
	start_app
	how=(--replicas 2)
	[ "$mode" != global ] || how=(--mode global)
	docker service create --detach --name lb --endpoint-mode dnsrr "${how[@]}" \
		--mount "type=bind,source=$files/haproxy.cfg,target=/usr/local/etc/haproxy/haproxy.cfg,readonly" \
		lab/haproxy:1 >/dev/null
	running() { [ "$(docker ps -q --filter label=com.docker.swarm.service.name=lb | wc -l)" = "$1" ]; }
	want=$([ "$mode" = global ] && echo 1 || echo 2)
	t_ok "$mode: it runs" t_retry 30 running "$want"
	write_old_spec "$mode"
	t_run apply
	write_spec 'service: lb'
	t_run apply --dry-run
	t_like "$mode: its backends are found" "$t_out" "service lb: no route of the spec covers backend"
	write_spec 'service: lb' "$accept" 'quiet: 1s'
	t_run apply --wait --timeout 60s
	t_is "$mode: it is stopped" "$t_status" 0
	t_ok "$mode: its tasks are gone" running 0
	t_ok "$mode: it is kept" docker service inspect lb
	t_run apply
	t_is "$mode: the second run changes nothing" "$t_status $(mutations)" "0 "
	t_run reconcile rollback --yes "$spec"
	t_is "$mode: rollback" "$t_status" 0
	t_ok "$mode: it runs again" t_retry 30 running "$want"
	reconcile resume "$spec" >/dev/null
	write_spec 'service: lb' "$accept" 'keep: 0s'
	t_run apply
	t_is "$mode: with nothing to keep it is removed" "$t_status $(docker service ls -q)" "0 "
	clean
done
