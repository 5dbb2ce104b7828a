#!/usr/bin/env python3
"""Trains switchyard-mini: a Llama-architecture language model, on the CPU, in about an hour.

Matrix products run in bfloat16 through PyTorch, everything between them in the fused kernels of ops.c; forward and
backward are written out by hand (`--check` compares them with PyTorch's autograd). Weight matrices are updated with Muon
(orthogonalised momentum), embeddings and norms with AdamW; the learning rate follows a cosine over the time budget. SIGTERM
saves and ends.

  train.py --minutes 60 [--out DIR] [--lock FILE] [--threads 2]   train, checkpoint and export every few minutes
  train.py --resume checkpoint.pt --minutes 30                    go on; the learning rate starts its cosine again
  train.py --check                                                gradients against autograd
"""
import argparse
import ctypes
import fcntl
import json
import math
import os
import random
import signal
import subprocess
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

try:
    import torch
except ImportError as e:
    sys.exit(f"train.py needs PyTorch 1.13 or later, NumPy and gcc (Debian: python3-torch, python3-numpy, gcc): {e}")

import corpus
from tokenizer import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPE = dict(vocab=1024, dim=256, layers=5, heads=8, kv_heads=4, ffn=768, context=512, theta=10000.0, eps=1e-5)
# A sum that is rounded to 8 bits on the way stays at 256.
SUMS_IN_FLOAT = float(torch.ones(1, 4096).bfloat16() @ torch.ones(4096, 1).bfloat16()) == 4096
OTHER_WEIGHT = 0.04             # loss weight of text the model does not have to produce


def kernels():
    so = os.path.join(HERE, "ops.so")
    src = os.path.join(HERE, "ops.c")
    if not os.path.exists(so) or os.path.getmtime(so) < os.path.getmtime(src):
        subprocess.run(["gcc", "-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fopenmp", "-shared", "-fPIC", src, "-o", so, "-lm"], check=True)
    libc = ctypes.CDLL(None)    # keep freed blocks: a fresh mapping for every activation costs more than the arithmetic
    libc.mallopt(-4, 0)         # M_MMAP_MAX
    libc.mallopt(-1, 2000000000)  # M_TRIM_THRESHOLD
    return ctypes.CDLL(so)


def p(t):
    """The tensor's address; the pointer keeps the tensor alive until the call is over."""
    assert t.is_contiguous()
    a = ctypes.c_void_p(t.data_ptr())
    a.tensor = t
    return a


def product(a, b):
    """a @ b of bfloat16 matrices, summed in float. Without AVX-512 PyTorch would round every partial sum."""
    return a @ b if SUMS_IN_FLOAT else (a.float() @ b.float()).bfloat16()


def rope_table(shape):
    hd = shape["dim"] // shape["heads"]
    f = shape["theta"] ** (-torch.arange(0, hd, 2).double() / hd)
    a = torch.arange(shape["context"]).double()[:, None] * f[None]
    return torch.cat([a.cos(), a.sin()], 1).float().contiguous()


