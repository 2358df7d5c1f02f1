"""What tools/bench runs once Python is there; its --help is in tools/bench."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import bench_aftermath
import bench_amplification
import bench_balance
import bench_balancing
import bench_crash
import bench_kill
import bench_requests
import bench_slow
import bench_tls
import bench_toggle
import bench_updates
import proxies
import usage
from processes import Failed, Workshop, build, program

PROGRAMS = sorted({"fairlead-churn", *bench_updates.PROGRAMS})
PROGRAMS_OF = {"balance": bench_balance.PROGRAMS, "crash": bench_crash.PROGRAMS, "toggle": bench_toggle.PROGRAMS,
               "slow": bench_slow.PROGRAMS, "idle": bench_slow.PROGRAMS, "tls": bench_tls.PROGRAMS,
               "kill": bench_kill.PROGRAMS, "amplification": bench_amplification.PROGRAMS,
               "aftermath": bench_aftermath.PROGRAMS,
               **dict.fromkeys(bench_requests.BENCHES, bench_requests.PROGRAMS)}

# Those that are given a workshop: what measures, what prints.
IN_A_WORKSHOP = {
    **bench_balancing.BENCHES, **bench_slow.BENCHES,
    "updates": (bench_updates.updates, bench_updates.print_updates),
    "toggle": (bench_toggle.toggle, bench_toggle.print_toggle),
    "tls": (bench_tls.tls, bench_tls.print_tls),
    "kill": (bench_kill.kill_servers, bench_kill.print_kill),
    "amplification": (bench_amplification.amplification, bench_amplification.print_amplification),
    "aftermath": (bench_aftermath.aftermath, bench_aftermath.print_aftermath),
}


def argument_parser():
    """Its help is the head of tools/bench, which must be readable before Python is there."""
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("what", choices=("http", "tcp", "bodies", "close", "tls", "churn", "balance", "limits", "tail",
                                         "updates", "crash", "takeover", "toggle", "kill", "slow", "idle",
                                         "amplification", "aftermath"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--servers", type=int)
    parser.add_argument("--operations", type=float, default=500)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--times", type=int)
    parser.add_argument("--clients", type=int)
    parser.add_argument("--key", metavar="KEY", choices=("rsa", "ec"), default="rsa")
    return parser


def parse_arguments():
    parser = argument_parser()
    arguments = parser.parse_args()
    own = {"updates": {"rounds": 21, "seconds": 1, "servers": 1_000_000, "rate": 5000},
           "limits": {"times": 1000}, "toggle": {"times": 100}, "tail": {"rounds": 3, "seconds": 5},
           "slow": {"rounds": 7, "seconds": 2}, "idle": {"clients": 10_000},
           "kill": {"times": 5, "rate": 2000}, "amplification": {"rounds": 3, "times": 1000, "clients": 1000},
           "aftermath": {"clients": 1000, "seconds": 60}}.get(arguments.what, {})
    usual = {"rounds": 15, "seconds": 1, "servers": 10_000, "rate": 1000, "times": 20, "clients": 5000}
    for name, default in (usual | own).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
    for name in ("rounds", "seconds", "servers", "operations", "rate", "kills", "times", "clients"):
        if getattr(arguments, name) <= 0:
            parser.error(f"--{name}: {getattr(arguments, name):g} must be more than 0")
    return arguments


def say(text):
    print(text, file=sys.stderr, flush=True)


# churn


def churn_origins(workshop):
    """Three servers on all of 127.0.0.0/8, so that ten thousand addresses need no ten thousand processes."""
    addresses = [proxies.start_origin(workshop, f"origin{number}", flags=["--listen=0.0.0.0:0", f"--name=o{number}"])
                 for number in range(1, 4)]
    return [address.rsplit(":", 1)[1] for address in addresses]


def start_mixed_load(workshop, target, rate):
    report = workshop.folder / "load.jsonl"
    load = workshop.start("load", [
        program("fairlead-load"), f"--target={target}", f"--rate={rate}", "--duration=3600s", "--interval=0s",
        "--new-connections=0.02", "--slow-share=0.03", "--slow-latency=1s", "--upload-share=0.05",
        "--upload-bytes=65536", "--upload-duration=500ms", "--upload-chunked", f"--report={report}"])
    return load, report


def finish_load(load, report):
    load.check_running()
    load.end(seconds=30)
    lines = report.read_text().splitlines()
    if not lines:
        raise Failed(f"the load ended without a summary:\n{load.log_tail()}")
    return json.loads(lines[-1])


def run_churn(workshop, arguments, ports):
    churn = workshop.start("churn", [
        program("fairlead-churn"), f"--management=unix:{workshop.folder}/management.sock", "--backend=app",
        f"--ports={','.join(ports)}", f"--servers={arguments.servers}",
        f"--operations-per-second={arguments.operations}"], stdout=subprocess.PIPE)
    output, _ = churn.child.communicate()
    if churn.child.returncode != 0:
        raise Failed(f"fairlead-churn failed:\n{churn.log_tail()}")
    return json.loads(output)


def churn(arguments):
    with Workshop("bench") as workshop:
        ports = churn_origins(workshop)
        proxy = proxies.start_fairlead(workshop, "HTTP", [f"127.0.0.1:{port}" for port in ports], workers=2)
        load, report = start_mixed_load(workshop, proxy.address, arguments.rate)
        time.sleep(2)  # until slow responses and uploads are in flight
        resident_before = usage.resident_kb(proxy.pid)
        say(f"adding and deleting {arguments.servers} servers at {arguments.operations:g} operations per second")
        changes = run_churn(workshop, arguments, ports)
        requests = finish_load(load, report)
        resident_after = usage.resident_kb(proxy.pid)
    latency = requests["latency"]
    return {"bench": "churn", "failed": requests["failed"], "requests": requests["requests"], **changes,
            "requests_per_second": requests["rate"], "p50_ms": requests["p50_ms"], "p99_ms": requests["p99_ms"],
            "slow_responses": latency["slow"]["count"], "slow_p99_ms": latency["slow"]["p99_ms"],
            "uploads": latency["upload"]["count"], "upload_p99_ms": latency["upload"]["p99_ms"],
            "resident_kb_before": resident_before, "resident_kb_after": resident_after,
            "failures": requests["failures"]}


def print_churn(result):
    print(f"\nrequests          {result['requests']:,} ({result['slow_responses']:,} slow, {result['uploads']:,} uploads), "
          f"{result['failed']} failed")
    for failure in result["failures"]:
        print(f"                  {failure['count']} {failure['cause']}: {failure['example']}")
    print(f"latency           p50 {result['p50_ms']:.2f} ms, p99 {result['p99_ms']:.2f} ms; slow p99 "
          f"{result['slow_p99_ms']:.0f} ms, uploads p99 {result['upload_p99_ms']:.0f} ms")
    print(f"servers           {result['added']:,} added, {result['deleted']:,} deleted in {result['seconds']:.1f} s")
    print(f"AddServer, active p50 {result['add_to_active_ms_p50']:.3f} ms, p99 {result['add_to_active_ms_p99']:.3f} ms, "
          f"max {result['add_to_active_ms_max']:.1f} ms")
    print(f"DeleteServer      p50 {result['delete_ms_p50']:.3f} ms, p99 {result['delete_ms_p99']:.3f} ms")
    print(f"resident          {result['resident_kb_before'] / 1024:.1f} MB before, "
          f"{result['resident_kb_after'] / 1024:.1f} MB after")


# takeover


TAKEOVER = """\
management: {{listen: ["unix:{folder}/management.sock"]}}
state_directory: {folder}/state
shutdown: {{timeout: 10s}}
workers: 2
resources:
  listeners:
    - {{name: web, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app}}
    - {{name: tcp, bind: ["127.0.0.1:0"], protocol: TCP, default_backend: echo}}
  backends:
    - {{name: app, servers: [{{name: s1, address: "{http}"}}]}}
    - {{name: echo, servers: [{{name: s1, address: "{tcp}"}}]}}
