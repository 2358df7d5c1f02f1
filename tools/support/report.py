"""demo-report.html: one self-contained page that shows what happened."""

import html
import json
import os
import pathlib
import platform
import time

import chart

TEMPLATE = pathlib.Path(__file__).with_name("report.html")


def write_report(path, story, curve, run_seconds, target_in_flight):
    last = max([run_seconds] + [sample["at"] for sample in story.samples])
    # The last answers come a moment after the last request; that need not make every tick an odd number.
    seconds = last if last > 1.02 * run_seconds else run_seconds
    page = TEMPLATE.read_text()
    for key, value in {
            "SUBTITLE": html.escape(subtitle(curve, run_seconds)),
            "TILES": tiles(story),
            "CHART": draw(story, curve, seconds, target_in_flight),
            "FAILURES": failures(story),
            "MACHINE": html.escape(machine()),
            "DATA": json.dumps(hover_data(story, curve, seconds)).replace("<", "\\u003c"),
    }.items():
        page = page.replace("{{" + key + "}}", value)
    pathlib.Path(path).write_text(page)


def subtitle(curve, run_seconds):
    return (f"{curve.title[0].upper()}{curve.title[1:]} in {run_seconds:g} seconds: the autoscaler starts servers, "
            "adds them to the data plane, drains and removes them, while requests flow.")


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{time.strftime('%Y-%m-%d %H:%M')}, {len(os.sched_getaffinity(0))} CPUs, {memory:.0f} GB, Linux {platform.release()}; data plane, autoscaler, "
            "servers and load share the machine")


def tiles(story):
    summary = story.summary
    ready = story.ready_over_time() or [0]
    entries = [
        (f"{summary['requests']:,}", "requests", ""),
        (f"{summary['failed']:,}", "failed", "good" if summary["failed"] == 0 else "bad"),
        (f"{story.number_of('server_added'):,}", "servers added", ""),
        (f"{story.number_of('server_deleted'):,}", "servers removed", ""),
        (f"{min(ready)} – {max(ready)}", "servers at once", ""),
        (f"{summary['p50_ms']:.1f} ms", "p50 latency", ""),
        (f"{summary['p99_ms']:.1f} ms", "p99 latency", ""),
    ]
    return "".join(f'<div class="tile {kind}"><b>{value}</b><span>{label}</span></div>' for value, label, kind in entries)


def failures(story):
    if not story.summary["failures"]:
        return ""
    rows = "".join(f"<li><b>{entry['count']:,}</b> {html.escape(entry['cause'])}: {html.escape(entry['example'])}</li>"
                   for entry in story.summary["failures"])
    return f'<section class="failures"><h2>Failed requests</h2><ul>{rows}</ul></section>'


def column(samples, key):
    return [(sample["at"], sample[key]) for sample in samples]


def highest(*columns):
    return max((value for points in columns for _, value in points), default=1)


def draw(story, curve, seconds, target_in_flight):
    axis = chart.TimeAxis(seconds)
    samples = story.samples
    moments = story.moments_between(0, samples[-1]["at"] if samples else 0)
    plots = [load_plot(axis, samples), server_plot(axis, moments), latency_plot(axis, samples),
             in_flight_plot(axis, samples, moments, target_in_flight)]
    bottom = plots[-1].bottom
    moves = [event for event in story.events
             if event["event"] in ("server_added", "server_resumed", "server_deleted") and 0 <= event["at"] <= seconds]
    parts = [f'<svg id="chart" viewBox="0 0 {chart.WIDTH} {bottom + 44}" role="img" '
             f'data-left="{chart.LEFT}" data-right="{chart.WIDTH - chart.RIGHT}" data-seconds="{seconds}">']
    parts += [f'<line x1="{axis.x(event["at"]):.1f}" x2="{axis.x(event["at"]):.1f}" y1="{chart.TOP}" y2="{bottom}" '
              'class="event"/>' for event in moves]
    for plot in plots:
        parts += plot.parts
    parts += chart.event_marks(axis, plots[1], moves)
    parts += failure_marks(axis, plots[0], samples)
    parts += chart.time_ticks(axis, bottom, curve.length_seconds, lambda share: curve.clock(share))
    parts.append(f'<line id="cursor" y1="{chart.TOP}" y2="{bottom}" x1="-9" x2="-9"/></svg>')
    return "".join(parts)


def load_plot(axis, samples):
    rate, target = column(samples, "rate"), column(samples, "target_rate")
    plot = chart.Plot(axis, 0, "Load", "req/s", highest(rate, target))
    plot.area(rate, "blue")
    plot.line(rate, "blue")
    plot.line(target, "muted", dashed=True, width=1.2)
    plot.legend([("requests sent", "blue", False), ("curve", "muted", True)])
    return plot


def server_plot(axis, moments):
    def stacked(*states):
        return [(moment["at"], sum(moment[state] for state in states)) for moment in moments]
    ready, wanted = stacked("ready"), stacked("desired")
    with_draining, with_starting = stacked("ready", "draining"), stacked("ready", "draining", "starting")
    plot = chart.Plot(axis, 1, "Servers", "", highest(with_starting, wanted))
    plot.band(stacked(), ready, "green", 0.55)
    plot.band(ready, with_draining, "amber", 0.85)
    plot.band(with_draining, with_starting, "blue", 0.5)
    plot.line(wanted, "ink", dashed=True, steps=True, width=1.3)
    plot.legend([("ready", "green", False), ("draining", "amber", False), ("starting", "blue", False),
                 ("wanted", "ink", True)])
    return plot


def latency_plot(axis, samples):
    # A moment without requests has no latency.
    seen = [sample for sample in samples if sample["p99_ms"] > 0]
    p50, p99 = column(seen, "p50_ms"), column(seen, "p99_ms")
    plot = chart.Plot(axis, 2, "Latency, from the moment when a request was due", "ms", highest(p99))
    plot.line(p99, "rose")
    plot.line(p50, "teal")
    plot.legend([("p50", "teal", False), ("p99", "rose", False)])
    return plot


def in_flight_plot(axis, samples, moments, target_in_flight):
    in_flight = column(samples, "in_flight")
    target = [(moment["at"], moment["ready"] * target_in_flight) for moment in moments]
    plot = chart.Plot(axis, 3, "Requests in flight", "", highest(in_flight, target))
    plot.area(in_flight, "violet")
    plot.line(in_flight, "violet", width=1.4)
    plot.line(target, "muted", dashed=True, steps=True, width=1.2)
    plot.legend([("in flight", "violet", False), (f"ready servers × {target_in_flight:g}", "muted", True)])
    return plot


def failure_marks(axis, plot, samples):
    for sample in samples:
        if sample["failed"] > 0:
            x = axis.x(sample["at"])
            yield (f'<path d="M{x:.1f},{plot.top}V{plot.bottom}" stroke="var(--bad)" stroke-width="2.5">'
                   f'<title>{sample["failed"]} failed</title></path>')


def hover_data(story, curve, seconds):
    keys = ("rate", "ready", "draining", "starting", "desired", "p50_ms", "p99_ms", "in_flight", "failed")
    return [[sample["at"], curve.clock(min(1.0, sample["at"] / seconds)), *(round(sample[key], 1) for key in keys)]
            for sample in story.samples]