class Model:
    """Parameters by name, float32; gradients of the same shapes in `grad`."""

    def __init__(self, shape, seed=0):
        self.s = s = shape
        g = torch.Generator().manual_seed(seed)
        hd = s["dim"] // s["heads"]
        self.w = {"embed": torch.randn(s["vocab"], s["dim"], generator=g) * 0.05, "norm": torch.ones(s["dim"])}
        for i in range(s["layers"]):
            self.w[f"{i}.an"] = torch.ones(s["dim"])
            self.w[f"{i}.qkv"] = torch.randn((s["heads"] + 2 * s["kv_heads"]) * hd, s["dim"], generator=g) * s["dim"] ** -0.5
            self.w[f"{i}.o"] = torch.zeros(s["dim"], s["heads"] * hd)
            self.w[f"{i}.fn"] = torch.ones(s["dim"])
            self.w[f"{i}.gu"] = torch.randn(2 * s["ffn"], s["dim"], generator=g) * s["dim"] ** -0.5
            self.w[f"{i}.down"] = torch.zeros(s["dim"], s["ffn"])
        self.grad = {k: torch.zeros_like(v) for k, v in self.w.items()}
        self.cs = rope_table(s)
        self.c = kernels()

    def step(self, ids, target, weight, docs):
        """Loss of one flat batch (mean over the weights); leaves the gradients in self.grad."""
        s, w, g, c = self.s, self.w, self.grad, self.c
        n, d, f, h, k, eps = len(ids), s["dim"], s["ffn"], s["heads"], s["kv_heads"], ctypes.c_float(s["eps"])
        nd = len(docs) - 1
        b = {name: v.bfloat16() for name, v in w.items() if v.dim() == 2}
        bf = lambda *shape: torch.empty(*shape, dtype=torch.bfloat16)

        def norm(x, name):
            y, r = bf(n, d), torch.empty(n)
            c.rms_fwd(p(x), p(w[name]), p(y), p(r), n, d, eps)
            return y, r

        x = w["embed"][ids].contiguous()
        saved = []
        for i in range(s["layers"]):
            xa = x.clone()
            ya, ra = norm(x, f"{i}.an")
            qkv = product(ya, b[f"{i}.qkv"].t())
            o, lse = bf(n, d), torch.empty(n, h)
            c.attn_fwd(p(qkv), p(docs), nd, h, k, p(self.cs), p(o), p(lse))
            c.add_to(p(x), p(product(o, b[f"{i}.o"].t())), ctypes.c_long(n * d))
            xf = x.clone()
            yf, rf = norm(x, f"{i}.fn")
            gu = product(yf, b[f"{i}.gu"].t())
            hid = bf(n, f)
            c.swiglu_fwd(p(gu), p(hid), n, f)
            c.add_to(p(x), p(product(hid, b[f"{i}.down"].t())), ctypes.c_long(n * d))
            saved.append((xa, ya, ra, qkv, o, lse, xf, yf, rf, gu, hid))
        y, r = norm(x, "norm")
        logits = product(y, b["embed"].t())
        loss, total = torch.empty(n), float(weight.sum())
        c.xent(p(logits), p(target), p(weight), p(loss), ctypes.c_float(total), n, s["vocab"])

        def norm_back(dy, x, name, r, dx):
            g[name].zero_()
            part = torch.zeros(8, d)
            c.rms_bwd(p(dy), p(x), p(w[name]), p(r), p(dx), p(g[name]), p(part), 8, n, d)

        g["embed"].copy_(product(logits.t(), y))
        dx = torch.zeros(n, d)
        norm_back(product(logits, b["embed"]), x, "norm", r, dx)
        db = bf(n, d)
        for i in reversed(range(s["layers"])):
            xa, ya, ra, qkv, o, lse, xf, yf, rf, gu, hid = saved.pop()
            c.to_bf16(p(dx), p(db), ctypes.c_long(n * d))
            g[f"{i}.down"].copy_(product(db.t(), hid))
            c.swiglu_bwd(p(product(db, b[f"{i}.down"])), p(gu), n, f)
            g[f"{i}.gu"].copy_(product(gu.t(), yf))
            norm_back(product(gu, b[f"{i}.gu"]), xf, f"{i}.fn", rf, dx)
            c.to_bf16(p(dx), p(db), ctypes.c_long(n * d))
            g[f"{i}.o"].copy_(product(db.t(), o))
            dqkv = torch.empty_like(qkv)
            c.attn_bwd(p(product(db, b[f"{i}.o"])), p(qkv), p(lse), p(docs), nd, h, k, p(self.cs), p(dqkv))
            g[f"{i}.qkv"].copy_(product(dqkv.t(), ya))
            norm_back(product(dqkv, b[f"{i}.qkv"]), xa, f"{i}.an", ra, dx)
        g["embed"].index_add_(0, ids, dx)
        return float(loss.sum()) / total


