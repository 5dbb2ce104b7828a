#!/usr/bin/env python3
"""Writes a checkpoint of train.py as GGUF v3, and reads such files back.

  export_gguf.py checkpoint.pt --out DIR [--types f32,f16,q8_0,q4_0,q2_k]
  export_gguf.py --describe FILE.gguf

Matrices take the named type; norms stay F32. The embedding is tied: there is no output.weight. Rotary pairs are
neighbouring (2i, 2i+1), which is what the "llama" architecture of GGUF means, so Q and K need no permutation.
q2_k is a plain min-max quantization into the Q2_K format, without the usual search for better scales: it exists to be bad.
"""
import argparse
import os
import struct
import sys

try:
    import numpy as np
except ImportError as e:
    sys.exit(f"export_gguf.py needs NumPy (Debian: python3-numpy): {e}")

HERE = os.path.dirname(os.path.abspath(__file__))
ALIGN = 32
U8, U32, I32, F32T, BOOL, STR, ARR, U64 = 0, 4, 5, 6, 7, 8, 9, 10
TYPES = {"f32": (0, 1, 4, 0), "f16": (1, 1, 2, 1), "q4_0": (2, 32, 18, 2), "q8_0": (8, 32, 34, 7), "q2_k": (10, 256, 84, 10)}  # id, block, bytes, file type
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


