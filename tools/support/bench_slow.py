"""tools/bench slow and tools/bench idle: what clients cost that send a byte a second, and those that say nothing.

Slow clients stand for other machines: they take what nobody else wants of the processors, each sends in its own time, and
they go on while good ones are measured without them, at a data plane of their own.
"""

import json
import resource
import socket
import ssl
import statistics
import subprocess
import time

import bench_tls
import comparison
import proxies
import usage
from processes import ROOT, Failed, program

PROGRAMS = ("fairlead", "fairlead-awake", "fairlead-load", "fairlead-origin")
GOOD_CLIENTS = 64
RATE = 2000
WARM_CONNECTIONS = 200

CONFIGURATION = """\
management: {{listen: ["unix:{folder}/management-{name}.sock"]}}
workers: 1
resources:
  certificates: [{certificates}]
  listeners:
    - name: web
      bind: ["127.0.0.1:0"]
      {tls}
      protocol: HTTP
      default_backend: app
      timeouts: {{request_head: 3600s, keep_alive: 3600s, idle: 3600s}}
  backends:
    - {{name: app, timeouts: {{response: 3600s, idle: 3600s}}, servers: [{{name: s1, address: "{server}"}}]}}
"""


class Plane:
    """One data plane. `certificate`: it speaks TLS with this one, as bench_tls makes it."""

    def __init__(self, workshop, name, server, certificate=None):
        configuration = workshop.folder / f"{name}.yaml"
        configuration.write_text(CONFIGURATION.format(
            folder=workshop.folder, name=name, server=server, certificates=json.dumps(certificate) if certificate else "",
            tls=f"tls: {{certificates: [{certificate['name']}]}}" if certificate else ""))
        ready_file = workshop.folder / f"{name}.ready"
        self.process = workshop.start(name, [program("fairlead"), f"--config={configuration}",
                                             f"--ready-file={ready_file}"])
        self.address = self.process.wait_for_file(ready_file)["listeners"]["web"][0]
        self.pid = self.process.pid

    def resident_bytes(self):
        return usage.resident_kb(self.pid) * 1024


def run_good(workshop, plane, seconds):
    return comparison.run_paced_load(workshop, plane.address, RATE, seconds, f"--connections={GOOD_CLIENTS}")


class SlowClients:
    """In a process of their own."""

    def __init__(self, workshop, plane, count):
        self.workshop = workshop
        self.process = workshop.start("slow", ["/usr/bin/python3", "-B", str(ROOT / "tools/support/slow_clients.py"),
                                               plane.address, str(count)], stdout=subprocess.PIPE,
                                      gives_way=True)
        if self.process.child.stdout.readline().strip() != b"ready":
            raise Failed(f"the slow clients did not get ready:\n{self.process.log_tail()}")

    def finish(self):
        self.process.child.terminate()
        output, _ = self.process.child.communicate()
        self.workshop.processes.remove(self.process)
        return json.loads(output)


def slow(workshop, arguments, say):
    server = proxies.start_origin(workshop, "origin", flags=["--body-bytes=34"])
    workshop.keep_processors_awake()
    # Equal, but for the slow clients of the one.
    quiet, busy = Plane(workshop, "without", server), Plane(workshop, "with", server)
    failed = 0
    for plane in (quiet, busy):
        failed += run_good(workshop, plane, 1)["failed"]  # warms up
    before = busy.resident_bytes()
    say(f"{arguments.clients:,} slow clients connect")
    clients = SlowClients(workshop, busy, arguments.clients)
    time.sleep(3)
    size = busy.resident_bytes() - before
    runs = {"without": [], "with": []}
    for number in range(arguments.rounds):
        say(f"round {number + 1} of {arguments.rounds}")
        pairs = [("without", quiet), ("with", busy)]
        for name, plane in reversed(pairs) if number % 2 else pairs:
            runs[name].append(run_good(workshop, plane, arguments.seconds))
    failed += sum(run["failed"] for run in runs["without"] + runs["with"])
    for plane in (quiet, busy):
        plane.process.check_running()
    lost = clients.finish()["lost"]
    p99 = {name: statistics.median(run["window_p99_ms"] for run in runs[name]) for name in runs}
    return {"bench": "slow", "slow_clients": arguments.clients, "rounds": arguments.rounds, "failed": failed,
            "slow_clients_lost": lost,
            "p99_ratio": ratio_of("window_p99_ms", runs["with"], runs["without"]),
            "whole_p99_ratio": ratio_of("p99_ms", runs["with"], runs["without"]),
            "p99_ms": {name: round(value, 3) for name, value in p99.items()},
            "bytes_per_slow_client": round(size / arguments.clients)}


def ratio_of(key, runs, others):
    """The median of the rounds' ratios. Where the machine stood still for most of a run, that has no figure."""
    ratios = [run[key] / other[key] for run, other in zip(runs, others) if run[key] > 0 and other[key] > 0]
    if 2 * len(ratios) <= len(runs):
        raise Failed(f"only {len(ratios)} of {len(runs)} rounds have a figure: the machine is too busy")
    return round(statistics.median(ratios), 3)


def print_slow(result):
    print(f"\n{result['slow_clients']:,} slow clients, {result['bytes_per_slow_client']:,} bytes each, "
          f"{result['slow_clients_lost']} lost")
    print(f"good clients: {result['failed']} failed, p99 {result['p99_ms']['with']:.3f} ms beside them and "
          f"{result['p99_ms']['without']:.3f} ms without: p99_ratio = {result['p99_ratio']:.3f}")


def ask(connection):
    """One request over it, and the whole answer."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: idle.example\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < 34:
        more = connection.recv(65536)
        if not more:
            raise Failed("a connection was closed that should be idle")
        answer += more


def bytes_when_idle(plane, count, connect):
    """Resident, of a connection that has carried a request and waits for the next."""
    def open_connections(number):
        opened = [connect(plane.address) for _ in range(number)]
        for connection in opened:
            ask(connection)
        return opened

    warm = open_connections(WARM_CONNECTIONS)  # what is there once for all of them
    time.sleep(0.5)
    before = plane.resident_bytes()
    connections = open_connections(count)
    time.sleep(0.5)
    size = plane.resident_bytes() - before
    plane.process.check_running()
    for connection in warm + connections:
        connection.close()
    return round(size / count)


def connect_in_the_clear(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)))


def idle(workshop, arguments, say):
    server = proxies.start_origin(workshop, "origin", flags=["--body-bytes=34"])
    bench_tls.make_certificate(workshop.folder, arguments.key)
    context = ssl.create_default_context(cafile=workshop.folder / "chain.pem")

    def connect_with_tls(address):
        return context.wrap_socket(connect_in_the_clear(address), server_hostname="example.com")

    raise_descriptor_limit()
    result = {"bench": "idle", "connections": arguments.clients, "failed": 0}
    for name, certificate, connect in (("clear", None, connect_in_the_clear),
                                       ("tls", bench_tls.certificate_in(workshop.folder), connect_with_tls)):
        say(f"{name}: {arguments.clients:,} connections, one request each")
        plane = Plane(workshop, name, server, certificate)
        result[f"{name}_bytes"] = bytes_when_idle(plane, arguments.clients, connect)
    return result


def raise_descriptor_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def print_idle(result):
    print(f"\n{result['connections']:,} idle connections: {result['clear_bytes']:,} bytes each in the clear, "
          f"{result['tls_bytes']:,} with TLS")


BENCHES = {"slow": (slow, print_slow), "idle": (idle, print_idle)}
