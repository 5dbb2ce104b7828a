#!/usr/bin/env bash
# Where the gateway's time goes: perf over ten seconds of load, by function.
#
#   bench/profile.sh [requests|streams] [body bytes]
set -euo pipefail
cd "$(dirname "$0")/.."
command -v perf > /dev/null || { echo "profile: perf is missing (Debian: linux-perf)" >&2; exit 1; }
what=${1:-requests}
body=${2:-300}
folder=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2> /dev/null || true; rm -rf "$folder"' EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
sim=$(free_port) listen=$(free_port) admin=$(free_port)
cat > "$folder/switchyard.yaml" << END
version: 1
server: { listen: "127.0.0.1:$listen", admin: "127.0.0.1:$admin", workers: 1 }
providers:
  sim: { type: openai_compatible, base_url: "http://127.0.0.1:$sim/v1", api_key: upstream-key, connections: 20000 }
models:
  bench: { targets: [ { provider: sim, model: bench } ] }
keys:
  - { name: bench, secret: bench-key }
END
taskset -c 0 build/release/bench/upstream_sim --port "$sim" --chunks 400 --interval-us 20000 &
pids+=($!)
taskset -c 1 build/release/switchyard serve --config "$folder/switchyard.yaml" > "$folder/log" 2>&1 &
gateway=$!
pids+=("$gateway")
until curl -fs -o /dev/null "http://127.0.0.1:$admin/livez"; do
  kill -0 "$gateway" 2> /dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
mode=(--mode closed --connections 32)
[ "$what" = streams ] && mode=(--mode streams --connections 1000)
taskset -c 0 build/release/bench/load --port "$listen" --pid "$gateway" --body-bytes "$body" --duration 12 "${mode[@]}" &
pids+=($!)
sleep 2
perf record -q -o "$folder/perf.data" -F 2000 -g -p "$gateway" -- sleep 10
perf report -i "$folder/perf.data" --no-children -g none --percent-limit 0.5 --stdio 2> /dev/null | grep -v '^#' | sed '/^$/d'
