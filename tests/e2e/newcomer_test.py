"""A newcomer's first five minutes, by hand: start, add two servers, watch, drain one under load, delete it."""

import json
import os
import threading

from harness import Case, Connection, Fairlead, fetch, get, main, program
from harness.processes import DEADLINE, Process, buf, run

CONFIGURATION = """\
# Everything that is not said here has a default.
management:
  listen: ["unix:{folder}/management.sock", "127.0.0.1:0"]
  insecure: true        # for the second, which is TCP without TLS
observation: {{listen: "127.0.0.1:0"}}
access_log: {{path: "-"}}
resources:
  listeners:
    - name: web
      bind: ["127.0.0.1:0"]
      protocol: HTTP
      default_backend: app
  backends:
    - name: app
      balance: {{algorithm: ROUND_ROBIN}}
"""


class Newcomer(Case):
    def start_from_file(self):
        folder = self.folder / "plane"
        folder.mkdir()
        fairlead = Fairlead(folder, CONFIGURATION.format(folder=folder))
        self.addCleanup(fairlead.stop)
        return fairlead

    def buf_curl(self, fairlead, method, request, over_tcp=False):
        where = fairlead.ready["management"][1] if over_tcp else "localhost"
        path = [] if over_tcp else ["--unix-socket", fairlead.socket_path]
        called = run(buf(), "curl", *path, "--http2-prior-knowledge", "--protocol", "grpc", "-d", json.dumps(request),
                     f"http://{where}/fairlead.v1.{method}", env=self.buf_environment())
        return called.returncode, called.stdout, called.stderr

    def buf_environment(self):
        return {**os.environ, "BUF_CACHE_DIR": str(self.folder / "buf"), "HOME": str(self.folder)}

    def test_the_first_five_minutes(self):
        red, blue = self.origin("red"), self.origin("blue")
        fairlead = self.start_from_file()
        web = fairlead.address()
        self.assertEqual(fetch(web).status, 503)  # nobody there yet

        watch = Process("watch", [program("fairleadctl"), "watch"], env=fairlead.ctl_environment())
        self.addCleanup(watch.kill)
        watch.out.wait_for(lambda line: "present: listeners 1, backends 1, servers 0" in line, "the snapshot")

        # One server with fairleadctl ...
        self.ctl(fairlead, "server", "add", "app/red", red.address, "--label", "colour=warm")
        self.assertEqual(fetch(web).body, b"red")
        # ... and one with buf, which learns the API by reflection.
        status, out, err = self.buf_curl(fairlead, "ManagementService/AddServer", {
            "server": {"backend": "app", "name": "blue", "address": blue.address, "labels": {"colour": "cold"}}})
        self.assertEqual(status, 0, err)
        self.assertEqual(json.loads(out)["server"]["status"]["lifecycle"], "LIFECYCLE_READY")
        with Connection(web) as connection:
            self.assertEqual({connection.request(get()).body for _ in range(2)}, {b"red", b"blue"})
        for name in ("red", "blue"):
            watch.out.wait_for(lambda line, name=name: f"app/{name}" in line, f"the addition of {name}")

        status, out, err = self.buf_curl(fairlead, "ManagementService/ListServers", {"backend": "app"}, over_tcp=True)
        self.assertEqual(status, 0, err)
        self.assertEqual([found["name"] for found in json.loads(out)["servers"]], ["blue", "red"])

        # What is wrong is told by both.
        status, _, err = self.buf_curl(fairlead, "ManagementService/AddServer", {
            "server": {"backend": "app", "name": "green", "address": "10.0.0.1"}})
        self.assertNotEqual(status, 0)
        for text in (err, self.refused(fairlead, "server", "add", "app/green", "10.0.0.1")):
            self.assertIn("server app/green", text)
            self.assertIn("address", text)
            self.assertIn("has no port", text)

        self.drain_under_load(fairlead, red, blue)

        watching = len(watch.out)
        self.ctl(fairlead, "server", "delete", "app/red", "--wait")
        watch.out.wait_for(lambda line: "app/red" in line, "the deletion", start=watching - 1)
        listed = json.loads(self.ctl(fairlead, "server", "list", "app", "-o", "json"))
        servers = listed if isinstance(listed, list) else listed["servers"]
        self.assertEqual([found["name"] for found in servers], ["blue"])
        self.assertEqual(fetch(web).body, b"blue")

        # What was made by hand becomes a file.
        path = self.folder / "made.yaml"
        path.write_text(self.ctl(fairlead, "export"))
        self.assertIn(blue.address, path.read_text())
        self.assertEqual(run(program("fairlead"), "--check", "--config", path).returncode, 0)

    def drain_under_load(self, fairlead, red, blue):
        stopping = threading.Event()
        wrong, served = [], []

        def load():
            with Connection(fairlead.address()) as connection:
                while not stopping.is_set():
                    try:
                        answer = connection.request(get())
                    except (EOFError, OSError) as error:
                        return wrong.append(error)
                    if answer.status != 200 or not answer.is_whole:
                        wrong.append(answer)
                    served.append(answer.body)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            red.wait_for_requests(red.count + 20)
            blue.wait_for_requests(blue.count + 20)
            self.ctl(fairlead, "server", "drain", "app/red", "--wait")
            seen_by_red = red.count
            blue.wait_for_requests(blue.count + 50)
            self.assertEqual(red.count, seen_by_red)
            row = [line for line in self.ctl(fairlead, "server", "list", "app").splitlines() if "app/red" in line][0]
            self.assertIn("drained", row)
        finally:
            stopping.set()
            for thread in threads:
                thread.join(DEADLINE)
        self.assertEqual(wrong, [])
        self.assertIn(b"red", served)

    def test_the_same_in_one_file_and_apply(self):
        red, blue = self.origin("red"), self.origin("blue")
        fairlead = self.start_from_file()
        more = f"backends: [{{name: app, servers: [{{name: red, address: '{red.address}'}}, {{name: blue, address: '{blue.address}'}}]}}]\n"
        dry = self.ctl(fairlead, "apply", "-f", "-", "--dry-run", stdin=more)
        self.assertIn("app/red", dry)
        self.assertEqual(fetch(fairlead.address()).status, 503)
        self.ctl(fairlead, "apply", "-f", "-", stdin=more)
        self.assertEqual({fetch(fairlead.address()).body for _ in range(16)}, {b"red", b"blue"})
        self.ctl(fairlead, "apply", "-f", "-", stdin=more.replace(f", {{name: blue, address: '{blue.address}'}}", ""))
        self.assertEqual({fetch(fairlead.address()).body for _ in range(16)}, {b"red", b"blue"})  # leaving out removes not

    def test_buf_finds_the_services_by_reflection(self):
        fairlead = self.start_from_file()
        listed = run(buf(), "curl", "--unix-socket", fairlead.socket_path, "--http2-prior-knowledge", "--protocol", "grpc",
                     "--list-services", "http://localhost", env=self.buf_environment())
        self.assertEqual(listed.returncode, 0, listed.stderr)
        for service in ("fairlead.v1.ManagementService", "fairlead.v1.ObservationService", "grpc.health.v1.Health"):
            self.assertIn(service, listed.stdout.split())
        status, out, err = self.buf_curl(fairlead, "ManagementService/GetInfo", {})
        self.assertEqual(status, 0, err)
        self.assertEqual(json.loads(out)["backends"], 1)


if __name__ == "__main__":
    main()
