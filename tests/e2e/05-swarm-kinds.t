#!/bin/bash
#
# The Swarm kinds write to a real engine what they read from it: the C test does it, this gives it an engine.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_need_lab
t_plan 2

test=$BUILD/tests/unit/kinds/swarm_engine
t_ok "the test is built" test -x "$test"
t_run "$t_root/tests/lab/lab" run --no-swarm -- "$test"
[ "$t_status" = 0 ] || t_diag "$t_out" "$t_err"
t_is "swarm, node, network, volume, config, secret: what is written is read again" "$t_status" 0
