#!/usr/bin/env bash
# The evaluation of scores and routing: runs every arm and writes docs/quality-evaluation.md with its plots.
#
#   bench/quality/run.sh [--quick] [--build FOLDER] [--out FOLDER] [--no-live]
#
# About ten minutes on two cores; --quick about two, with fewer runs and wider errors.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/release
arguments=("$@")
for ((i = 0; i < ${#arguments[@]}; ++i)); do
  [ "${arguments[i]}" != --build ] || build=${arguments[i + 1]}
done
if [ "$build" = build/release ]; then
  scripts/build release switchyard quality_cells quality_incidents quality_model_arms > /dev/null
fi
exec python3 bench/quality/run.py "$@"
