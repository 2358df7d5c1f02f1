"""tools/bench slow: thousands of clients that send a byte a second, heads and bodies, while others work."""

import json
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time

import proxies
import usage
from processes import Failed, program

PROGRAMS = ("fairlead", "fairlead-load", "fairlead-origin")
CONNECTIONS = 64
# Of the good ones, per second: what one processor carries beside the slow ones, so that nothing waits but for Fairlead.
RATE = 2000

HEAD = b"GET /slow HTTP/1.1\r\nHost: slow.example\r\nX-Padding: " + b"x" * 4000
BODY = b"POST /slow HTTP/1.1\r\nHost: slow.example\r\nContent-Length: 1000000\r\n\r\n"


class SlowClients:
    """A process of its own: argv is address and number. It says "ready" when all have begun, and counts reconnections at
    its end."""

    def __init__(self, address, count):
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        self.selector = selectors.DefaultSelector()
        self.clients = [None] * count
        self.reconnections = 0
        for number in range(count):
            self.connect(number)

    def connect(self, number):
        client = socket.create_connection(self.address, 10)
        client.setblocking(False)
        # Half of them are slow in the head, half in the body; its head comes at once.
        if number % 2:
            client.send(BODY)
        self.clients[number] = [client, 0]
        self.selector.register(client, selectors.EVENT_READ, number)

    def send_one(self, number):
        client, sent = self.clients[number]
        try:
            client.send(b"x" if number % 2 else HEAD[sent % len(HEAD):][:1])
            self.clients[number][1] += 1
        except BlockingIOError:
            pass
        except OSError:
            self.again(number)

    def again(self, number):
        client = self.clients[number][0]
        self.selector.unregister(client)
        client.close()
        self.reconnections += 1
        self.connect(number)

    def run(self):
        """A byte from each in a second, evenly, until standard input ends."""
        self.selector.register(sys.stdin.buffer, selectors.EVENT_READ, None)
        due, begun = 0, time.monotonic()
        print("ready", flush=True)
        while True:
            wanted = int((time.monotonic() - begun) * len(self.clients))
            for turn in range(due, wanted):
                self.send_one(turn % len(self.clients))
            due = wanted
            for key, _ in self.selector.select(0.005):
                if key.data is None:
                    print(self.reconnections, flush=True)
                    return
                # An answer, 408 most often, and the end behind it.
                try:
                    is_over = not key.fileobj.recv(4096)
                except BlockingIOError:
                    continue
                except OSError:
                    is_over = True
                if is_over:
                    self.again(key.data)


def raise_limit():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def load(workshop, address, seconds):
    command = [program("fairlead-load"), f"--target={address}", f"--rate={RATE}", f"--duration={seconds}s",
               f"--connections={CONNECTIONS}", "--interval=0s"]
    process = workshop.start("load", command, stdout=subprocess.PIPE)
    output, _ = process.child.communicate()
    workshop.processes.remove(process)
    if process.child.returncode != 0:
        raise Failed(f"fairlead-load failed:\n{process.log_tail()}")
    return json.loads(output)


def slow(workshop, arguments, say):
    raise_limit()
    server = proxies.start_origin(workshop, "origin", None, ["--body-bytes=34"])
    proxy = proxies.start_fairlead(workshop, "HTTP", [server])
    load(workshop, proxy.address, 1)  # warms up
    runs = {"without": [], "with": []}
    for number in range(arguments.rounds):
        say(f"without slow clients, round {number + 1} of {arguments.rounds}")
        runs["without"].append(load(workshop, proxy.address, arguments.seconds))
    before = usage.resident_kb(proxy.pid)
    say(f"{arguments.clients} slow clients connect")
    crowd = subprocess.Popen([sys.executable, "-B", __file__, proxy.address, str(arguments.clients)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    try:
        if crowd.stdout.readline() != b"ready\n":
            raise Failed("the slow clients could not all connect")
        held = []
        for number in range(arguments.rounds):
            say(f"with them, round {number + 1} of {arguments.rounds}")
            runs["with"].append(load(workshop, proxy.address, arguments.seconds))
            held.append(usage.resident_kb(proxy.pid))
        crowd.stdin.close()
        reconnections = int(crowd.stdout.readline())
    finally:
        crowd.kill()
        crowd.wait()
    proxy.process.check_running()
    p99 = {name: statistics.median(run["p99_ms"] for run in of_kind) for name, of_kind in runs.items()}
    return {"bench": "slow", "clients": arguments.clients, "rate": RATE,
            "requests": sum(run["completed"] for run in runs["with"]), "failed": sum(run["failed"] for run in runs["with"]),
            "p99_ms_without": round(p99["without"], 3), "p99_ms_with": round(p99["with"], 3),
            "p99_ratio": round(p99["with"] / p99["without"], 3),
            "bytes_per_slow_client": round((max(held) - before) * 1024 / arguments.clients), "reconnections": reconnections}


def print_slow(result):
    print(f"\n{result['clients']:,} slow clients, reconnected {result['reconnections']:,} times; "
          f"{result['bytes_per_slow_client']:,} bytes for each")
    print(f"{result['requests']:,} good requests, {result['failed']} failed; p99 {result['p99_ms_without']:.2f} ms without "
          f"the slow ones, {result['p99_ms_with']:.2f} ms with them: p99_ratio = {result['p99_ratio']:.3f}")


if __name__ == "__main__":
    raise_limit()
    SlowClients(sys.argv[1], int(sys.argv[2])).run()
