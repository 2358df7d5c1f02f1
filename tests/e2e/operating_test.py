"""The process as an operator meets it: its file, its end, its metrics, and what it says about mistakes."""

import json
import os
import pathlib
import re
import signal
import socket

from harness import Case, Connection, Process, fetch, get, is_refused, main, plane, program, run, wait_until
from harness.certificates import Authority
from harness.processes import REPOSITORY


class OneProcess(Case):
    def test_series_of_a_server_vanish_with_it(self):
        fairlead = self.start(plane([self.origin().address, self.origin().address]))
        for _ in range(6):
            fetch(fairlead.address())

        def metrics():
            return fetch(fairlead.ready["observation"], "/metrics").body.decode()

        self.assertIn('fairlead_server_requests_total{backend="app",server="s1"} ', metrics())
        self.assertIn('fairlead_backend_requests_total{backend="app"} 6', metrics())
        self.ctl(fairlead, "server", "delete", "app/s1", "--wait")
        self.assertNotIn('server="s1"', metrics())
        self.assertIn('server="s2"', metrics())
        self.assertIn('fairlead_backend_requests_total{backend="app"} 6', metrics())

    def test_a_servers_counters_go_on_whatever_changes(self):
        fairlead = self.start(plane([self.origin().address]))
        name = 'fairlead_server_requests_total{backend="app",server="s1"}'

        def requests():
            for line in fetch(fairlead.ready["observation"], "/metrics").body.decode().splitlines():
                if line.startswith(name):
                    return int(line.rpartition(" ")[2])
            return 0  # nobody has used it yet

        for count, change in enumerate((["--weight=7"], ["--label=rack=3"], ["--max-connections=9"], ["--backup=false"])):
            self.assertEqual(requests(), count)
            fetch(fairlead.address())
            self.ctl(fairlead, "server", "set", "app/s1", *change)
        self.ctl(fairlead, "backend", "set", "app", "--balance=random")
        self.assertEqual(requests(), 4)

    def test_there_is_no_reload(self):
        """SIGHUP opens files anew: what the configuration file says by then is nobody's business."""
        fairlead = self.start(plane([self.origin().address]))
        with Connection(fairlead.address()) as client:
            self.assertEqual(client.request(get()).status, 200)
            before = self.ctl(fairlead, "info", "-o", "json")
            (fairlead.folder / "fairlead.yaml").write_text("nonsense: [\n")
            fairlead.signal(signal.SIGHUP)
            self.ctl(fairlead, "server", "set", "app/s1", "--weight=3")
            after = json.loads(self.ctl(fairlead, "info", "-o", "json"))
            before = json.loads(before)
            self.assertEqual((after["epoch"], int(after["version"])), (before["epoch"], int(before["version"]) + 1))
            self.assertEqual(client.request(get()).status, 200, "on the connection that was open")
        self.assertTrue(fairlead.is_running())

    def test_the_duration_of_each_change_is_counted_when_it_is_answered(self):
        fairlead = self.start(plane([self.origin().address]))

        def changes():
            page = fetch(fairlead.ready["observation"], "/metrics").body.decode()
            samples = dict(re.findall(r"^fairlead_change_duration_seconds_(\S+) (\S+)$", page, re.MULTILINE))
            buckets = [int(count) for name, count in samples.items() if name.startswith("bucket")]
            self.assertEqual(buckets, sorted(buckets))
            self.assertEqual(buckets[-1], int(samples["count"]))
            return int(samples["count"]), float(samples["sum"])

        before, before_sum = changes()
        for weight in (5, 6, 7):
            self.ctl(fairlead, "server", "set", "app/s1", f"--weight={weight}")
        after, after_sum = changes()
        self.assertEqual(after - before, 3)
        self.assertGreater(after_sum, before_sum)
        # What changes nothing, and what is refused, is no change.
        self.ctl(fairlead, "server", "set", "app/s1", "--weight=7")
        self.refused(fairlead, "server", "set", "app/s9", "--weight=7")
        self.assertEqual(changes(), (after, after_sum))

    def test_the_page_beside_the_schema_names_all_metrics_and_no_others(self):
        origin = self.origin()
        issued = Authority(self.folder).issue("plane.example.org")
        for name, pem in (("chain.pem", issued.chain), ("key.pem", issued.key)):
            (self.folder / name).write_text(pem)
        tls = {"certificate_file": f"{self.folder}/chain.pem", "private_key_file": f"{self.folder}/key.pem",
               "client_ca_file": f"{self.folder}/chain.pem", "roles": [{"name": "alice", "role": "ADMIN"}]}
        fairlead = self.start(plane([origin.address], backend={
            "health_check": {"tcp": {}}, "outlier_detection": {"consecutive_errors": 5}}, state_directory=str(self.folder / "state"),
            management={"listen": ["127.0.0.1:0"], "tls": tls}))
        text = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        exported = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
        documented = set(re.findall(r"`((?:fairlead|process)_\w+)`", (REPOSITORY / "proto/fairlead/v1/README.md").read_text()))
        self.assertEqual(exported, documented)

    def test_who_does_not_ask_keeps_no_scraper_away(self):
        fairlead = self.start(plane([]))
        address = fairlead.ready["observation"]
        for said in (b"", b"GET /metr"):
            silent = [Connection(address) for _ in range(100)]
            for connection in silent:
                self.addCleanup(connection.close)
                connection.send(said)
            for _ in range(3):
                self.assertEqual(fetch(address, "/metrics").status, 200)

    def test_sigterm_finishes_what_is_under_way(self):
        origin = self.origin()
        fairlead = self.start(plane([origin.address]))
        with Connection(fairlead.address()) as busy, Connection(fairlead.address()) as idle:
            self.assertEqual(idle.request(get()).status, 200)
            origin.hold()
            busy.send(get("/slow"))
            origin.wait_for_requests(2)
            fairlead.signal(signal.SIGTERM)
            self.assertTrue(idle.is_closed_within(20))
            wait_until(lambda: is_refused(fairlead.address()), "the end of accepting")
            self.assertTrue(fairlead.is_running())
            origin.release()
            answer = busy.read_response()
            self.assertEqual((answer.body, answer.get("connection")), (b"origin", "close"))
        self.assertEqual(fairlead.wait(), 0)

    def test_sigterm_does_not_wait_for_who_has_never_said_anything(self):
        authority = Authority(self.folder)
        configuration = plane([self.origin().address], shutdown={"timeout": "60s"})
        resources = configuration["resources"]
        resources["certificates"] = [authority.issue("a.example").fields("a")]
        patient = {"handshake_timeout": "60s"}
        for name, kind in (("tls", {"protocol": "HTTP", "tls": {"certificates": ["a"], **patient}}),
                           ("passed", {"protocol": "TCP", "tls": {"pass_through": {}, **patient}}),
                           ("proxied", {"protocol": "TCP", "proxy_protocol": {"trusted": ["127.0.0.0/8"]},
                                        "timeouts": {"proxy_header": "60s"}})):
            resources["listeners"].append({"name": name, "bind": ["127.0.0.1:0"], "default_backend": "app", **kind})
        fairlead = self.start(configuration)
        connections = [Connection(fairlead.address(name)) for name in ("web", "tls", "passed", "proxied")]
        for connection in connections:
            self.addCleanup(connection.close)

        def are_open():
            page = fetch(fairlead.ready["observation"], "/metrics").body.decode()
            return len(re.findall(r"^fairlead_listener_connections{.*} 1$", page, re.MULTILINE)) == len(connections)
        wait_until(are_open, "all connections")
        fairlead.signal(signal.SIGTERM)
        for connection in connections:
            self.assertTrue(connection.is_closed_within(20))
        self.assertEqual(fairlead.wait(timeout=20), 0)
        self.assertEqual(fairlead.out.all(), [])

    def test_sigterm_waits_no_longer_than_its_timeout(self):
        origin = self.origin()
        fairlead = self.start(plane([origin.address], shutdown={"timeout": "0.3s"}))
        with Connection(fairlead.address()) as busy:
            origin.hold()
            busy.send(get())
            origin.wait_for_requests(1)
            fairlead.signal(signal.SIGTERM)
            self.assertEqual(fairlead.wait(timeout=15), 0)
        fairlead.wait_for_access("status=-", "end=shutdown_deadline")

    def test_traffic_goes_first(self):
        """Where processors are short, what is not traffic's makes way."""
        fairlead = self.start(plane([self.origin().address]))
        found = {}
        for task in pathlib.Path(f"/proc/{fairlead.pid}/task").iterdir():
            is_traffic = (task / "comm").read_text().startswith(("worker-", "access-log"))
            found.setdefault(is_traffic, set()).add(
                (os.getpriority(os.PRIO_PROCESS, int(task.name)), os.sched_getscheduler(int(task.name))))
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        self.assertEqual(found, {True: {(ours, os.SCHED_OTHER)}, False: {(min(ours + 10, 19), os.SCHED_BATCH)}})

    def test_watch_begins_after_a_version(self):
        fairlead = self.start(plane([]))
        version = json.loads(self.ctl(fairlead, "info", "-o", "json")).get("version", "0")
        for name in ("red", "blue"):
            self.ctl(fairlead, "server", "add", f"app/{name}", "127.0.0.1:9", "--weight", "0")
        watch = Process("watch", [program("fairleadctl"), "watch", "--since", version], env=fairlead.ctl_environment())
        self.addCleanup(watch.kill)
        watch.out.wait_for(lambda line: "app/blue" in line, "the second server")
        self.assertIn("app/red", watch.out.all()[0])
        self.assertIn("cannot be resumed after", self.refused(fairlead, "watch", "--since", "1000"))
        self.assertEqual(fairlead.ctl("watch", "--since", "yesterday").returncode, 2)

    def test_top_says_why_it_is_refused(self):
        fairlead = self.start(plane([]))
        self.assertIn("interval", self.refused(fairlead, "top", "--once", "--interval", "1ms"))

    def test_a_process_that_is_stopped_is_not_waited_for(self):
        fairlead = self.start(plane([]))
        os.kill(fairlead.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, fairlead.pid, signal.SIGCONT)
        for command in (("watch",), ("top", "--once"), ("info",)):
            with self.subTest(command[0]):
                self.assertIn("no answer from", self.refused(fairlead, *command, "--timeout", "200ms"))

    def test_ready_file_tells_every_address(self):
        fairlead = self.start(plane([], listener={"bind": ["127.0.0.1:0", "[::1]:0", f"unix:{self.folder}/web.sock"]}))
        ready = fairlead.ready
        self.assertEqual(set(ready), {"listeners", "management", "observation", "pid"})
        self.assertEqual(ready["pid"], fairlead.pid)
        self.assertEqual(ready["management"], [fairlead.management])
        v4, v6, path = ready["listeners"]["web"]
        self.assertRegex(v4, r"^127\.0\.0\.1:[1-9]\d*$")
        self.assertRegex(v6, r"^\[::1\]:[1-9]\d*$")
        self.assertEqual(path, f"unix:{self.folder}/web.sock")
        for address in (v4, v6, path):
            self.assertEqual(fetch(address).status, 503)
        self.assertEqual(pathlib.Path(fairlead.socket_path).stat().st_mode & 0o777, 0o600)

    def test_standard_output_has_nothing_but_the_access_log_that_was_sent_there(self):
        fairlead = self.start(plane([self.origin().address]))
        for _ in range(3):
            self.assertEqual(fetch(fairlead.address()).status, 200)
        fairlead.stop()
        lines = fairlead.out.all()
        self.assertEqual(len(lines), 3, lines)
        self.assertEqual([line[:5] for line in lines], ["time="] * 3)
        self.assertIn("serves", fairlead.log.text())

    def test_help_tells_the_flags(self):
        told = run(program("fairlead"), "--help").stdout
        for flag in ("--config", "--check", "--ready_file"):
            self.assertIn(flag, told)


