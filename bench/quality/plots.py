"""The plots of the evaluation."""

import os

from svg import COLOURS, Plot


def delays(results, path):
    comparison = results["cells"]["comparison"]
    plot = Plot("Requests until a change from 1 % is seen, at one false alarm in 10^6", "bad replies after the change, %",
                "own requests, mean", (1.8, 34, True), (10, 200_000, True))
    for i, row in enumerate(comparison["rows"]):
        points = [(100 * effect, delay["mean"]) for effect, delay in zip(comparison["effects"], row["delays"])]
        ours = i == 0
        plot.line(row["name"], points, COLOURS[i % len(COLOURS)], dashed=not ours, width=3.5 if ours else 1.5)
    plot.save(path)


def false_ejects(results, path):
    rows = results["cells"]["nulls"]
    plot = Plot("False ejects of a healthy target whose days differ (bad: 1 %)", "spread of its days, sd of the log rate",
                "in 10^6 requests", (0, .52, False), (.01, 200, True))
    for i, rule in enumerate(("m0 = p0", "m0 rule, spread known", "m0 rule, learnt", "as shipped")):
        points = [(r["day_sd"], max(r["per_million"], .01)) for r in rows if r["rule"] == rule and r["healthy"] == .01]
        plot.line(rule, points, COLOURS[i])
    plot.level(1, "asked for: at most 1")
    plot.save(path)


def incidents(results, path):
    plot = Plot("A silent incident: the share of the degraded target", "minutes from the change", "share of the requests",
                (-10, 60, False), (0, .6, False))
    wanted = ("1 -> 5 %, as shipped", "1 -> 10 %, as shipped", "1 -> 30 %, as shipped")
    for i, name in enumerate(wanted):
        for row in results["loop"]["incidents"]:
            if row["name"] == name:
                points = [(m, share) for m, share, _ in row["course"] if -10 <= m <= 60]
                plot.line(name.replace(", as shipped", ""), points, COLOURS[i], marks=False)
    plot.save(path)


def arms(results, path):
    plot = Plot("Probe tokens until the model's change is seen, and the floor", "KL a first token, nats", "probe tokens",
                (1e-4, 10, True), (4, 100_000, True))
    rows = results["model"]["arms"]
    kl = [10 ** (e / 4) for e in range(-16, 5)]
    plot.line("floor: ln(10^4)/KL", [(x, min(max(9.21 / x, 4), 100_000)) for x in kl], "#222222", dashed=True, marks=False)

    def points(value):
        return [(max(r["kl"]["probes"]["nats"], 1e-4), value(r)) for r in rows if value(r)]

    def seen(summary, factor=1.0):
        return summary["mean"] * factor if summary["missed"] == 0 else None

    plot.marks("one token, T = 1", points(lambda r: seen(r["sampling"][0])), COLOURS[0])
    plot.marks("16 greedy, quiet engine", points(lambda r: seen(r["greedy"][0], 16)), COLOURS[1])
    plot.marks("log-probabilities", points(lambda r: seen(r["logprobs"][0]["calls"]) if "logprobs" in r else None), COLOURS[2])
    plot.save(path)


def write(results, folder):
    delays(results, os.path.join(folder, "quality-delays.svg"))
    false_ejects(results, os.path.join(folder, "quality-false-ejects.svg"))
    incidents(results, os.path.join(folder, "quality-incidents.svg"))
    arms(results, os.path.join(folder, "quality-arms.svg"))
