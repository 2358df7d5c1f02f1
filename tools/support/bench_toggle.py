"""tools/bench toggle: every field of servers and backends is changed in place, again and again, under load."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import proxies
from processes import ROOT, Failed, program

# The fields and their values are those of the end-to-end test, which holds that none is left out.
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

PROGRAMS = ("fairlead", "fairlead-load", "fairlead-origin")
CONNECTIONS = 16

CONFIGURATION = """\
management: {{listen: ["unix:{folder}/management.sock"]}}
workers: 2
resources:
  listeners:
    - {{name: web, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app}}
  backends:
    - {{name: app, servers: [{{name: s1, address: "{first}"}}, {{name: s2, address: "{second}"}}]}}
"""


class Agent:
    """Says to whoever asks that its server is up."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.socket.accept()
            with peer:
                peer.sendall(b"up\n")


def tables(addresses):
    """What is toggled: by kind of resource, a list of steps, each of fields that build on each other."""
    from harness import fields
    from harness.api import resources

    body = urllib.request.urlopen(f"http://{addresses[0]}/", timeout=5).read()[:8].decode()
    # Some checks cannot succeed at our servers, so that these are given time.
    check = resources.HealthCheck(http={}, fall=100)
    check.interval.FromJsonString("4s")
    checks = {"health_check": (check, resources.HealthCheck(tcp={}), None, check)}
    agent = Agent().port
    inner = {"health_check.agent.port": (agent, agent)} | fields.CHECK | {"health_check.http.body_contains": (body, "")}
    # There is another server, so this one may rest as well.
    of_server = {"address": tuple(addresses), **fields.SERVER, "admin_state": (2, 3, 1)}
    return [("server", of_server), ("backend", fields.BACKEND), ("backend", checks | inner), ("server", {
        "health_check.address": (addresses[0], ""), "health_check.disabled": (True, False)}), ("backend", {
            "health_check": (None,)})]


def toggle_all(api, addresses, times, say):
    from harness import fields
    from harness.api import management, resources

    names = {"server": {"backend": "app", "name": "s1"}, "backend": {"name": "app"}}
    messages = {"server": resources.Server, "backend": resources.Backend}
    toggled = set()
    count = 0
    for kind, table in tables(addresses):
        for path, values in table.items():
            toggled.add((kind, path))
            for number in range(times):
                item = fields.with_field(messages[kind](**names[kind]), path, values[number % len(values)])
                patch = management.Patch(resource=management.Resource(**{kind: item}), update_mask={"paths": [path]})
                result = api.apply([management.Operation(patch=patch)])
                if result.failures_total > 0:
                    raise Failed(f"{kind} {path}: {result}")
                count += 1
            # What others build on stays set; with an odd number of values each ends as the table says.
            item = fields.with_field(messages[kind](**names[kind]), path, values[-1])
            api.apply([management.Operation(patch=management.Patch(
                resource=management.Resource(**{kind: item}), update_mask={"paths": [path]}))])
        say(f"{len(toggled)} fields, {count:,} changes")
    return len(toggled), count


def toggle(workshop, arguments, say):
    from harness.api import Api

    addresses = [proxies.start_origin(workshop, f"origin{number}") for number in (1, 2)]
    configuration = workshop.folder / "fairlead.yaml"
    configuration.write_text(CONFIGURATION.format(folder=workshop.folder, first=addresses[0], second=addresses[1]))
    ready_file = workshop.folder / "fairlead.ready"
    data_plane = workshop.start("fairlead", [program("fairlead"), f"--config={configuration}",
                                             f"--ready-file={ready_file}"])
    target = data_plane.wait_for_file(ready_file)["listeners"]["web"][0]
    load = workshop.start("load", [program("fairlead-load"), f"--target={target}", "--closed", "--duration=3600s",
                                   f"--connections={CONNECTIONS}", "--interval=0s"], stdout=subprocess.PIPE)
    api = Api(f"unix:{workshop.folder}/management.sock")
    began = time.monotonic()
    say(f"each field {arguments.times:,} times, under {CONNECTIONS} connections' requests")
    fields, changes = toggle_all(api, addresses, arguments.times, say)
    seconds = time.monotonic() - began
    load.child.terminate()
    output, _ = load.child.communicate()
    workshop.processes.remove(load)
    data_plane.check_running()
    if load.child.returncode != 0:
        raise Failed(f"fairlead-load failed:\n{load.log_tail()}")
    requests = json.loads(output)
    return {"bench": "toggle", "failed": requests["failed"], "fields": fields, "changes": changes,
            "requests": requests["completed"], "seconds": round(seconds, 1), "p99_ms": requests["p99_ms"],
            "failures": requests["failures"]}


def print_toggle(result):
    print(f"\nfields            {result['fields']}, {result['changes']:,} changes in {result['seconds']:.1f} s")
    print(f"requests          {result['requests']:,}, {result['failed']} failed; p99 {result['p99_ms']:.2f} ms")
    for failure in result["failures"]:
        print(f"                  {failure['count']} {failure['cause']}: {failure['example']}")


BENCHES = {"toggle": (toggle, print_toggle)}
