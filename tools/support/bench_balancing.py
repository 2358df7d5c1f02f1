"""tools/bench limits and tail: what balancing promises, seen at the servers and by the clients."""

import json
import re
import statistics
import subprocess
import urllib.request

import proxies
from processes import Failed, program

CONFIGURATION = """\
management: {{listen: ["unix:{folder}/management.sock"]}}
workers: 2
observation: {{listen: "127.0.0.1:{metrics}"}}
resources:
  listeners:
    - {{name: web, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app}}
  backends:
    - name: app
      balance: {{algorithm: {algorithm}}}
      server_defaults: {{max_connections: {limit}}}
      servers: [{servers}]
"""

# limits
CLIENTS = 200
SERVERS = 3
LIMIT = 20
TOGGLES_PER_SECOND = 100

# tail
ALGORITHMS = ("ROUND_ROBIN", "RANDOM", "LEAST_CONNECTIONS", "PEAK_EWMA", "PREQUAL")
LATENCY_MS = 10
SLOWER = 5
CONCURRENCY = 2
LOAD = 0.7


def start_fairlead(workshop, name, algorithm, addresses, limit=0):
    servers = ", ".join(f'{{name: s{number}, address: "{address}"}}' for number, address in enumerate(addresses, 1))
    configuration = workshop.folder / f"{name}.yaml"
    metrics = proxies.free_port()
    configuration.write_text(CONFIGURATION.format(folder=workshop.folder, algorithm=algorithm, limit=limit,
                                                  servers=servers, metrics=metrics))
    ready_file = workshop.folder / f"{name}.ready"
    process = workshop.start(name, [program("fairlead"), f"--config={configuration}", f"--ready-file={ready_file}"])
    return process, process.wait_for_file(ready_file)["listeners"]["web"][0], f"http://127.0.0.1:{metrics}/metrics"


def failed_by_cause(url):
    page = urllib.request.urlopen(url, timeout=10).read().decode()
    return {cause: int(count) for cause, count in re.findall(
        r'^fairlead_backend_failed_total{backend="app",cause="(\w+)"} (\d+)$', page, re.MULTILINE)}


def end(workshop, process):
    process.end()
    workshop.processes.remove(process)


def finish(workshop, process):
    output, _ = process.child.communicate()
    workshop.processes.remove(process)
    if process.child.returncode != 0:
        raise Failed(f"{process.name} failed:\n{process.log_tail()}")
    return json.loads(output)


def limits(workshop, arguments, say):
    folder = workshop.folder
    names = [f"origin{number}" for number in range(1, SERVERS + 1)]
    addresses = [proxies.start_origin(workshop, name, flags=["--latency=5ms", f"--summary={folder}/{name}.seen"])
                 for name in names]
    origins = list(workshop.processes)
    data_plane, address, metrics = start_fairlead(workshop, "fairlead", "LEAST_CONNECTIONS", addresses, LIMIT)
    say(f"{CLIENTS} clients, {SERVERS} servers of {LIMIT} requests at most, one of them drained and made ready "
        f"{arguments.times:,} times")
    load = workshop.start("load", [program("fairlead-load"), f"--target={address}", "--closed", "--duration=3600s",
                                   f"--connections={CLIENTS}", "--interval=0s"], stdout=subprocess.PIPE)
    toggled = finish(workshop, workshop.start("updates", [
        program("fairlead-updates"), f"--management=unix:{folder}/management.sock", "--job=toggle", "--backend=app",
        "--server=s1", "--election_id=1", f"--times={2 * arguments.times}", f"--operations_per_second={2 * TOGGLES_PER_SECOND}"],
        stdout=subprocess.PIPE))
    load.child.terminate()
    requests = finish(workshop, load)
    data_plane.check_running()
    causes = failed_by_cause(metrics)
    end(workshop, data_plane)
    for origin in origins:
        end(workshop, origin)
    seen = [json.loads((folder / f"{name}.seen").read_text())["most_in_flight"] for name in names]
    # Where all servers are full, requests wait: none is refused.
    full = causes.pop("full")
    return {"bench": "limits", "max_seen": max(seen), "limit": LIMIT, "max_seen_by_server": seen, "workers": 2,
            "clients": CLIENTS, "toggled": toggled["toggled"] // 2, "seconds": toggled["seconds"],
            "served": requests["completed"], "refused": full,
            "failed": requests["failed"] + (max(seen) > LIMIT), "failures": requests["failures"]}


