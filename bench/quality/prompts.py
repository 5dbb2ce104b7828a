#!/usr/bin/env python3
"""Writes the prompts of quality_model_arms: questions of the bundled model's held-out split, one JSON object a line."""

import json
import os
import random
import sys

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../local_backend/models/switchyard-mini")
sys.path.insert(0, MODEL)
import corpus  # noqa: E402

# Greedy hashes need long answers, broken JSON needs enough questions that ask for JSON.
COUNTS = {"story": 40, "json_make": 30}
USUAL = 8
SHORT = 24  # Characters: what a graded answer may have.


def main():
    rng = random.Random(1)
    for task in corpus.TASKS:
        for _ in range(COUNTS.get(task, USUAL)):
            sample = corpus.draw(rng, task, "test")
            exact = sample.grade == "exact" and len(sample.answer) <= SHORT
            print(json.dumps({"task": task, "turns": [turn[:2] for turn in sample.turns], "answer": sample.answer, "exact": exact}))


if __name__ == "__main__":
    main()
