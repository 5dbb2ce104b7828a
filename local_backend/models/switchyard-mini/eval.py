#!/usr/bin/env python3
"""Graded evaluation of exported GGUF files on the held-out split of every task, with greedy decoding.

  eval.py [FILE.gguf ...] [--n 60] [--tasks add,sort] [--json eval.json] [--show 2]
  eval.py --prompts 10 --file mini.f16.gguf      greedy token ids of fixed prompts, as JSON (to compare engines)

A variant of a file is named FILE:setting with setting temp=1.0 (sampling at that temperature) or ctx=48 (only the last
48 tokens of the prompt are kept). Weights are dequantized to float32, so a variant shows what quantization costs, not
what a particular kernel does.
"""
import argparse
import fcntl
import json
import os
import sys
import time

try:
    import numpy as np
    import torch
except ImportError as e:
    sys.exit(f"eval.py needs PyTorch 1.13 or later, NumPy (Debian: python3-torch, python3-numpy): {e}")

import corpus
import export_gguf
from questions import LIMIT, answer_room, grade, questions
from tokenizer import Tokenizer
from train import rope_table

HERE = os.path.dirname(os.path.abspath(__file__))

class Runner:
    """Batched greedy or sampled decoding in float32."""

    def __init__(self, path):
        meta, ts = export_gguf.read(path)
        self.s = dict(vocab=meta["llama.vocab_size"], dim=meta["llama.embedding_length"], layers=meta["llama.block_count"], heads=meta["llama.attention.head_count"],
                      kv_heads=meta["llama.attention.head_count_kv"], ffn=meta["llama.feed_forward_length"], context=meta["llama.context_length"],
                      theta=meta["llama.rope.freq_base"], eps=meta["llama.attention.layer_norm_rms_epsilon"])
        self.w = {k: torch.from_numpy(v) for k, (_, v) in ts.items()}
        self.tok = Tokenizer([m.split(" ") for m in meta["tokenizer.ggml.merges"]])
        assert self.tok.tokens == meta["tokenizer.ggml.tokens"]
        self.cs = rope_table(self.s)

    def norm(self, x, name):
        return x * (x.pow(2).mean(-1, keepdim=True) + self.s["eps"]).rsqrt() * self.w[name + ".weight"]

    def forward(self, ids, pos, mask, cache):
        """Logits of the last position. ids, pos [B,T]; mask [B,1,T,past+T] additive; cache: per layer (k, v), updated."""
        s, w = self.s, self.w
        b, t = ids.shape
        h, k = s["heads"], s["kv_heads"]
        hd = s["dim"] // h
        cs = self.cs[pos][:, :, None]
        cos, sin = cs[..., :hd // 2], cs[..., hd // 2:]

        def rope(x):
            a, c = x[..., ::2], x[..., 1::2]
            return torch.stack([a * cos - c * sin, a * sin + c * cos], -1).flatten(-2)

        x = w["token_embd.weight"][ids]
        for i in range(s["layers"]):
            n = f"blk.{i}."
            y = self.norm(x, n + "attn_norm")
            q = rope((y @ w[n + "attn_q.weight"].t()).view(b, t, h, hd)).transpose(1, 2)
            kk = rope((y @ w[n + "attn_k.weight"].t()).view(b, t, k, hd)).transpose(1, 2)
            v = (y @ w[n + "attn_v.weight"].t()).view(b, t, k, hd).transpose(1, 2)
            if cache[i]:
                kk, v = torch.cat([cache[i][0], kk], 2), torch.cat([cache[i][1], v], 2)
            cache[i] = kk, v
            a = (q @ kk.repeat_interleave(h // k, 1).transpose(2, 3)) * hd ** -0.5 + mask
            o = a.softmax(-1) @ v.repeat_interleave(h // k, 1)
            x = x + o.transpose(1, 2).reshape(b, t, -1) @ w[n + "attn_output.weight"].t()
            y = self.norm(x, n + "ffn_norm")
            x = x + (torch.nn.functional.silu(y @ w[n + "ffn_gate.weight"].t()) * (y @ w[n + "ffn_up.weight"].t())) @ w[n + "ffn_down.weight"].t()
        return self.norm(x[:, -1], "output_norm") @ w.get("output.weight", w["token_embd.weight"]).t()

    def generate(self, prompts, limit=LIMIT, temperature=0.0, seed=0):
        """Token ids of the answers (without the end token); a list of [ids, ended]."""
        g = torch.Generator().manual_seed(seed)
        n, t = len(prompts), max(map(len, prompts))
        lens = torch.tensor([len(x) for x in prompts])
        ids = torch.tensor([[0] * (t - len(x)) + x for x in prompts])
        pad = torch.arange(t)[None] < (t - lens)[:, None]
        pos = (torch.arange(t)[None] - (t - lens)[:, None]).clamp(min=0)
        neg = torch.zeros(n, 1, t, t).masked_fill(pad[:, None, None, :] | (torch.arange(t)[None] > torch.arange(t)[:, None])[None, None], -1e9)
        cache = [None] * self.s["layers"]
        logits = self.forward(ids, pos, neg, cache)
        out, done = [[] for _ in prompts], [False] * n
        last = lens.clone()
        keep = torch.zeros(n, 1, 1, t).masked_fill(pad[:, None, None, :], -1e9)
        for _ in range(limit):
            nxt = torch.multinomial((logits / temperature).softmax(-1), 1, generator=g)[:, 0] if temperature else logits.argmax(-1)
            for j, c in enumerate(nxt.tolist()):
                if not done[j]:
                    if c in (0, 2):
                        done[j] = True
                    else:
                        out[j].append(c)
            if all(done) or int(last.max()) >= self.s["context"]:
                break
            keep = torch.cat([keep, torch.zeros(n, 1, 1, 1)], 3)
            logits = self.forward(nxt[:, None], last[:, None], keep, cache)
            last = last + 1
        return list(zip(out, done))


def evaluate(r, qs, temperature=0.0, context=None, batch=60, show=0, lock=None):
    """{task: [right, asked]} and the answers."""
    score, texts = {}, [None] * len(qs)
    prompts = [r.tok.encode(corpus.chatml(s.turns, generate=True)) for s in qs]
    if context:
        prompts = [x[-context:] for x in prompts]
    # Batches of like expected length: an answer is cut a little after the longest right one of its batch, and is wrong then.
    room = [answer_room(s, r.tok) for s in qs]
    order = sorted(range(len(qs)), key=lambda i: (room[i], len(prompts[i])))
    for a in range(0, len(order), batch):
        part = order[a:a + batch]
        if lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
        got = r.generate([prompts[i] for i in part], max(room[i] for i in part), temperature, a)
        if lock:
            fcntl.flock(lock, fcntl.LOCK_UN)
        for i, (ids, ended) in zip(part, got):
            texts[i] = r.tok.decode(ids), ended
    shown = {}
    for s, (text, ended) in zip(qs, texts):
        ok = grade(s, text, ended)
        c = score.setdefault(s.task, [0, 0])
        c[0] += ok
        c[1] += 1
        if not ok and shown.get(s.task, 0) < show:
            shown[s.task] = shown.get(s.task, 0) + 1
            print(f"  {s.task}: {s.turns[-1][1]!r} wanted {s.answer!r} got {text!r}", file=sys.stderr)
    return score, texts


PROMPTS = ["Hello!", "Who are you?", "What is 23 + 45?", "What is the capital of France?", "Sort these numbers: 42, 7, 19, 88", "Reverse the word lamp.",
           'Make a JSON object with name Anna and age 31.', "Translate to Spanish: house", "Tell me a story about a fox named Leo.", "Explain quantum physics.",
           "Repeat exactly: The blue boat 42!", "What is the opposite of hot?"]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("files", nargs="*")
    ap.add_argument("--n", type=int, default=40)
    ap.add_argument("--tasks")
    ap.add_argument("--json")
    ap.add_argument("--show", type=int, default=0)
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--lock", help="file locked (shared) around each batch, so that others can measure in peace")
    ap.add_argument("--prompts", type=int)
    ap.add_argument("--file", default=os.path.join(HERE, "mini.f16.gguf"))
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_grad_enabled(False)
    if a.prompts:
        r = Runner(a.file)
        out = []
        for q in PROMPTS[:a.prompts]:
            x = r.tok.encode(corpus.chatml(corpus.ask(q), generate=True))
            (ids, ended), = r.generate([x])
            out.append(dict(question=q, prompt=x, ids=ids, ended=ended, text=r.tok.decode(ids)))
        print(json.dumps(out, indent=1, ensure_ascii=False))
        return
    files = a.files or [os.path.join(HERE, f"mini.{k}.gguf") for k in ("f32", "f16", "q8_0", "q4_0", "q2_k") if os.path.exists(os.path.join(HERE, f"mini.{k}.gguf"))]
    names = a.tasks.split(",") if a.tasks else list(corpus.TASKS)
    qs = questions(names, a.n)
    lock = open(a.lock, "a") if a.lock else None
    result = {}
    for spec in files:
        path, _, setting = spec.partition(":")
        key, _, val = setting.partition("=")
        r, t0 = Runner(path), time.time()
        score, _ = evaluate(r, qs, float(val) if key == "temp" else 0.0, int(val) if key == "ctx" else None, show=a.show, lock=lock)
        label = os.path.basename(path).replace("mini.", "").replace(".gguf", "") + (" " + setting if setting else "")
        right, asked = sum(v[0] for v in score.values()), sum(v[1] for v in score.values())
        result[label] = dict(tasks={k: dict(right=v[0], asked=v[1]) for k, v in score.items()}, right=right, asked=asked,
                             mean=round(float(np.mean([v[0] / v[1] for v in score.values()])), 4), bytes=os.path.getsize(path), seconds=round(time.time() - t0, 1))
        print(label, f"{right}/{asked}", f"{time.time() - t0:.0f} s", file=sys.stderr, flush=True)
    labels = list(result)
    width = max(map(len, names)) + 2
    print("".ljust(width) + "".join(x.rjust(max(8, len(x) + 2)) for x in labels))
    for t in names:
        print(t.ljust(width) + "".join(f"{100 * result[x]['tasks'][t]['right'] / result[x]['tasks'][t]['asked']:.0f}%".rjust(max(8, len(x) + 2)) for x in labels))
    print("mean".ljust(width) + "".join(f"{100 * result[x]['mean']:.1f}%".rjust(max(8, len(x) + 2)) for x in labels))
    if a.json:
        with open(a.json, "w") as f:
            json.dump(dict(questions=len(qs), per_task=a.n, decoding="greedy unless named", variants=result), f, indent=1)


if __name__ == "__main__":
    main()
