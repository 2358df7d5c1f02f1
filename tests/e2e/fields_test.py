"""Every field of every resource changes in place, under load: no request fails, no connection is closed, nobody is lost.

And what a long connection holds is its server, not the configuration of the day it was opened.
"""

import threading

from harness import Connection, ScriptedOrigin, main, plane, wait_until
from harness.fields import BACKEND, CHECK, LISTENER, SERVER, with_field
from harness.certificates import Authority
from harness.api import ApiCase, management, resources, server, upsert


class FieldsInPlace(ApiCase):
    def setUp(self):
        super().setUp()
        self.live = self.origin("live")
        self.fairlead, self.api = self.start_with_api(plane(
            {"s1": self.live.address}, resolver={"nameservers": ["127.0.0.1:9"]}))
        # Somebody to follow.
        self.api.apply(upsert(server("s2", "127.0.0.1:9", weight=0)))
        self.stop, self.failures, self.served = threading.Event(), [], 0
        self.clients = [threading.Thread(target=self.ask) for _ in range(2)]

    def ask(self):
        """On one connection from the first toggle to the last."""
        try:
            with Connection(self.fairlead.address()) as connection:
                while not self.stop.is_set():
                    answer = connection.request(b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n")
                    if (answer.status, answer.body, answer.get("connection")) != (200, b"live", None):
                        self.failures.append(answer)
                        return
                    self.served += 1
        except (EOFError, OSError) as error:
            self.failures.append(error)

    def toggle(self, kind, name, fields, make):
        for path, values in fields.items():
            for value in values + values:
                patch = management.Patch(resource=management.Resource(**{kind: with_field(make(), path, value)}),
                                         update_mask={"paths": [path]})
                result = self.api.apply([management.Operation(patch=patch)])
                self.assertEqual(result.failures_total, 0, f"{name} {path}: {result}")
                self.assertEqual(self.failures, [], f"after {name} {path} was {value}")
                served = self.served
                wait_until(lambda served=served: self.served > served + 4 or self.failures, "requests after it")

    def test_toggling_every_field_under_load(self):
        uids = self.uids()
        for client in self.clients:
            client.start()
        try:
            wait_until(lambda: self.served > 10 or self.failures, "the first requests")
            self.toggle("server", "server app/s1", SERVER, lambda: resources.Server(backend="app", name="s1"))
            self.toggle("backend", "backend app", BACKEND, lambda: resources.Backend(name="app"))
            self.toggle_checks()
            self.toggle("listener", "listener web", LISTENER, lambda: resources.Listener(name="web"))
            self.toggle_tls()
        finally:
            self.stop.set()
            for client in self.clients:
                client.join()
        self.assertEqual(self.failures, [])
        # As many as there are requests at once, and no more.
        self.assertLessEqual(self.live.connections, len(self.clients), "connections to the server were closed")
        self.assertEqual(self.uids(), uids)

    def toggle_checks(self):
        """Checks are set, changed in each of their fields, and taken away."""
        others = [self.origin("check"), self.origin("check")]
        ports = [int(other.address.rsplit(":", 1)[1]) for other in others]
        checks = [resources.HealthCheck(http={}, port=ports[0]), None, resources.HealthCheck(tcp={}, port=ports[1])]
        for check in checks:
            if check:
                check.interval.FromJsonString("3s")
        backend = lambda: resources.Backend(name="app")  # noqa: E731
        self.toggle("backend", "backend app", {"health_check": (*checks, checks[0])}, backend)
        # An agent that says no word of its own changes nothing.
        self.toggle("backend", "backend app", {"health_check.port": ports, "health_check.agent.port": ports, **CHECK}, backend)
        self.toggle("server", "server app/s1", {
            "health_check.disabled": (True, False), "health_check.port": ports[::-1] + [None],
            "health_check.address": [other.address for other in others] + [None],
            "health_check.agent.port": ports[::-1] + [None],
            "health_check.agent.address": [other.address for other in others] + [None], "health_check.agent": (None,)},
            lambda: resources.Server(backend="app", name="s1"))
        self.toggle("backend", "backend app", {"health_check.port": (None,)}, backend)
        # Wherever a check is pointed to, it goes.
        for other in others:
            check = resources.HealthCheck(http={}, address=other.address)
            check.interval.FromJsonString("0.1s")
            self.toggle("backend", "backend app", {"health_check": (check,)}, backend)
            seen = other.count
            wait_until(lambda other=other, seen=seen: other.count > seen, "a check at its new address")
        # To another port as well: of the backend, and of the server, which goes before.
        for port, other in zip(ports, others):
            check = resources.HealthCheck(http={}, port=port)
            check.interval.FromJsonString("0.1s")
            self.toggle("backend", "backend app", {"health_check": (check,)}, backend)
            seen = other.count
            wait_until(lambda other=other, seen=seen: other.count > seen, "a check at its new port")
        for port, other in zip(ports, others):
            self.toggle("server", "server app/s1", {"health_check.port": (port,)},
                        lambda: resources.Server(backend="app", name="s1"))
            seen = other.count
            wait_until(lambda other=other, seen=seen: other.count > seen, "a check at the server's own port")
        self.toggle("server", "server app/s1", {"health_check": (None,)}, lambda: resources.Server(backend="app", name="s1"))
        self.toggle("backend", "backend app", {"health_check": (None,)}, backend)

    def toggle_tls(self):
        """What is asked of clients that come later; these go on in the clear."""
        authority = Authority(self.folder)
        self.api.apply([management.Operation(upsert=management.Resource(certificate=resources.Certificate(
            **authority.issue("example.com").fields(name)))) for name in ("one", "two")])
        clients = [resources.Listener(tls={"client_certificates": {
            "mode": mode, "ca": authority.root}}).tls.client_certificates
                   for mode in (1, 2)]
        self.toggle("listener", "listener web", {
            "tls.certificates": (["one"], ["two", "one"]), "tls.min_version": (2, 1),
            "tls.ciphers": ("ECDHE-RSA-AES128-GCM-SHA256", ""), "tls.cipher_suites": ("TLS_AES_128_GCM_SHA256", ""),
            "tls.alpn": (["http/1.1"], []), "tls.client_certificates": clients,
            "tls.client_certificates.subject_header": ("X-Subject", ""), "tls.strict_sni": (True, False),
            "tls.handshake_timeout": ("1s", "2s"), "tls.session_tickets": (False, True), "tls": (None,)},
            lambda: resources.Listener(name="web"))

    def uids(self):
        whole = self.api.export()[0]
        return [item.metadata.uid for item in [*whole.listeners, *whole.backends, *whole.servers]]

    def test_these_are_all_fields(self):
        """A field that is new is toggled too, however deep it stands."""
        fixed = {"name", "metadata", "status"}
        for message, toggled, others in (
                (resources.Server, SERVER, {"backend", "address", "health_check.port", "health_check.address",
                                           "health_check.agent.port", "health_check.agent.address"}),
                # (Servers that are told of clients, or speak TLS, must expect that: proxy_protocol_test.py, server_tls_test.py.)
                (resources.Backend, {**BACKEND, **CHECK}, {
                    "servers", "send_proxy_protocol", "tls", "health_check.tcp", "health_check.tls",
                    "health_check.port", "health_check.address", "health_check.agent.port", "health_check.agent.address"}),
                (resources.Listener, LISTENER, {"bind", "protocol", "default_backend", "tls"})):
            missing = {leaf for leaf in leaves(message.DESCRIPTOR)
                       if not any(is_within(leaf, path) for path in fixed | others) and leaf not in toggled
                       and not any(leaf in given(path, values) for path, values in toggled.items())}
            self.assertEqual(missing, set(), message.DESCRIPTOR.name)


def leaves(descriptor, prefix=""):
    """The paths of all fields that are no messages of ours, or repeated."""
    for field in descriptor.fields:
        path = prefix + field.name
        inner = field.message_type
        if inner and field.label != field.LABEL_REPEATED and not inner.full_name.startswith("google.protobuf."):
            yield from leaves(inner, path + ".")
        else:
            yield path


def is_within(leaf, path):
    return leaf == path or leaf.startswith(path + ".")


def given(path, values):
    """The paths of what is set within a message."""
    return {f"{path}.{key}" for value in values if isinstance(value, dict) for key in value}


class LongConnections(ApiCase):
    def test_hold_their_server_and_not_the_configuration_of_their_day(self):
        """Each is opened in a version of its own, all servers change in between: memory is that of the connections."""
        echo = ScriptedOrigin(lambda peer, _: peer.read_to_end())
        self.addCleanup(echo.close)
        fairlead, api = self.start_with_api(plane([echo.address], listener={"protocol": "TCP"}))
        names = [f"n{index}" for index in range(5000)]
        api.apply(upsert(*[server(name, "127.0.0.1:9", weight=0) for name in names]))
        held = []
        before = None
        for number in range(40):
            connection = Connection(fairlead.address())
            self.addCleanup(connection.close)
            connection.send(b"x")
            held.append(connection)
            echo.wait_for(lambda: echo.open_connections() >= number + 1, "the connection to the server")
            api.apply(upsert(*[server(name, "127.0.0.1:9", weight=0, labels={"round": str(number)}) for name in names]))
            if number == 9:
                before = fairlead.resident_bytes()
        # Of 5000 records each, 30 configurations would be some 50 MB.
        self.assert_memory_grew_less_than(fairlead, before, 16 << 20)
        self.assertEqual(echo.open_connections(), 40)


if __name__ == "__main__":
    main()
