"""Writes docs/quality-evaluation.md out of the results."""

from targets import TARGETS, number, rows_of


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    out += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(out) + "\n"


def percent(value, digits=1):
    return f"{100 * value:.{digits}f} %"


def rate(value):
    return f"{100 * value:.3g} %"


def delay(summary):
    if summary["missed"] == summary["runs"]:
        return f"not within {number(summary['mean'])}"
    mark = f" (not in {summary['missed']} of {summary['runs']} runs)" if summary["missed"] else ""
    return f"{number(summary['mean'])} ({number(summary['p95'])}){mark}"


def targets_table(results):
    rows = []
    for target in TARGETS:
        for what, asked, measured, met, note in rows_of(target, results):
            rows.append((target.number, what, asked, measured, {True: "yes", False: "**no**", None: "-"}[met], note))
    return table(("#", "what", "target", "measured", "met", "why, and the floor"), rows)


def delay_section(results):
    cells = results["cells"]
    rows = [(f"{rate(r['healthy'])} -> {rate(r['degraded'])}", rate(r["allowed"]), delay(r), number(r["floor"]))
            for r in cells["delays"]]
    shipped = [(f"{rate(r['healthy'])} -> {rate(r['degraded'])}", rate(r["allowed"]), delay(r)) for r in cells["shipped"]]
    return ("Own requests from the change to the eject, mean (95 %), after a healthy history; the whole weight is the signal's, one "
            "false eject in 10^6. The floor is Wald's ln(A)/KL for a test that knows both rates and starts at the change; a "
            "sum that was already running can be a little earlier.\n\n"
            + table(("bad replies", "allowed (m0)", "requests", "ln(A)/KL"), rows)
            + "\nAs shipped, a tool call's signal has a fifth of the weight, allows .5 points more than is usual, and takes days to "
            "differ by .2 until it has measured them:\n\n" + table(("bad replies", "allowed (m0)", "requests"), shipped))


def null_section(results):
    rows = []
    for r in results["cells"]["nulls"]:
        rows.append((rate(r["healthy"]), r["day_sd"], r["rule"], f"{r['requests']:.3g}", f"{r['per_million']:.2f}",
                     percent(r["suspicious"], 2), percent(r["below_full"], 2), f"{r['weight']:.4f}"))
    return ("A healthy target of 10,000 requests a day. Every day has its own rate, log-normal around the usual one. `m0 = p0` is the "
            "design without a margin; `spread known` has the rule with the true mean and spread; `learnt` is the gateway's own learning "
            "from the target's first days, renewed every 100 days; `as shipped` has the weight and the tolerance of tool calls too.\n\n"
            + table(("bad", "spread of days", "rule", "requests", "false ejects in 10^6", "odds above 100:1", "quality below .95",
                     "mean weight"), rows)
            + "\n![False ejects against the spread of days](images/quality-false-ejects.svg)\n")


def comparison_section(results):
    comparison = results["cells"]["comparison"]
    head = ["rule", "false alarms in 10^6"] + [f"1 -> {100 * e:.0f} %" for e in comparison["effects"]]
    rows = []
    for r in comparison["rows"]:
        rows.append([r["name"] + (f" (at {number(r['threshold'])})" if 0 < r["threshold"] < 1e5 else ""),
                     f"{r['false_per_million']:.2f}"] + [number(d["mean"]) for d in r["delays"]])
    envoy = [(r["hosts"], rate(r["degraded"]), percent(r["found"]), f"{r['false_per_million']:.1f}") for r in results["cells"]["outlier"]]
    return ("Thresholds of windows and EWMA are the least with at most one false alarm in 10^6 healthy requests. The judge is as it comes.\n\n"
            + table(head, rows) + "\n![Delay against the size of the change](images/quality-delays.svg)\n"
            + "\nEnvoy's success-rate rule (mean less 1.9 standard deviations, five hosts at least, 200 requests a host and interval), "
            "fed with the same observations; one host is degraded, 1 % means none is:\n\n"
            + table(("hosts", "bad at one", "intervals in which it is found", "false ejects in 10^6"), envoy)
            + "\nWith two to four targets it cannot speak, with five it finds a host that is alone at its level, and it ejects healthy hosts "
            "tens of times in 10^6 requests: a success rate has no baseline of its own there.\n")


