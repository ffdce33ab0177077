# shellcheck shell=bash
#
# Load on both entrances of the demo's cluster while it is migrated: HAProxy's old address, and Traefik. Each loop sends
# one request after the other, which is bounded. Source it after lib.sh, in a lab.

answer() { # PORT HOST PATH: the status of a request, 000 without an answer
	curl -s -m 5 -o /dev/null -w '%{http_code}' -H "Host: $2" "http://127.0.0.1:$1$3"
}

old() {
	answer 11434 ollama.lan /api/version
}

new() {
	answer 80 ollama.lan /api/version
}

# The service by one entrance; where that does not answer, at once by the other.
load_service() { # FIRST SECOND
	local first second
	while [ ! -e "$t_dir/load.stop" ]; do
		first=$("$1") second=-
		[ "$first" = 200 ] || second=$("$2")
		echo "$(date +%s%3N) $first $second"
		sleep 0.05
	done
}

# A container's route, which is there before and afterwards.
load_whoami() {
	while [ ! -e "$t_dir/load.stop" ]; do
		echo "$(date +%s%3N) $(answer 80 whoami.lan /)"
		sleep 0.05
	done
}

load_start() { # FIRST SECOND: old and new; while requests come in by the old one HAProxy is not quiet
	rm -f "$t_dir"/load.*
	load_service "$@" >"$t_dir/load.service" &
	loads=($!)
	load_whoami >"$t_dir/load.whoami" &
	loads+=($!)
}

load_end() {
	: >"$t_dir/load.stop"
	wait "${loads[@]}"
}

# Requests that neither entrance answered.
unreachable() {
	awk '$2 != 200 && $3 != 200' "$t_dir/load.service"
}

# How often the first entrance went from answering to not answering, or back.
turns() {
	awk '{ up = $2 == 200 } NR > 1 && up != was { n++ } { was = up } END { print n + 0 }' "$t_dir/load.service"
}

# "MS FAILURES REQUESTS GAPS": the longest time from an answer of the container's route to the next one with failures
# between them, and how many such times there were.
whoami_gap() {
	awk '
		$2 != 200 { failing = 1; failures++; next }
		{ if (failing) { gaps++; if ($1 - last > gap) gap = $1 - last } failing = 0; last = $1 }
		END { print gap + 0, failures + 0, NR, gaps + failing }' "$t_dir/load.whoami"
}
