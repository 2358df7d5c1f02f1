"""tools/bench amplification: what a client that sends rows of the catalogue makes the data plane pay, for what he pays.

Each row's bytes, as the end-to-end tests send them, go over connections of their own. Processor time: the data plane's for
that of fairlead-repeat, which does nothing but send them. Memory: what the data plane holds while clients keep the
connections open, after all of the bytes, all but the last, and half of them. What any slow client may take (8 KiB,
tools/bench slow) is left out, and the rest is divided by the bytes that were sent.
"""

import json
import resource
import socket
import sys
import time

import bench_tls
import comparison
import proxies
import usage
from processes import ROOT, program

sys.path.insert(0, str(ROOT / "tests/e2e"))
# pylint: disable=wrong-import-position
from harness import catalogue  # noqa: E402

PROGRAMS = ("fairlead", "fairlead-origin", "fairlead-repeat")
WARM_CONNECTIONS = 50
LISTENERS = ("web", "tls", "proxy")
SHOWN = 12
ALLOWED_FOR_A_CLIENT = 8 * 1024

CONFIGURATION = """\
management: {{listen: ["unix:{folder}/management.sock"]}}
workers: 1
resources:
  certificates: [{certificate}]
  listeners:
    - {{name: web, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app, timeouts: {timeouts}}}
    - {{name: tls, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app, timeouts: {timeouts},
       tls: {{certificates: [example], handshake_timeout: 600s}}}}
    - {{name: proxy, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app, timeouts: {timeouts},
       proxy_protocol: {{trusted: ["127.0.0.0/8"]}}}}
  backends:
    - {{name: app, servers: [{{name: s1, address: "{server}"}}]}}
"""
TIMEOUTS = "{request_head: 600s, keep_alive: 600s, idle: 600s, proxy_header: 600s}"


class Plane:
    """One data plane of a row."""

    def __init__(self, workshop, server, cpus):
        folder = workshop.folder
        configuration = folder / "fairlead.yaml"
        configuration.write_text(CONFIGURATION.format(
            folder=folder, server=server, timeouts=TIMEOUTS,
            certificate=json.dumps(bench_tls.certificate_in(folder))))
        ready_file = folder / "fairlead.ready"
        ready_file.unlink(missing_ok=True)
        self.workshop = workshop
        self.process = workshop.start("fairlead", [program("fairlead"), f"--config={configuration}",
                                                   f"--ready-file={ready_file}"], cpus=cpus)
        self.listeners = self.process.wait_for_file(ready_file)["listeners"]
        self.pid = self.process.pid

    def end(self):
        self.process.check_running()
        self.process.end()
        self.workshop.processes.remove(self.process)

    def send(self, listener, data, count):
        """Connections that have sent it, and stay open."""
        host, port = self.listeners[listener][0].rsplit(":", 1)
        opened = []
        for _ in range(count):
            connection = socket.create_connection((host, int(port)))
            opened.append(connection)
            connection.settimeout(5)
            try:
                connection.sendall(data)
            except OSError:
                pass  # it has been answered, and closed
        self.wait_until_quiet()
        return opened

    def wait_until_quiet(self):
        """It has done what there was to do: no thread of it runs, or waits for a processor, and none has meanwhile."""
        last = None
        while (now := (usage.is_asleep(self.pid), usage.ProcessorTime(self.pid).total)) != last or not now[0]:
            last = now
            time.sleep(0.1)

    def held_by(self, listener, data, count):
        """Resident bytes for each of `count` connections that have sent it."""
        for connection in self.send(listener, data, WARM_CONNECTIONS):
            connection.close()
        self.wait_until_quiet()
        before = usage.resident_kb(self.pid)
        opened = self.send(listener, data, count)
        size = (usage.resident_kb(self.pid) - before) * 1024
        for connection in opened:
            connection.close()
        return size / count


def measure_memory(workshop, arguments, server, cpus, row):
    """The most bytes held for a connection, and the most for a byte sent, over the cuts."""
    _, listener, data = row
    most, worst = 0.0, 0.0
    for size in catalogue.cuts_of(data):
        plane = Plane(workshop, server, cpus)
        held = plane.held_by(listener, data[:size], arguments.clients)
        plane.end()
        most = max(most, held)
        worst = max(worst, (held - ALLOWED_FOR_A_CLIENT) / size)
    return {"bytes_held": round(most), "bytes_held_per_byte": round(worst, 3)}


def measure_processor(workshop, arguments, plane, cpus, row):
    """The data plane's time for the client's."""
    _, listener, data = row
    path = workshop.folder / "bytes"
    path.write_bytes(data)
    ratios = []
    for _ in range(arguments.rounds):
        before = usage.ProcessorTime(plane.pid)
        sent = comparison.run_load(workshop, cpus, "fairlead-repeat", f"--target={plane.listeners[listener][0]}",
                                   f"--file={path}", f"--times={arguments.times}")
        plane.wait_until_quiet()
        total, _, _ = usage.ProcessorTime(plane.pid).since(before)
        ratios.append(total / sent["cpu_us"])
    return sorted(ratios)[len(ratios) // 2]


def amplification(workshop, arguments, say):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    proxy_cpus, other_cpus = comparison.split_processors(say)
    bench_tls.make_certificate(workshop.folder, arguments.key)
    server = proxies.start_origin(workshop, "origin", other_cpus, ["--body-bytes=34"])
    silent = {}
    for listener in LISTENERS:
        plane = Plane(workshop, server, proxy_cpus)
        silent[listener] = round(plane.held_by(listener, b"", arguments.clients))
        plane.end()
    found = []
    busy = Plane(workshop, server, proxy_cpus)
    for row in catalogue.rows():
        say(row[0])
        found.append({"row": row[0], "listener": row[1], "bytes": len(row[2]),
                      "cpu_ratio": round(measure_processor(workshop, arguments, busy, other_cpus, row), 3)})
    busy.end()
    for row, measured in zip(catalogue.rows(), found):
        say(row[0])
        measured |= measure_memory(workshop, arguments, server, proxy_cpus, row)
    result = {"bench": "amplification", "failed": 0, "connections": arguments.clients,
              "bytes_of_a_silent_connection": silent}
    result |= worst_of(found)
    result["by_listener"] = {name: worst_of([one for one in found if one["listener"] == name]) for name in LISTENERS}
    return result | {"rows": found}


def worst_of(rows):
    result = {}
    for key in ("bytes_held_per_byte", "cpu_ratio"):
        worst = max(rows, key=lambda one: one[key])
        result |= {key: worst[key], f"{key}_row": worst["row"].split(" ")[0], f"{key}_of": worst["row"]}
    return result


def print_amplification(result):
    for key, what in (("bytes_held_per_byte", "bytes held for a byte sent"), ("cpu_ratio", "CPU for the client's CPU")):
        print(f"\n{what}: {result[key]:.2f}, by row {result[f'{key}_of']}; " + ", ".join(
            f"{name} {worst[key]:.2f}" for name, worst in result["by_listener"].items()))
        for row in sorted(result["rows"], key=lambda one: -one[key])[:SHOWN]:
            print(f"  {row[key]:>8.2f}  {row['bytes']:>8,} bytes  {row['row']}")
    print("\na connection that has sent nothing: " +
          ", ".join(f"{size:,} bytes ({name})" for name, size in result["bytes_of_a_silent_connection"].items()))
