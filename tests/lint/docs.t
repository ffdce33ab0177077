#!/bin/bash
# docs/spec.md is what the schema says; every internal link and named file in the documents exists.
set -u
cd "$(dirname "$0")/../.." || exit 1

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

schema/to-markdown <schema/cluster.schema.json | diff docs/spec.md - | sed 's/^/# /'
report "${PIPESTATUS[1]}" "docs/spec.md is written from the schema (make docs)"

missing=0
while read -r key; do
  grep -qE "^\\|[^|]*\`$key\`" docs/settings.md || { echo "# docs/settings.md does not have $key"; missing=1; }
done < <(perl -MJSON::PP -0777 -ne 'print "$_\n" for sort keys %{decode_json($_)->{properties}}' schema/settings.schema.json)
report "$missing" "docs/settings.md has the keys of the settings"

missing=0
while read -r id; do
  grep -qF "| \`$id\` |" docs/doctor.md || { echo "# docs/doctor.md does not have the trap $id"; missing=1; }
done < <(sed -nE 's/^\t\.id = "(.*)",$/\1/p' reconciler/run/doctor/*.c)
report "$missing" "docs/doctor.md has the traps that are looked for"

missing=0
while read -r path; do
  [ -e "$path" ] || { echo "# $path is named in the documents and does not exist"; missing=1; }
done < <(grep -hoE '\b(docs|examples|schema|tests|reconciler|state)/[A-Za-z0-9_./-]+[A-Za-z0-9]' README.md docs/*.md | sort -u |
  grep -v '^tests/cases/<' | grep -v '^tests/e2e/10-service.t$')
report "$missing" "files that the documents name exist"
echo "1..$n"
exit $failed
