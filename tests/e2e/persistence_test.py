"""Persistence, with real servers: a cookie and a table bring clients back, through whatever happens to the others."""

import re
import threading

from harness import Connection, fetch, get, main, plane, response, wait_until
from harness.api import ApiCase

MODES = ("insert", "rewrite", "prefix")


def answer(name):
    """A server that names itself and sets a cookie of its own."""
    def give(request):
        headers = [f"Set-Cookie: {cookie}" for cookie in request.all("x-set")]
        return response(body=name.encode(), headers=headers)
    return give


class PersistenceCase(ApiCase):
    servers = 4

    def setUp(self):
        super().setUp()
        self.origins = {}
        for number in range(self.servers):
            name = f"s{number}"
            self.origins[name] = self.origin(name, answer=answer(name))

    def plane(self, persistence, **others):
        addresses = {name: origin.address for name, origin in self.origins.items()}
        return plane(addresses, None, {"persistence": persistence}, **others)

    def set_state(self, fairlead, name, state):
        self.ctl(fairlead, "server", "set", f"app/{name}", "--admin-state", state)

    def ask(self, fairlead, *headers):
        answered = fetch(fairlead.address(), headers=list(headers))
        self.assertEqual(answered.status, 200)
        return answered

    def server_of(self, fairlead, cookie):
        return self.ask(fairlead, f"Cookie: {cookie}").body.decode()

    def cookies(self, fairlead):
        """A cookie for each server."""
        found = {}
        for _ in range(100):
            answered = self.ask(fairlead)
            found[answered.body.decode()] = answered.get("set-cookie").split(";")[0]
            if set(found) == set(self.origins):
                return found
        self.fail(f"only {sorted(found)} are picked")


