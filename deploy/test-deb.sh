#!/usr/bin/env bash
# Builds the package, installs it on this machine, runs what it installed as its user, and removes it. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "test-deb: needs root" >&2; exit 1; }
if dpkg-query -W -f '${db:Status-Status}' switchyard 2> /dev/null | grep -q '^installed'; then
  echo "test-deb: switchyard is installed here already; not touched" >&2
  exit 1
fi
cmake --build build/release --target package > /dev/null
deb=$(ls -t build/release/switchyard_*.deb | head -n 1)

folder=$(mktemp -d)
gateway=
finish() {
  [ -z "$gateway" ] || kill "$gateway" 2> /dev/null || true
  [ -z "$gateway" ] || wait "$gateway" 2> /dev/null || true
  dpkg --purge switchyard > /dev/null 2>&1 || true
  rm -rf "$folder"
}
trap finish EXIT
apt-get install -q -y --no-install-recommends "./$deb" > "$folder/install.log" 2>&1 || { cat "$folder/install.log" >&2; exit 1; }

/usr/bin/switchyard version
/usr/bin/switchyard check --config /etc/switchyard/switchyard.yaml
[ "$(stat -c '%a %U' /etc/switchyard/environment)" = "600 root" ]
getent passwd switchyard > /dev/null

# The installed configuration, on ports that nothing else has.
chmod 755 "$folder"
sed -e 's/127.0.0.1:8080/127.0.0.1:18780/' -e 's/127.0.0.1:8081/127.0.0.1:18781/' /etc/switchyard/switchyard.yaml > "$folder/switchyard.yaml"
chmod 644 "$folder/switchyard.yaml"
setpriv --reuid switchyard --regid switchyard --clear-groups /usr/bin/switchyard serve --config "$folder/switchyard.yaml" > "$folder/log" 2>&1 &
gateway=$!
for _ in $(seq 200); do
  curl -fs http://127.0.0.1:18781/livez > /dev/null && break
  kill -0 "$gateway" 2> /dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
curl -fsS http://127.0.0.1:18781/livez
curl -fsS http://127.0.0.1:18781/metrics | grep -q '^switchyard_build_info'
kill -TERM "$gateway"
wait "$gateway"
gateway=
dpkg --purge switchyard > /dev/null
[ ! -e /usr/bin/switchyard ] && [ ! -e /etc/switchyard ]
echo "test-deb: $deb installs, runs and goes"
