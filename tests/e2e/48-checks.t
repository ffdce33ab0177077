#!/bin/bash
#
# User-defined checks, on two real hosts over real ssh: from a node, from another one, and from within networks there, whose
# names are Docker's; what is wrong with an answer is said, and what could not be asked is unknown. As a gate, a check
# holds a removal until it is answered.

# shellcheck disable=SC2016 # Perl's variables, other shells'
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab --nodes gmktec,hppavilion
t_plan 59

spec=$t_dir/cluster.yaml state=$t_dir/state trace=$t_dir/trace
"$t_root/tests/lab/images" lab/busybox:1 || exit 1

# Answers by path on 127.0.0.1:8099 of a host, and keeps what it was sent: /hang never answers, /cut closes at once.
read -r -d '' server <<'PY'
import http.server, json, socketserver, ssl, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        with open('/tmp/sent', 'w') as f:
            json.dump([self.command, self.path, dict(self.headers), body.decode()], f)
        path = self.path.split('?')[0]
        if path == '/hang':
            time.sleep(600)
        if path == '/cut':
            return
        text = {'/json': b'{"version": "1.0", "n": 3, "models": [{"name": "a/b"}, {"name~": true}]}',
                '/long': b'x' * 3000000, '/evil': b'\x1b[2Jbad\nok       check/evil: fine\xff' + b'y' * 500,
                '/echo': json.dumps(dict(self.headers)).encode()}.get(path, b'fine')
        self.send_response({'/500': 500, '/evil': 500, '/echo': 500, '/moved': 302}.get(path, 200))
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(text)
    do_GET = do_HEAD = do_POST = answer
    def log_message(self, *unused):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain('/tmp/self-signed')
secure = Server(('127.0.0.1', 8443), Handler)
secure.socket = tls.wrap_socket(secure.socket, server_side=True)
threading.Thread(target=secure.serve_forever, daemon=True).start()
Server(('127.0.0.1', 8099), Handler).serve_forever()
PY
servers=()
for host in $LAB_NODES; do
	lab-node "$host" sh -c 'openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=lab -keyout - >/tmp/self-signed 2>/dev/null' || exit 1
	lab-node "$host" python3 -c "$server" &
	servers+=($!)
	t_retry 30 lab-node "$host" busybox wget -q -O /dev/null http://127.0.0.1:8099/ || exit 1
done

header() { # what every spec here begins with
	cat <<'YAML'
version: 1
cluster: shop
swarm: { default_addr_pool: [10.64.0.0/14] }
ssh: { user: wizardsofts, become: true }
nodes:
  gmktec: { address: 10.0.0.84, role: manager }
  hppavilion: { address: 10.0.0.80, labels: { far: "true" } }
networks:
  front: { driver: overlay, attachable: true }
  lonely: { driver: overlay }
services:
  web:
    image: lab/busybox:1
    command: [sh, -c, "mkdir /tmp/w; echo hello from web >/tmp/w/index.html; exec httpd -f -p 80 -h /tmp/w"]
    networks: [front]
    stop_grace_period: 1s
    deploy: { mode: global, endpoint_mode: dnsrr, update_config: { monitor: 1s } }
  one:
    image: lab/busybox:1
    command: [sh, -c, "exec nc -ll -p 81 -e sleep 600"]
    networks: [lonely]
    stop_grace_period: 1s
    deploy:
      endpoint_mode: dnsrr
      placement: { constraints: [node.labels.far == true] }
      update_config: { monitor: 1s }
YAML
}

reconcile() { # OPTION...
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 200 "$RECONCILE" --state-dir "$state" "$@" "$spec"
}

verify() { # OPTION...
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 200 "$RECONCILE" verify "$@" "$spec"
}

mutations() {
	grep -E '"target":"(POST|PUT|DELETE|PATCH) /|"event":"write"' "$trace" | t_not_shared
}

# "state: what" of a check in the last document.
seen() { # CHECK
	perl -CO -MJSON::PP -0777 -e 'my $d = JSON::PP->new->utf8->decode(<STDIN>); my $c = shift;
		print map { "$_->{state}: $_->{what}" } grep { $_->{check} eq "check/$c" } @{$d->{checks}}' "$1" <<<"$t_out"
}

