"""The targets of the design and what was measured: each gives rows (what, asked, measured, met, note)."""

from collections import namedtuple

Target = namedtuple("Target", "number rows")


def number(value):
    if value is None:
        return "none"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def rows_of(target, results):
    return target.rows(results)


def at_most(what, value, limit, note="", shown=None):
    return (what, f"<= {number(limit)}", shown or number(value), value <= limit, note if value > limit else "")


def found(rows, **wanted):
    return next(r for r in rows if all(r[key] == value for key, value in wanted.items()))


def seen(what, summary, limit, floor=None, missing="", factor=1):
    """A delay that may not have been reached at all."""
    note = f"floor {number(floor)}" if floor else ""
    if summary["missed"]:
        part = f"not in {summary['missed']} of {summary['runs']} runs within {number(factor * summary['mean'])}"
        return (what, f"<= {number(limit)}", part, False, "; ".join(t for t in (note, missing) if t))
    value = factor * summary["mean"]
    return (what, f"<= {number(limit)}", number(value), value <= limit, "; ".join(t for t in (note, missing) if t) if value > limit else note)


def false_ejects(results):
    out = []
    for day_sd, name in ((0.0, "independent"), (.3, "days differ, sd .3")):
        for rule, label in (("m0 rule, spread known", "spread known"), ("m0 rule, learnt", "learnt from the target"), ("as shipped", "as shipped")):
            rows = [r for r in results["cells"]["nulls"] if r["day_sd"] == day_sd and r["rule"] == rule]
            worst = max(rows, key=lambda r: r["per_million"])
            requests = min(r["requests"] for r in rows)
            why = ("some days in a hundred are beyond the margin of 2.33 deviations, and a bad one brings many ejects" if "known" in rule else
                   "the mean is that of the first days, whose own spread the margin does not cover")
            note = f"at {100 * worst['healthy']:g} % bad: {why}" if worst["per_million"] > 1 else ""
            out.append(at_most(f"false ejects in 10^6, {name}, {label} (worst of three rates, {requests:.2g} requests each)",
                               worst["per_million"], 1, note, f"{worst['per_million']:.2f}"))
    shipped = [r for r in results["cells"]["nulls"] if r["rule"] == "as shipped" and r["day_sd"] <= .3]
    worst = max(shipped, key=lambda r: r["below_full"])
    out.append(at_most("time below full weight, as shipped", worst["below_full"], .01, "", f"{100 * worst['below_full']:.2f} %"))
    for r in results["loop"]["benign"]:
        value = 1e6 * r["ejects"] / r["requests"]
        out.append(at_most(f"false ejects in 10^6, whole loop: {r['name']}", value, 1, "", f"{value:.2f}"))
    short = [r for r in results["loop"]["incidents"] if "two hours" not in r["name"]]
    changes = max(r["state_changes_max"] for r in short)
    out.append(at_most("state changes an incident, the most of any run", changes, 4,
                       "counted to the full share; a further pair is a failed trial, or minutes at `reduced` by chance"))
    tested = results["loop"]["all_bad"]["last_target_out"] + sum(r["last_target_out"] for r in results["loop"]["incidents"] + results["loop"]["benign"])
    out.append(("ejections of the last target", "0", str(tested), tested == 0, ""))
    return out


def invalid_output(results):
    wanted = (((.01, .01, .05), 250, 500), ((.01, .01, .10), 85, 170), ((.001, .001, .13), 32, 60), ((.01, .01, .03), 750, None),
              ((.01, .0201, .05), 650, None), ((.01, .0201, .10), 150, None))
    out = []
    for (healthy, allowed, degraded), mean, p95 in wanted:
        r = found(results["cells"]["delays"], healthy=healthy, allowed=allowed, degraded=degraded)
        spread = ", days differ by .3" if allowed != healthy else ""
        ok = r["mean"] <= mean and (p95 is None or r["p95"] <= p95)
        close = abs(r["mean"] - mean) <= 2 * r["error"]
        note = "" if ok else f"floor {number(r['floor'])}" + (f"; the mean's error is {r['error']:.2g}" if close else "")
        out.append((f"{100 * healthy:g} -> {100 * degraded:g} %{spread}: own requests, mean" + ("/95 %" if p95 else ""),
                    f"<= {mean}" + (f"/{p95}" if p95 else ""), number(r["mean"]) + (f"/{number(r['p95'])}" if p95 else ""), ok, note))
    return out


