#!/usr/bin/env bash
# Runs the end-to-end suite. SWITCHYARD names the binary; arguments name test files instead of all.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gateway=$(realpath -m "${SWITCHYARD:-$here/../../build/release/switchyard}")
cd "$here"
[ -x "$gateway" ] || { echo "run.sh: no gateway at $gateway; build it or set SWITCHYARD" >&2; exit 1; }

# The openai SDK needs Node 22; where the system's is older, one comes as a package of the lock file.
is_new_enough() { [ "$("$1" -p 'process.versions.node.split(".")[0]' 2> /dev/null || echo 0)" -ge 22 ]; }
omit=() node=$(command -v node || true)
if [ -n "$node" ] && is_new_enough "$node"; then omit=(--omit=optional); fi

# One install at a time, and only when the lock file is not the one that was installed.
exec 9> .install.lock
flock 9
stamp=node_modules/.installed
wanted="$(cat package.json package-lock.json .npmrc | sha256sum) ${omit[*]-}"
if [ "$(cat "$stamp" 2> /dev/null)" != "$wanted" ]; then
  npm ci --no-audit --no-fund --prefer-offline --loglevel=error "${omit[@]}"
  echo "$wanted" > "$stamp"
fi
exec 9>&-
[ ${#omit[@]} -gt 0 ] || node=$(echo "$PWD"/node_modules/node-linux-*/bin/node)
is_new_enough "$node" || { echo "run.sh: no Node 22 for $(uname -m): install one" >&2; exit 1; }

# A sanitizer's build is several times slower: longer deadlines (the one here is a whole file's).
case $gateway in
  *asan* | *tsan*) slow=4 timeout=1500000 ;;
  *) slow=1 timeout=300000 ;;
esac
if [ $# -eq 0 ]; then
  for file in ./*.test.mjs; do
    # What measures processor time and memory, and nothing else, has its numbers for the release build only.
    case $slow$file in 4./asymmetry.*) continue ;; esac
    # The simulators' own tests have no gateway; what is translated has its golden files under the sanitizers.
    case $slow${file#./} in 4simulators* | 4matrix.*) continue ;; esac
    # Races show where requests meet, not where one is translated.
    case $gateway in *tsan*)
      case ${file#./} in
        drain.* | evidence.* | limits.* | outage.* | reload.* | responses_kept.* | sdk_calls.* | sdk_local.* | secrets.* | slow.* | streams.*) ;;
        *) continue ;;
      esac ;;
    esac
    set -- "$@" "$file"
  done
fi
exec env SWITCHYARD="$gateway" SWITCHYARD_SLOW="${SWITCHYARD_SLOW:-$slow}" "$node" --test --test-concurrency=1 --test-force-exit \
  --test-timeout="$timeout" --test-reporter="${REPORTER:-spec}" "$@"
