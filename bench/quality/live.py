"""The part of the evaluation that goes through the real gateway: two upstreams that are the bundled model behind a shim
that can spoil its answers, a front gateway that scores and routes, and a client. Standard library only."""

import http.client
import http.server
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

KEY = "evaluation-key"

UPSTREAM = """
version: 1
server: {{ listen: 127.0.0.1:{port}, admin: 127.0.0.1:{admin}, workers: 1 }}
providers: {{ here: {{ type: local, models: {{ mini: bundled }} }} }}
models: {{ mini: {{ targets: [ {{ provider: here, model: mini }} ] }} }}
keys: [ {{ name: evaluation, secret: evaluation-key }} ]
"""

# Everything is as shipped but the time that a baseline and an ejection take: minutes, not days.
FRONT = """
version: 1
server: {{ listen: 127.0.0.1:{port}, admin: 127.0.0.1:{admin}, workers: 1 }}
providers:
  a: {{ type: openai_compatible, base_url: "http://127.0.0.1:{a}/v1", api_key: evaluation-key }}
  b: {{ type: openai_compatible, base_url: "http://127.0.0.1:{b}/v1", api_key: evaluation-key }}
models:
  mini:
    targets: [ {{ provider: a, model: mini }}, {{ provider: b, model: mini }} ]
    strategy: score
    objectives: {{ quality: 1, latency: 0, cost: 0 }}
quality:
  learn: {{ observations: 500, blocks: 20, for: 5s, block: 250ms }}
  dwell: 5s
  rise: 1s
keys: [ {{ name: evaluation, secret: evaluation-key }} ]
"""