class Cookies(PersistenceCase):
    def test_clients_stay_in_a_panic(self):
        """All servers fail their checks, and all are picked from: whoever had one of them has it still."""
        is_well = True

        def answer_of(name):
            return lambda request: response(503) if request.target == "/health" and not is_well else response(body=name.encode())
        self.origins = {name: self.origin(name, answer=answer_of(name)) for name in self.origins}
        configuration = self.plane({"cookie": {"name": "SRV"}})
        configuration["resources"]["backends"][0].update(
            failover={"panicThreshold": 50}, healthCheck={"http": {"path": "/health"}, "interval": "50ms", "fall": 1})
        fairlead = self.start(configuration)
        cookies = self.cookies(fairlead)
        is_well = False
        wait_until(lambda: 'fairlead_backend_panic{backend="app"} 1' in fetch(
            fairlead.ready["observation"], "/metrics").body.decode(), "the panic")
        for name, cookie in cookies.items():
            for _ in range(3):
                answered = self.ask(fairlead, f"Cookie: {cookie}")
                self.assertEqual((answered.body.decode(), answered.get("set-cookie")), (name, None))

    def test_a_cookie_outlives_changes(self):
        fairlead = self.start(self.plane({"cookie": {"name": "SRV"}}))
        cookies = self.cookies(fairlead)

        def stays(why, *names):
            for name in names or cookies:
                for _ in range(3):
                    self.assertEqual(self.server_of(fairlead, cookies[name]), name, why)

        stays("at rest")
        self.ctl(fairlead, "server", "drain", "app/s1")
        self.ctl(fairlead, "server", "set", "app/s2", "--weight", "0")
        stays("drain, and weight 0")
        without = {self.ask(fairlead).body.decode() for _ in range(20)}
        self.assertEqual(without, {"s0", "s3"})
        for number in range(8):
            self.ctl(fairlead, "server", "add", f"app/x{number}", self.origins["s0"].address)
        stays("scale-out")
        for number in range(8):
            self.ctl(fairlead, "server", "delete", f"app/x{number}", "--drain", "0s")
        self.ctl(fairlead, "server", "set", "app/s3", "--weight", "9", "--max-connections", "100")
        self.ctl(fairlead, "server", "set", "app/s3", "--address", self.origins["s0"].address)
        self.assertEqual(self.server_of(fairlead, cookies["s3"]), "s0", "the address is not what the cookie goes by")
        self.ctl(fairlead, "server", "set", "app/s3", "--address", self.origins["s3"].address)
        stays("changed in place")

        self.set_state(fairlead, "s1", "maintenance")
        self.ctl(fairlead, "server", "delete", "app/s2", "--drain", "0s")
        for name in ("s1", "s2"):
            answered = self.ask(fairlead, f"Cookie: {cookies[name]}")
            self.assertIn(answered.body.decode(), ("s0", "s3"))
            moved = answered.get("set-cookie").split(";")[0]
            self.assertEqual(moved, cookies[answered.body.decode()], "the one that it is now")
        self.set_state(fairlead, "s1", "ready")
        self.ctl(fairlead, "server", "add", "app/s2", self.origins["s2"].address)
        stays("back under their names")

    def test_values_outlive_the_process(self):
        configuration = self.plane({"cookie": {"name": "SRV", "secret": "x"}})
        first = self.start(configuration)
        cookies = self.cookies(first)
        first.stop()
        again = self.start(configuration)
        for name, cookie in cookies.items():
            self.assertEqual(self.server_of(again, cookie), name)
            self.assertRegex(cookie, "^SRV=[0-9a-f]{16}$")
        self.ctl(again, "backend", "set", "app", "--cookie-secret", "y")
        others = self.cookies(again)
        self.assertFalse(set(others.values()) & set(cookies.values()))
        self.assertIsNotNone(self.ask(again, f"Cookie: {cookies['s0']}").get("set-cookie"), "means nothing any more")

    def test_what_is_set(self):
        fairlead = self.start(self.plane({"cookie": {"name": "SRV"}}))
        self.ctl(fairlead, "backend", "set", "app", "--cookie-path", "/a", "--cookie-domain", ".example.com",
                 "--cookie-secure", "true", "--cookie-http-only", "true", "--cookie-same-site", "none",
                 "--cookie-max-age", "1h", "--cookie-nocache", "true", "--cookie-indirect", "true")
        answered = self.ask(fairlead)
        self.assertRegex(answered.get("set-cookie"), "^SRV=[0-9a-f]{16}; Path=/a; Domain=.example.com; Max-Age=3600; Secure; "
                                                     "HttpOnly; SameSite=None$")
        self.assertEqual(answered.get("cache-control"), "private")
        own = answered.get("set-cookie").split(";")[0]
        answered = self.ask(fairlead, f"Cookie: a=1; {own}; b=2")
        self.assertIsNone(answered.get("set-cookie"))
        self.assertIsNone(answered.get("cache-control"))
        self.assertEqual(self.origins[answered.body.decode()].requests[-1].get("cookie"), "a=1; b=2")

    def test_cookies_of_servers(self):
        fairlead = self.start(self.plane({"cookie": {"name": "SRV", "mode": "REWRITE"}}))
        self.assertIsNone(self.ask(fairlead).get("set-cookie"))
        answered = self.ask(fairlead, "X-Set: SRV=mine; Path=/x", "X-Set: OTHER=1")
        self.assertRegex(answered.all("set-cookie")[0], "^SRV=[0-9a-f]{16}; Path=/x$")
        self.assertEqual(answered.all("set-cookie")[1], "OTHER=1")
        owner, own = answered.body.decode(), answered.all("set-cookie")[0].split(";")[0]
        for _ in range(6):
            self.assertEqual(self.server_of(fairlead, own), owner)

        self.ctl(fairlead, "backend", "set", "app", "--cookie-mode", "prefix")
        answered = self.ask(fairlead, "X-Set: SRV=mine; Path=/x")
        self.assertRegex(answered.get("set-cookie"), "^SRV=[0-9a-f]{16}~mine; Path=/x$")
        owner, own = answered.body.decode(), answered.get("set-cookie").split(";")[0]
        for _ in range(6):
            self.assertEqual(self.server_of(fairlead, own), owner)
            self.assertEqual(self.origins[owner].requests[-1].get("cookie"), "SRV=mine")

    def test_hostile_cookies(self):
        fairlead = self.start(self.plane({"cookie": {"name": "SRV", "indirect": True}}))
        before = fairlead.resident_bytes()
        hostile = ["SRV=" * 3000, "SRV=" + "0" * 15000, "SRV=0123456789abcdef;" * 700, ";" * 15000, "\"" * 15000,
                   "SRV=\"" + "a" * 5000, "SRV=\xff\xfe", "=;=;=", "SRV=" + "é" * 100, "SRV;" * 3000]
        for _ in range(30):
            for cookie in hostile:
                answered = fetch(fairlead.address(), headers=["Cookie: " + cookie])
                self.assertIn(answered.status, (200, 400, 431), cookie[:40])
        with Connection(fairlead.address()) as connection:
            many = [f"Cookie: SRV={number:016x}" for number in range(90)]
            self.assertEqual(connection.request(get(headers=many)).status, 200)
        self.assert_memory_grew_less_than(fairlead, before, 16 << 20)

    def test_nothing_fails_while_it_changes(self):
        fairlead = self.start(self.plane({"cookie": {"name": "SRV"}}))
        stop, wrong, served = threading.Event(), [], [0]

        def ask():
            cookie = None
            while not stop.is_set():
                headers = [f"Cookie: {cookie}"] if cookie else []
                with Connection(fairlead.address()) as connection:
                    for _ in range(20):
                        answered = connection.request(get(headers=headers))
                        served[0] += 1
                        if answered.status != 200:
                            wrong.append(answered.status)
                        if answered.get("set-cookie"):
                            cookie = answered.get("set-cookie").split(";")[0]

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        for number in range(60):
            name = f"s{number % self.servers}"
            self.set_state(fairlead, name, ("drain", "ready")[number % 2])
            self.ctl(fairlead, "backend", "set", "app", "--cookie-mode", MODES[number % 3])
            if number % 10 == 5:
                self.set_state(fairlead, "s0", "maintenance")
            self.ctl(fairlead, "backend", "set", "app", "--stick", ("{source}", "{path}")[number % 2])
        stop.set()
        for client in clients:
            client.join()
        # Who is cut off by MAINTENANCE before an answer began is told so.
        self.assertLess(len(wrong), 60, wrong)
        self.assertEqual(set(wrong) - {503}, set())
        self.assertGreater(served[0], 100)