sent() { # HOST: what its server got last, METHOD PATH BODY and the header X-Odd
	lab-node "$1" perl -MJSON::PP -0777 -e 'my $s = JSON::PP->new->utf8->decode(<STDIN>);
		print join "|", @$s[0, 1, 3], $s->[2]{"X-Odd"} // "", $s->[2]{"Host"}' <<<"$(lab-node "$1" cat /tmp/sent)"
}

# ---- the cluster without checks ----

header >"$spec"
t_run reconcile --yes --wait --timeout 3m
t_is "the cluster converges" "$t_status" 0
[ "$t_status" = 0 ] || t_show_run
t_run reconcile --yes
t_is "and stays" "$t_status $(mutations)" "0 "
calls_without=$(grep -c '"event"' "$trace")

# ---- every way in which a check goes ----

all_checks() {
	cat <<'YAML'
checks:
  near: { request: { url: "http://127.0.0.1:8099/near" } }
  far: { request: { url: "http://127.0.0.1:8099/far" }, node: hppavilion, expect: { status: 200, body: fine } }
  tasks: { request: { url: "http://tasks.web/" }, network: front, expect: { body: hello from web } }
  far-tasks: { request: { url: "http://tasks.web/" }, network: front, node: hppavilion, expect: { body: hello } }
  moved: { request: { url: "http://127.0.0.1:8099/moved" }, expect: { status: [301, 302] } }
  head: { request: { url: "http://127.0.0.1:8099/", method: HEAD } }
  tls: { request: { url: "https://127.0.0.1:8443/", insecure: true }, expect: { body: fine } }
  tls-far: { request: { url: "https://127.0.0.1:8443/", insecure: true }, node: hppavilion, expect: { body: fine } }
  no-tls: { request: { url: "https://127.0.0.1:8443/" }, node: hppavilion }
  json:
    request: { url: "http://127.0.0.1:8099/json" }
    node: hppavilion
    expect: { json: { /version: "1.0", /n: 3, /models/0/name: a/b, /models/1/name~0: true } }
  wrong-status: { request: { url: "http://127.0.0.1:8099/500" }, node: hppavilion }
  wrong-body: { request: { url: "http://127.0.0.1:8099/" }, expect: { body: "  not there" } }
  wrong-json: { request: { url: "http://127.0.0.1:8099/json" }, expect: { json: { /version: "1.1" } } }
  no-json: { request: { url: "http://127.0.0.1:8099/" }, expect: { json: { /version: "1.1" } } }
  no-member: { request: { url: "http://127.0.0.1:8099/json" }, expect: { json: { /models/2/name: x } } }
  refused: { request: { url: "http://127.0.0.1:8098/" } }
  refused-far: { request: { url: "http://127.0.0.1:8098/" }, node: hppavilion }
  refused-inside: { request: { url: "http://tasks.web:82/" }, network: front }
  no-name: { request: { url: "http://tasks.nobody/" }, network: front, node: hppavilion }
  cut: { request: { url: "http://127.0.0.1:8099/cut" }, node: hppavilion }
  hangs: { request: { url: "http://127.0.0.1:8099/hang" }, timeout: 1s }
  hangs-inside: { request: { url: "http://tasks.one:81/" }, network: lonely, node: hppavilion, timeout: 1s }
  long: { request: { url: "http://127.0.0.1:8099/long" }, node: hppavilion }
  evil: { request: { url: "http://127.0.0.1:8099/evil" } }
  not-here: { request: { url: "http://tasks.one:81/" }, network: lonely, node: gmktec }
  no-network: { request: { url: "http://tasks.web/" }, network: nowhere }
YAML
}

