"""tools/bench updates: what a million servers cost, and what changes cost the traffic beside them.

Who makes many changes stands for another machine, and takes what nobody else wants of the processors of this one. Clients
and the server stand for other machines as well, and never wait for a processor: theirs would be another one. The data
plane's workers are configured to go first in the same way (`real_time_workers`). Where the kernel lets nobody, all of
them take their turns with the rest, and what is told of latencies is that of a machine that is too small.
"""

import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import time
import urllib.error
import urllib.request

import comparison
import proxies
import usage
from processes import Failed, may_go_first, program

PROGRAMS = ("fairlead", "fairlead-awake", "fairlead-load", "fairlead-origin", "fairlead-updates")

# What the data plane offers so far.
HAS_JOURNAL = True
HAS_RESYNC = True
ELECTION_ID = 1

HAPROXY_SERVERS = 20_000
HAPROXY_BATCH = 100
# haproxy's rate "at" so many servers is that of the last so many.
HAPROXY_LAST = 1_000
RESYNC_SERVERS = 100_000
CHANGES_PER_SECOND = 10_000
CHANGE_SECONDS = 10
QUICK_FLUSH_MS = 4
LATE_MS = 0.5
DISK_SECONDS = 60
WORKERS = 2

CONFIGURATION = """\
management: {{listen: ["unix:{folder}/management.sock"]}}
observation: {{listen: "127.0.0.1:{observation}"}}
workers: {workers}
real_time_workers: {goes_first}
{state}
resources:
  listeners:
    - {{name: web, bind: ["127.0.0.1:{port}"], protocol: HTTP, default_backend: app}}
  backends:
    - name: app
      servers: [{{name: origin, address: "{origin}"}}]
    - name: fleet
    - name: replayed
"""

HAPROXY = """\
global
    nbthread 1
    stats socket {folder}/haproxy.sock level admin
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
backend fleet
    balance roundrobin
"""


# haproxy


