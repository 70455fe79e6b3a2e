#!/usr/bin/env bash
# Makes the output of `go test -v` readable: a line for each finished test, all of it for one that failed or skipped.
set -euo pipefail
exec awk '
  /^=== RUN/ { next }
  /^=== (PAUSE|CONT|NAME)/ { next }
  /^ *--- PASS/ { print; fflush(); held = ""; next }
  /^ *--- (FAIL|SKIP)/ { printf "%s", held; print; fflush(); held = ""; next }
  /^(ok|FAIL|PASS|panic:|exit status|\?)/ { printf "%s", held; held = ""; print; fflush(); next }
  { held = held $0 "\n" }
  END { printf "%s", held }
'