def incident_section(results):
    rows = []
    for r in results["loop"]["incidents"]:
        rows.append((r["name"], delay(r["own_to_half"]), delay(r["own_to_eject"]), delay(r["total_to_eject"]),
                     f"{r['share']['mean']:.3f}", percent(r["share_while_out"], 2), f"{number(r['minutes_to_full']['mean'])} ({number(r['minutes_to_full']['p95'])})",
                     r["state_changes_max"], f"{r['recovered']} of {r['runs']}"))
    return ("Two equal targets, ten requests a second, the gateway's own board and plans on a virtual clock, views every 100 ms. Baselines were "
            "learnt over 18 days. Without `as shipped` there are no probes and no tolerance, which is what the targets are about; with it, "
            "all is as shipped, with canaries. The repair comes five minutes after the eject (two hours where it says so); the first "
            "ejection lasts ten.\n\n"
            + table(("bad replies", "own requests to half weight", "to eject", "all requests to eject", "its share until then", "while out",
                     "minutes from repair to full share", "state changes, most", "recovered"), rows)
            + "\n![Shares over time](images/quality-incidents.svg)\n")


def benign_section(results):
    rows = [(r["name"], f"{r['requests']:.3g}", r["ejects"], f"{1e6 * r['ejects'] / r['requests']:.2f}", percent(r["below_full"], 2),
             r["state_changes"], r["last_target_out"]) for r in results["loop"]["benign"]]
    bad = results["loop"]["all_bad"]
    return ("Whole gateway logic (board and plans), two targets, as shipped, after 18 days of learning in which the oddity is part of life.\n\n"
            + table(("arm", "requests", "ejects", "in 10^6", "time below full weight", "state changes", "ticks without a target"), rows)
            + f"\nAll targets bad, one after the other (2, 3 and 4 of them, {bad['requests']:.2g} requests): at most {bad['ejected_max_percent']} % were "
            f"out at a time, no target served at {bad['last_target_out']} ticks, {bad['unserved']:.0f} requests found none.\n")


def model_section(results):
    model = results["model"]
    rows, harm = [], []
    for r in model["arms"]:
        kl = r["kl"]
        rows.append((r["name"], f"{kl['any']['nats']:.2g}", f"{kl['stories']['nats']:.2g}", number(kl["stories"]["floor"]), f"{kl['probes']['nats']:.2g}",
                     number(kl["probes"]["floor"]), delay(r["sampling"][0]), delay(r["sampling"][1])))
        harm.append((r["name"], percent(r["harm"]["wrong"]), percent(r["harm"]["broken_json"])))
    healthy = model["healthy_harm"]
    head = ("arm", "KL a token, all tasks", "KL, stories", "floor, stories (10^6)", "KL, probes' first token", "floor (10^4)", "tokens, 1 a prompt",
            "tokens, 3 a prompt")
    greedy = [[r["name"]] + [f"{percent(g['changed'], 0)}: {delay(g)}" for g in r["greedy"]] for r in model["arms"]]
    logprobs = [[r["name"]] + [f"{delay(c['calls'])}; {c['power']:.2f}" for c in r["logprobs"]] for r in model["arms"] if "logprobs" in r]
    nulls = model["nulls"]
    alarms = "; ".join(f"{n['per_prompt']} a prompt: {n['alarms']:.0f} alarms in {n['rounds']:.3g} healthy rounds" for n in nulls["sampling"])
    alarms += "; greedy: " + ", ".join(f"{n['alarms']:.0f} in {n['probes']:.3g} probes at noise {n['noise']}" for n in nulls["greedy"])
    return ("The bundled model, its F16 weights as F32, is the healthy one; each arm is what a provider might do to it. KL is that of what the arm "
            "says to what the healthy model would, over the arm's own answers at temperature 1. The floor is ln(A)/KL. Sampling is "
            "`SamplingTest`: 20 prompts, the first token of each, a reference of 100 rounds, A = 10^4 rounds.\n\n"
            + table(head, rows) + "\n![Probe tokens against the divergence](images/quality-arms.svg)\n"
            + f"\nFalse alarms: {alarms}.\n\nGreedy probes of 16 tokens (20 stories, a reference of 20 replies each): how many replies changed, and "
            "probes to the alarm, at three levels of noise on the logits:\n\n"
            + table(["arm"] + [f"noise {n['noise']}" for n in nulls["greedy"]], greedy)
            + "\nLog-probabilities (5 prompts, top 20): one-token calls to the sequential alarm; and the power of one test of ten calls at 1 % false "
            "alarms:\n\n" + table(("arm", "noise .01", "noise .03", "noise .1"), logprobs)
            + "\nWhat users get, at temperature 1: wrong short answers (healthy: " + percent(healthy["wrong"]) + f" of {healthy['asked']}) and replies that are "
            f"no JSON where it was asked for (healthy: {percent(healthy['broken_json'])} of {healthy['asked_json']}):\n\n"
            + table(("arm", "wrong answers", "broken JSON"), harm))


