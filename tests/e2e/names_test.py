"""Servers that have DNS names, with a nameserver that says what the test wants."""

import json
import re
import threading

from harness import NXDOMAIN, REFUSED, SERVFAIL, Connection, Nameserver, fetch, get, main, plane, wait_until
from harness.api import ApiCase, management, server, upsert


class NamesCase(ApiCase):
    def setUp(self):
        super().setUp()
        self.nameserver = self.start_nameserver()

    def start_nameserver(self):
        nameserver = Nameserver()
        self.addCleanup(nameserver.close)
        return nameserver

    def origins(self, count):
        """Servers at addresses of their own with one port, by address."""
        first = self.origin("127.0.1.1", address="127.0.1.1")
        port = int(first.address.rpartition(":")[2])
        found = {"127.0.1.1": first}
        for number in range(2, count + 1):
            address = f"127.0.1.{number}"
            found[address] = self.origin(address, address=(address, port))
        return found, port

    def plane(self, servers, resolver=None, backend=None, **others):
        settings = {"nameservers": [self.nameserver.address], "min_interval": "0.05s", "max_interval": "0.2s",
                    "timeout": "0.2s", "tries": 1, **(resolver or {})}
        return plane(servers, None, backend, resolver=settings, **others)

    def status(self, fairlead, name):
        return json.loads(self.ctl(fairlead, "server", "get", f"app/{name}", "-o", "json"))["status"]

    def metric(self, fairlead, name):
        text = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        return int(re.search(rf"^{name} (\d+)$", text, re.MULTILINE).group(1))

    def wait_for_address(self, fairlead, name, address):
        wait_until(lambda: self.status(fairlead, name).get("resolved_address", "") == address, f"{name} at {address}")

    def wait_for_resolution(self, fairlead, name, text):
        def says():
            return text in self.status(fairlead, name).get("resolution", "")
        wait_until(says, f"{text!r} of {name}")


