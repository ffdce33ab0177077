# shellcheck shell=bash
#
# Load on both entrances of the demo's cluster while it is migrated: HAProxy's old address, and Traefik. Each loop sends
# one request after the other, which is bounded. Source it after lib.sh, in a lab.

answer() { # PORT HOST PATH: the status of a request, 000 without an answer
	curl -s -m 5 -o /dev/null -w '%{http_code}' -H "Host: $2" "http://127.0.0.1:$1$3"
}

# The service by the old address; where that does not answer, at once by the new one.
load_service() {
	local old new
	while [ ! -e "$t_dir/load.stop" ]; do
		old=$(answer 11434 ollama.lan /api/version) new=-
		[ "$old" = 200 ] || new=$(answer 80 ollama.lan /api/version)
		echo "$(date +%s%3N) $old $new"
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

load_start() { # LOOP...: service, whoami
	local loop
	rm -f "$t_dir"/load.*
	loads=()
	for loop in "$@"; do
		"load_$loop" >"$t_dir/load.$loop" &
		loads+=($!)
	done
}

load_end() {
	: >"$t_dir/load.stop"
	wait "${loads[@]}"
}

# Requests that neither entrance answered.
unreachable() {
	awk '$2 != 200 && $3 != 200' "$t_dir/load.service"
}

# How often the old address went from answering to not answering, or back.
old_address_turns() {
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
