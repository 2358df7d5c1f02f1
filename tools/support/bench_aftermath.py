"""tools/bench aftermath: what is left in a data plane when everything bad has been thrown at it."""

import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

import bench_tls
import proxies
import usage
from processes import ROOT, Failed, program

sys.path.insert(0, str(ROOT / "tests/e2e"))
# pylint: disable=wrong-import-position
from harness import throwing  # noqa: E402

PROGRAMS = ("fairlead", "fairlead-load", "fairlead-origin", "fairleadctl")
ROUNDS = 10
GOOD_CLIENTS = 64
TLS_CLIENTS = 40
MANAGEMENT_CALLS = 10
SLOW_SECONDS = 15
# Of an idle process: its processor time over so long.
IDLE_SECONDS = 10


class Plane:
    def __init__(self, workshop, server, bad_server):
        folder = workshop.folder
        pool = {"idle_timeout": "2s"}
        configuration = {
            "workers": 2, "management": {"listen": [f"unix:{folder}/management.sock"]}, "observation": {"listen": "127.0.0.1:0"},
            "resources": {
                "certificates": [bench_tls.certificate_in(folder)],
                "listeners": throwing.listeners("example"),
                "backends": [{"name": name, "connection_pool": pool, "servers": [{"name": "s1", "address": address}]}
                             for name, address in (("app", server), ("bad", bad_server))]}}
        (folder / "fairlead.yaml").write_text(json.dumps(configuration))
        ready_file = folder / "fairlead.ready"
        self.process = workshop.start("fairlead", [program("fairlead"), f"--config={folder}/fairlead.yaml",
                                                   f"--ready-file={ready_file}"])
        ready = self.process.wait_for_file(ready_file)
        self.pid = self.process.pid
        self.observation = ready["observation"]
        self.addresses = {name: addresses[0] for name, addresses in ready["listeners"].items()} | {
            "observation": self.observation, "management": f"unix:{folder}/management.sock"}

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def sessions(self):
        with urllib.request.urlopen(f"http://{self.observation}/metrics", timeout=10) as page:
            text = page.read().decode()
        return sum(int(number) for number in re.findall(r"^fairlead_listener_connections\{.*\} (\d+)$", text, re.MULTILINE))

    def idle_percent(self):
        before = usage.ProcessorTime(self.pid)
        time.sleep(IDLE_SECONDS)
        total, _, _ = usage.ProcessorTime(self.pid).since(before)
        return total / 1e4 / IDLE_SECONDS

    def wait_until_idle(self, seconds=30):
        """No sessions, and no connections to servers."""
        deadline = time.monotonic() + seconds
        last = None
        while time.monotonic() < deadline:
            now = self.sessions(), self.descriptors()
            if now == last and now[0] == 0:
                return
            last = now
            time.sleep(3)
        raise Failed(f"it does not get idle: {last[0]} sessions, {last[1]} descriptors")


def good_load(workshop, plane, seconds):
    load = workshop.start("load", [program("fairlead-load"), f"--target={plane.addresses['web']}", "--rate=1000",
                                   f"--duration={seconds}s", f"--connections={GOOD_CLIENTS}", "--interval=0s"],
                          stdout=subprocess.PIPE)
    output, _ = load.child.communicate()
    workshop.processes.remove(load)
    if load.child.returncode != 0:
        raise Failed(f"fairlead-load failed:\n{load.log_tail()}")
    return json.loads(output)["failed"]


def ask_with_tls(workshop, plane):
    """Some good clients of TLS, of all workers."""
    context = ssl.create_default_context(cafile=workshop.folder / "chain.pem")
    host, port = plane.addresses["tls"].rsplit(":", 1)
    for _ in range(TLS_CLIENTS):
        with socket.create_connection((host, int(port))) as plain, \
                context.wrap_socket(plain, server_hostname="example.com") as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")
            while connection.recv(65536):
                pass


def ask_management(workshop):
    """As an operator does."""
    for _ in range(MANAGEMENT_CALLS):
        told = subprocess.run([program("fairleadctl"), "info"], capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, "FAIRLEAD_ADDRESS": f"unix:{workshop.folder}/management.sock"})
        if told.returncode != 0:
            raise Failed(f"fairleadctl info failed:\n{told.stderr.decode()}")


def run_slow_clients(workshop, plane, count):
    slow = workshop.start("slow", ["/usr/bin/python3", "-B", str(ROOT / "tools/support/slow_clients.py"),
                                   plane.addresses["web"], str(count)], stdout=subprocess.PIPE)
    if slow.child.stdout.readline().strip() != b"ready":
        raise Failed(f"the slow clients did not get ready:\n{slow.log_tail()}")
    time.sleep(SLOW_SECONDS)
    slow.child.send_signal(signal.SIGTERM)
    slow.child.communicate()
    workshop.processes.remove(slow)


def aftermath(workshop, arguments, say):
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    bench_tls.make_certificate(workshop.folder, arguments.key)
    server = proxies.start_origin(workshop, "origin", flags=["--body-bytes=34"])
    bad_server = throwing.BadServer()
    plane = Plane(workshop, server, bad_server.address)
    # What it takes once for serving anybody at all is no aftermath.
    failed = good_load(workshop, plane, 2)
    ask_with_tls(workshop, plane)
    ask_management(workshop)
    plane.wait_until_idle()
    before = {"descriptors": plane.descriptors(), "resident_kb": usage.resident_kb(plane.pid)}

    thrower = throwing.Thrower(plane.addresses, seed)
    for number in range(1, ROUNDS + 1):
        say(f"catalogue, corpora and bad answers: {number} of {ROUNDS} (seed {seed})")
        thrower.throw_rows()
        thrower.throw_corpora()
        thrower.ask_the_bad_server(100)
    thrower.finish()
    say(f"{arguments.clients:,} slow clients for {SLOW_SECONDS} s")
    run_slow_clients(workshop, plane, arguments.clients)
    failed += good_load(workshop, plane, 1)
    bad_server.close()
    say(f"silence for {arguments.seconds:g} s")
    time.sleep(arguments.seconds)
    plane.process.check_running()
    result = {"bench": "aftermath", "seed": seed, "connections": thrower.connections, "slow_clients": arguments.clients,
              "failed": failed, "sessions": plane.sessions(), "idle_cpu_percent": round(plane.idle_percent(), 3),
              "descriptors_before": before["descriptors"], "descriptors_after": plane.descriptors(),
              "resident_kb_before": before["resident_kb"], "resident_kb_after": usage.resident_kb(plane.pid)}
    return result | {"memory_ratio": round(result["resident_kb_after"] / result["resident_kb_before"], 3)}


def print_aftermath(result):
    print(f"\nafter {result['connections']:,} bad connections and {result['slow_clients']:,} slow clients (seed {result['seed']}):")
    print(f"idle CPU     {result['idle_cpu_percent']:.2f} %")
    print(f"descriptors  {result['descriptors_before']} before, {result['descriptors_after']} after")
    print(f"sessions     {result['sessions']}")
    print(f"memory       {result['memory_ratio']:.3f} times: {result['resident_kb_before'] / 1024:.1f} MB before, "
          f"{result['resident_kb_after'] / 1024:.1f} MB after")
    print(f"good clients {result['failed']} failed")