class Addresses(NamesCase):
    def test_a_name_is_found_and_followed(self):
        origins, port = self.origins(3)
        self.nameserver.set("app.internal", ["127.0.1.1"])
        fairlead = self.start(self.plane({"s1": f"app.internal:{port}"}))
        self.wait_for_address(fairlead, "s1", f"127.0.1.1:{port}")
        self.assertEqual(fetch(fairlead.address()).body, b"127.0.1.1")
        self.nameserver.set("app.internal", ["127.0.1.3", "127.0.1.2"])
        wait_until(lambda: fetch(fairlead.address()).body != b"127.0.1.1", "another address")
        now = fetch(fairlead.address()).body
        self.assertEqual(self.metric(fairlead, "fairlead_names"), 1)
        self.assertGreaterEqual(self.metric(fairlead, "fairlead_name_lookups_total"), 2)
        self.assertEqual(self.metric(fairlead, "fairlead_name_lookup_failures_total"), 0)
        # Whatever the order, it stays.
        for answer in (["127.0.1.2", "127.0.1.3"], ["127.0.1.3", "127.0.1.1", "127.0.1.2"]):
            self.nameserver.set("app.internal", answer)
            self.nameserver.wait_for("app.internal", more=6)
            self.assertEqual(fetch(fairlead.address()).body, now)
        self.assertEqual(self.status(fairlead, "s1")["resolution"], "3 addresses")
        self.assertEqual(len(origins), 3)
        self.assertIn("app.internal", self.ctl(fairlead, "export"))
        self.assertNotIn("127.0.1.", self.ctl(fairlead, "export"))

    def test_servers_added_at_run_time_share_what_there_is(self):
        origins, port = self.origins(4)
        self.nameserver.set("app.internal", list(origins))
        fairlead = self.start(self.plane({}))
        for number in range(4):
            self.ctl(fairlead, "server", "add", f"app/s{number}", f"App.Internal:{port}")
        for number in range(4):
            wait_until(lambda: self.status(fairlead, f"s{number}")["lifecycle"] == "LIFECYCLE_READY", "all have addresses")
        seen = {fetch(fairlead.address()).body.decode() for _ in range(16)}
        self.assertEqual(seen, set(origins))
        before = self.nameserver.count("app.internal")
        self.nameserver.wait_for("app.internal", more=20)
        self.assertGreater(before, 0)
        for number in range(4):
            self.ctl(fairlead, "server", "delete", f"app/s{number}")
        # Nobody wants to know any more.
        self.ctl(fairlead, "server", "add", "app/other", "other.internal:80")
        self.nameserver.wait_for("other.internal", more=8)
        before = self.nameserver.count("app.internal")
        self.nameserver.wait_for("other.internal", more=20)
        self.assertEqual(self.nameserver.count("app.internal"), before)

    def test_pending_until_there_is_an_address(self):
        origins, port = self.origins(1)
        fairlead, api = self.start_with_api(self.plane({"s1": f"app.internal:{port}"}))
        self.wait_for_resolution(fairlead, "s1", "it does not exist (NXDOMAIN)")
        self.assertEqual(self.status(fairlead, "s1")["lifecycle"], "LIFECYCLE_PENDING")
        self.assertEqual(fetch(fairlead.address()).status, 503)
        session = self.session(api, server_events=True)
        session.apply(upsert(server("s2", f"late.internal:{port}")))
        self.nameserver.wait_for("late.internal")
        self.nameserver.set("late.internal", list(origins))
        event = session.read_event()
        self.assertEqual((event.server.name, event.resolved_address), ("s2", f"127.0.1.1:{port}"))
        self.assertEqual(fetch(fairlead.address()).body, b"127.0.1.1")

    def test_what_checks_say_counts_for_each_address(self):
        origins, port = self.origins(2)
        origins["127.0.1.2"].close()
        self.nameserver.set("app.internal", ["127.0.1.1"])
        check = {"health_check": {"tcp": {}, "interval": "0.05s", "rise": 1, "fall": 1}}
        fairlead = self.start(self.plane({"s1": f"app.internal:{port}"}, backend=check))
        wait_until(lambda: fetch(fairlead.address()).status == 200, "the first check")
        self.nameserver.set("app.internal", ["127.0.1.2"])
        self.wait_for_address(fairlead, "s1", f"127.0.1.2:{port}")
        self.assertEqual(fetch(fairlead.address()).status, 503)
        self.assertEqual(self.status(fairlead, "s1")["lifecycle"], "LIFECYCLE_PENDING")
        self.nameserver.set("app.internal", ["127.0.1.1"])
        wait_until(lambda: fetch(fairlead.address()).status == 200, "the first check at the former address")

    def test_ip6(self):
        origin = self.origin("six", address="::1")
        port = int(origin.address.rpartition(":")[2])
        self.nameserver.set("app.internal", ["::1"])
        fairlead = self.start(self.plane({"s1": f"app.internal:{port}"}))
        self.wait_for_address(fairlead, "s1", f"[::1]:{port}")
        self.assertEqual(fetch(fairlead.address()).body, b"six")
        # The other family is preferred, where there is any.
        self.nameserver.set("app.internal", ["::1", "127.0.1.1"])
        self.wait_for_address(fairlead, "s1", f"127.0.1.1:{port}")
        only = self.start(self.plane({"s1": f"app.internal:{port}"}, {"family": "IPV6_ONLY"}))
        self.wait_for_address(only, "s1", f"[::1]:{port}")

    def test_no_request_fails_while_addresses_change(self):
        origins, port = self.origins(3)
        self.nameserver.set("app.internal", ["127.0.1.1", "127.0.1.2"])
        fairlead = self.start(self.plane({f"s{n}": f"app.internal:{port}" for n in range(2)}))
        wait_until(lambda: fetch(fairlead.address()).status == 200, "addresses")
        stop, wrong, served = threading.Event(), [], [0]

        def ask():
            with Connection(fairlead.address()) as connection:
                while not stop.is_set():
                    status = connection.request(get()).status
                    served[0] += 1
                    if status != 200:
                        wrong.append(status)

        clients = [threading.Thread(target=ask) for _ in range(3)]
        for client in clients:
            client.start()
        addresses = list(origins)
        for number in range(15):
            self.nameserver.set("app.internal", [addresses[number % 3], addresses[(number + 1) % 3]])
            self.nameserver.wait_for("app.internal", more=4)
        stop.set()
        for client in clients:
            client.join()
        self.assertEqual(wrong, [])
        self.assertGreater(served[0], 100)


