#!/usr/bin/env bash
# The gateway against nginx and against no proxy at all, in one run with one pinning: what is measured is alone on
# core 1, the simulated provider and the load share core 0. Prints a table of medians over alternating rounds.
#
#   bench/run.sh [--quick] [--rounds N] [--gateway FILE] [--only nginx,switchyard] [--json FILE]
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in taskset nginx python3; do
  command -v "$tool" > /dev/null || PATH="$PATH:/usr/sbin" command -v "$tool" > /dev/null ||
    { echo "bench: $tool is missing: run scripts/setup --bench" >&2; exit 1; }
done
[ "$(nproc)" -ge 2 ] || { echo "bench: needs two cores" >&2; exit 1; }
for program in upstream_sim load; do
  [ -x "build/release/bench/$program" ] || { echo "bench: build/release/bench/$program is missing: run ./scripts/run --build" >&2; exit 1; }
done
exec python3 bench/run.py "$@"