def mixing_section(results):
    out = []
    for name, rows in results["model"]["mixing"].items():
        out.append(f"\n{name}, a share of the requests:\n\n"
                   + table(("share", "tokens, sampling", "greedy probes"), [(r["share"], delay(r["sampling"]), delay(r["greedy"])) for r in rows]))
    sessions = [(percent(r["stuck"]), f"{rate(r['good'])} -> {rate(r['bad'])}", delay(r["clustering"]), delay(r["turns"]))
                for r in results["cells"]["sessions"]]
    return ("".join(out) + "\nSticky: some of the sessions (3 to 12 turns) are stuck to a bad server; sessions until the evidence is 10^6, by "
            "`session_cluster` and by the plain rate of the same sessions:\n\n"
            + table(("sessions stuck", "bad turns", "by clustering", "by rate"), sessions))


def border_section(results):
    b = results["cells"]["border"]
    return (f"Synthetic border inputs with the shape of the recorded ones: 26 prompts, 100 references each over 5 days, days that move by a total "
            f"variation of .03 to .08 and once .15, then another model. {b['runs']} sequences: {b['false_alarms']} had an alarm in their "
            f"{number(b['healthy_probes'])} healthy probes (evidence at its peak: median {number(b['evidence_max']['p50'])}); after the swap "
            f"{delay(b['delay'])} one-token probes. The published rule, three days of 200 probes, takes {b['published_rule']}.\n")


def live_section(results):
    rows = []
    for r in results.get("live", []):
        if "failed" in r:
            rows.append((r["fault"], percent(r["rate"], 0), r["failed"], "", "", "", "", ""))
            continue
        rows.append((r["fault"].replace("_", " "), percent(r["rate"], 0), r["own_to_eject"] if r["ejected"] else "not ejected", r["total_to_eject"], f"{r['share']:.2f}",
                     percent(r["share_while_out"]), f"{r['seconds_to_full']:.0f} s" if r["recovered"] else "not yet",
                     ", ".join(f"{n} x {status}" for status, n in r["statuses"].items())))
    if not rows:
        return "Left out of this run.\n"
    return ("Two upstreams, each the bundled model's real answers to questions for JSON behind a shim that spoils some; the real gateway in front, as "
            "shipped but for the time that learning and ejections take (5 s); one client, a few hundred requests a second.\n\n"
            + table(("fault", "replies spoilt", "own requests to eject", "all requests", "its share until then", "while out", "repair to full share",
                     "what the client got"), rows))


def cost_section(results):
    c, e = results["loop"]["costs"], results["loop"]["explain"]
    return (f"One stream's update of both statistics: {c['detector_ns']:.0f} ns; an observation of a reply with 16 signals into the board: "
            f"{c['board_ns_16_signals']:.0f} ns. A stream's detector has {c['detector_bytes']} bytes; the stream with its baseline {c['stream_bytes']}, "
            f"and {c['stratum_bytes']} for each stratum in use.\n\n"
            f"{number(e['decisions'])} random decisions: the printed terms give every share back to {e['share_error_max']:.1g}; "
            f"{e['different']} differ after being written and read back, {e['unread']} could not be read.\n")


def text(results):
    command = "bench/quality/run.sh" + (" --quick" if results.get("quick") else "")
    parts = [("The targets", targets_table), ("How soon a change is seen", delay_section), ("How often nothing was wrong", null_section),
             ("Against other rules", comparison_section), ("Incidents in a closed loop", incident_section),
             ("Days on which nothing is wrong", benign_section), ("A real model, degraded", model_section),
             ("Mixing and sticky mixing", mixing_section), ("Border inputs", border_section), ("Through the gateway", live_section),
             ("Costs and explanations", cost_section)]
    out = ["# Evaluation of scores and routing\n",
           f"Written by `{command}` in {results['minutes']:.0f} minutes; every figure is of that run, seeds are fixed. A delay is "
           "mean (95th percentile).\n"]
    for title, section in parts:
        out.append(f"\n## {title}\n\n{section(results)}")
    return "\n".join(out)