class Failures(NamesCase):
    def test_the_last_answer_is_kept(self):
        _, port = self.origins(1)
        self.nameserver.set("app.internal", ["127.0.1.1"])
        fairlead = self.start(self.plane({"s1": f"app.internal:{port}"}))
        self.wait_for_address(fairlead, "s1", f"127.0.1.1:{port}")
        for answer, text in ((NXDOMAIN, "it does not exist (NXDOMAIN); the last answer is kept"),
                             ([], "it has no address; the last answer is kept"),
                             (SERVFAIL, "has failed (SERVFAIL); the last answer is kept"),
                             (REFUSED, "refuses to answer; the last answer is kept"),
                             (None, "does not answer; the last answer is kept")):
            self.nameserver.set("app.internal", answer)
            self.wait_for_resolution(fairlead, "s1", text)
            self.assertEqual(fetch(fairlead.address()).body, b"127.0.1.1")
            self.nameserver.set("app.internal", ["127.0.1.1"])
            self.wait_for_resolution(fairlead, "s1", "1 address")

    def test_for_as_long_as_it_is_held(self):
        _, port = self.origins(1)
        hold = {"no_name": "0.3s", "refused": "0s", "timeout": "0s", "other": "0s"}
        fairlead = self.start(self.plane({"s1": f"app.internal:{port}"}, {"hold": hold}))
        for answer, text in ((NXDOMAIN, "NXDOMAIN"), (SERVFAIL, "SERVFAIL"), (REFUSED, "refuses"), (None, "does not answer")):
            self.nameserver.set("app.internal", ["127.0.1.1"])
            self.wait_for_address(fairlead, "s1", f"127.0.1.1:{port}")
            self.assertEqual(fetch(fairlead.address()).status, 200)
            self.nameserver.set("app.internal", answer)
            self.wait_for_address(fairlead, "s1", "")
            self.assertIn(text, self.status(fairlead, "s1")["resolution"])
            self.assertEqual(self.status(fairlead, "s1")["lifecycle"], "LIFECYCLE_PENDING")
            self.assertEqual(fetch(fairlead.address()).status, 503)

    def test_the_next_nameserver_is_asked(self):
        _, port = self.origins(1)
        second = self.start_nameserver()
        second.set("app.internal", ["127.0.1.1"])
        resolver = {"nameservers": [self.nameserver.address, second.address]}
        for answer in (SERVFAIL, REFUSED, None):
            self.nameserver.set("app.internal", answer)
            fairlead = self.start(self.plane({"s1": f"app.internal:{port}"}, resolver))
            self.wait_for_address(fairlead, "s1", f"127.0.1.1:{port}")
        self.nameserver.set("app.internal", NXDOMAIN)
        self.wait_for_resolution(fairlead, "s1", "NXDOMAIN")

    def test_answers_of_any_kind(self):
        _, port = self.origins(1)
        fairlead = self.start(self.plane({"s1": f"app.internal:{port}"}))
        before = fairlead.resident_bytes()
        many = [f"127.{number // 200 + 2}.1.{number % 200 + 1}" for number in range(3000)]
        self.nameserver.set("app.internal", many)
        self.wait_for_resolution(fairlead, "s1", "64 addresses, 2936 more are not looked at")
        header = b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
        question = b"\x03app\x08internal\x00\x00\x01\x00\x01"
        loop = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x00\x00\x02\xc0\x0c"
        for answer in (b"", b"\x00", header, header + question, header + question + b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\xff\xff\x7f",
                       header + question + loop, header + b"\xc0\x0c" * 600, b"\xff" * 1200, ["0.0.0.0"], ["224.0.0.1"],
                       ["255.255.255.255"]):
            self.nameserver.set("app.internal", answer)
            self.nameserver.wait_for("app.internal", more=4)
        self.wait_for_resolution(fairlead, "s1", "nothing can connect to its address; the last answer is kept")
        self.nameserver.set("app.internal", ["127.0.1.1"])
        self.wait_for_address(fairlead, "s1", f"127.0.1.1:{port}")
        self.assertEqual(fetch(fairlead.address()).body, b"127.0.1.1")
        self.assert_memory_grew_less_than(fairlead, before, 16 << 20)

    def test_many_names_are_no_storm(self):
        fairlead, api = self.start_with_api(self.plane({}, {"min_interval": "1s", "max_interval": "10s", "max_under_way": 20}))
        names = [f"n{number}.internal" for number in range(500)]
        for name in names:
            self.nameserver.set(name, ["127.0.1.1"])
        api.apply(upsert(*(server(f"s{number}", f"{name}:80") for number, name in enumerate(names))))
        wait_until(lambda: all(found.status.resolved_address for found in api.servers("app")), "addresses of all")
        for name in names:
            # Both families, and perhaps once more by now.
            self.assertLessEqual(self.nameserver.count(name), 2 * 12, name)
        self.assertEqual(fetch(fairlead.address()).status, 503)


