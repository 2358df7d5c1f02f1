"""Which servers are preferred, over real connections: backups, priorities, zones; and what `explain` says of it."""

from harness import Case, fetch, main, plane


class Preference(Case):
    def bodies(self, fairlead, count=12):
        return [fetch(fairlead.address()).body.decode() for _ in range(count)]

    def test_a_backup_serves_only_while_nobody_else_can(self):
        main_one, spare = self.origin("main"), self.origin("spare")
        fairlead = self.start(plane({"main": main_one.address, "spare": spare.address}, workers=1))
        self.ctl(fairlead, "server", "set", "app/spare", "--backup", "true")
        self.assertEqual(set(self.bodies(fairlead)), {"main"})
        self.ctl(fairlead, "server", "set", "app/main", "--admin-state", "maintenance")
        self.assertEqual(set(self.bodies(fairlead)), {"spare"})
        self.assertIn("on_backups: true", self.ctl(fairlead, "backend", "get", "app", "-o", "yaml"))
        self.ctl(fairlead, "server", "set", "app/main", "--admin-state", "ready")
        self.assertEqual(set(self.bodies(fairlead)), {"main"})

    def test_a_lower_priority_serves_when_the_first_is_gone_and_no_request_fails_in_between(self):
        first, second = self.origin("first"), self.origin("second")
        fairlead = self.start(plane({"first": first.address, "second": second.address}, workers=1))
        self.ctl(fairlead, "server", "set", "app/second", "--priority", "1")
        self.assertEqual(set(self.bodies(fairlead)), {"first"})
        self.ctl(fairlead, "server", "delete", "app/first")
        self.assertEqual(set(self.bodies(fairlead)), {"second"})

    def test_near_servers_come_first(self):
        near, far = self.origin("near"), self.origin("far")
        configuration = plane({"near": near.address, "far": far.address}, workers=1)
        configuration["zone"] = "a"
        fairlead = self.start(configuration)
        for name, zone in (("near", "a"), ("far", "b")):
            self.ctl(fairlead, "server", "set", "app/" + name, "--label", "zone=" + zone)
        self.assertEqual(set(self.bodies(fairlead)), {"near", "far"})
        self.ctl(fairlead, "backend", "set", "app", "--prefer-near", "true")
        self.assertEqual(set(self.bodies(fairlead)), {"near"})
        self.ctl(fairlead, "backend", "set", "app", "--min-near", "2")
        self.assertEqual(set(self.bodies(fairlead)), {"near", "far"})

    def test_explain_says_what_then_happens(self):
        origins = {name: self.origin(name) for name in ("one", "two", "three")}
        fairlead = self.start(plane({name: origin.address for name, origin in origins.items()}, workers=1,
                                    backend={"balance": {"algorithm": "HASH", "hash": {"key": "{path}"}}}))
        for number in range(10):
            path = "/thing/%d?x=1" % number
            said = self.ctl(fairlead, "explain", "web", "--path", path)
            server = fetch(fairlead.address(), path).body.decode()
            self.assertIn("app/" + server + " at " + origins[server].address, said)
            self.assertIn("HASH (CONSISTENT) of {path}: \"/thing/%d\"" % number, said)
        self.ctl(fairlead, "backend", "set", "app", "--cookie", "SRV")
        answer = fetch(fairlead.address(), "/elsewhere")
        cookie = answer.get("set-cookie").split(";")[0]
        said = self.ctl(fairlead, "explain", "web", "--path", "/thing/1", "--header", "Cookie=" + cookie)
        self.assertIn("app/" + answer.body.decode() + " at ", said)
        self.assertIn("it had server " + answer.body.decode() + " before", said)
        for name in origins:
            self.ctl(fairlead, "server", "set", "app/" + name, "--weight", "0")
        self.assertIn("no server: no_eligible_server", self.ctl(fairlead, "explain", "web"))
        self.assertIn("no_eligible_server", self.ctl(fairlead, "explain", "app", "--backend", "--source", "10.1.2.3"))

    def test_explain_knows_that_a_tcp_connection_has_no_path(self):
        origin = self.origin("one")
        fairlead = self.start(plane([origin.address], workers=1, listener={"protocol": "TCP"},
                                    backend={"balance": {"algorithm": "HASH", "hash": {"key": "{path}"}}}))
        self.assertIn("has nothing of the key {path}", self.ctl(fairlead, "explain", "web", "--path", "/x"))
        self.ctl(fairlead, "backend", "set", "app", "--hash-key", "{source}")
        self.assertIn("of {source}: \"10.1.2.3\"", self.ctl(fairlead, "explain", "web", "--source", "10.1.2.3"))

    def test_explain_knows_whom_the_listener_believes_and_whom_it_lets_in(self):
        fairlead = self.start(plane({name: self.origin(name).address for name in ("one", "two", "three")}, workers=1, listener={
            "http": {"trusted_hops": 1},
            "access": {"rules": [{"action": "DENY", "networks": ["10.0.0.0/8"]}]}}, backend={
                "balance": {"algorithm": "HASH", "hash": {"key": "{source}"}}}))
        for client in ("192.0.2.1", "10.7.7.7", "2001:db8::9"):
            server = fetch(fairlead.address(), headers=["X-Forwarded-For: 6.6.6.6, " + client]).body.decode()
            said = self.ctl(fairlead, "explain", "web", "--header", "X-Forwarded-For=6.6.6.6, " + client)
            self.assertIn(f"that it is of {client}\n", said)
            self.assertIn(f"app/{server} at ", said)
        said = self.ctl(fairlead, "explain", "web", "--source", "10.1.2.3")
        self.assertIn("listener web lets no connection of 10.1.2.3 in", said)
        self.assertIn("no server: denied", said)


if __name__ == "__main__":
    main()
