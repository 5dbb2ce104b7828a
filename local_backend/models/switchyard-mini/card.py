#!/usr/bin/env python3
"""Writes MODEL_CARD.md from eval.json, the last line of the training log and the files on disk.

  card.py train.log
"""
import json
import os
import sys

import corpus
from train import SHAPE

HERE = os.path.dirname(os.path.abspath(__file__))
ABOUT = {"identity": "who or what it is", "greeting": "hello, thanks, goodbye, ping", "add": "sums up to 99 + 99, unseen pairs", "subtract": "differences up to 99, unseen pairs",
         "multiply": "products up to 12 x 12, unseen wordings", "worksheet": "2 to 6 sums at once", "compare": "the larger or smaller of two numbers", "sequence": "the next number",
         "count_to": "counting from a to b", "sort": "3 to 6 numbers, up or down", "extreme": "largest or smallest of 3 to 7", "count_words": "words in a phrase",
         "count_letters": "letters in a word", "copy": "repeating a phrase exactly", "reverse": "a word backwards", "spell": "a word letter by letter", "case": "upper or lower case",
         "letter_at": "first or last letter", "word_at": "first, second or last word", "json_get": "a field of a JSON object", "json_make": "a JSON object with given fields",
         "yes_no": "yes or no questions", "capital": "capitals, unseen wordings", "opposite": "antonyms, unseen wordings", "plural": "plurals, unseen wordings",
         "fact": "colours, days, months, small facts", "listing": "n members of a category", "translate": "words to and from Spanish, French, German", "recall": "a fact told earlier",
         "recall_long": "the same after long filler", "obey": "system prompts: uppercase, one word, a name, an ending, translate", "refuse": "out-of-scope questions", "story": "a short story with the asked hero"}


