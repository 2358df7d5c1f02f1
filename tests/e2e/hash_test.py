"""HASH, with real servers: what a key goes by, and that it keeps its server while others come and go."""

import threading

from harness import Connection, fetch, get, main, plane, wait_until
from harness.api import ApiCase, server, upsert

KEYS = [f"/{number}" for number in range(300)]


class HashCase(ApiCase):
    servers = 6

    def setUp(self):
        super().setUp()
        self.origins = {f"s{number}": self.origin(f"s{number}") for number in range(self.servers)}

    def hashing(self, key="{path}", listener=None, others=None, **fields):
        addresses = {name: origin.address for name, origin in self.origins.items()}
        balance = {"algorithm": "HASH", "hash": {"key": key, **fields}}
        return self.start(plane(addresses, listener, {"balance": balance}, **(others or {})))

    def holders(self, fairlead):
        """Who serves each key, asked on one connection."""
        with Connection(fairlead.address()) as connection:
            found = {}
            for key in KEYS:
                answer = connection.request(get(key))
                self.assertEqual(answer.status, 200)
                found[key] = answer.body.decode()
            return found


class KeysOfRequests(HashCase):
    def servers_of(self, fairlead, requests):
        """For each request the server that answers it, whenever it is sent."""
        found = []
        with Connection(fairlead.address()) as connection:
            for request in requests:
                bodies = {connection.request(request).body.decode() for _ in range(3)}
                self.assertEqual(len(bodies), 1, request)
                found += bodies
        return found

    def test_each_kind_of_key(self):
        def path(number):
            return get(f"/{number}?x={number % 3}")

        def query(number):
            return get(f"/{number % 3}?other={number % 2}&user={number}")

        def header(number):
            return get(f"/{number % 3}", headers=[f"X-User: {number}", f"X-Other: {number % 2}"])

        def cookie(number):
            return get(f"/{number % 3}", headers=[f"Cookie: a={number % 2}; id={number}"])

        fairlead = self.hashing()
        for key, request in (("{path}", path), ("{uri}", path), ("{query:user}", query), ("{header:x-user}", header),
                             ("{cookie:id}", cookie), ("{header:X-User}/{path}", header)):
            self.ctl(fairlead, "backend", "set", "app", "--hash-key", key)
            found = self.servers_of(fairlead, [request(number) for number in range(60)])
            self.assertEqual(set(found), set(self.origins), f"{key} goes to all of them")
            others = self.servers_of(fairlead, [request(number) for number in range(0, 60, 7)])
            self.assertEqual(others, found[::7], key)
        # What the key does not name does not count.
        self.ctl(fairlead, "backend", "set", "app", "--hash-key", "{header:X-User}")
        one = self.servers_of(fairlead, [get(f"/{number}", headers=["X-User: a"]) for number in range(30)])
        self.assertEqual(len(set(one)), 1)

    def test_hash_needs_a_key(self):
        fairlead = self.start(plane([self.origins["s0"].address]))
        said = self.refused(fairlead, "backend", "set", "app", "--balance", "hash")
        self.assertIn("balance.hash.key: is not set; HASH needs it", said)
        self.ctl(fairlead, "backend", "set", "app", "--balance", "hash", "--hash-key", "{path}")
        said = self.refused(fairlead, "backend", "set", "app", "--hash-key", "{pat}")
        self.assertIn('balance.hash.key: "{pat}" is not known; a field is {source}', said)
        self.assertEqual(fetch(fairlead.address()).status, 200)

    def test_requests_without_a_key_go_in_turn(self):
        fairlead = self.hashing("{header:X-User}")
        found = [fetch(fairlead.address()).body.decode() for _ in range(self.servers * 20)]
        for name in self.origins:
            self.assertAlmostEqual(found.count(name), 20, delta=4)

    def test_one_client_has_one_server(self):
        fairlead = self.hashing("{source}")
        self.assertEqual(len(set(self.holders(fairlead).values())), 1)

    def test_a_tcp_client_has_one_server(self):
        fairlead = self.hashing("{source}", listener={"protocol": "TCP"})
        found = set()
        for client in range(2, 42):
            bodies = set()
            for _ in range(2):
                with Connection(fairlead.address(), source=f"127.0.0.{client}") as connection:
                    bodies.add(connection.request(get()).body.decode())
            self.assertEqual(len(bodies), 1, f"127.0.0.{client}")
            found |= bodies
        self.assertEqual(found, set(self.origins))