def haproxy_commands(path, commands):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall((";".join(commands) + "\n").encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer.decode()


def measure_haproxy(workshop):
    """Servers a second: all the way to 20,000, and over the last 1,000."""
    configuration = workshop.folder / "haproxy-updates.cfg"
    configuration.write_text(HAPROXY.format(folder=workshop.folder))
    path = workshop.folder / "haproxy.sock"
    process = workshop.start("haproxy-updates", [proxies.executable("haproxy"), "-db", "-f", configuration])
    while not path.exists():
        process.check_running()
        time.sleep(0.02)
    moments = [time.monotonic()]
    for first in range(0, HAPROXY_SERVERS, HAPROXY_BATCH):
        answer = haproxy_commands(path, [f"add server fleet/s{number:07} {address_of(number)}"
                                         for number in range(first, first + HAPROXY_BATCH)])
        if answer.count("New server registered") != HAPROXY_BATCH:
            raise Failed(f"haproxy took not all servers: {answer[:300]!r}")
        moments.append(time.monotonic())
    process.end()
    workshop.processes.remove(process)
    last = moments[-1] - moments[-1 - HAPROXY_LAST // HAPROXY_BATCH]
    return HAPROXY_SERVERS / (moments[-1] - moments[0]), HAPROXY_LAST / last


def address_of(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:8080"


# fairlead


class DataPlane:
    def __init__(self, workshop, origin, goes_first):
        self.workshop = workshop
        self.goes_first = goes_first
        self.folder = workshop.folder
        self.port = proxies.free_port()
        self.observation = proxies.free_port()
        state = f"state_directory: {self.folder}/state" if HAS_JOURNAL else ""
        (self.folder / "state").mkdir()
        (self.folder / "fairlead.yaml").write_text(CONFIGURATION.format(
            folder=self.folder, workers=WORKERS, origin=origin, port=self.port, observation=self.observation, state=state,
            goes_first=str(goes_first).lower()))
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        """Seconds from the start of the process until it has served a request."""
        ready_file = self.folder / "fairlead.json"
        ready_file.unlink(missing_ok=True)
        before = time.monotonic()
        self.process = self.workshop.start("fairlead", [
            program("fairlead"), f"--config={self.folder}/fairlead.yaml", f"--ready-file={ready_file}"])
        while True:
            self.process.check_running()
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).read()
                return time.monotonic() - before
            if time.monotonic() - before > 60:
                raise Failed(f"fairlead serves nothing after a minute:\n{self.process.log_tail()}")
            time.sleep(0.002)

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()
        self.workshop.processes.remove(self.process)

    def begin(self, job, backend="fleet", gives_way=False, **flags):
        """fairlead-updates, which goes on beside us."""
        command = [program("fairlead-updates"), f"--management=unix:{self.folder}/management.sock", f"--job={job}",
                   f"--backend={backend}", f"--election_id={ELECTION_ID}"]
        command += [f"--{name}={value}" for name, value in flags.items()]
        return self.workshop.start(f"updates-{job}", command, stdout=subprocess.PIPE, gives_way=gives_way)

    def finish(self, updates):
        output, _ = updates.child.communicate()
        self.workshop.processes.remove(updates)
        self.process.check_running()
        if updates.child.returncode != 0:
            raise Failed(f"fairlead-updates failed:\n{updates.log_tail()}")
        return json.loads(output)

    def run(self, job, **flags):
        return self.finish(self.begin(job, **flags))

    def change_durations(self):
        """So many changes, by bound in seconds, took no longer."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.observation}/metrics", timeout=10) as page:
            return {float(bound): int(count) for bound, count in
                    re.findall(r'^fairlead_change_duration_seconds_bucket\{le="(.*)"\} (\d+)$', page.read().decode(),
                               re.MULTILINE)}


def run_load(workshop, data_plane, rate, seconds, beside=None):
    """The summary, and the workers' processor time for each request. `beside(load)` begins when the load is warm."""
    before = usage.thread_time(data_plane.pid, "worker-")
    load = comparison.begin_paced_load(workshop, data_plane.address, rate, seconds, goes_first=data_plane.goes_first)
    try:
        if beside:
            time.sleep(comparison.WARM_UP_SECONDS)
            beside(load)
    finally:
        summary = comparison.end_of_paced_load(workshop, load)
    if summary["failed"] > 0:
        raise Failed(f"{summary['failed']} requests failed: {summary['failures']}")
    summary["cpu_us"] = (usage.thread_time(data_plane.pid, "worker-") - before) / summary["completed"]
    return summary


class TooSlow(Failed):
    """What was to happen beside the load did not keep its pace."""


def alternate(arguments, run_quiet, run_beside, say):
    """Medians of the rounds' ratios of each figure, and of what p99 was without. Rounds that were too slow say nothing
    and are made again; as many as are wanted may be."""
    ratios = {"p99_ms": [], "window_p99_ms": [], "cpu_us": []}
    quiet_p99 = []
    slow = 0
    while len(quiet_p99) < arguments.rounds:
        pairs = [run_quiet, run_beside]
        if len(quiet_p99) % 2:
            pairs.reverse()
        try:
            results = {run: run() for run in pairs}
        except TooSlow as failure:
            slow += 1
            if slow > arguments.rounds:
                raise
            say(f"once more: {failure}")
            continue
        quiet_p99.append(results[run_quiet]["window_p99_ms"])
        for key, values in ratios.items():
            values.append(results[run_beside][key] / results[run_quiet][key])
    return {key: round(statistics.median(values), 3) for key, values in ratios.items()}, statistics.median(quiet_p99)


def wait_for_disk(workshop, say):
    """Many adds leave the disk busy for a while, or its budget spent: until small flushes are quick for a second in a row,
    or a minute has passed. Milliseconds that nearly all of these take, before anything else runs."""
    say("waits for the disk")
    os.sync()
    deadline = time.monotonic() + DISK_SECONDS
    with open(workshop.folder / "flushed", "wb", buffering=0) as file:
        while True:
            took = sorted(flush_ms(file) for _ in range(100))
            if took[-1] < QUICK_FLUSH_MS or time.monotonic() > deadline:
                return round(took[98], 3)


def processors_wake_late():
    late = []
    for _ in range(500):
        before = time.monotonic()
        time.sleep(0.001)
        late.append(1000 * (time.monotonic() - before) - 1)
    return sorted(late)[495] > LATE_MS


def flush_ms(file):
    time.sleep(0.01)
    file.seek(0)
    file.write(os.urandom(4096))
    before = time.monotonic()
    os.fdatasync(file.fileno())
    return 1000 * (time.monotonic() - before)


def quantile_ms(counts, share):
    """Within a bucket by the straight line, as histogram_quantile() of Prometheus."""
    wanted = share * max(counts.values())
    below, below_count = 0.0, 0
    for bound, count in sorted(counts.items()):
        if count >= wanted:
            return 1000 * (below + (bound - below) * (wanted - below_count) / max(1, count - below_count))
        below, below_count = bound, count
    raise Failed("no change was counted")


def measure_one_change(workshop, data_plane, arguments, say):
    say(f"one change at a time among {arguments.servers:,} servers, under {arguments.rate:g} requests a second")
    change = {}

    def beside(_):
        before = data_plane.change_durations()
        change.update(data_plane.run("change", servers=arguments.servers, operations_per_transaction=1,
                                     operations_per_second=100, duration=f"{CHANGE_SECONDS}s"))
        change["counts"] = {bound: count - before[bound] for bound, count in data_plane.change_durations().items()}

    run_load(workshop, data_plane, arguments.rate, CHANGE_SECONDS + 1, beside)
    return change


def measure_churn(workshop, data_plane, arguments, say):
    say(f"requests with and without {CHANGES_PER_SECOND:,} changes a second, in turn")

    def quiet():
        return run_load(workshop, data_plane, arguments.rate, arguments.seconds)

    def change(_):
        changes = data_plane.run("change", gives_way=True, servers=arguments.servers, operations_per_transaction=10,
                                 operations_per_second=CHANGES_PER_SECOND, duration=f"{arguments.seconds}s")
        if changes["seconds"] > 1.1 * arguments.seconds:
            raise TooSlow(f"{changes['changes']} changes took {changes['seconds']:.1f} s, not {arguments.seconds:g}")

    def beside():
        return run_load(workshop, data_plane, arguments.rate, arguments.seconds, change)

    latencies, quiet_p99 = alternate(arguments, quiet, beside, say)
    if workshop.processors_are_kept_awake:
        return latencies, quiet_p99
    # Processor time is compared on processors that are always busy: one that sleeps between requests has nothing to
    # switch from.
    say("the same once more for the processor time of a request, with processors that do not sleep")
    workshop.keep_processors_awake()
    costs, _ = alternate(arguments, quiet, beside, say)
    return latencies | {"cpu_us": costs["cpu_us"]}, quiet_p99


def measure_resync(workshop, data_plane, arguments, say):
    count = min(RESYNC_SERVERS, arguments.servers)
    say(f"requests with and without resyncs of {count:,} identical servers, one after the other, in turn")
    data_plane.run("add", backend="replayed", servers=count)
    wait_for_disk(workshop, say)
    versions = []

    def quiet():
        return run_load(workshop, data_plane, arguments.rate, arguments.seconds)

    def replay(_):
        versions.append(data_plane.run("resync", gives_way=True, backend="replayed", servers=count,
                                       duration=f"{arguments.seconds}s")["versions"])

    def beside():
        return run_load(workshop, data_plane, arguments.rate, arguments.seconds, replay)

    ratios, _ = alternate(arguments, quiet, beside, say)
    if max(versions) > 0:
        raise Failed(f"resyncs of what is there made {max(versions)} versions")
    return {"resync_http_p99_ratio": ratios["window_p99_ms"], "resync_http_whole_p99_ratio": ratios["p99_ms"],
            "resync_versions": max(versions)}


def updates(workshop, arguments, say):
    say(f"haproxy takes {HAPROXY_SERVERS:,} servers over its runtime socket")
    haproxy_all, haproxy_last = measure_haproxy(workshop)
    goes_first = may_go_first()
    if not goes_first:
        say("the real-time class is not allowed: latencies will be those of threads that wait for each other")
    origin = proxies.start_origin(workshop, "origin", goes_first=goes_first)
    data_plane = DataPlane(workshop, origin, goes_first)
    data_plane.start()
    say(f"fairlead takes {arguments.servers:,} servers over one stream")
    added = data_plane.run("add", servers=arguments.servers)
    rates = added["per_second_by_100000"] or [added["per_second"]]
    time.sleep(2)  # until memory that is not needed any more is given back
    resident = usage.resident_kb(data_plane.pid) * 1024
    result = {"bench": "updates", "servers": arguments.servers, "durable": HAS_JOURNAL, "real_time": goes_first,
              "adds_per_second": round(added["per_second"]),
              "rate_last_vs_first": round(rates[-1] / rates[0], 3),
              "vs_haproxy_20000": round(added["per_second"] / haproxy_last, 1),
              "vs_haproxy_up_to_20000": round(added["per_second"] / haproxy_all, 1),
              "haproxy_adds_per_second_at_20000": round(haproxy_last),
              "bytes_per_server": round(resident / arguments.servers, 1)}
    flush_ms_p99 = wait_for_disk(workshop, say)
    # On a virtual machine the disk's work takes place beside it, and waits for processors that are never idle.
    if processors_wake_late():
        workshop.keep_processors_awake()
    change = measure_one_change(workshop, data_plane, arguments, say)
    result.update(change_ms_p50=round(quantile_ms(change["counts"], 0.5), 3),
                  change_ms_p99=round(quantile_ms(change["counts"], 0.99), 3),
                  change_client_ms_p50=change["ms_p50"], change_client_ms_p99=change["ms_p99"],
                  flush_ms_p99=flush_ms_p99)
    result["kept_awake"] = workshop.processors_are_kept_awake
    ratios, quiet_p99 = measure_churn(workshop, data_plane, arguments, say)
    result.update(http_p99_ratio=ratios["window_p99_ms"], http_whole_p99_ratio=ratios["p99_ms"],
                  http_cpu_ratio=ratios["cpu_us"], http_p99_ms=round(quiet_p99, 3))
    result["restart_seconds"] = None
    if HAS_JOURNAL:
        say("killed, and started again")
        data_plane.kill()
        result["restart_seconds"] = round(data_plane.start(), 3)
    result["resync_http_p99_ratio"] = None
    if HAS_RESYNC:
        result.update(measure_resync(workshop, data_plane, arguments, say))
    return result


def print_updates(result):
    rows = (
        ("servers added a second", f"{result['adds_per_second']:,}"),
        ("last 100,000 against first", f"{result['rate_last_vs_first']:.2f}"),
        ("against haproxy at 20,000", f"{result['vs_haproxy_20000']:,.0f} times "
                                      f"({result['haproxy_adds_per_second_at_20000']:,} a second)"),
        ("resident bytes a server", f"{result['bytes_per_server']:.0f}"),
        ("one change, until active", f"p50 {result['change_ms_p50']:.3f} ms, p99 {result['change_ms_p99']:.3f} ms "
                                     f"(a flush alone: p99 {result['flush_ms_p99']:.3f} ms)"),
        ("the same, seen by its client", f"p50 {result['change_client_ms_p50']:.3f} ms, "
                                         f"p99 {result['change_client_ms_p99']:.3f} ms"),
        (f"with {CHANGES_PER_SECOND:,} changes a second", f"HTTP p99 {result['http_p99_ratio']:.3f} times, "
                                                          f"CPU a request {result['http_cpu_ratio']:.3f} times"),
        ("restart to first request", "-" if result["restart_seconds"] is None else f"{result['restart_seconds']:.2f} s"),
        ("HTTP p99 during a resync", "-" if result["resync_http_p99_ratio"] is None
         else f"{result['resync_http_p99_ratio']:.3f} times"),
    )
    print()
    for name, value in rows:
        print(f"{name:<34}{value}")
