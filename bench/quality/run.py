"""Runs the arms of bench/quality/run.sh and writes what they say. Standard library only."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import live
import plots
import report

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
MODEL = os.path.join(ROOT, "local_backend/models/switchyard-mini")


def program(build, name, *arguments):
    path = os.path.join(build, "bench/quality", name)
    if not os.path.exists(path):
        sys.exit(f"quality: {path} is missing: build it first (scripts/build release {name})")
    return subprocess.Popen([path, *arguments], stdout=subprocess.PIPE, text=True)


def result(process):
    out, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(f"quality: {process.args[0]} ended with {process.returncode}")
    return json.loads(out)


def measure(options):
    quick = ["--quick"] if options.quick else []
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as prompts:
        subprocess.run([sys.executable, os.path.join(HERE, "prompts.py")], stdout=prompts, check=True)
        # The model takes the longest; the rest runs beside it on the other core.
        model = program(options.build, "quality_model_arms", MODEL, prompts.name, *quick)
        results = {"cells": result(program(options.build, "quality_cells", *quick)),
                   "loop": result(program(options.build, "quality_incidents", *quick))}
        results["model"] = result(model)
    if not options.no_live:
        results["live"] = live.run(os.path.join(options.build, "switchyard"), options.quick)
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    parser.add_argument("--out", default=os.path.join(ROOT, "docs"))
    parser.add_argument("--no-live", action="store_true", help="leave out the part through the gateway")
    parser.add_argument("--results", help="keep the numbers in this file, or use those that are there")
    options = parser.parse_args()
    start = time.monotonic()
    if options.results and os.path.exists(options.results):
        with open(options.results, encoding="utf-8") as kept:
            results = json.load(kept)
    else:
        results = measure(options)
        results["quick"], results["minutes"] = options.quick, (time.monotonic() - start) / 60
        if options.results:
            with open(options.results, "w", encoding="utf-8") as kept:
                json.dump(results, kept)
    images = os.path.join(options.out, "images")
    os.makedirs(images, exist_ok=True)
    plots.write(results, images)
    text = report.text(results)
    with open(os.path.join(options.out, "quality-evaluation.md"), "w", encoding="utf-8") as out:
        out.write(text)
    print(report.targets_table(results))


if __name__ == "__main__":
    main()