WORDS = ["count", "open", "year", "level", "price", "size", "age", "score", "floor", "room"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"quality: the gateway ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"quality: nobody listens on {port}")


def post(connection, body):
    connection.request("POST", "/v1/chat/completions", json.dumps(body),
                       {"content-type": "application/json", "authorization": "Bearer " + KEY})
    response = connection.getresponse()
    return response.status, response.getheaders(), json.loads(response.read())


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    try:
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


class Shim:
    """Answers as the model did the first time it was asked, or worse: `fault` is none, broken_json or cut."""

    def __init__(self, answers, seed):
        self.answers, self.random = answers, random.Random(seed)
        self.fault, self.rate, self.served, self.spoilt = None, 0.0, 0, 0
        shim = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body = json.dumps(shim.answer(asked)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, asked):
        reply = json.loads(json.dumps(self.answers[asked["messages"][-1]["content"]]))
        self.served += 1
        if self.fault and self.random.random() < self.rate:
            self.spoilt += 1
            choice = reply["choices"][0]
            text = choice["message"]["content"]
            choice["message"]["content"] = text[:-1]
            if self.fault == "cut":
                choice["finish_reason"] = "length"
                choice["message"]["content"] = text[:len(text) // 2]
        return reply


class Rig:
    def __init__(self, gateway):
        self.gateway = gateway
        self.folder = tempfile.mkdtemp(prefix="switchyard-quality-")
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, text, **ports):
        path = os.path.join(self.folder, name + ".yaml")
        ports = {"port": free_port(), "admin": free_port(), **ports}
        with open(path, "w", encoding="utf-8") as out:
            out.write(text.format(**ports))
        with open(os.path.join(self.folder, name + ".log"), "w", encoding="utf-8") as log:
            process = subprocess.Popen([self.gateway, "serve", "--config", path], stdout=log, stderr=log)
        self.processes.append(process)
        wait_for(ports["port"], process)
        return ports


def questions(count):
    rng = random.Random(3)
    out = []
    for _ in range(count):
        names = rng.sample(WORDS, 2)
        out.append(f"Convert to JSON: {names[0]}={rng.randrange(100)}, {names[1]}={rng.randrange(100)}")
    return out


def real_answers(port, asked):
    """What the bundled model really says, greedily; those that are no JSON are no healthy answers and left out."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    answers = {}
    for question in asked:
        status, _, reply = post(connection, {"model": "mini", "temperature": 0, "max_tokens": 64,
                                             "messages": [{"role": "user", "content": question}]})
        if status != 200:
            sys.exit(f"quality: the local model answered {status}: {reply}")
        try:
            json.loads(reply["choices"][0]["message"]["content"])
            answers[question] = reply
        except ValueError:
            pass
    connection.close()
    return answers


class Client:
    """One request after the other; tells when `until` is true or `limit` requests have passed."""

    def __init__(self, front, shims, asked):
        self.front, self.shims, self.asked = front, shims, asked
        self.connection = http.client.HTTPConnection("127.0.0.1", front["port"], timeout=30)
        self.requests, self.statuses, self.course = 0, {}, []
        self.started = time.monotonic()

    def state(self):
        targets = get(self.front["admin"], "/admin/providers")["targets"]
        return {t["provider"]: t for t in targets}

    def run(self, until, limit, every=10):
        for sent in range(limit):
            before = self.shims[0].served
            status, _, _ = post(self.connection, {
                "model": "mini", "max_tokens": 200, "response_format": {"type": "json_object"},
                "messages": [{"role": "user", "content": self.asked[self.requests % len(self.asked)]}]})
            self.requests += 1
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.course.append((time.monotonic() - self.started, self.shims[0].served - before))
            if sent % every == every - 1 and until(self.state()):
                return True
        return False


def learnt(state):
    for target in state.values():
        evidence = {e["signal"]: e for e in target["score"]["evidence"]}
        if any(signal not in evidence or evidence[signal]["learning"] for signal in ("output_invalid", "truncated")):
            return False
    return True


def incident(rig, upstream, fault, rate, quick):
    asked = questions(10 if quick else 60)
    answers = real_answers(upstream["port"], asked)
    asked = [question for question in asked if question in answers]
    shims = [Shim(answers, 11), Shim(answers, 12)]
    front = rig.start(f"{fault}{rate}", FRONT, a=shims[0].port, b=shims[1].port)
    client = Client(front, shims, asked)
    out = {"fault": fault, "rate": rate, "questions": len(asked)}
    if not client.run(learnt, 20_000, 100):
        return {**out, "failed": "no baseline was learnt"}
    out["learnt_after"] = client.requests
    client.run(lambda _: False, 500)
    shims[0].fault, shims[0].rate = fault, rate
    served, total, began = shims[0].served, client.requests, time.monotonic()
    out["ejected"] = client.run(lambda s: s["a"]["score"]["state"] == "ejected", 5_000, 2)
    out["own_to_eject"], out["total_to_eject"] = shims[0].served - served, client.requests - total
    out["share"] = out["own_to_eject"] / max(out["total_to_eject"], 1)
    out["seconds_to_eject"] = time.monotonic() - began
    out["why"] = client.state()["a"]["score"].get("why", "")
    served, total = shims[0].served, client.requests
    until = time.monotonic() + 3
    client.run(lambda _: time.monotonic() > until, 5_000)
    out["share_while_out"] = (shims[0].served - served) / max(client.requests - total, 1)
    shims[0].fault = None
    total, began = client.requests, time.monotonic()
    out["recovered"] = client.run(lambda s: s["a"]["score"]["state"] == "serving" and s["a"]["score"]["ramp"] >= 1,
                                  20_000 if quick else 60_000, 20)
    out["requests_to_full"], out["seconds_to_full"] = client.requests - total, time.monotonic() - began
    out["statuses"] = {str(k): v for k, v in client.statuses.items()}
    client.connection.close()
    for shim in shims:
        shim.server.shutdown()
    process = rig.processes.pop()
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    return out


def run(gateway, quick):
    arms = [("broken_json", 0.3)] if quick else [("broken_json", 0.3), ("broken_json", 0.1), ("cut", 0.3)]
    with Rig(gateway) as rig:
        upstream = rig.start("upstream", UPSTREAM)
        return [incident(rig, upstream, fault, rate, quick) for fault, rate in arms]


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], "--quick" in sys.argv), indent=1))
