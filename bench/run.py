"""Runs the rounds of bench/run.sh and prints their table. Standard library only."""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

GATEWAY_CORE, OTHER_CORE = "1", "0"
# The gateway serves at most half as many connections as it may have descriptors, here often 20,000.
IDLE = 9900

NGINX_CONF = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
daemon off;
events {{ worker_connections 19000; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  client_max_body_size 32m; {body_buffer} keepalive_requests 100000000; keepalive_timeout 600s;
  {upstreams}
}}
"""

NGINX_SERVER = """
  upstream sim{port} {{ server 127.0.0.1:{sim}; keepalive 4096; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://sim{port}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer upstream-key"; proxy_buffering off; proxy_read_timeout 600s;
    }}
  }}
"""

GATEWAY_CONFIG = """
version: 1
server:
  listen: 127.0.0.1:{port}
  admin: 127.0.0.1:{admin}
  workers: 1
  limits: {{ connections: 12000, idle: 10m }}
providers:
  sim: {{ type: openai_compatible, base_url: "http://127.0.0.1:{sim}/v1", api_key: upstream-key, connections: 20000 }}
models:
  bench: {{ targets: [ {{ provider: sim, model: bench }} ], timeouts: {{ total: 10m }} }}
keys:
  - {{ name: bench, secret: bench-key }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"bench: {process.args[-1]} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"bench: nobody listens on {port}")


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(float(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="switchyard-bench-")
        self.processes = []

    def spawn(self, core, args, **kwargs):
        process = subprocess.Popen(["taskset", "-c", core, *map(str, args)], **kwargs)
        self.processes.append(process)
        return process

    def stop(self, process):
        self.processes.remove(process)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self):
        for process in list(self.processes):
            self.stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_simulator(self, **settings):
        port = free_port()
        args = ["build/release/bench/upstream_sim", "--port", port]
        for name, value in settings.items():
            args += ["--" + name.replace("_", "-"), value]
        wait_for(port, self.spawn(OTHER_CORE, args))
        return port

    def load(self, port, pid, **settings):
        args = ["taskset", "-c", OTHER_CORE, "build/release/bench/load", "--port", port, "--pid", pid or 0]
        for name, value in settings.items():
            args += ["--" + name.replace("_", "-"), value]
        return json.loads(subprocess.run(list(map(str, args)), check=True, stdout=subprocess.PIPE).stdout)

    # Each returns (process or None, pid to watch or None, port).
    def start_direct(self, sim):
        return None, None, sim

    def start_nginx(self, sim, body_buffer=""):
        port = free_port()
        conf = os.path.join(self.folder, f"nginx{port}.conf")
        with open(conf, "w") as file:
            servers = NGINX_SERVER.format(port=port, sim=sim)
            file.write(NGINX_CONF.format(folder=self.folder, upstreams=servers, body_buffer=body_buffer))
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        process = self.spawn(GATEWAY_CORE, [nginx, "-p", self.folder, "-e", "/dev/null", "-c", conf])
        wait_for(port, process)
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            return process, int(children.read().split()[0]), port

    def start_nginx_buffered(self, sim):
        """By default nginx writes a body of over 16 KiB to a file; this one keeps it in memory."""
        return self.start_nginx(sim, "client_body_buffer_size 256k;")

    def start_switchyard(self, sim):
        port, admin = free_port(), free_port()
        path = os.path.join(self.folder, f"switchyard{port}.yaml")
        with open(path, "w") as file:
            file.write(GATEWAY_CONFIG.format(port=port, admin=admin, sim=sim))
        out = open(os.path.join(self.folder, f"switchyard{port}.log"), "w")
        process = self.spawn(GATEWAY_CORE, [self.options.gateway, "serve", "--config", path], stdout=out, stderr=out)
        wait_for(port, process)
        return process, process.pid, port

    def with_proxy(self, name, sim, measure):
        process, pid, port = getattr(self, "start_" + name)(sim)
        try:
            time.sleep(0.3)
            return measure(port, pid)
        finally:
            if process:
                self.stop(process)

    def round(self, name):
        """One target once over; a fresh process for each part that reads memory."""
        seconds = 1 if self.options.quick else 4
        result = {}

        def requests(port, pid):
            result["idle memory, MiB"] = rss_kib(pid) / 1024 if pid else None
            for label, size in (("300 B", 300), ("8 KB", 8192), ("100 KB", 102400)):
                got = self.load(port, pid, mode="closed", connections=32, body_bytes=size, duration=seconds)
                self.check(name, label, got)
                result[f"{label} prompt: CPU µs a request"] = got.get("cpu_us_each")
                result[f"{label} prompt: requests/s"] = got["per_s"]
            if name == "switchyard":
                # The same request as an Anthropic client makes it, toward the same provider, which speaks OpenAI's.
                got = self.load(port, pid, mode="closed", connections=32, body_bytes=8192, duration=seconds, path="/v1/messages")
                self.check(name, "8 KB, translated", got)
                result["8 KB prompt, translated: CPU µs a request"] = got["cpu_us_each"]
                result["8 KB prompt, translated: times its pass-through"] = got["cpu_us_each"] / result["8 KB prompt: CPU µs a request"]
            got = self.load(port, pid, mode="closed", connections=1, duration=seconds)
            result["one at a time: p50 µs"] = got["latency_us"]["p50"]
            result["one at a time: p99 µs"] = got["latency_us"]["p99"]
            got = self.load(port, pid, mode="open", rate=500, connections=64, duration=2 * seconds)
            self.check(name, "500/s", got)
            result["500 requests/s: p50 µs"] = got["latency_us"]["p50"]
            result["500 requests/s: p99 µs"] = got["latency_us"]["p99"]
            result["500 requests/s: CPU µs a request"] = got.get("cpu_us_each")

        def streams(port, pid):
            got = self.load(port, pid, mode="streams", connections=1000, duration=2 * seconds, warmup=2)
            self.check(name, "1,000 streams", got)
            result["1,000 streams: CPU µs a chunk"] = got.get("cpu_us_each")
            result["1,000 streams: chunks/s"] = got["events_per_s"]

        def stream_memory(port, pid):
            before = rss_kib(pid) if pid else 0
            got = self.load(port, pid, mode="streams", connections=2000, duration=seconds, warmup=3)
            self.check(name, "2,000 streams", got)
            result["2,000 streams: memory each, KiB"] = (got["rss_kib"] - before) / 2000 if pid else None

        def idle(port, pid):
            before = rss_kib(pid) if pid else 0
            got = self.load(port, pid, mode="open", rate=500, connections=64, duration=seconds, idle=IDLE)
            self.check(name, f"{IDLE:,} idle", got)
            result[f"{IDLE:,} idle: memory each, KiB"] = (got["rss_kib"] - before) / IDLE if pid else None
            result[f"{IDLE:,} idle: p99 µs of 500/s beside"] = got["latency_us"]["p99"]

        def not_stalled(port, pid):
            got = self.load(port, pid, mode="open", rate=500, connections=64, duration=seconds)
            result["the same provider, no stalled readers: p99 µs of 500/s"] = got["latency_us"]["p99"]

        def stalled(port, pid):
            before = rss_kib(pid) if pid else 0
            got = self.load(port, pid, mode="open", rate=500, connections=64, duration=seconds, stalled=1000,
                            stalled_delay=3)
            self.check(name, "1,000 stalled", got)
            result["1,000 stalled readers: memory each, KiB"] = (got["rss_kib"] - before) / 1000 if pid else None
            result["1,000 stalled readers: p99 µs of 500/s beside"] = got["latency_us"]["p99"]

        self.with_proxy(name, self.json_sim, requests)
        if name == "nginx_buffered":
            return result
        self.with_proxy(name, self.stream_sim, streams)
        self.with_proxy(name, self.slow_stream_sim, stream_memory)
        if not self.options.quick:
            self.with_proxy(name, self.json_sim, idle)
            self.with_proxy(name, self.endless_sim, not_stalled)
            self.with_proxy(name, self.endless_sim, stalled)
        return result

    @staticmethod
    def check(name, what, got):
        if got["errors"] or not got["requests"] + got.get("events", 0):
            print(f"bench: {name}, {what}: {got['errors']} errors, {got['requests']} answers", file=sys.stderr)

    def run(self):
        self.json_sim = self.start_simulator()
        self.stream_sim = self.start_simulator(chunks=400, interval_us=20000)
        self.slow_stream_sim = self.start_simulator(chunks=400, interval_us=100000)
        self.endless_sim = self.start_simulator(chunks=1024, chunk_bytes=65536)
        results = {name: [] for name in self.options.only}
        for number in range(self.options.rounds):
            for name in self.options.only:
                print(f"round {number + 1} of {self.options.rounds}: {name}", file=sys.stderr)
                results[name].append(self.round(name))
        return {name: {row: median([r.get(row) for r in rounds]) for row in rounds[0]} for name, rounds in results.items()}


def median(values):
    return None if None in values else statistics.median(values)


def add_overheads(table):
    """Added time is what a caller waits more than without a proxy."""
    if "direct" not in table:
        return
    for row in [row for row in table["direct"] if "p50" in row or "p99" in row]:
        for name in table:
            if name != "direct" and row in table[name]:
                table[name][row + ", added"] = table[name][row] - table["direct"][row]
        table["direct"][row + ", added"] = None


def print_table(table):
    def cell(value):
        if value is None:
            return "-"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"

    names = list(table)
    titles = {"nginx_buffered": "nginx, 256 KB body buffer"}
    ratio = "nginx" in table and "switchyard" in table
    print("| | " + " | ".join(titles.get(name, name) for name in names) + (" | Switchyard : nginx |" if ratio else " |"))
    print("|---|" + "---:|" * (len(names) + ratio))
    for row in table[names[-1]]:
        cells = [cell(table[name].get(row)) for name in names]
        if ratio:
            ours, theirs = table["switchyard"].get(row), table["nginx"].get(row)
            cells.append(f"{ours / theirs:.2f}" if ours is not None and theirs else "-")
        print(f"| {row} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(prog="bench/run.sh")
    parser.add_argument("--quick", action="store_true", help="short windows, no idle and stalled parts")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--gateway", default="build/release/switchyard")
    parser.add_argument("--only", default="direct,nginx,nginx_buffered,switchyard", type=lambda text: text.split(","))
    parser.add_argument("--json", help="also write the medians to this file")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    if "switchyard" in options.only and not os.access(options.gateway, os.X_OK):
        sys.exit(f"bench: {options.gateway} is missing: run ./scripts/run --build")
    bench = Bench(options)
    try:
        table = bench.run()
    finally:
        bench.close()
    add_overheads(table)
    print_table(table)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(table, file, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
