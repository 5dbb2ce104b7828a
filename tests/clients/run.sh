#!/usr/bin/env bash
# Claude Code and Codex CLI, from npm as their users have them, work through the gateway. SWITCHYARD names the binary.
# They are large (800 MB installed), so they are no part of the ordinary suite.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(realpath -m "${SWITCHYARD:-$here/../../build/release/switchyard}")
cd "$here"
[ -x "$gateway" ] || { echo "run.sh: no gateway at $gateway; build it or set SWITCHYARD" >&2; exit 1; }

# One install at a time, and only when the lock file is not the one that was installed.
exec 9> .install.lock
flock 9
wanted=$(cat package.json package-lock.json .npmrc | sha256sum)
if [ "$(cat node_modules/.installed 2> /dev/null)" != "$wanted" ]; then
  npm ci --no-audit --no-fund --prefer-offline --loglevel=error
  echo "$wanted" > node_modules/.installed
fi
exec 9>&-

# Where the kernel lets us, there is no network but loopback: what reaches for more fails at once.
if unshare --map-root-user --net ip link set lo up 2> /dev/null; then
  isolate=(unshare --map-root-user --net sh -c 'ip link set lo up && exec "$@"' sh)
else
  isolate=(env HTTPS_PROXY=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1)
fi
exec "${isolate[@]}" env SWITCHYARD="$gateway" node --test --test-concurrency=1 --test-force-exit \
  --test-timeout=300000 --test-reporter="${REPORTER:-spec}" ./*.test.mjs