"""


def start_successor(workshop, number):
    """Another process on the same state. It, where it listens, and the time until it serves."""
    ready_file = workshop.folder / f"fairlead{number}.json"
    began = time.monotonic()
    process = workshop.start(f"fairlead{number}", [program("fairlead"), f"--config={workshop.folder}/fairlead.yaml",
                                                   "--takeover", f"--ready-file={ready_file}"])
    ready = process.wait_for_file(ready_file)
    return process, ready["listeners"], time.monotonic() - began


def start_tcp_load(workshop, target, rate):
    report = workshop.folder / "tcp.jsonl"
    load = workshop.start("tcp-load", [
        program("fairlead-load"), f"--target={target}", f"--rate={rate}", "--duration=3600s", "--interval=0s", "--tcp-echo",
        "--new-connections=1", f"--report={report}"])
    return load, report


def end_of(process):
    """Of one that another has taken over from: whether it has ended as it should."""
    try:
        status = process.child.wait(30)
    except subprocess.TimeoutExpired:
        say(f"{process.name} does not end")
        return False
    if status != 0:
        say(f"{process.name} ended with {status}:\n{process.log_tail()}")
    return status == 0


def takeover(arguments):
    with Workshop("bench") as workshop:
        (workshop.folder / "state").mkdir(mode=0o700)
        (workshop.folder / "fairlead.yaml").write_text(TAKEOVER.format(
            folder=workshop.folder, http=proxies.start_origin(workshop, "origin"),
            tcp=proxies.start_origin(workshop, "echo", flags=["--tcp-echo"])))
        running, listeners, _ = start_successor(workshop, 0)
        load, report = start_mixed_load(workshop, listeners["web"][0], arguments.rate)
        tcp_load, tcp_report = start_tcp_load(workshop, listeners["tcp"][0], arguments.rate / 4)
        time.sleep(2)  # until slow responses and uploads are in flight
        old, seconds, failed = [], [], 0
        for number in range(1, arguments.times + 1):
            old.append(running)
            running, now, took = start_successor(workshop, number)
            say(f"takeover {number} of {arguments.times}: {took * 1000:.0f} ms")
            seconds.append(took)
            failed += now != listeners
            time.sleep(0.5)
        failed += sum(not end_of(process) for process in old)
        requests, exchanges = finish_load(load, report), finish_load(tcp_load, tcp_report)
    return {"bench": "takeover", "failed": failed + requests["failed"] + exchanges["failed"], "takeovers": len(seconds),
            "takeovers_failed": failed, "requests": requests["requests"], "requests_failed": requests["failed"],
            "exchanges": exchanges["requests"], "exchanges_failed": exchanges["failed"],
            "serves_after_ms_p50": round(1000 * statistics.median(seconds), 1),
            "serves_after_ms_max": round(1000 * max(seconds), 1),
            "p50_ms": requests["p50_ms"], "p99_ms": requests["p99_ms"],
            "failures": requests["failures"] + exchanges["failures"]}


def print_takeover(result):
    print(f"\ntakeovers         {result['takeovers']}, {result['takeovers_failed']} failed; the new process serves after "
          f"{result['serves_after_ms_p50']:.0f} ms, at most {result['serves_after_ms_max']:.0f} ms")
    print(f"requests          {result['requests']:,}, {result['requests_failed']} failed; p50 {result['p50_ms']:.2f} ms, "
          f"p99 {result['p99_ms']:.2f} ms")
    print(f"TCP connections   {result['exchanges']:,}, {result['exchanges_failed']} failed")
    for failure in result["failures"]:
        print(f"                  {failure['count']} {failure['cause']}: {failure['example']}")


def build_quietly(as_json, programs):
    """Output of the build must not mix with the JSON."""
    saved = os.dup(1)
    if as_json:
        os.dup2(2, 1)
    try:
        build(programs)
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def main():
    arguments = parse_arguments()
    try:
        build_quietly(arguments.json, PROGRAMS_OF.get(arguments.what, PROGRAMS))
        if arguments.what == "crash":
            with Workshop("crash") as workshop:
                result, show = bench_crash.crash(workshop, arguments, say), bench_crash.print_crash
        elif arguments.what == "churn":
            result, show = churn(arguments), print_churn
        elif arguments.what in IN_A_WORKSHOP:
            with Workshop("bench") as workshop:
                measure_it, show = IN_A_WORKSHOP[arguments.what]
                result = measure_it(workshop, arguments, say)
        elif arguments.what == "balance":
            result, show = bench_balance.balance(say), bench_balance.print_balance
        elif arguments.what == "takeover":
            result, show = takeover(arguments), print_takeover
        else:
            measure_it, show = bench_requests.BENCHES[arguments.what]
            result = measure_it(arguments, say)
    except Failed as error:
        print(f"tools/bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntools/bench: interrupted; everything that it had started is ended", file=sys.stderr)
        return 130
    if arguments.json:
        print(json.dumps(result))
    else:
        show(result)
    return 1 if result.get("failed", 0) > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
