#!/bin/bash
# Includes point one way: a directory uses only what the Makefile's DEP_ table
# allows, and plan and policy link with base and model alone.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}

n=0 failed=0
report() { # report STATUS TEXT
  n=$((n + 1))
  if [ "$1" -eq 0 ]; then
    echo "ok $n - $2"
  else
    echo "not ok $n - $2"
    failed=1
  fi
}

deps=$(make -s --no-print-directory print-deps)
while IFS=: read -r lib dir allowed; do
  bad=0
  while read -r file include; do
    target=${include%%/*}
    case " $lib $allowed " in
    *" $target "*) ;;
    *) echo "# $file includes $include: $lib may use only:$allowed"; bad=1 ;;
    esac
  done < <(grep -rHoE '^#include "[a-z]+/[^"]+"' --include='*.[ch]' "${dir# }" |
    sed -E 's/:#include "([^"]+)"/ \1/' | grep -v '/helper\.c ')
  report "$bad" "$lib includes only what it may"
done <<<"$deps"

for lib in plan policy; do
  echo 'int main(void) { return 0; }' | ${CC:-cc} -x c - -x none \
    -fsanitize=address,undefined -o "$BUILD/link-$lib" -Wl,--whole-archive "$BUILD/lib$lib.a" -Wl,--no-whole-archive \
    "$BUILD/libmodel.a" "$BUILD/libbase.a" -ljansson 2>&1 | sed 's/^/# /'
  report "${PIPESTATUS[1]}" "$lib links with base and model alone"
done

for layout in $(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u); do
  case $layout in
  reconciler | schema | examples | state | tests | docs | Makefile | README.md | LICENSE | .*) ;;
  *) echo "# $layout is not in the layout"; failed=1; n=$((n + 1)); echo "not ok $n - top level" ;;
  esac
done
echo "1..$n"
exit $failed
