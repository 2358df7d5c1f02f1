"""Fairlead, haproxy and nginx side by side: who runs on which processor, rounds in which they take turns, and what is made
of the rounds.

A shared machine drifts by a tenth within seconds, which is more than what is to be seen. Runs of one round are close enough
to each other to have had the same machine, so ratios are taken within a round, and of these the median.
"""

import json
import os
import statistics
import subprocess

import usage
from processes import Failed, program

CONNECTIONS = 64
BODY_BYTES = 34
OTHERS = ("haproxy", "nginx")


def split_processors(say):
    """One for the proxies, the rest for the load and the server."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        say("tools/bench: there is only one processor, so nothing is pinned, and figures are worse for all alike")
        return None, None
    return str(available[0]), ",".join(map(str, available[1:]))


def begin_load(workshop, cpus, name, *flags, **options):
    """One of the load generators, which goes on beside us."""
    return workshop.start("load", [program(name), *flags], cpus=cpus, stdout=subprocess.PIPE, **options)


def end_of_load(workshop, load):
    """Waits for it; what it reports, its summary last."""
    output, _ = load.child.communicate()
    workshop.processes.remove(load)
    if load.child.returncode != 0:
        raise Failed(f"the load generator failed:\n{load.log_tail()}")
    return [json.loads(line) for line in output.splitlines()]


def run_load(workshop, cpus, name, *flags):
    """Its summary."""
    return end_of_load(workshop, begin_load(workshop, cpus, name, *flags))[-1]


WINDOW_SECONDS = 0.2
# Processes start, and connections are made, as nothing of what comes after is.
WARM_UP_WINDOWS = 3
WARM_UP_SECONDS = WARM_UP_WINDOWS * WINDOW_SECONDS


def begin_paced_load(workshop, address, rate, seconds, *flags, **options):
    """Requests at a rate, which count for `seconds` once it is warm."""
    return begin_load(workshop, None, "fairlead-load", f"--target={address}", f"--rate={rate}",
                      f"--duration={seconds + WARM_UP_SECONDS:g}s", f"--warm_up={WARM_UP_SECONDS:g}s",
                      f"--interval={WINDOW_SECONDS}s", *flags, **options)


def end_of_paced_load(workshop, load):
    """The summary, and as "window_p99_ms" the median of what p99 was in each fifth of a second: half of these may be spoilt
    by what else the machine does, a few tens of milliseconds at a time, while p99 of the whole is whatever the worst of
    them was."""
    *windows, summary = end_of_load(workshop, load)
    summary["window_p99_ms"] = statistics.median(window["p99_ms"] for window in windows[WARM_UP_WINDOWS:])
    return summary


def run_paced_load(workshop, address, rate, seconds, *flags):
    return end_of_paced_load(workshop, begin_paced_load(workshop, address, rate, seconds, *flags))


def measure(proxy, run):
    """What `run()`, a load that returns its summary, costs the proxy for each request."""
    proxy.process.check_running()
    before = usage.ProcessorTime(proxy.pid)
    summary = run()
    total, user, system = usage.ProcessorTime(proxy.pid).since(before)
    if summary["failed"] > 0 or summary["completed"] == 0:
        raise Failed(f"{proxy.name}: {summary['failed']} requests failed, {summary['completed']} did not: "
                     f"{summary.get('failures', '')}")
    requests = summary["completed"]
    return {"cpu_us": total / requests, "cpu_user_us": user / requests, "cpu_system_us": system / requests,
            "requests_per_second": summary["rate"], "resident_kb": usage.resident_kb(proxy.pid),
            **{key: summary[key] for key in ("p50_ms", "p99_ms") if key in summary}}


def run_rounds(arguments, say, started, cases, run_case):
    """Runs by case and proxy: {case: {proxy's name: [of each round]}}. run_case(proxy, case, seconds) makes the load and
    returns its summary."""
    runs = {case: {proxy.name: [] for proxy in started} for case in cases}
    for case in cases:
        for proxy in started:
            run_case(proxy, case, 1)  # warms up
    for number in range(arguments.rounds):
        say(f"round {number + 1} of {arguments.rounds}")
        shift = number % len(started)
        for proxy in started[shift:] + started[:shift]:
            for case in cases:
                runs[case][proxy.name].append(
                    measure(proxy, lambda: run_case(proxy, case, arguments.seconds)))  # pylint: disable=cell-var-from-loop
    return runs


def medians(runs):
    """Of one proxy in one case."""
    return {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3


def ratio_quartiles(of_case, other):
    """Fairlead's processor time as a share of the other's: first quartile, median, third of the rounds."""
    return [round(value, 3) for value in quartiles(
        [own["cpu_us"] / its["cpu_us"] for own, its in zip(of_case["fairlead"], of_case[other])])]


def ratios(of_case):
    """For benches of one case: {"cpu_vs_haproxy": ratio, "cpu_vs_haproxy_quartiles": [first, third], ...}."""
    result = {}
    for other in OTHERS:
        if other in of_case:
            first, median, third = ratio_quartiles(of_case, other)
            result |= {f"cpu_vs_{other}": median, f"cpu_vs_{other}_quartiles": [first, third]}
    return result


def by_case(runs):
    """For benches of several cases: {"proxies": {name: {case: medians}}, "vs_haproxy": {case: ratio}, "vs_nginx": ...}."""
    names = list(next(iter(runs.values())))
    result = {"proxies": {name: {case: medians(of_case[name]) for case, of_case in runs.items()} for name in names}}
    for other in OTHERS:
        result[f"vs_{other}"] = {case: ratio_quartiles(of_case, other)[1] for case, of_case in runs.items()}
    return result


def print_by_case(result):
    for case in next(iter(result["proxies"].values())):
        print(f"\n{case:<12}{'CPU us a request':>18}{'user':>10}{'system':>10}{'per second':>12}{'MB':>8}")
        for name, row in result["proxies"].items():
            row = row[case]
            print(f"  {name:<10}{row['cpu_us']:>18.2f}{row['cpu_user_us']:>10.2f}{row['cpu_system_us']:>10.2f}"
                  f"{row['requests_per_second']:>12,.0f}{row['resident_kb'] / 1024:>8.1f}")
    print()
    for other in OTHERS:
        print(f"vs_{other}: " + ", ".join(f"{case} {value:.3f}" for case, value in result[f"vs_{other}"].items()))
