#!/bin/bash
#
# The parts that later tests rest on, in the lab: a service that converges, and the
# cluster of the owner's notes as it is before the change.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_in_lab
t_plan 14

tests_lab=$t_root/tests/lab

replicas_running() { # SERVICE COUNT
	[ "$(docker service ps -q -f desired-state=running "$1" | xargs docker inspect -f '{{.Status.State}}' |
		grep -c running)" = "$2" ]
}

state_of() { # CONTAINER
	docker inspect -f '{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}' "$1"
}

restarted() { # CONTAINER TIMES
	[ "$(docker inspect -f '{{.RestartCount}}' "$1")" -ge "$2" ]
}

t_ok "the images are made" "$tests_lab/images"
docker network create --driver overlay --attachable ollama-network >/dev/null
t_ok "a service is created" docker service create --detach --name ollama --replicas 2 \
	--network ollama-network --endpoint-mode dnsrr --no-resolve-image lab/ollama:1
t_ok "and converges to two replicas" t_retry 30 replicas_running ollama 2
t_ok "that a container on the overlay finds by name" docker run --rm --network ollama-network \
	lab/busybox:1 wget -q -O /dev/null http://tasks.ollama:11434/api/version
subnet=$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' ollama-network)
t_like "in an address range of the lab's own" "$subnet" '^10\.6[4-7]\.'

t_ok "the state before the change is made" "$tests_lab/before"
t_is "Traefik runs" "$(state_of traefik)" "running unless-stopped"
t_is "HAProxy runs" "$(state_of haproxy)" "running unless-stopped"
t_is "Ollama runs" "$(state_of hadith-ollama)" "running unless-stopped"
t_ok "the autoscaler restarts over and over" t_retry 30 restarted autoscaler 2
t_like "HAProxy answers for Ollama" "$(curl -sS -m 5 http://127.0.0.1:11434/api/version)" '"version":"0.0.1-standin"'
t_like "Traefik's API answers" "$(curl -sS -m 5 http://127.0.0.1:8080/api/version)" '"Version":"2\.11'
t_is "Traefik routes to a labelled container" "$(curl -sS -m 5 -H 'Host: whoami.lan' http://127.0.0.1/)" whoami
t_like "the directory is exported" "$(exportfs -s)" '^/opt/ollama-models +10\.0\.0\.0/24\(.*rw'