{ header && all_checks; } >"$spec"
t_run verify --timeout 0 --json
t_is "some checks fail" "$t_status" 1
t_like "from the node of the engine" "$(seen near)" '^ok: GET http://127.0.0.1:8099/near, from node gmktec: HTTP 200 in [0-9]+ ms$'
t_like "from another one, whose loopback it is" "$(seen far)" '^ok: .*, from node hppavilion: HTTP 200'
t_like "from within a network" "$(seen tasks)" '^ok: GET http://tasks.web/, from node gmktec, network front: HTTP 200'
t_like "also on another node" "$(seen far-tasks)" '^ok: .*, from node hppavilion, network front: HTTP 200'
t_like "a redirect is an answer" "$(seen moved)" '^ok: .*HTTP 302'
t_like "HEAD" "$(seen head)" '^ok: HEAD '
t_like "TLS" "$(seen tls)" '^ok: '
t_like "also elsewhere" "$(seen tls-far)" '^ok: '
t_like "whose certificate counts" "$(seen no-tls)" '^failed: GET https://127.0.0.1:8443/, from node hppavilion: .*certificate'
t_like "values in JSON" "$(seen json)" '^ok: '
t_like "a wrong status" "$(seen wrong-status)" '^failed: .*: HTTP 500, expected 2xx: "fine"$'
t_like "a wrong body" "$(seen wrong-body)" '^failed: .*: the body has no "  not there": "fine"$'
t_like "a wrong value" "$(seen wrong-json)" '^failed: .*: /version in the body is "1.0", expected "1.1"$'
t_like "no JSON" "$(seen no-json)" '^failed: .*: the body is not JSON: "fine"$'
t_like "no such member" "$(seen no-member)" '^failed: .*: /models/2/name in the body is not there'
t_like "refused" "$(seen refused)" '^failed: .*: Connection refused$'
t_like "refused elsewhere" "$(seen refused-far)" "^failed: .*node 'hppavilion'.*connect to 127.0.0.1:8098: Connection refused$"
t_like "refused in a network" "$(seen refused-inside)" '^failed: .*connect to tasks.web:82: Connection refused$'
t_like "a name that is not there" "$(seen no-name)" "^failed: .*Docker's DNS (does not know|has no answer for) 'tasks.nobody'"
t_like "cut off" "$(seen cut)" '^failed: GET http://127.0.0.1:8099/cut, from node hppavilion: [A-Z]'
t_like "a server that hangs" "$(seen hangs)" '^failed: .*: no complete answer within 1s$'
t_like "one that hangs in a network" "$(seen hangs-inside)" '^failed: .*, from node hppavilion, network lonely: no complete answer within 1s$'
t_like "too long an answer" "$(seen long)" '^failed: .*larger than 1048576 bytes$'
t_like "an answer that would paint over others" "$(seen evil)" '^failed: .*expected 2xx: "\\x1b\[2Jbad\\nok       check/evil: fine\\xffy+…"$'
t_like "a network without a container there" "$(seen not-here)" '^unknown: .*no container of this network runs there.*`node`'
t_like "an unknown network" "$(seen no-network)" '^unknown: .*network nowhere: no container of this network'
t_is "nothing was changed" "$(mutations)" ""
left() { ! lab-node hppavilion pgrep -f 'host_relay|ask_docker' && ! pgrep -f ask_docker; }
t_ok "nothing of it is left running" t_retry 20 left
t_run verify --timeout 0
t_like "as text: no line is another's" "$t_out" '[0-9]+ ok, [0-9]+ failed, 2 unknown'
t_is "each check has one line" "$(grep -c '^[a-z]* *check/' <<<"$t_out")" 26
t_run reconcile --dry-run --detailed-exitcode
t_is "checks alone are nothing to do" "$t_status $(mutations)" "0 "
t_run reconcile --yes
t_is "nor for a run" "$t_status $(mutations)" "0 "
t_is "which asks no check, and makes the calls that it made without them" "$(grep -c '"event"' "$trace") $(grep -c 8099 "$trace")" "$calls_without 0"

# ---- hostile and hidden values ----

pwned=/tmp/pwned
{
	header
	cat <<YAML
checks:
  near: &odd
    request:
      url: "http://127.0.0.1:8099/a'\$\$(touch\$\$IFS$pwned);-x?--='&b=\$\$HOME"
      method: POST
      headers: { X-Odd: "-q \"'; touch $pwned \$\$(touch $pwned) \`touch $pwned\`" }
      body: "--data '\"\n\$\$(touch $pwned)\n\\\\"
  far: { <<: *odd, node: hppavilion }
  inside: { request: { url: "http://web/" }, network: "-v'; touch $pwned \$\$(touch $pwned)", node: hppavilion }
  secret:
    request:
      url: "http://127.0.0.1:8099/echo?\${TOKEN}"
      headers: { Authorization: "Bearer \${TOKEN}", Host: "\${TOKEN}.lan" }
    node: hppavilion
    expect: { body: "\${TOKEN}" }
  secret-refused: { request: { url: "http://\${TOKEN}:8098/" } }
YAML
} >"$spec"
odd="POST|/a'\$(touch\$IFS$pwned);-x?--='&b=\$HOME|--data '\"
\$(touch $pwned)
\\|-q \"'; touch $pwned \$(touch $pwned) \`touch $pwned\`|127.0.0.1:8099"
printf 'allow_env: [TOKEN]\n' >"$t_dir/settings.yaml"
export TOKEN=s3cr3t
export RECONCILE_CONFIG=$t_dir/settings.yaml
t_run verify --timeout 0 --json
t_like "hostile values do no harm here" "$(seen near)" '^ok: '
t_like "nor elsewhere" "$(seen far)" '^ok: '
t_like "nor as a network" "$(seen inside)" '^unknown: .*no container of this network'
t_is "nothing of them ran" "$(ls "$pwned" 2>/dev/null; lab-node hppavilion ls "$pwned" 2>/dev/null)" ""
t_is "they arrive as they are" "$(sent gmktec)" "$odd"
t_like "a variable's value is not shown, nor an answer that may have it" "$(seen secret)" \
	'^failed: GET \(value of a variable\), from node hppavilion: HTTP 500, expected 2xx$'