def main():
    e = json.load(open(os.path.join(HERE, "eval.json")))
    t = json.loads(open(sys.argv[1]).read().strip().split("\n")[-1])
    v = e["variants"]
    labels = list(v)
    rows = "\n".join(f"| {k} | {ABOUT.get(k, '')} | " + " | ".join(f"{100 * v[x]['tasks'][k]['right'] / v[x]['tasks'][k]['asked']:.0f}" for x in labels) + " |" for k in v[labels[0]]["tasks"])
    s = SHAPE
    count = s["vocab"] * s["dim"] + s["dim"] + s["layers"] * (2 * s["dim"] + s["dim"] * s["dim"] * 2 + 2 * s["dim"] * s["kv_heads"] * s["dim"] // s["heads"] + 3 * s["dim"] * s["ffn"])
    files = "\n".join(f"| `{f}` | {os.path.getsize(os.path.join(HERE, f)):,} |" for f in sorted(os.listdir(HERE)) if f.endswith(".gguf"))
    open(os.path.join(HERE, "MODEL_CARD.md"), "w").write(f"""# switchyard-mini

The small language model that comes with Switchyard; `mini.q8_0.gguf` is part of the executable. It answers when nothing else is configured, so that a first run needs
no account and no network; it is the provider of last resort; and it is a subject whose quality can be measured: it does
many small tasks with one right answer each, so that a worse copy of it (quantized further, with a cut context, sampled
hotter, swapped for another model) scores visibly worse.

It is not a general assistant. It knows a few hundred facts, works in English, and says that it is a very small model when
asked for more, or is simply wrong.

## Shape

| | |
|---|---|
| architecture | Llama (RMSNorm, rotary embedding on neighbouring pairs, grouped-query attention, SwiGLU, no biases) |
| parameters | {count:,} (tied embedding) |
| width, layers, feed-forward | {s['dim']}, {s['layers']}, {s['ffn']} |
| heads, key-value heads, head size | {s['heads']}, {s['kv_heads']}, {s['dim'] // s['heads']} |
| context | {s['context']} tokens, rotary base {s['theta']:.0f} |
| vocabulary | {s['vocab']}: 3 special tokens, 256 bytes, {s['vocab'] - 259} merges; byte-level BPE, pre-tokenizer `gpt-2`; a digit is always one token |
| chat format | ChatML; ends a turn with `<|im_end|>` (id 2) |
| licence | Apache-2.0 |

Every matrix has rows of 256 or 768 weights, so the 256-weight blocks of the K-quants fit.

## Files

| file | bytes |
|---|---|
{files}

`mini.q2_k.gguf`, where present, is quantized into the Q2_K format by plain minimum and maximum, without a search for good
scales. It is meant to be bad.

## Data

Everything it learned from is synthetic and our own: `corpus.py` writes chats from templates, word lists (`lexicon.py`) and
a small story grammar, {len(corpus.TASKS)} tasks in all, with a seed. One combination in {corpus.HOLDOUT} of each task (a pair of numbers, a word, a
phrase, a fact in a certain wording) is held out by a hash and never trained on. Facts themselves cannot be held out: for
capitals, antonyms, plurals, products and translations the held-out part is the fact in that wording.
For `identity`, `greeting`, `listing` and the questions of `fact` with one wording the split is by a random number, so the same
question was seen in training: those scores show retention, not generalization.

## Training

`train.py`, on two CPU cores shared with other work: {t['tokens']:,} tokens in {t['steps']:,} steps of 4,096, {t['cpu_s'] / 60:.0f} minutes of processor time
({t['busy_s'] / 60:.0f} minutes at work, {t['minutes']:.0f} of wall time). Matrices with Muon, embedding and norms with AdamW, cosine schedule, bfloat16 products with
float accumulation, loss on the assistant's tokens (others weigh little). The schedule was restarted three times, and twice the task shares were
shifted from what was already learned (greetings, facts, stories) to what was not (arithmetic, letters, copying); `corpus.py` holds the last
shares, so a run from scratch gives a similar model, not the same one. The exported weights are a moving average.
Checked against PyTorch's autograd: every gradient's cosine is above 0.999.

## Accuracy

Per cent right on {e['per_task']} held-out questions a task ({e['questions']} in all), greedy decoding unless named, weights dequantized to float32. `temp=1`
samples at temperature 1; `ctx=48` keeps only the last 48 tokens of the prompt.

| task | | {' | '.join(labels)} |
|---|---|{'---|' * len(labels)}
{rows}
| **mean** | | {' | '.join(f"**{100 * v[x]['mean']:.1f}**" for x in labels)} |

`eval.json` has the counts; `eval.py`, which needs PyTorch, wrote it. With {e['questions']} questions the standard error of a mean is about one point: Q8_0 is not to be told from F32 here,
Q4_0 hardly, Q2_K and a cut context at once. Task shares were chosen while looking at held-out accuracy per task, so the table is a
little kind to the model.

## The same questions to the local engine

    python3 local_backend/models/switchyard-mini/evaluate.py

asks the built engine the same 990 questions, greedy, and holds the mean against `eval.json`; it needs Python and the build, and takes
some twenty seconds. The engine rounds activations to 8 bits where weights are quantized, which the table's evaluation does not.

| file | engine | table | tasks whose count differs |
|---|---|---|---|
| `mini.q8_0.gguf` | 88.3 | 88.4 | listing 14 of 30 (15) |
| `mini.q4_0.gguf` | 87.0 | 86.9 | subtract 25 (24), sort 23 (24), copy 28 (27) |
| `mini.f16.gguf` | 88.2 | 88.2 (F32) | none |

`reference_greedy.json` and `reference_tokens.json` hold greedy continuations and tokenizations that the engine's tests must reproduce
exactly: 20 prompts each for `mini.f16.gguf` and `mini.q8_0.gguf`, 16 strings. `mini.q2_k.gguf` is not served yet: the engine reads F32, F16,
Q8_0 and Q4_0.

## Agreement with llama.cpp

`compare_llama.mjs` compares a file with llama.cpp. Tokenization: 67 of 67 strings equal (other scripts, odd white space, emoji, whole
chats). Greedy continuations of 12 prompts against the float32 evaluation of the same file: F32 12, F16 12, Q4_0 12, Q2_K 12, Q8_0 11 of 12
equal; the twelfth is a story that takes another branch at a near-tie ("he" or "she"), since llama.cpp also rounds activations to 8 bits
when weights are quantized. The chat template is read from the file and chats keep their turns.

## Limits

- Answers outside the tasks above are wrong or refusals. It does not reason, browse, call tools or hold a discussion.
- Facts are limited to what `lexicon.py` lists; some answers are wrong with full confidence.
- Weakest: yes/no about numbers and letters (near chance on some), listing without repeats, reversing words, several sums at once.
- The context is {s['context']} tokens; conversations longer than about 400 tokens were rare in training.
- English only, apart from single words of Spanish, French and German.

## Make it again

In this folder:

    python3 corpus.py --text 3000000 --seed 7 > corpus.txt
    python3 tokenizer.py train corpus.txt tokenizer.json 1024
    python3 train.py --check
    mkdir run && python3 train.py --minutes 60 --out run
    python3 export_gguf.py run/checkpoint.pt --out .
    python3 eval.py --n 30 --json eval.json mini.f32.gguf mini.q8_0.gguf mini.q4_0.gguf mini.q2_k.gguf mini.f32.gguf:temp=1.0 mini.f32.gguf:ctx=48
    python3 card.py train.log

The kept `tokenizer.json` was trained on an earlier mix of the same tasks: the first two commands give other merges, so skip them to
keep the vocabulary of the shipped files.

It needs Python 3.11, PyTorch 1.13 or later (CPU), NumPy and gcc; a processor without AVX-512 is several times slower at it. `export_gguf.py` alone needs PyTorch only to read the checkpoint;
`corpus.py`, `tokenizer.py`, `questions.py` and `evaluate.py` need nothing but Python. `train.log` is the log of the training that made the files.
""")


if __name__ == "__main__":
    main()
