#!/usr/bin/env python3
"""Asks the local engine the held-out questions and holds its score against eval.json. Needs nothing but Python.

  evaluate.py [--engine build/release/local_backend/local_evaluate] [--types q8_0,q4_0,f16] [--n 30] [--threads 0]

Exit code 1 when a file's mean is more than --tolerance points from the one in eval.json.
"""
import argparse
import json
import os
import subprocess
import sys

import corpus
from questions import answer_room, grade, questions
from tokenizer import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINE = os.path.join(HERE, "../../../build/release/local_backend/local_evaluate")


def answers(engine, path, threads, requests):
    text = "".join(json.dumps(r) + "\n" for r in requests)
    done = subprocess.run([engine, path, str(threads)], input=text, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--engine", default=ENGINE)
    ap.add_argument("--types", default="q8_0,q4_0,f16")
    ap.add_argument("--n", type=int, default=30)
    ap.add_argument("--threads", type=int, default=0)
    ap.add_argument("--tolerance", type=float, default=1.5)
    a = ap.parse_args()
    with open(os.path.join(HERE, "eval.json"), encoding="utf-8") as f:
        known = json.load(f)["variants"]
    tok = Tokenizer.load(os.path.join(HERE, "tokenizer.json"))
    asked = questions(list(corpus.TASKS), a.n)
    requests = [dict(turns=[t[:2] for t in s.turns], max_tokens=answer_room(s, tok)) for s in asked]
    far = False
    for kind in a.types.split(","):
        got = answers(a.engine, os.path.join(HERE, f"mini.{kind}.gguf"), a.threads, requests)
        score = {}
        for s, answer in zip(asked, got):
            right, of = score.get(s.task, (0, 0))
            score[s.task] = right + grade(s, answer["text"], answer["ended"]), of + 1
        mean = 100 * sum(right / of for right, of in score.values()) / len(score)
        want = known.get(kind, known["f32"])
        other = [f"{t} {right} ({want['tasks'][t]['right']})" for t, (right, of) in score.items()
                 if a.n == 30 and right != want["tasks"][t]["right"]]
        print(f"{kind}: mean {mean:.1f}, eval.json {100 * want['mean']:.1f}; tasks that differ: {', '.join(other) or 'none'}", flush=True)
        far = far or abs(mean - 100 * want["mean"]) > a.tolerance
    sys.exit(1 if far else 0)


if __name__ == "__main__":
    main()
