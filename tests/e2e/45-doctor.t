#!/bin/bash
#
# doctor on a real engine: nothing in a clean cluster, the traps of the owner's notes in the state before the change,
# those of a service that was made as the notes make it, and what it says when it cannot look. It changes nothing.

# shellcheck disable=SC2016 # Perl's variables, Traefik's backticks
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 21

trace=$t_dir/trace
cd "$t_dir" || exit 1

doctor() {
	rm -f "$trace"
	RECONCILE_TRACE=$trace timeout 100 "$RECONCILE" doctor "$@"
}

# The traps that the last run found, as "id" or, with an id, where.
found() { # [ID]
	perl -MJSON::PP -0777 -e 'my $d = JSON::PP->new->utf8->decode(<STDIN>); my $id = shift;
		my %seen; print join " ", sort grep { !$seen{$_}++ } map { defined $id ? $_->{where} : $_->{id} }
			grep { !defined $id || $_->{id} eq $id } @{$d->{findings}}' "$@" <<<"$t_out"
}

unknown() {
	perl -MJSON::PP -0777 -e 'my $d = JSON::PP->new->utf8->decode(<STDIN>);
		print join "\n", map { "$_->{what}: $_->{why}" } @{$d->{unknown}}' <<<"$t_out"
}

t_run doctor
t_is "in a clean cluster there is nothing to find" "$t_status $(tail -n 1 <<<"$t_out")" \
	"0 $(tail -n 1 <<<"$t_out" | grep -E '^[0-9]+ traps looked for: none found\.$')"
t_run doctor --json
t_is "nor as JSON" "$t_status $(found)" "0 "

t_ok "the state before the change is made" "$t_root/tests/lab/before"
sees_the_loop() { # for a moment between two restarts it looks like any container
	t_run doctor --json
	[[ " $(found) " = *" restart-loop "* ]]
}
t_retry 60 sees_the_loop
t_is "the traps of that state are found" "$t_status $(found)" "1 export-open restart-loop second-autoscaler"
t_is "where they are" "$(found export-open)" "node gmktec, /etc/exports:3"
t_is "all of it was looked at" "$(unknown)" ""

# As the notes say it: the line once more, a service without what Traefik and Ollama need.
tail -n 1 /etc/exports >"$t_dir/line"
tee -a /etc/exports <"$t_dir/line" >/dev/null
echo '10.0.0.80:/opt/ollama-models /mnt/models nfs defaults 0 0' >>/etc/fstab
docker network create --driver overlay --attachable ollama-network >/dev/null
docker network create --driver overlay other >/dev/null
docker service create --detach --name ollama --no-resolve-image --replicas 0 --endpoint-mode dnsrr \
	--network ollama-network --network other --constraint node.labels.ollama==true --limit-memory 1g \
	--env OLLAMA_MODELS=/root/.ollama --health-cmd 'curl -f http://localhost:11434/api/version' \
	--publish published=11434,target=11434,mode=host --mount type=bind,source=/mnt/models,target=/root/.ollama,readonly \
	--label traefik.enable=true --label 'traefik.http.routers.ollama.rule=PathPrefix(`/api`)' \
	--label traefik.swarm.network=ollama-network lab/ollama:latest >/dev/null
t_retry 60 sees_the_loop
t_is "with a service of the notes many more" "$t_status $(found | tr ' ' '\n' | sort -u | tr '\n' ' ')" \
	"1 constraint-fits-no-node export-open export-twice image-unpinned limits-without-reservations mount-missing \
mount-writable ollama-health-check ollama-models-dir ollama-open ollama-read-only-home port-collision restart-loop \
second-autoscaler traefik-catch-all traefik-no-entrypoints traefik-no-port traefik-not-attached traefik-not-swarm \
traefik-wrong-family "
t_is "each says why it matters and how to mend it" \
	"$(perl -MJSON::PP -0777 -e 'my $d = JSON::PP->new->utf8->decode(<STDIN>);
		print join " ", map { $_->{id} } grep { !$_->{why} || !$_->{mend} || !$_->{what} } @{$d->{findings}}' <<<"$t_out")" ""
t_is "nothing was changed" "$(grep -oE '"target":"(POST|PUT|DELETE|PATCH) [^"]*"' "$trace")" ""

# What can be mended here is no longer found.
sed -i '$d' /etc/exports
sed -i '/mnt.models/d' /etc/fstab
docker network connect ollama-network traefik
docker rm --force autoscaler >/dev/null
t_run doctor --json
t_unlike "what was mended is found no longer" " $(found) " \
	' (export-twice|mount-missing|traefik-not-attached|restart-loop|second-autoscaler) '

# With a spec, its nodes and its own findings.
cat >"$t_dir/cluster.yaml" <<'YAML'
version: 1
cluster: lab
nodes:
  gmktec: { address: 10.99.0.1, role: manager }
traefik:
  container: traefik
  node: gmktec
  static_config: /opt/elsewhere/traefik.yml
  swarm_mode: true
  networks: [ollama-network]
  api: http://127.0.0.1:8080
networks:
  ollama-network: { attachable: true }
absent:
  haproxy: { container: haproxy, node: gmktec }
YAML
t_run doctor --json
t_is "the spec in this directory is taken" "$(found traefik-other-file)" "container traefik"
t_like "with what validate says of it" "$(found spec)" 'cluster\.yaml:'
t_run doctor --no-spec --json
t_is "unless told otherwise" "$(found traefik-other-file)$(found spec)" ""

# A single file replaced under a running container.
sed -i 's/level: INFO/level: WARN/' /opt/wizardsofts-megabuild/traefik/traefik.yml
t_run doctor --no-spec --json
t_is "a file that was replaced under the container is seen" "$(found traefik-file-replaced)" "container traefik"

# What cannot be looked at
cat >>"$t_dir/cluster.yaml" <<'YAML'
ssh: { user: nobody }
YAML
sed -i 's/^  gmktec: .*/&\n  hpr: { address: 10.99.0.99, optional: true }/' "$t_dir/cluster.yaml"
t_run doctor --json
t_like "a node that is away is named" "$(unknown)" "node hpr: node 'hpr' \(10.99.0.99\)"
t_is "and errors of others weigh more" "$t_status" 1
t_run env DOCKER_HOST=unix:///nowhere.sock "$RECONCILE" doctor --no-spec --json
t_is "without an engine nothing is known to be well" "$t_status $(found)" "3 "
t_like "and it says why" "$(unknown)" 'services: .*/nowhere.sock'
sed -i 's/^version: 1/version: 7/' "$t_dir/cluster.yaml"
t_run doctor
t_is "a spec with errors is said" "$t_status" 4
t_run doctor --no-spec --bad
t_is "so is a wrong option" "$t_status" 64
t_run doctor --no-spec "$t_dir/cluster.yaml"
t_is "and a spec without a spec" "$t_status" 64
