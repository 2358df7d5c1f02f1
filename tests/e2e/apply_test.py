"""Configurations as files: larger than a transaction, exported, compared with what is there."""

import json

from harness import Case, fetch, main, program, run
from harness.cases import plane

SERVERS = 25_000


def document(servers, listener="web"):
    rows = "\n".join(f"      - {{name: s{number}, address: '127.{number >> 16}.{number >> 8 & 255}.{number & 255}:80'}}"
                     for number in servers)
    return (f"listeners: [{{name: {listener}, bind: ['127.0.0.1:0'], protocol: HTTP, default_backend: app}}]\n"
            f"backends:\n  - name: app\n    servers:\n{rows}\n")


class Large(Case):
    def count(self, fairlead):
        return len(self.ctl(fairlead, "server", "list", "app").splitlines()) - 1

    def test_go_in_several_transactions(self):
        fairlead = self.start(plane([]))
        file = self.folder / "large.yaml"
        file.write_text(document(range(1, SERVERS + 1)))
        told = self.ctl(fairlead, "apply", "-f", str(file))
        self.assertRegex(told, rf"applied: {SERVERS} added.* in 3 transactions \(version \d+\)")
        self.assertEqual(self.count(fairlead), SERVERS)

        # What was exported is what there is, so nothing needs to go, and one transaction is enough.
        exported = self.ctl(fairlead, "export")
        self.assertRegex(self.ctl(fairlead, "apply", "-f", "-", "--prune", stdin=exported),
                         r"^applied: nothing to change \(version \d+\)")

        # Back to a few: deletes are split like all others.
        file.write_text(document(range(SERVERS - 9, SERVERS + 1), listener="other"))
        told = self.ctl(fairlead, "apply", "-f", str(file), "--prune")
        self.assertRegex(told, rf"applied: 1 added, {SERVERS - 9} removed in 3 transactions \(version \d+\)")
        self.assertEqual(self.count(fairlead), 10)
        self.assertEqual(self.ctl(fairlead, "listener", "list").splitlines()[1].split()[0], "other")

    def test_bring_what_is_tracked_first(self):
        fairlead = self.start(plane([]))
        last = f"s{SERVERS}"
        text = document(range(1, SERVERS + 1)).replace(
            "{name: s1,", f"{{name: s1, health_check: {{track: app/{last}}},", 1)
        self.assertRegex(self.ctl(fairlead, "apply", "-f", "-", stdin=text), r"in 3 transactions")
        self.assertEqual(self.count(fairlead), SERVERS)

    def test_say_what_holds_where_one_is_refused(self):
        fairlead = self.start(plane([]))
        file = self.folder / "large.yaml"
        file.write_text(document(range(1, SERVERS + 1)).replace(":80'", ":99999'").replace(":99999'", ":80'", 15_000))
        told = self.refused(fairlead, "apply", "-f", str(file))
        self.assertIn("large.yaml:15005:", told)
        self.assertIn("transaction 1 of 3 holds", told)
        self.assertEqual(self.count(fairlead), 10_000)


class Exported(Case):
    ROUTES = [{"path_prefix": "/old", "redirect": {"host": "new.example", "status": 308}},
              {"path_prefix": "/health", "respond": {"status": 200, "body": "fine"}}]

    def digest(self, fairlead):
        return json.loads(self.ctl(fairlead, "info", "-o", "json"))["digest"]

    def test_is_what_was_written(self):
        state = self.folder / "state"
        fairlead = self.start(plane([], listener={"routes": self.ROUTES}, state_directory=str(state)))
        exported = self.ctl(fairlead, "export")
        offline = run(program("fairlead"), "journal", "export", state)
        self.assertEqual(offline.returncode, 0, offline.stderr)
        for text in (exported, offline.stdout):
            other = self.start({"resources": {}})
            self.ctl(other, "apply", "-f", "-", stdin=text)
            self.assertEqual(self.digest(other), self.digest(fairlead))
            address = self.bound_address(other, "web")
            self.assertEqual([fetch(address, path).status for path in ("/old", "/health")], [308, 200])

    def test_is_compared_with_what_is_written_otherwise(self):
        fairlead = self.start(plane(["10.0.0.1:80"]))
        for written in ("servers: [{backend: app, name: s1, address: '[2001:DB8::0:1]:80'}]",
                        "servers: [{backend: app, name: s1, address: 'App.Internal.:80'}]",
                        "backends: [{name: app, timeouts: {}}]"):
            self.ctl(fairlead, "apply", "-f", "-", stdin=written)
            self.assertEqual(self.ctl(fairlead, "diff", "-f", "-", "--fail", stdin=written), "")
            self.assertIn("nothing to change", self.ctl(fairlead, "apply", "-f", "-", stdin=written))

    def test_what_was_set_goes_back_to_its_default(self):
        fairlead = self.start(plane([], backend={"health_check": {"tcp": {}}}))
        before = self.digest(fairlead)
        for option, value in (("cookie", "X"), ("stick", "{source}"), ("srv", "_a._tcp.x"), ("agent-port", "9"),
                              ("send-proxy", "v1"), ("slow-start", "3s")):
            self.ctl(fairlead, "backend", "set", "app", f"--{option}", value)
            self.assertNotEqual(self.digest(fairlead), before, option)
            self.ctl(fairlead, "backend", "set", "app", f"--{option}", "default")
            self.assertEqual(self.digest(fairlead), before, option)
        self.ctl(fairlead, "backend", "set", "app", "--balance", "hash", "--hash-key", "{source}")
        self.ctl(fairlead, "backend", "set", "app", "--balance", "default", "--hash-key", "default")
        self.assertEqual(self.digest(fairlead), before)


if __name__ == "__main__":
    main()