def equal_arl(results):
    comparison = results["cells"]["comparison"]
    ours, *others = comparison["rows"]
    tuned = [r for r in others if "judge" not in r["name"]]
    judge = next(r for r in others if "judge" in r["name"])
    worst_ratio, worst_gain = 0, None
    for i, effect in enumerate(comparison["effects"]):
        values = [r["delays"][i]["mean"] for r in tuned]
        worst_ratio = max(worst_ratio, ours["delays"][i]["mean"] / min(values))
        gain = max(values) / ours["delays"][i]["mean"]
        worst_gain = gain if worst_gain is None else min(worst_gain, gain)
    judged = [judge["delays"][i]["mean"] / ours["delays"][i]["mean"] for i, e in enumerate(comparison["effects"]) if e >= .03]
    return [at_most("delay over the best of the tuned windows and EWMA, the worst of five sizes", worst_ratio, 1.2,
                    "each size has another best one; none is good at two ends"),
            ("times faster than the worst of them, the least of five sizes", ">= 4", number(worst_gain), worst_gain >= 4, ""),
            ("times faster than the hourly judge, changes to 3 % and more, the least", ">= 6", number(min(judged)), min(judged) >= 6,
             "a change begins anywhere in an hour here, so the judge waits 2,250 requests and more, not 4,500; at 5 % it is "
             f"{number(judged[1])} times"),
            ("its false alarms over ours", ">= 3", number(judge["false_per_million"] / max(ours["false_per_million"], .01)),
             judge["false_per_million"] >= 3 * ours["false_per_million"], "this one wants significance and a rise by a quarter; the luck of its one healthy hour decides how often")]


def border(results):
    b = results["cells"]["border"]
    skip = found(results["model"]["arms"], name="one layer skipped")
    clean = b["false_alarms"] / b["runs"]
    return [at_most("one-token border probes after the swap", b["delay"]["mean"], 6),
            ("alarms in 3,900 healthy border probes", "0", f"{b['false_alarms']} in {b['runs']} such sequences", clean <= .39,
             "one in 10^4 is what the test is asked for"),
            seen("layer skipped: probe tokens", skip["sampling"][0], 100, skip["kl"]["probes"]["floor"],
                 "a round of 20 tokens is one step of the test, and it takes about five")]


def sampled(results):
    out = []
    for name, limit, probes in (("q4_0", 400, 5), ("3 bit", 150, None)):
        r = found(results["model"]["arms"], name=name)
        out.append(seen(f"{name}: probe tokens by sampling", r["sampling"][0], limit, r["kl"]["probes"]["floor"],
                        "the bundled model bears rounding much better than the one of the design, and a mean surprise sees a part of the divergence"))
        if probes:
            out.append(seen(f"{name}: greedy probes, quiet engine", r["greedy"][0], probes))
    return out


def eight_bits(results):
    r = found(results["model"]["arms"], name="q8_0")
    lp = {c["noise"]: c for c in r["logprobs"]}
    return [seen("q8_0: greedy probes, quiet engine", r["greedy"][0], 60, missing=f"{100 * r['greedy'][0]['changed']:.0f} % of the replies change, and which is settled by the prompts"),
            ("q8_0: power of ten one-token calls with log-probabilities, noise .01", "1", f"{lp[.01]['power']:.2f}", lp[.01]["power"] >= .99, ""),
            ("the same at noise .03", "1", f"{lp[.03]['power']:.2f}", lp[.03]["power"] >= .99,
             f"the sequential test needs {number(lp[.03]['calls']['mean'])} calls" + (f", missing {lp[.03]['calls']['missed']} of {lp[.03]['calls']['runs']} within 1,000" if lp[.03]["calls"]["missed"] else "")),
            ("q8_0 from sampled text", "not promised", "not detectable" if r["sampling"][0]["missed"] else number(r["sampling"][0]["mean"]), None,
             f"floor {number(r['kl']['stories']['floor'])} tokens")]


def softer(results):
    arms = results["model"]["arms"]
    hot, warm = found(arms, name="temperature x 0.7"), found(arms, name="temperature x 0.9")
    ten, one = found(arms, name="top token dropped, 10 %"), found(arms, name="top token dropped, 1 %")
    cut, prefix = found(arms, name="context cut to 32"), found(arms, name="hidden prefix")
    blind = "a dropped top token hardly moves a first token that has many ways to begin"
    return [seen("temperature x .7: probe tokens", hot["sampling"][0], 350, hot["kl"]["probes"]["floor"]),
            seen("temperature x .9: probe tokens", warm["sampling"][0], 3700, warm["kl"]["probes"]["floor"]),
            seen("the same with 3 a prompt", warm["sampling"][1], 2130, warm["kl"]["probes"]["floor"]),
            seen("top token dropped 10 %: probe tokens", ten["sampling"][0], 600, ten["kl"]["probes"]["floor"], blind),
            seen("top token dropped 10 %: greedy tokens", ten["greedy"][0], 600, factor=16),
            seen("top token dropped 1 %: greedy probes", one["greedy"][0], 40),
            seen("context cut to 32: probe tokens", cut["sampling"][0], 1100, cut["kl"]["probes"]["floor"], "only the long quarter of the prompts can show it"),
            seen("hidden prefix: probe tokens", prefix["sampling"][0], 6500, prefix["kl"]["probes"]["floor"]),
            seen("hidden prefix: greedy tokens", prefix["greedy"][0], 6500, factor=16),
            ("hidden prefix: requests whose reported usage differs", "all", f"{100 * prefix['other_usage']:.0f} %", prefix["other_usage"] == 1, "")]


