"""Connections to servers beside requests: opened to who begins, closed where nobody needs them or backups are left."""

import re

from harness import Case, Connection, ScriptedOrigin, fetch, main, plane, wait_until
from harness.origins import response


class Pools(Case):
    def answering(self):
        def script(peer, _):
            while peer.read_request():
                peer.send(response())

        return self.scripted(script)

    def metric(self, fairlead, name, labels="backend=\"app\""):
        text = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        found = re.search(rf"^{name}{{{labels}}} (\d+)$", text, re.MULTILINE)
        return int(found.group(1)) if found else None

    def test_connections_are_opened_to_servers_that_begin(self):
        first, second = self.answering(), self.answering()
        fairlead = self.start(plane({"s1": first.address}, workers=2, backend={"connection_pool": {"warm": 5}}))
        first.wait_for(lambda: first.open_connections() == 5, "those of the start")
        self.ctl(fairlead, "server", "add", "app/s2", second.address)
        second.wait_for(lambda: second.open_connections() == 5, "those of a new server")
        wait_until(lambda: self.metric(fairlead, "fairlead_backend_warmed_total") == 10, "their count")
        self.assertEqual(self.metric(fairlead, "fairlead_backend_requests_total"), 0)
        self.assertEqual(self.metric(fairlead, "fairlead_server_idle_connections", 'backend="app",server="s2"'), 5)
        self.ctl(fairlead, "server", "set", "app/s2", "--admin-state", "maintenance")
        second.wait_until_unconnected()
        self.ctl(fairlead, "server", "set", "app/s2", "--admin-state", "ready")
        second.wait_for(lambda: second.open_connections() == 5, "those of its return")
        for _ in range(6):
            self.assertEqual(fetch(fairlead.address()).status, 200)
        self.assertEqual((first.connections, second.connections), (5, 10), "requests found all they needed")
        self.ctl(fairlead, "server", "add", "app/s3", "127.0.0.1:9")
        wait_until(lambda: self.metric(fairlead, "fairlead_backend_warming_failed_total"), "one that nobody takes")
        # Each worker tries one, for its share.
        self.assertLessEqual(self.metric(fairlead, "fairlead_backend_warming_failed_total"), 2)

    def test_what_is_not_needed_is_closed(self):
        origin = self.answering()
        fairlead = self.start(plane({"s1": origin.address}, workers=1, backend={
            "connection_pool": {"warm": 20, "purge_delay": "0.1s", "min_idle": 3}}))
        origin.wait_for(lambda: origin.connections == 20 and origin.open_connections() == 3, "the end of most")
        wait_until(lambda: self.metric(fairlead, "fairlead_backend_purged_total") == 17, "their count")
        self.assertEqual(fetch(fairlead.address()).status, 200)
        self.assertEqual(origin.connections, 20)

    def test_clients_leave_backups_when_another_server_is_back(self):
        def echo(name):
            origin = ScriptedOrigin(lambda peer, _: (peer.send(name), peer.read_to_end()))
            self.addCleanup(origin.close)
            return origin

        usual, spare = echo(b"usual"), echo(b"spare")
        fairlead = self.start(plane({"s1": usual.address}, listener={"protocol": "TCP"}))
        self.ctl(fairlead, "server", "add", "app/spare", spare.address, "--backup", "true")
        self.ctl(fairlead, "server", "set", "app/s1", "--admin-state", "maintenance")
        with Connection(fairlead.address()) as kept:
            self.assertEqual(kept.read_exactly(5), b"spare")
            self.assertEqual(self.metric(fairlead, "fairlead_backend_on_backups"), 1)
            self.ctl(fairlead, "server", "set", "app/s1", "--admin-state", "ready")
            self.assertFalse(kept.is_closed_within(0.2), "nobody asked for it")
            self.assertEqual(self.metric(fairlead, "fairlead_backend_on_backups"), 0)
            self.ctl(fairlead, "backend", "set", "app", "--on-marked-up", "close-backups")
            self.ctl(fairlead, "server", "set", "app/s1", "--admin-state", "maintenance")
            self.ctl(fairlead, "server", "set", "app/s1", "--admin-state", "ready")
            self.assertTrue(kept.is_closed_within(20))
        with Connection(fairlead.address()) as next_one:
            self.assertEqual(next_one.read_exactly(5), b"usual")


if __name__ == "__main__":
    main()