class Tables(PersistenceCase):
    def test_a_tables_key_keeps_its_server(self):
        fairlead = self.start(self.plane({"table": {"key": "{header:X-User}"}}))
        owners = {user: self.ask(fairlead, f"X-User: {user}").body.decode() for user in range(40)}
        self.assertEqual(set(owners.values()), set(self.origins))
        for change in (("drain", "app/s1"), ("set", "app/s2", "--weight", "0"),
                       ("add", "app/s9", self.origins["s0"].address)):
            self.ctl(fairlead, "server", *change)
            for user, owner in owners.items():
                self.assertEqual(self.ask(fairlead, f"X-User: {user}").body.decode(), owner, change)
        self.set_state(fairlead, "s1", "maintenance")
        now = {user: self.ask(fairlead, f"X-User: {user}").body.decode() for user in owners}
        self.assertFalse([user for user in owners if owners[user] != "s1" and now[user] != owners[user]])
        self.assertNotIn("s1", now.values())
        self.set_state(fairlead, "s1", "ready")
        for user, owner in now.items():
            self.assertEqual(self.ask(fairlead, f"X-User: {user}").body.decode(), owner)

    def test_tcp_clients_come_back(self):
        addresses = {name: origin.address for name, origin in self.origins.items()}
        fairlead = self.start(plane(addresses, {"protocol": "TCP"}, {"persistence": {"table": {"key": "{source}"}}}))

        def ask(client):
            with Connection(fairlead.address(), source=f"127.0.0.{client}") as connection:
                return connection.request(get()).body.decode()

        owners = {client: ask(client) for client in range(2, 22)}
        self.assertEqual(set(owners.values()), set(self.origins))
        self.ctl(fairlead, "server", "drain", "app/s0")
        self.assertEqual({client: ask(client) for client in owners}, owners)

    def test_metrics(self):
        configuration = self.plane({"table": {"key": "{source}"}}, observation={"listen": "127.0.0.1:0"})
        fairlead = self.start(configuration)
        for _ in range(5):
            self.ask(fairlead)
        text = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        self.assertTrue(re.search(r'fairlead_backend_persisted_total\{backend="app"\} 4', text), text)


if __name__ == "__main__":
    main()