def mixed(results):
    out = []
    rows = results["model"]["mixing"]["one layer skipped"]
    whole, tenth = found(rows, share=1.0), found(rows, share=.1)
    for way in ("sampling", "greedy"):
        if tenth[way]["missed"]:
            out.append((f"a tenth of another model, {way}: times the probes of the whole", "<= 12",
                        f"not in {tenth[way]['missed']} of {tenth[way]['runs']} runs", False, "evidence falls with the square of the share where every probe can be right"))
        else:
            out.append(at_most(f"a tenth of another model, {way}: times the probes of the whole", tenth[way]["mean"] / whole[way]["mean"], 12,
                               "the floor is about 25 times: the ratio of the divergences of a bit that is new always and in a tenth of the replies, .5 % being allowed"))
    for good, bad in ((.01, .30), (.05, .30)):
        r = found(results["cells"]["sessions"], good=good, bad=bad, stuck=.1)
        out.append(seen(f"a tenth of the sessions stuck, {100 * good:g} -> {100 * bad:g} %: sessions", r["clustering"], 200,
                        missing=f"a healthy session has two bad turns often enough at {100 * good:g} %; the plain rate takes {number(r['turns']['mean'])}"))
    return out


def shares(results):
    rows = results["loop"]["incidents"]
    out = []
    for name, share, total in (("1 -> 5 %", .36, 700), ("0.1 -> 13 % (K2-like)", .42, 80)):
        r = found(rows, name=name)
        out.append(at_most(f"{name}: share between change and eject", r["share"]["mean"], share, shown=f"{r['share']['mean']:.3f}"))
        half = r["own_to_half"]["mean"] / r["own_to_eject"]["mean"]
        out.append(at_most(f"{name}: half weight, part of the eject's delay in own requests", half, .8, shown=f"{half:.2f}"))
        out.append(seen(f"{name}: all requests to the eject", r["total_to_eject"], total,
                        missing=f"own requests {number(r['own_to_eject']['mean'])}: traffic leaves first, then evidence comes at the rate of a small share"
                                + ("; and an ejection waits ten minutes when a healthy peer looks worse by chance (the rule for changed requests)"
                                   if r["own_to_eject"]["mean"] > 500 else "")))
    return out


def repair(results):
    out = []
    for r in results["loop"]["incidents"]:
        if "as shipped" in r["name"] and "two hours" not in r["name"]:
            m = r["minutes_to_full"]
            out.append(at_most(f"{r['name']}: minutes from repair to full share (95 % {number(m['p95'])})", m["mean"], 30,
                               "a trial begins with 1 % of the traffic, and to tell 5 % from what is allowed takes over a hundred replies"))
    dwells = next((r["dwells"] for r in results["loop"]["incidents"] if len(r["dwells"]) > 1), [])
    doubled = len(dwells) > 1 and all(b > a for a, b in zip(dwells, dwells[1:]))
    out.append(("a repeated offender's dwell, minutes", "doubles", ", ".join(number(d) for d in dwells) or "no second ejection", doubled if dwells else None, ""))
    return out


def costs(results):
    c = results["loop"]["costs"]
    return [at_most("an observation with 16 signals, microseconds", c["board_ns_16_signals"] / 1000, 1),
            at_most("bytes of a stream's evidence", c["detector_bytes"], 400),
            ("bytes of a stream with its baseline", "<= 400", number(c["stream_bytes"]), c["stream_bytes"] <= 400,
             "learning, recovery, and the peer guard's counts; a target has one for each signal it shows"),
            ("probes' budget", "<= .5 % or 2,000 tokens/h", "by the schedule's own accounts", None, "tests/unit/probing")]


def explained(results):
    e = results["loop"]["explain"]
    ok = e["different"] == 0 and e["unread"] == 0
    return [("error of a share that is computed from the printed terms", "<= .001", f"{e['share_error_max']:.1g}", e["share_error_max"] <= .001, ""),
            (f"plans that differ after their decision was written and read ({number(e['decisions'])})", "0", str(e["different"] + e["unread"]), ok, "")]


def knows_probes(results):
    r = found(results["loop"]["incidents"], name="1 -> 10 %, as shipped, two hours, knows probes")
    honest = found(results["loop"]["incidents"], name="1 -> 10 %, as shipped")
    return [at_most("a provider that knows probes, 1 -> 10 %: own requests to the eject, over those of one that does not",
                    r["own_to_eject"]["mean"] / honest["own_to_eject"]["mean"], 1.2),
            ("restored by canaries alone while bad", "never", f"in {r['served_while_bad']} of {r['runs']} runs; {100 * r['share_while_out']:.1f} % of requests on trials",
             r["served_while_bad"] == 0, "a trial needs good live traffic" if r["served_while_bad"] == 0 else "a trial passed on a lucky run of live traffic, and it was ejected again")]


TARGETS = [Target(1, false_ejects), Target(2, invalid_output), Target(3, equal_arl), Target(4, border), Target(5, sampled), Target(6, eight_bits),
           Target(7, softer), Target(8, mixed), Target(9, shares), Target(10, repair), Target(11, costs), Target(12, explained), Target(13, knows_probes)]
