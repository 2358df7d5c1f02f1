"""tools/bench kill: a server of two is killed with -9 and started again, again and again, while GETs go to both."""

import json
import os
import pathlib
import signal
import time

import proxies
from processes import Failed, program

PROGRAMS = ("fairlead", "fairlead-load", "fairlead-origin")
# So long a request is at its server: some are whenever it is killed.
LATENCY = "5ms"
PAUSE = 0.7

# What README tells to set. Without it, what a new connection was sent is not sent again.
RETRY = "{conditions: [CONNECT_FAILURE, RESET, EMPTY_RESPONSE]}"

CONFIGURATION = """\
management: {{listen: ["unix:{folder}/management-{name}.sock"]}}
workers: 2
resources:
  listeners:
    - {{name: web, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app}}
  backends:
    - {{name: app, retry: {retry}, servers: [{{name: s1, address: "{stays}"}}, {{name: s2, address: "{dies}"}}]}}
"""


def start_server(workshop, name, address="127.0.0.1:0"):
    """A server there. (It, where it listens)."""
    ready_file = workshop.folder / f"{name}.json"
    ready_file.unlink(missing_ok=True)
    process = workshop.start(name, [program("fairlead-origin"), f"--ready-file={ready_file}", f"--listen={address}",
                                    f"--latency={LATENCY}", f"--name={name}"])
    return process, process.wait_for_file(ready_file)["listen"]


def kill(workshop, process):
    os.kill(process.pid, signal.SIGKILL)
    process.child.wait()
    workshop.processes.remove(process)


def run(workshop, arguments, say, name, retry):
    """The load's summary."""
    _, stays = start_server(workshop, f"{name}-stays")
    server, dies = start_server(workshop, f"{name}-dies")
    configuration = workshop.folder / f"{name}.yaml"
    configuration.write_text(CONFIGURATION.format(folder=workshop.folder, name=name, retry=retry, stays=stays, dies=dies))
    ready_file = workshop.folder / f"{name}.ready"
    plane = workshop.start(name, [program("fairlead"), f"--config={configuration}", f"--ready-file={ready_file}"])
    address = plane.wait_for_file(ready_file)["listeners"]["web"][0]
    report = pathlib.Path(workshop.folder / f"{name}.jsonl")
    load = workshop.start(f"{name}-load", [program("fairlead-load"), f"--target={address}", f"--rate={arguments.rate}",
                                           "--duration=3600s", "--interval=0s", "--new-connections=0.1",
                                           f"--report={report}"])
    for number in range(1, arguments.times + 1):
        say(f"{name}: kill {number} of {arguments.times}")
        time.sleep(PAUSE)
        kill(workshop, server)
        time.sleep(PAUSE)
        server, _ = start_server(workshop, f"{name}-dies", dies)
    time.sleep(PAUSE)
    plane.check_running()
    load.check_running()
    load.end(seconds=30)
    lines = report.read_text().splitlines()
    if not lines:
        raise Failed(f"the load ended without a summary:\n{load.log_tail()}")
    return json.loads(lines[-1])


def kill_servers(workshop, arguments, say):
    chosen = run(workshop, arguments, say, "retries", RETRY)
    usual = run(workshop, arguments, say, "default", "{}")
    return {"bench": "kill", "kills": arguments.times, "rate": arguments.rate, "retry": RETRY,
            "requests": chosen["requests"], "failed": chosen["failed"], "failures": chosen["failures"],
            "p99_ms": chosen["p99_ms"], "failed_with_default_retries": usual["failed"]}


def print_kill(result):
    print(f"\na server of two killed {result['kills']} times: of {result['requests']:,} GETs {result['failed']} failed; "
          f"p99 {result['p99_ms']:.2f} ms")
    for failure in result["failures"]:
        print(f"    {failure['count']} {failure['cause']}: {failure['example']}")
    print(f"with default retries {result['failed_with_default_retries']} of as many")