class Types(HashCase):
    def test_all_data_planes_agree_where_the_type_goes_by_addresses(self):
        """Whatever the order in which servers came, and their names."""
        for kind in ("RING", "MAGLEV"):
            first = self.hashing(type=kind)
            second = self.hashing(type=kind)
            for name, origin in self.origins.items():
                self.ctl(second, "server", "add", f"app/x{name}", origin.address)
                self.ctl(second, "server", "delete", f"app/{name}")
            holders = self.holders(first)
            self.assertEqual(set(holders.values()), set(self.origins), kind)
            self.assertEqual(self.holders(second), holders, kind)

    def test_changing_the_type_under_load_fails_nothing(self):
        fairlead = self.hashing()
        stop, failures, served = threading.Event(), [], [0]

        def ask():
            with Connection(fairlead.address()) as connection:
                while not stop.is_set():
                    answer = connection.request(get(KEYS[served[0] % len(KEYS)]))
                    served[0] += 1
                    if answer.status != 200:
                        failures.append(answer)

        clients = [threading.Thread(target=ask) for _ in range(2)]
        for client in clients:
            client.start()
        try:
            for turn in range(40):
                kind = ("ring", "maglev", "modulo", "consistent")[turn % 4]
                self.ctl(fairlead, "backend", "set", "app", "--hash-type", kind,
                         "--hash-balance-factor", str(turn % 3 and 125))
                before = served[0]
                wait_until(lambda before=before: served[0] > before + 20 or failures, "requests after it")
        finally:
            stop.set()
            for client in clients:
                client.join()
        self.assertEqual(failures, [])

    def test_every_type_keeps_keys_that_need_not_move(self):
        for kind, most in (("RING", 0.1), ("MAGLEV", 0.1)):
            fairlead = self.hashing(type=kind)
            before = self.holders(fairlead)
            self.ctl(fairlead, "server", "delete", "app/s3")
            after = self.holders(fairlead)
            moved = [key for key in KEYS if after[key] != before[key] and before[key] != "s3"]
            self.assertLessEqual(len(moved), most * len(KEYS), kind)

    def test_load_is_bounded(self):
        fairlead = self.hashing(balance_factor=125)
        for origin in self.origins.values():
            origin.hold()
        held = []
        for number in range(24):
            connection = Connection(fairlead.address())
            self.addCleanup(connection.close)
            connection.send(get("/the-same"))
            held.append(connection)
            wait_until(lambda number=number: sum(origin.count for origin in self.origins.values()) > number, "the request")
        # A sixth of 24 is 4, and a quarter more 5.
        counts = sorted(origin.count for origin in self.origins.values())
        self.assertEqual(counts[-1], 5, counts)
        for origin in self.origins.values():
            origin.release()
        for connection in held:
            self.assertEqual(connection.read_response().status, 200)
        with Connection(fairlead.address()) as connection:
            bodies = {connection.request(get("/the-same")).body for _ in range(10)}
        self.assertEqual(len(bodies), 1, "with nothing else in flight it has its server")


class MembersComeAndGo(HashCase):
    def test_keys_keep_their_servers_over_a_restart(self):
        others = {"state_directory": str(self.folder / "state")}
        first = self.hashing(others=others)
        api = self.api_of(first)
        for name in ("s1", "s4"):
            self.ctl(first, "server", "delete", f"app/{name}")
            wait_until(lambda name=name: name not in {one.name for one in api.servers("app")}, "the end of its drain")
        self.ctl(first, "server", "add", "app/s4", self.origins["s4"].address)
        before = self.holders(first)
        self.assertEqual(set(before.values()), set(self.origins) - {"s1"})
        first.stop()
        again = self.hashing(others=others)
        self.assertEqual(self.holders(again), before)

    def test_a_key_keeps_its_server(self):
        fairlead = self.hashing()
        api = self.api_of(fairlead)
        before = self.holders(fairlead)
        for name, origin in self.origins.items():
            self.ctl(fairlead, "server", "delete", f"app/{name}")
            wait_until(lambda: len(api.servers("app")) == self.servers - 1, "the end of its drain")
            without = self.holders(fairlead)
            moved = {key for key in KEYS if without[key] != before[key]}
            self.assertEqual(moved, {key for key in KEYS if before[key] == name}, f"without {name}")
            self.ctl(fairlead, "server", "add", f"app/{name}", origin.address)
            self.assertEqual(self.holders(fairlead), before, f"{name} came back, to the place that it had")
        new = self.origin("new")
        self.ctl(fairlead, "server", "add", "app/new", new.address)
        after = self.holders(fairlead)
        self.assertEqual({after[key] for key in KEYS if after[key] != before[key]}, {"new"})
        self.ctl(fairlead, "server", "drain", "app/s0")
        drained = self.holders(fairlead)
        self.assertEqual({after[key] for key in KEYS if after[key] != drained[key]}, {"s0"})

    def test_a_full_server_passes_a_key_on_to_one_other(self):
        fairlead = self.hashing()
        before = self.holders(fairlead)
        name = before["/1"]
        api = self.api_of(fairlead)
        api.apply(upsert(server(name, self.origins[name].address, max_connections=1)))
        self.origins[name].hold()
        with Connection(fairlead.address()) as connection:
            already = self.origins[name].count
            connection.send(get("/1"))
            self.origins[name].wait_for_requests(already + 1)
            found = self.holders(fairlead)
            self.assertEqual(self.holders(fairlead), found)
            self.assertEqual({key for key in KEYS if found[key] != before[key]},
                             {key for key in KEYS if before[key] == name})
            self.origins[name].release()
            self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(self.holders(fairlead), before)


if __name__ == "__main__":
    main()