class ConfigurationErrors(Case):
    def check(self, text, *arguments):
        path = self.folder / "fairlead.yaml"
        path.write_text(text)
        return run(program("fairlead"), "--config", path, *arguments)

    def test_each_names_its_line_and_field(self):
        for text, line, parts in (
                ("resources:\n  backends:\n    - name: app\n      balanse: {algorithm: RANDOM}\n", 4, ["balanse"]),
                ("workers: 300\n", 1, ["workers", "300", "256"]),
                ("workers: [\n", None, []),
                ("resources:\n  backends:\n    - name: app\n      servers:\n        - {name: s1, address: '1.2.3:80'}\n", 5,
                 ["app/s1", "address", "1.2.3:80"]),
                ("resources:\n  backends:\n    - name: app\n      servers:\n"
                 "        - {name: s1, address: '127.0.0.1:80'}\n        - name: s2\n          address: '127.0.0.1:81'\n"
                 "          weight: 300\n", 8, ["app/s2", "weight", "300", "256"]),
                ("resources:\n  listeners:\n    - name: web\n      bind: ['127.0.0.1:0']\n      protocol: HTTP\n"
                 "      default_backend: nowhere\n", 6, ["default_backend", "nowhere"]),
                ("history:\n  versions: 2000000\n", 2, ["history.versions", "2000000", "1000000"]),
                ("resources:\n  listeners:\n    - {name: web, bind: ['127.0.0.1:0'], protocol: SPDY}\n", 3, ["SPDY"]),
        ):
            with self.subTest(text):
                checked = self.check(text, "--check")
                self.assertEqual(checked.returncode, 1)
                self.assertEqual(checked.stdout, "")
                if line:
                    self.assertIn(f"fairlead.yaml:{line}", checked.stderr)
                for part in parts:
                    self.assertIn(part, checked.stderr)
                started = self.check(text)
                self.assertEqual((started.returncode, started.stderr), (1, checked.stderr))

    def test_a_valid_file_is_valid_and_a_missing_one_is_named(self):
        self.assertEqual(self.check("workers: 1\n", "--check").returncode, 0)
        missing = run(program("fairlead"), "--config", self.folder / "no.yaml")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no.yaml", missing.stderr)

    def test_a_check_needs_a_file(self):
        checked = run(program("fairlead"), "--check")
        self.assertEqual((checked.returncode, checked.stdout), (2, ""))
        self.assertIn("--config", checked.stderr)

    def test_a_taken_port_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            for text in (f"resources:\n  listeners:\n    - name: web\n      bind: ['{address}']\n      protocol: HTTP\n",
                         f"observation: {{listen: '{address}'}}\n",
                         f"management: {{listen: ['{address}'], insecure: true}}\n"):
                with self.subTest(text):
                    if "management" not in text:
                        text += f"management: {{listen: ['unix:{self.folder}/m.sock']}}\n"
                    started = self.check(text)
                    self.assertEqual(started.returncode, 1)
                    self.assertIn(address, started.stderr)
                    self.assertRegex(started.stderr, "(?i)in use")

    def test_management_on_tcp_needs_to_be_called_insecure(self):
        started = self.check("management: {listen: ['127.0.0.1:0']}\n")
        self.assertEqual(started.returncode, 1)
        self.assertIn("insecure", started.stderr)


if __name__ == "__main__":
    main()
