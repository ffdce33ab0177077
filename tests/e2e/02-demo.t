#!/bin/bash
#
# What `make demo` shows comes to its end: it checks each of its steps itself.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

t_need_lab --nodes gmktec,hppavilion,wsasus,hpr
t_ok "the demo runs to its end" "$t_root/tests/lab/demo"