t_like "nor in an error" "$(seen secret-refused)" '^failed: GET \(value of a variable\), .*the request failed'
t_is "but sent" "$(sent hppavilion | sed 's/.*|//') $(lab-node hppavilion grep -o 'Bearer s3cr3t' /tmp/sent)" "s3cr3t.lan Bearer s3cr3t"
t_is "it is in no output" "$(grep -c s3cr3t <<<"$t_out$t_err")" 0
t_is "nor in the trace" "$(grep -c s3cr3t "$trace")" 0
t_run reconcile --yes
t_is "a run has nothing to do" "$t_status $(mutations)" "0 "
t_run reconcile --yes
t_is "nor the next one" "$t_status $(grep -E '"target":"(POST|PUT|DELETE|PATCH) /' "$trace")" "0 "

# ---- a gate ----

docker run -d --name old lab/busybox:1 sleep 3600 >/dev/null
{
	header
	cat <<'YAML'
checks:
  ready: { request: { url: "http://tasks.web/ready" }, network: front, node: hppavilion, expect: { body: ready } }
absent:
  old: { container: old, node: gmktec, after: [check/ready], keep: 0s, stop_timeout: 1s }
YAML
} >"$spec"
is_old_there() {
	docker ps -q --filter name=old | grep -c .
}

t_run reconcile --dry-run
t_like "the dry run shows what it saw" "$t_out" 'waiting +check/ready.*HTTP 404, expected 2xx'
t_like "and what waits for it" "$t_out" 'waiting +absent/old.*needs check/ready'
t_is "that is no change" "$(mutations)" ""
t_run reconcile --yes
t_is "an unmet check holds the removal" "$t_status $(is_old_there)" "3 1"
t_is "which nothing undoes" "$(mutations)" ""
for host in $LAB_NODES; do
	lab-node "$host" sh -c 'for c in $(docker ps -q --filter label=com.docker.swarm.service.name=web); do
		docker exec $c sh -c "echo ready >/tmp/w/ready"; done'
done
lab-fault hppavilion network cut
t_run verify --timeout 0 --json
t_like "a node that is away is asked nothing" "$(seen ready)" '^unknown: .*cannot be reached'
t_run reconcile --yes
t_is "nor is anything removed meanwhile" "$t_status $(is_old_there)" "3 1"
lab-fault hppavilion network join
is_reachable() {
	ssh -o BatchMode=yes -o ConnectTimeout=3 wizardsofts@10.0.0.80 true
}
t_retry 60 is_reachable
t_run reconcile --yes --wait --timeout 3m
t_is "a met one releases it" "$t_status $(is_old_there)" "0 0"
[ "$t_status" = 0 ] || t_show_run
t_run reconcile --yes
t_is "the next run changes nothing" "$t_status $(mutations)" "0 "
t_is "and asks nothing more" "$(grep -c 'tasks.web' "$trace")" 0
is_ready() {
	[ "$(docker node inspect -f '{{.Status.State}}' hppavilion)" = ready ]
}
t_retry 60 is_ready
t_run verify --json
t_like "verify still does" "$t_status $(seen ready)" '^0 ok: .*HTTP 200'
[ "$t_status" = 0 ] || t_show_run

kill "${servers[@]}"
wait "${servers[@]}" 2>/dev/null || :