class Services(NamesCase):
    SRV = "_http._tcp.app.internal"

    def services(self, *targets, weight=1, priority=0):
        """A service at each target's one address, 127.0.1.N for "sN.internal"."""
        return [(priority, weight, self.port, target) for target in targets]

    def setUp(self):
        super().setUp()
        self.at, self.port = self.origins(4)
        for number in range(1, 5):
            self.nameserver.set(f"s{number}.internal", [f"127.0.1.{number}"])

    def discovering(self, resolver=None, backend=None, servers=None, **others):
        return self.plane(servers or {}, resolver, {"discovery": {"srv": self.SRV}, **(backend or {})}, **others)

    def discovery(self, fairlead):
        return json.loads(self.ctl(fairlead, "backend", "get", "app", "-o", "json"))["status"].get("discovery", {})

    def wait_for_group(self, fairlead, *targets):
        names = {f"@{target}:{self.port}" for target in targets}

        def found():
            lines = self.ctl(fairlead, "server", "list", "app").splitlines()[1:]
            ready = {line.split()[0].removeprefix("app/") for line in lines if line.split()[3] == "ready"}
            return ready == names
        wait_until(found, f"{names} READY")

    def digest(self, api):
        return api.management.GetInfo(management.GetInfoRequest(), timeout=10).digest

    def wait_for_discovery(self, fairlead, text):
        wait_until(lambda: text in self.discovery(fairlead).get("resolution", ""), f"{text!r} of the discovery")

    def served_by(self, fairlead, count=16):
        return {fetch(fairlead.address()).body.decode() for _ in range(count)}

    def test_a_group_is_found_and_followed(self):
        self.nameserver.set(self.SRV, self.services("s1.internal", "s2.internal"))
        fairlead, api = self.start_with_api(self.discovering())
        self.wait_for_group(fairlead, "s1.internal", "s2.internal")
        self.assertEqual(self.served_by(fairlead), {"127.0.1.1", "127.0.1.2"})
        export, digest = self.ctl(fairlead, "export"), self.digest(api)
        self.assertNotIn("@", export)
        self.nameserver.set(self.SRV, self.services("s3.internal", "s2.internal"))
        self.wait_for_group(fairlead, "s2.internal", "s3.internal")
        self.assertEqual(self.served_by(fairlead), {"127.0.1.2", "127.0.1.3"})
        self.assertEqual(self.discovery(fairlead)["servers"], 2)
        self.assertEqual(self.ctl(fairlead, "export"), export)
        self.assertEqual(self.digest(api), digest)
        status = self.status(fairlead, f"@s3.internal:{self.port}")
        self.assertEqual(status["discovered_by"], self.SRV)
        self.assertIn("DNS names", self.refused(fairlead, "server", "drain", f"app/@s3.internal:{self.port}"))

    def test_of_a_backend_that_is_added_and_changed_at_run_time(self):
        self.nameserver.set(self.SRV, self.services("s1.internal"))
        self.nameserver.set("app.service", self.services("s2.internal"))
        fairlead = self.start(self.plane({}))
        self.ctl(fairlead, "backend", "set", "app", "--srv", self.SRV)
        self.wait_for_group(fairlead, "s1.internal")
        self.ctl(fairlead, "backend", "set", "app", "--srv", "app.service")
        self.wait_for_group(fairlead, "s2.internal")
        self.assertEqual(self.served_by(fairlead, 4), {"127.0.1.2"})
        before = self.nameserver.count(self.SRV)
        self.nameserver.wait_for("app.service", more=10)
        self.assertEqual(self.nameserver.count(self.SRV), before, "nobody wants to know any more")

    def test_weights_and_priorities(self):
        self.nameserver.set(self.SRV, self.services("s1.internal", weight=30) + self.services("s2.internal", weight=10)
                            + self.services("s3.internal", priority=10, weight=50))
        fairlead = self.start(self.discovering())
        self.wait_for_group(fairlead, "s1.internal", "s2.internal", "s3.internal")
        counts = {}
        for _ in range(40):
            body = fetch(fairlead.address()).body.decode()
            counts[body] = counts.get(body, 0) + 1
        self.assertEqual(set(counts), {"127.0.1.1", "127.0.1.2"}, "the others are preferred")
        self.assertAlmostEqual(counts["127.0.1.1"], 30, delta=6)
        self.nameserver.set(self.SRV, self.services("s3.internal"))
        self.wait_for_group(fairlead, "s3.internal")
        self.assertEqual(self.served_by(fairlead, 4), {"127.0.1.3"})

    def test_no_request_fails_while_groups_change(self):
        self.nameserver.set(self.SRV, self.services("s1.internal", "s2.internal"))
        fairlead = self.start(self.discovering())
        self.wait_for_group(fairlead, "s1.internal", "s2.internal")
        stop, wrong, served = threading.Event(), [], [0]

        def ask():
            with Connection(fairlead.address()) as connection:
                while not stop.is_set():
                    status = connection.request(get()).status
                    served[0] += 1
                    if status != 200:
                        wrong.append(status)

        clients = [threading.Thread(target=ask) for _ in range(3)]
        for client in clients:
            client.start()
        for number in range(12):
            # One of the two stays, or nobody does: the new ones' addresses are not known yet.
            targets = [f"s{(number * (1 + number // 6) + more) % 4 + 1}.internal" for more in (0, 1)]
            self.nameserver.set(self.SRV, self.services(*targets))
            self.wait_for_group(fairlead, *targets)
        stop.set()
        for client in clients:
            client.join()
        self.assertEqual(wrong, [])
        self.assertGreater(served[0], 100)

    def test_the_last_group_is_kept_for_as_long_as_it_is_held(self):
        self.nameserver.set(self.SRV, self.services("s1.internal"))
        fairlead = self.start(self.discovering({"hold": {"no_name": "1s"}}))
        self.wait_for_group(fairlead, "s1.internal")
        for answer, text in ((SERVFAIL, "has failed (SERVFAIL); the last answer is kept"),
                             (REFUSED, "refuses to answer; the last answer is kept"),
                             (None, "does not answer; the last answer is kept")):
            self.nameserver.set(self.SRV, answer)
            self.wait_for_discovery(fairlead, text)
            self.assertEqual(fetch(fairlead.address()).body, b"127.0.1.1")
        for answer, text in ((NXDOMAIN, "it does not exist (NXDOMAIN)"), ([], "it has no SRV record"),
                             ([(0, 0, 0, "")], "the service is not offered there")):
            self.nameserver.set(self.SRV, self.services("s1.internal"))
            self.wait_for_group(fairlead, "s1.internal")
            self.nameserver.set(self.SRV, answer)
            self.wait_for_group(fairlead)
            self.wait_for_discovery(fairlead, text)
            self.assertEqual(fetch(fairlead.address()).status, 503)

    def test_answers_of_any_kind(self):
        fairlead = self.start(self.discovering(backend={"discovery": {"srv": self.SRV, "max_servers": 20}}))
        before = fairlead.resident_bytes()
        self.nameserver.set(self.SRV, [(0, 1, 80, f"n{number}.internal") for number in range(1500)])
        self.wait_for_discovery(fairlead, "1000 servers, 500 more are not looked at; 20 of them are used")
        self.assertEqual(self.discovery(fairlead)["servers"], 20)
        header = b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
        question = b"\x05_http\x04_tcp\x03app\x08internal\x00\x00\x21\x00\x01"
        record = b"\xc0\x0c\x00\x21\x00\x01\x00\x00\x00\x00"
        for answer in (b"", b"\x00", header, header + question, header + question + record + b"\xff\xff\x00",
                       header + question + record + b"\x00\x08\x00\x00\x00\x00\x00\x50\xc0\x31", header + b"\xc0\x0c" * 600,
                       b"\xff" * 1200):
            self.nameserver.set(self.SRV, answer)
            self.nameserver.wait_for(self.SRV, more=3)
        self.wait_for_discovery(fairlead, "the last answer is kept")
        self.assertEqual(self.discovery(fairlead)["servers"], 20)
        self.nameserver.set(self.SRV, self.services("s1.internal"))
        self.wait_for_group(fairlead, "s1.internal")
        self.assertEqual(fetch(fairlead.address()).body, b"127.0.1.1")
        self.assert_memory_grew_less_than(fairlead, before, 16 << 20)

    def test_what_checks_say_counts_for_each(self):
        self.at["127.0.1.2"].close()
        self.nameserver.set(self.SRV, self.services("s1.internal", "s2.internal"))
        check = {"health_check": {"tcp": {}, "interval": "0.05s", "rise": 1, "fall": 1}}
        fairlead = self.start(self.discovering(backend=check))
        self.wait_for_group(fairlead, "s1.internal")
        self.assertEqual(self.served_by(fairlead), {"127.0.1.1"})

    def test_a_restart_finds_them_before_it_accepts(self):
        self.nameserver.set(self.SRV, self.services("s1.internal"))
        check = {"health_check": {"tcp": {}, "interval": "60s"}}
        configuration = self.discovering(backend=check, state_directory=str(self.folder / "state"))
        first = self.start(configuration)
        self.wait_for_group(first, "s1.internal")
        first.stop()
        again = self.start(configuration)
        self.assertEqual(fetch(again.address()).body, b"127.0.1.1")

    def test_a_resync_and_those_who_watch(self):
        self.nameserver.set(self.SRV, self.services("s1.internal"))
        fairlead, api = self.start_with_api(self.discovering(servers={"own": "127.0.0.1:9"}))
        wait_until(lambda: self.discovery(fairlead).get("servers") == 1, "a server")
        session = self.session(api)
        session.begin_resync(backend="app")
        session.apply(upsert(server("own", "127.0.0.1:9")))
        session.end_resync()
        self.assertEqual(self.discovery(fairlead)["servers"], 1)
        self.assertEqual(len(api.servers("app")), 2)


class Restarts(NamesCase):
    def test_names_outlive_the_process_and_addresses_do_not(self):
        _, port = self.origins(2)
        self.nameserver.set("app.internal", ["127.0.1.1"])
        configuration = self.plane({"s1": f"app.internal:{port}"}, state_directory=str(self.folder / "state"))
        first = self.start(configuration)
        self.wait_for_address(first, "s1", f"127.0.1.1:{port}")
        first.stop()
        self.nameserver.set("app.internal", ["127.0.1.2"])
        again = self.start(configuration)
        # It accepts when it knows.
        self.assertEqual(fetch(again.address()).body, b"127.0.1.2")
        self.assertEqual(self.status(again, "s1")["resolved_address"], f"127.0.1.2:{port}")
        again.stop()
        # Or when it has waited long enough.
        self.nameserver.set("app.internal", None)
        last = self.start(configuration)
        self.assertEqual(fetch(last.address()).status, 503)
        self.nameserver.set("app.internal", ["127.0.1.1"])
        wait_until(lambda: fetch(last.address()).status == 200, "an answer")


if __name__ == "__main__":
    main()