def print_limits(result):
    print(f"\nmost in flight    {result['max_seen']} of {result['limit']} ({result['max_seen_by_server']} by server)")
    print(f"requests          {result['served']:,} served, {result['refused']:,} refused or waited too long, "
          f"{result['failed']} failed")
    print(f"toggled           {result['toggled']:,} times in {result['seconds']:.1f} s")


def tail_of(workshop, number, algorithm, addresses, rate, seconds):
    data_plane, address, _ = start_fairlead(workshop, f"fairlead{number}", algorithm, addresses)
    result = None
    # The first run is for whatever has to be learnt.
    for duration in (2, seconds):
        load = workshop.start("load", [program("fairlead-load"), f"--target={address}", f"--rate={rate}",
                                       f"--duration={duration}s", "--timeout=60s", "--interval=0s",
                                       "--connections=20000"], stdout=subprocess.PIPE)
        result = finish(workshop, load)
        if result["failed"] > 0:
            raise Failed(f"{algorithm}: {result['failed']} requests failed: {result['failures']}")
    end(workshop, data_plane)
    return result


def tail(workshop, arguments, say):
    def start_origins(number):
        return [proxies.start_origin(workshop, f"origin{number}-{index}", flags=[
            f"--latency={LATENCY_MS * (SLOWER if index == 0 else 1)}ms", "--latency-distribution=exponential",
            f"--concurrency={CONCURRENCY}"]) for index in range(10)]

    capacity = (9 + 1 / SLOWER) * CONCURRENCY * 1000 / LATENCY_MS
    runs = {algorithm: [] for algorithm in ALGORITHMS}
    for number in range(arguments.rounds):
        for index, algorithm in enumerate(ALGORITHMS):
            say(f"round {number + 1} of {arguments.rounds}: {algorithm}")
            before = list(workshop.processes)
            # Anew for each, so that nobody waits behind what another has left in a queue.
            addresses = start_origins(number * len(ALGORITHMS) + index)
            runs[algorithm].append(tail_of(workshop, number * len(ALGORITHMS) + index, algorithm, addresses,
                                           LOAD * capacity, arguments.seconds))
            for process in [process for process in workshop.processes if process not in before]:
                end(workshop, process)
    p99 = {name: statistics.median(run["p99_ms"] for run in of_algorithm) for name, of_algorithm in runs.items()}
    p50 = {name: statistics.median(run["p50_ms"] for run in of_algorithm) for name, of_algorithm in runs.items()}
    return {"bench": "tail", "p99_vs_round_robin": {name: round(value / p99["ROUND_ROBIN"], 4)
                                                    for name, value in p99.items()},
            "p99_ms": p99, "p50_ms": p50, "rounds": arguments.rounds, "seconds": arguments.seconds,
            "requests_per_second": LOAD * capacity, "load": LOAD, "slower": SLOWER}


def print_tail(result):
    print(f"\n{'':<20}{'p50 ms':>10}{'p99 ms':>10}{'p99 vs ROUND_ROBIN':>20}")
    for name, ratio in result["p99_vs_round_robin"].items():
        print(f"{name:<20}{result['p50_ms'][name]:>10.1f}{result['p99_ms'][name]:>10.1f}{ratio:>20.3f}")


BENCHES = {"limits": (limits, print_limits), "tail": (tail, print_tail)}
