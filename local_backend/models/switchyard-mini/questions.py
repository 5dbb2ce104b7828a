#!/usr/bin/env python3
"""The graded questions: the held-out split of every task, and what counts as right. Needs nothing but Python.

eval.py asks them of the weights in float32 (PyTorch); evaluate.py asks them of Switchyard's own engine.
"""
import json
import random
import re

import corpus

LIMIT = 224                     # most tokens of an answer


def questions(names, n, seed=1000):
    out = []
    for t in names:
        rng = random.Random(f"{seed}{t}")
        seen = set()
        for _ in range(n * 20):
            s = corpus.draw(rng, t, "test")
            if s.turns and (s.key not in seen or len(seen) < 1):
                seen.add(s.key)
                out.append(s)
            if len(seen) == n:
                break
    return out


def answer_room(s, tok):
    """Tokens that an answer gets: a little more than the right one needs."""
    return LIMIT if s.grade == "story" else len(tok.encode(s.answer)) + 12 if s.grade == "exact" else 64


def grade(s, text, ended):
    if not ended:
        return False
    if s.grade == "exact":
        return text == s.answer
    if s.grade == "contains":
        return s.want in text
    if s.grade == "members":
        return text in s.want
    if s.grade == "members_n":
        got = text.split(", ")
        return len(got) == s.want[1] and len(set(got)) == len(got) and all(x in s.want[0] for x in got)
    if s.grade == "json":
        try:
            return json.loads(text) == s.want
        except ValueError:
            return False
    if s.grade == "story":
        words = text.split()
        tri = [tuple(words[i:i + 4]) for i in range(len(words) - 3)]
        return len(words) >= 25 and all(x in text for x in s.want) and len(set(tri)) > 0.9 * len(tri) and bool(re.match(r".*[.!\"]$", text))
    raise ValueError(s.grade)