def reference(w, s, ids, target, weight, docs):
    """The same loss in plain float32 PyTorch, for --check and for the greedy decoding that others are compared with."""
    logits = reference_logits(w, s, ids, docs)
    nll = torch.nn.functional.cross_entropy(logits, target.long(), reduction="none")
    return (nll * weight).sum() / weight.sum()


def reference_logits(w, s, ids, docs):
    n, h, k = len(ids), s["heads"], s["kv_heads"]
    hd = s["dim"] // h
    doc = torch.zeros(n, dtype=torch.long)
    pos = torch.zeros(n, dtype=torch.long)
    for i in range(len(docs) - 1):
        doc[docs[i]:docs[i + 1]] = i
        pos[docs[i]:docs[i + 1]] = torch.arange(int(docs[i + 1] - docs[i]))
    mask = (doc[:, None] == doc[None]) & (torch.arange(n)[:, None] >= torch.arange(n)[None])
    cs = rope_table(s)[pos]
    cos, sin = cs[:, None, :hd // 2], cs[:, None, hd // 2:]

    def rope(x):
        a, b = x[..., ::2], x[..., 1::2]
        return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)

    def norm(x, g):
        return x * (x.pow(2).mean(-1, keepdim=True) + s["eps"]).rsqrt() * g

    x = w["embed"][ids]
    for i in range(s["layers"]):
        qkv = (norm(x, w[f"{i}.an"]) @ w[f"{i}.qkv"].t()).view(n, h + 2 * k, hd)
        q, kk, v = rope(qkv[:, :h]), rope(qkv[:, h:h + k]), qkv[:, h + k:]
        kk, v = kk.repeat_interleave(h // k, 1), v.repeat_interleave(h // k, 1)
        a = torch.einsum("ihd,jhd->hij", q, kk) * hd ** -0.5
        a = a.masked_fill(~mask, float("-inf")).softmax(-1)
        x = x + torch.einsum("hij,jhd->ihd", a, v).reshape(n, -1) @ w[f"{i}.o"].t()
        gu = norm(x, w[f"{i}.fn"]) @ w[f"{i}.gu"].t()
        x = x + (torch.nn.functional.silu(gu[:, :s["ffn"]]) * gu[:, s["ffn"]:]) @ w[f"{i}.down"].t()
    return norm(x, w["norm"]) @ w["embed"].t()


class Data:
    """Endless flat batches of whole conversations."""

    def __init__(self, tok, seed, context):
        self.tok, self.rng, self.context, self.left = tok, random.Random(seed), context, None
        self.nl = tok.encode("\n")

    def doc(self):
        ids, wt = [], []
        for role, text, weight in corpus.conversation(self.rng):
            head = [1] + self.tok.encode(role + "\n")
            body = self.tok.encode(text) + [2]
            ids += head + body + self.nl
            if weight:          # a short answer must not drown in the long ones
                weight *= min(2.0, (10 / len(body)) ** 0.5)
            wt += [OTHER_WEIGHT] * len(head) + [weight or OTHER_WEIGHT] * len(body) + [OTHER_WEIGHT]
        return ids[:self.context], wt[:self.context]

    def batch(self, n):
        ids, target, weight, docs = [], [], [], [0]
        while len(ids) < n:
            i, w = self.left or self.doc()
            self.left = None
            room = n - len(ids)
            if len(i) > room:
                if room > 64 or len(ids) == 0:
                    self.left = None
                else:
                    self.left = (i, w)
                i, w = i[:room], w[:room]
            ids += i
            target += i[1:] + [0]
            weight += w[1:] + [0.0]
            docs.append(len(ids))
        return torch.tensor(ids), torch.tensor(target, dtype=torch.int32), torch.tensor(weight), torch.tensor(docs, dtype=torch.int32)


def orthogonalise(m, steps=5):
    """Nearest semi-orthogonal matrix, roughly: a quintic Newton-Schulz iteration in bfloat16."""
    x = m.bfloat16()
    flip = x.shape[0] > x.shape[1]
    if flip:
        x = x.t().contiguous()
    x = x / (x.float().norm() + 1e-7).bfloat16()
    for _ in range(steps):
        a = product(x, x.t())
        b = -4.7750 * a + 2.0315 * product(a, a)
        x = 3.4445 * x + product(b, x)
    return (x.t() if flip else x).float()


class Optimiser:
    def __init__(self, model, muon_lr=0.02, adam_lr=3e-3, decay=0.05):
        self.m, self.muon_lr, self.adam_lr, self.decay = model, muon_lr, adam_lr, decay
        self.a = {k: torch.zeros_like(v) for k, v in model.w.items()}
        self.v = {k: torch.zeros_like(v) for k, v in model.w.items() if not self.matrix(k)}
        self.ema = {k: v.clone() for k, v in model.w.items()}
        self.t = 0

    @staticmethod
    def matrix(name):
        return name.split(".")[-1] in ("qkv", "o", "gu", "down")

    def blocks(self, name, t):
        s = self.m.s
        hd = s["dim"] // s["heads"]
        if name.endswith("qkv"):
            return t.split([s["heads"] * hd, s["kv_heads"] * hd, s["kv_heads"] * hd])
        return t.split(s["ffn"]) if name.endswith("gu") else [t]

    def step(self, scale):
        self.t += 1
        keep = min(0.995, self.t / (self.t + 10))
        for k, w in self.m.w.items():
            g, a = self.m.grad[k], self.a[k]
            if self.matrix(k):
                a.mul_(0.95).add_(g, alpha=0.05)
                u = g.lerp(a, 0.95)
                lr = self.muon_lr * scale
                for wb, ub in zip(self.blocks(k, w), self.blocks(k, u)):
                    wb.mul_(1 - lr * self.decay).add_(orthogonalise(ub), alpha=-lr * max(1.0, ub.shape[0] / ub.shape[1]) ** 0.5)
            else:
                v = self.v[k]
                a.mul_(0.9).add_(g, alpha=0.1)
                v.mul_(0.98).addcmul_(g, g, value=0.02)
                lr = self.adam_lr * scale
                w.addcdiv_(a / (1 - 0.9 ** self.t), (v / (1 - 0.98 ** self.t)).sqrt().add_(1e-8), value=-lr)
            self.ema[k].mul_(keep).add_(w, alpha=1 - keep)


def save(path, model, opt, info):
    torch.save({"w": model.w, "ema": opt.ema, "a": opt.a, "v": opt.v, "t": opt.t, "shape": model.s, "info": info}, path + ".part")
    os.replace(path + ".part", path)


def check():
    torch.manual_seed(1)
    m = Model(SHAPE)
    for k in m.w:
        if k.endswith((".o", ".down")):
            m.w[k].normal_(0, 0.05)
    data = Data(Tokenizer.load(os.path.join(HERE, "tokenizer.json")), 3, SHAPE["context"])
    ids, target, weight, docs = data.batch(700)
    loss = m.step(ids, target, weight, docs)
    w = {k: v.clone().requires_grad_() for k, v in m.w.items()}
    ref = reference(w, m.s, ids, target, weight, docs)
    ref.backward()
    print(f"loss {loss:.5f} reference {float(ref):.5f}")
    bad = 0
    for k, v in w.items():
        cos = torch.nn.functional.cosine_similarity(m.grad[k].flatten(), v.grad.flatten(), 0)
        ratio = m.grad[k].norm() / v.grad.norm()
        bad += not (cos > 0.998 and 0.98 < ratio < 1.02)
        print(f"{k:8} cos {cos:.5f} ratio {ratio:.4f}")
    sys.exit(bad and f"{bad} gradients differ")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--minutes", type=float, default=60, help="minutes of work; waiting for the lock does not count")
    ap.add_argument("--wall", type=float, default=1e9, help="minutes after which to end in any case")
    ap.add_argument("--tokens", type=int, default=6144, help="tokens a step")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--lock", help="file locked (shared) around each second of work, so that others can measure in peace")
    ap.add_argument("--out", default=HERE)
    ap.add_argument("--export-minutes", type=float, default=5)
    ap.add_argument("--max-steps", type=int)
    ap.add_argument("--resume")
    ap.add_argument("--peak", type=float, default=1.0, help="scale of the learning rate")
    ap.add_argument("--check", action="store_true")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.set_grad_enabled(a.check)
    if a.check:
        check()
    kernels().omp_set_num_threads(a.threads)
    m = Model(SHAPE, a.seed)
    opt = Optimiser(m)
    data = Data(Tokenizer.load(os.path.join(HERE, "tokenizer.json")), a.seed, SHAPE["context"])
    done = dict(steps=0, tokens=0, minutes=0.0, busy_s=0.0, cpu_s=0.0)
    if a.resume:
        c = torch.load(a.resume)
        for mine, theirs in ((m.w, c["w"]), (opt.ema, c["ema"]), (opt.a, c["a"]), (opt.v, c["v"])):
            for k, v in theirs.items():
                mine[k].copy_(v)
        opt.t = c["t"]
        done.update({k: v for k, v in c["info"].items() if k in done})
        data = Data(data.tok, f"{a.seed}+{opt.t}", SHAPE["context"])
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    lock = open(a.lock, "a") if a.lock else None
    log = open(os.path.join(a.out, "train.log"), "a" if a.resume else "w")
    budget, start = a.minutes * 60, time.time()
    cpu0, steps, seen, smooth, last_export, last_log, chunk_start, held, busy = time.process_time(), 0, 0, None, time.time(), 0, 0, False, 0.0

    def info():
        return dict(steps=done["steps"] + steps, tokens=done["tokens"] + seen, loss=round(smooth or 0, 4), minutes=round(done["minutes"] + (time.time() - start) / 60, 2),
                    busy_s=round(done["busy_s"] + busy, 1), cpu_s=round(done["cpu_s"] + time.process_time() - cpu0, 1))

    def export():
        path = os.path.join(a.out, "checkpoint.pt")
        save(path, m, opt, info())
        subprocess.run([sys.executable, os.path.join(HERE, "export_gguf.py"), path, "--out", a.out], check=False)

    while True:
        now = time.time()
        frac = max(busy / budget, (now - start) / 60 / a.wall)
        if a.max_steps:
            frac = steps / a.max_steps
        if frac >= 1 or stop:
            break
        if lock and not held:
            fcntl.flock(lock, fcntl.LOCK_SH)
            held, chunk_start = True, time.time()
        t0 = time.time()
        loss = m.step(*data.batch(a.tokens))
        scale = a.peak * min(1.0, (opt.t + 1) / 40) * (0.5 * (1 + math.cos(math.pi * frac)) * 0.98 + 0.02)
        opt.step(scale)
        steps += 1
        seen += a.tokens
        busy += time.time() - t0
        smooth = loss if smooth is None else smooth + max(0.03, 1 / steps) * (loss - smooth)
        if held and time.time() - chunk_start > 1:
            fcntl.flock(lock, fcntl.LOCK_UN)
            held = False
            time.sleep(0.005)
        if now - last_log > 15:
            last_log = now
            print(json.dumps(dict(info(), lr=round(scale, 4))), file=log, flush=True)
        if now - last_export > a.export_minutes * 60:
            last_export = now
            export()
    if held:
        fcntl.flock(lock, fcntl.LOCK_UN)
    export()
    print(json.dumps(info()), file=log, flush=True)


if __name__ == "__main__":
    main()
