"""What tools/demo runs once Python is there; its --help is in tools/demo."""

import argparse
import os
import pathlib
import sys
import time

import curve as curves
from processes import Failed, Workshop, build, program
from report import write_report
from story import Follower, Story
from terminal import view_for_output

PROGRAMS = ("fairlead", "fairlead-autoscaler", "fairlead-load", "fairlead-origin", "fairleadctl")

# A server answers in 20 ms and 8 requests at once; the autoscaler keeps it at 4, which are 200 requests per second.
LATENCY_MS = 20
CONCURRENCY = 8
TARGET_IN_FLIGHT = 4
SERVERS_MIN = 1
SERVERS_MAX = 16

CONFIGURATION = """\
management: {{listen: ["unix:{folder}/management.sock"]}}
observation: {{listen: "127.0.0.1:0"}}
resources:
  listeners:
    - {{name: web, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app}}
  backends:
    - {{name: app, balance: {{algorithm: RANDOM}}}}
"""


def argument_parser():
    """Its help is the head of tools/demo, which must be readable before Python is there."""
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--trace", metavar="FILE.csv")
    parser.add_argument("--days", type=float, default=1)
    parser.add_argument("--peak", type=float)
    parser.add_argument("--report", default="demo-report.html", metavar="FILE")
    return parser


def parse_arguments():
    parser = argument_parser()
    arguments = parser.parse_args()
    if not 20 <= arguments.seconds <= 3600:
        parser.error(f"--seconds: {arguments.seconds:g} is out of range [20, 3600]")
    if arguments.days <= 0:
        parser.error(f"--days: {arguments.days:g} must be more than 0")
    return arguments


def peak_that_fits():
    return min(2000, 700 * len(os.sched_getaffinity(0)))


def start_data_plane(workshop):
    configuration = workshop.folder / "fairlead.yaml"
    configuration.write_text(CONFIGURATION.format(folder=workshop.folder))
    ready_file = workshop.folder / "fairlead.json"
    data_plane = workshop.start("fairlead", [program("fairlead"), f"--config={configuration}",
                                             f"--ready-file={ready_file}"])
    ready = data_plane.wait_for_file(ready_file)
    return data_plane, ready["listeners"]["web"][0]


def start_autoscaler(workshop, run_seconds, days):
    # The days are compressed, so the autoscaler's times are, too.
    pace = max(0.25, run_seconds / 60 / days)
    origin = (f"{program('fairlead-origin')} --listen=127.0.0.1:0 --ready-file={{ready_file}} --name={{name}} "
              f"--latency={LATENCY_MS}ms --concurrency={CONCURRENCY}")
    return workshop.start("autoscaler", [
        program("fairlead-autoscaler"), f"--dataplane=unix:{workshop.folder}/management.sock", "--backend=app",
        f"--target-in-flight={TARGET_IN_FLIGHT}", f"--min={SERVERS_MIN}", f"--max={SERVERS_MAX}",
        "--interval=250ms", "--load-window=1s", f"--down-window={4 * pace}s",
        f"--scale-up-limit=4,100%/{2 * pace}s", f"--scale-down-limit=2,34%/{2 * pace}s", "--drain-timeout=10s",
        f"--origin-command={origin}", f"--state-directory={workshop.folder}/autoscaler",
        f"--events={workshop.folder}/events.jsonl", "--stop-servers-on-exit"])


def wait_for_first_server(story, events, autoscaler, seconds=20):
    deadline = time.monotonic() + seconds
    while story.count("ready") < SERVERS_MIN:
        autoscaler.check_running()
        if time.monotonic() > deadline:
            raise Failed(f"the autoscaler added no server within {seconds} s:\n{autoscaler.log_tail()}")
        for line in events.lines():
            story.on_event_line(line)
        time.sleep(0.05)


def start_load(workshop, address, run_seconds, peak, curve):
    schedule = workshop.folder / "schedule.csv"
    curve.write_schedule(schedule, run_seconds, peak)
    report = workshop.folder / "load.jsonl"
    load = workshop.start("load", [
        program("fairlead-load"), f"--target={address}", f"--schedule={schedule}", "--interval=250ms",
        "--new-connections=0.05", "--slow-share=0.004", "--slow-latency=1s", "--upload-share=0.01",
        "--upload-bytes=65536", "--upload-duration=300ms", "--timeout=10s", f"--report={report}"])
    return load, Follower(report)


def follow(story, view, load, load_lines, events, others):
    while True:
        running = load.is_running()
        for line in load_lines.lines():
            story.on_load_line(line)
        for line in events.lines():
            story.on_event_line(line)
        view.draw(time.time() - story.start)
        if not running:
            return
        for process in others:
            process.check_running()
        time.sleep(0.1)


def run(arguments, curve, story, workshop):
    peak = arguments.peak or peak_that_fits()
    data_plane, address = start_data_plane(workshop)
    autoscaler = start_autoscaler(workshop, arguments.seconds, curve.length_seconds / curves.DAY)
    events = Follower(workshop.folder / "events.jsonl")
    wait_for_first_server(story, events, autoscaler)
    load, load_lines = start_load(workshop, address, arguments.seconds, peak, curve)
    story.begin_load()
    view = view_for_output()(story, curve, arguments.seconds, TARGET_IN_FLIGHT)
    try:
        follow(story, view, load, load_lines, events, (data_plane, autoscaler))
    finally:
        view.close()
    if story.summary is None:
        raise Failed(f"the load ended without a summary:\n{load.log_tail()}")


def conclude(story, path):
    summary = story.summary
    for failure in summary["failures"]:
        print(f"failed: {failure['count']} {failure['cause']}: {failure['example']}")
    scaled = story.scaled_out_and_in()
    if not scaled:
        print("the servers did not scale out and in: the load was too flat, or the autoscaler too late")
    print(f"report: {path}")
    print(f"requests={summary['requests']} failed={summary['failed']} "
          f"servers_added={story.number_of('server_added')} servers_removed={story.number_of('server_deleted')} "
          f"p99_ms={summary['p99_ms']:.1f}")
    return 0 if scaled and summary["failed"] == 0 and summary["requests"] > 0 else 1


def main():
    arguments = parse_arguments()
    try:
        curve = curves.trace_curve(arguments.trace, arguments.days) if arguments.trace else curves.day_curve()
        build(PROGRAMS)
        story = Story()
        with Workshop("demo") as workshop:
            run(arguments, curve, story, workshop)
        write_report(arguments.report, story, curve, arguments.seconds, TARGET_IN_FLIGHT)
        return conclude(story, arguments.report)
    except Failed as error:
        print(f"tools/demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntools/demo: interrupted; everything that it had started is ended", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