# ---------------------------------------------------------------- quantization (ggml's block layouts)
def pack(x, kind):
    """Bytes of a float32 array [rows, cols] in a type; cols is a multiple of the type's block."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    if kind == "f32":
        return x.tobytes()
    if kind == "f16":
        return x.astype(np.float16).tobytes()
    if kind == "q8_0":
        b = x.reshape(-1, 32)
        d = (np.abs(b).max(1) / 127).astype(np.float16)
        inv = np.where(d > 0, 1 / np.maximum(d.astype(np.float32), 1e-12), 0)
        q = np.clip(np.rint(b * inv[:, None]), -127, 127).astype(np.int8)
        return np.concatenate([d[:, None].view(np.uint8), q.view(np.uint8)], 1).tobytes()
    if kind == "q4_0":
        b = x.reshape(-1, 32)
        peak = b[np.arange(len(b)), np.abs(b).argmax(1)]
        d = (peak / -8).astype(np.float16)
        f = d.astype(np.float32)
        inv = np.where(f != 0, 1 / np.where(f != 0, f, 1), 0)
        q = np.clip(np.floor(b * inv[:, None] + 8.5), 0, 15).astype(np.uint8)
        return np.concatenate([d[:, None].view(np.uint8), q[:, :16] | (q[:, 16:] << 4)], 1).tobytes()
    if kind == "q2_k":
        b = x.reshape(-1, 16, 16)                                   # super-block, sub-block, weight
        lo = np.minimum(b.min(2), 0)
        step, m = (b.max(2) - lo) / 3, -lo
        d, dm = (step.max(1) / 15).astype(np.float16), (m.max(1) / 15).astype(np.float16)
        df, mf = d.astype(np.float32)[:, None], dm.astype(np.float32)[:, None]
        sc = np.clip(np.rint(step / np.where(df > 0, df, 1)), 0, 15).astype(np.uint8)
        mn = np.clip(np.rint(m / np.where(mf > 0, mf, 1)), 0, 15).astype(np.uint8)
        s = (df * sc)[:, :, None]
        q = np.clip(np.rint((b + (mf * mn)[:, :, None]) / np.where(s > 0, s, 1)), 0, 3).astype(np.uint8)
        g = q.reshape(-1, 2, 4, 32)                                 # half, shift, lane
        qs = g[:, :, 0] | (g[:, :, 1] << 2) | (g[:, :, 2] << 4) | (g[:, :, 3] << 6)
        return np.concatenate([sc | (mn << 4), qs.reshape(-1, 64), d[:, None].view(np.uint8), dm[:, None].view(np.uint8)], 1).tobytes()
    raise ValueError(kind)


def unpack(raw, kind, shape):
    """The float32 array that the bytes of a tensor stand for."""
    raw = np.frombuffer(raw, np.uint8)
    if kind == "f32":
        return raw.view(np.float32).reshape(shape).copy()
    if kind == "f16":
        return raw.view(np.float16).astype(np.float32).reshape(shape)
    b = raw.reshape(-1, TYPES[kind][2])
    half = lambda a: np.ascontiguousarray(a).view(np.float16).astype(np.float32)
    if kind == "q8_0":
        return (half(b[:, :2]) * np.ascontiguousarray(b[:, 2:]).view(np.int8)).astype(np.float32).reshape(shape)
    if kind == "q4_0":
        q = np.concatenate([b[:, 2:] & 15, b[:, 2:] >> 4], 1).astype(np.float32) - 8
        return (half(b[:, :2]) * q).astype(np.float32).reshape(shape)
    if kind == "q2_k":
        d, dm = half(b[:, 80:82]), half(b[:, 82:84])
        qs = b[:, 16:80].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1) & 3
        sc, mn = d * (b[:, :16] & 15), dm * (b[:, :16] >> 4)
        return (sc[:, :, None] * qs.reshape(-1, 16, 16) - mn[:, :, None]).astype(np.float32).reshape(shape)
    raise ValueError(kind)


# ---------------------------------------------------------------- writing
def string(s):
    s = s.encode()
    return struct.pack("<Q", len(s)) + s


def entry(key, kind, value):
    out = string(key) + struct.pack("<I", ARR if isinstance(kind, tuple) else kind)
    if isinstance(kind, tuple):
        out += struct.pack("<IQ", kind[1], len(value))
        return out + (b"".join(map(string, value)) if kind[1] == STR else struct.pack(f"<{len(value)}i", *value))
    return out + (string(value) if kind == STR else struct.pack({U32: "<I", F32T: "<f", BOOL: "<?"}[kind], value))


def tensors(w, s):
    """(name, float32 array) in file order, from the parameter names of train.py."""
    hd = s["dim"] // s["heads"]
    q, kv = s["heads"] * hd, s["kv_heads"] * hd
    yield "token_embd.weight", w["embed"]
    for i in range(s["layers"]):
        a, g = w[f"{i}.qkv"], w[f"{i}.gu"]
        yield f"blk.{i}.attn_norm.weight", w[f"{i}.an"]
        yield f"blk.{i}.attn_q.weight", a[:q]
        yield f"blk.{i}.attn_k.weight", a[q:q + kv]
        yield f"blk.{i}.attn_v.weight", a[q + kv:]
        yield f"blk.{i}.attn_output.weight", w[f"{i}.o"]
        yield f"blk.{i}.ffn_norm.weight", w[f"{i}.fn"]
        yield f"blk.{i}.ffn_gate.weight", g[:s["ffn"]]
        yield f"blk.{i}.ffn_up.weight", g[s["ffn"]:]
        yield f"blk.{i}.ffn_down.weight", w[f"{i}.down"]
    yield "output_norm.weight", w["norm"]


def write(path, w, s, tok, kind):
    count = sum(v.size for v in w.values())
    meta = [("general.architecture", STR, "llama"), ("general.type", STR, "model"), ("general.name", STR, "switchyard-mini"),
            ("general.description", STR, "The small bundled model of Switchyard: a provider of last resort, and a subject for quality measurements."),
            ("general.license", STR, "Apache-2.0"), ("general.size_label", STR, f"{count / 1e6:.1f}M"), ("general.file_type", U32, TYPES[kind][3]),
            ("general.quantization_version", U32, 2), ("general.languages", (ARR, STR), ["en"]),
            ("llama.block_count", U32, s["layers"]), ("llama.context_length", U32, s["context"]), ("llama.embedding_length", U32, s["dim"]),
            ("llama.feed_forward_length", U32, s["ffn"]), ("llama.attention.head_count", U32, s["heads"]), ("llama.attention.head_count_kv", U32, s["kv_heads"]),
            ("llama.attention.layer_norm_rms_epsilon", F32T, s["eps"]), ("llama.rope.dimension_count", U32, s["dim"] // s["heads"]),
            ("llama.rope.freq_base", F32T, s["theta"]), ("llama.vocab_size", U32, s["vocab"]),
            ("tokenizer.ggml.model", STR, "gpt2"), ("tokenizer.ggml.pre", STR, "gpt-2"), ("tokenizer.ggml.tokens", (ARR, STR), tok.tokens),
            ("tokenizer.ggml.token_type", (ARR, I32), [3] * 3 + [1] * (len(tok.tokens) - 3)), ("tokenizer.ggml.merges", (ARR, STR), [" ".join(m) for m in tok.merges]),
            ("tokenizer.ggml.bos_token_id", U32, 0), ("tokenizer.ggml.eos_token_id", U32, 2), ("tokenizer.ggml.eot_token_id", U32, 2),
            ("tokenizer.ggml.padding_token_id", U32, 0), ("tokenizer.ggml.add_bos_token", BOOL, False), ("tokenizer.ggml.add_eos_token", BOOL, False),
            ("tokenizer.ggml.add_space_prefix", BOOL, False), ("tokenizer.chat_template", STR, TEMPLATE)]
    infos, blobs, at = b"", [], 0
    ts = list(tensors(w, s))
    for name, a in ts:
        k = "f32" if a.ndim == 1 else kind
        raw = pack(a.reshape(-1, a.shape[-1]), k)
        infos += string(name) + struct.pack("<I", a.ndim) + struct.pack(f"<{a.ndim}Q", *reversed(a.shape)) + struct.pack("<IQ", TYPES[k][0], at)
        raw += b"\0" * (-len(raw) % ALIGN)
        blobs.append(raw)
        at += len(raw)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(ts), len(meta)) + b"".join(entry(*m) for m in meta) + infos
    with open(path + ".part", "wb") as f:
        f.write(head + b"\0" * (-len(head) % ALIGN))
        for raw in blobs:
            f.write(raw)
    os.replace(path + ".part", path)


# ---------------------------------------------------------------- reading
def read(path):
    """(metadata, {tensor name: (type, float32 array)}) of a GGUF file with the types above."""
    data = open(path, "rb").read()
    at = 4

    def take(fmt):
        nonlocal at
        v = struct.unpack_from("<" + fmt, data, at)
        at += struct.calcsize("<" + fmt)
        return v[0]

    def text():
        nonlocal at
        n = take("Q")
        at += n
        return data[at - n:at].decode()

    def value(kind):
        if kind == STR:
            return text()
        if kind == ARR:
            sub, n = take("I"), take("Q")
            return [value(sub) for _ in range(n)]
        return take({U8: "B", U32: "I", I32: "i", F32T: "f", BOOL: "?", U64: "Q"}[kind])

    assert data[:4] == b"GGUF" and take("I") == 3
    nt, nk = take("Q"), take("Q")
    meta = {}
    for _ in range(nk):
        k = text()
        meta[k] = value(take("I"))
    infos = []
    for _ in range(nt):
        name, nd = text(), take("I")
        infos.append((name, [take("Q") for _ in range(nd)], take("I"), take("Q")))
    base = at + -at % ALIGN
    names = {v[0]: k for k, v in TYPES.items()}
    out = {}
    for name, ne, t, off in infos:
        k = names[t]
        size = int(np.prod(ne)) // TYPES[k][1] * TYPES[k][2]
        out[name] = (k, unpack(data[base + off:base + off + size], k, tuple(reversed(ne))))
    return meta, out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("checkpoint", nargs="?")
    ap.add_argument("--out", default=HERE)
    ap.add_argument("--types", default="f32,f16,q8_0,q4_0,q2_k")
    ap.add_argument("--raw", action="store_true", help="the weights themselves, not their moving average")
    ap.add_argument("--describe")
    a = ap.parse_args()
    if a.describe:
        meta, ts = read(a.describe)
        for k, v in meta.items():
            print(k, "=", f"[{len(v)} items]" if isinstance(v, list) else repr(v))
        for k, (t, v) in ts.items():
            print(k, t, v.shape, f"std {v.std():.4f}")
        return
    import torch
    from tokenizer import Tokenizer
    c = torch.load(a.checkpoint, map_location="cpu")
    w = {k: v.numpy() for k, v in c["w" if a.raw else "ema"].items()}
    tok = Tokenizer.load(os.path.join(HERE, "tokenizer.json"))
    for kind in a.types.split(","):
        path = os.path.join(a.out, f"mini.{kind}.gguf")
        write(path, w, c["shape"], tok, kind)
        print(path, os.path.getsize(path), "bytes", c["info"])


if __name__ == "__main__":
    main()
