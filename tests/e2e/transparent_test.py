"""Connections to servers come from the addresses of clients, where the backend says so."""

import socket
import unittest

from harness import Connection, ScriptedOrigin, get, main, plane, response
from harness.api import ApiCase


def may_be_anybody():
    """Whether this user may connect from addresses that are not of this machine."""
    with socket.socket() as one:
        try:
            one.setsockopt(socket.SOL_IP, getattr(socket, "IP_TRANSPARENT", 19), 1)
        except PermissionError:
            return False
    return True


@unittest.skipUnless(may_be_anybody(), "needs CAP_NET_ADMIN")
class Transparent(ApiCase):
    def setUp(self):
        super().setUp()
        # Where each request came from, and who sent it.
        self.seen = []

        def script(peer, _):
            source = peer.socket.getpeername()[0]
            while True:
                request = peer.read_request()
                self.seen.append((source, request.get("x-client")))
                peer.send(response())

        self.server = ScriptedOrigin(script)
        self.addCleanup(self.server.close)

    def connect(self, fairlead, source=None, listener="web"):
        connection = Connection(fairlead.address(listener), source=source)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, name):
        answer = connection.request(get(headers=[f"X-Client: {name}"]))
        self.assertEqual(answer.status, 200)

    def test_each_client_has_connections_of_its_own_and_its_address(self):
        fairlead = self.start(plane([self.server.address], backend={"connectionPool": {"transparent": True}}, workers=1))
        clients = {f"127.0.0.{number}": None for number in range(2, 6)}
        for address in clients:
            clients[address] = self.connect(fairlead, address)
        for _ in range(3):
            for address, client in clients.items():
                self.ask(client, address)
        self.assertEqual(len(self.seen), 12)
        for source, client in self.seen:
            self.assertEqual(source, client)
        self.assertEqual(self.server.connections, 4)

        # In place, and back.
        self.ctl(fairlead, "backend", "set", "app", "--transparent", "false")
        self.ask(clients["127.0.0.2"], "plain")
        self.assertEqual(self.seen[-1], ("127.0.0.1", "plain"))
        self.ctl(fairlead, "backend", "set", "app", "--transparent", "true")
        self.ask(clients["127.0.0.2"], "again")
        self.assertEqual(self.seen[-1], ("127.0.0.2", "again"))

    def test_a_client_of_another_family_comes_from_where_the_system_chooses(self):
        fairlead = self.start(plane([self.server.address], listener={"bind": ["[::1]:0"]},
                                    backend={"connectionPool": {"transparent": True}}))
        self.ask(self.connect(fairlead), "ip6")
        self.assertEqual(self.seen, [("127.0.0.1", "ip6")])

    def test_ip6_and_headers_of_the_proxy_protocol_as_well(self):
        told = []

        def script(peer, _):
            told.append((peer.socket.getpeername()[0], peer.read_until(b"\n").split()[2].decode()))
            peer.read_request()
            peer.send(response())

        server = ScriptedOrigin(script, "::1")
        self.addCleanup(server.close)
        fairlead = self.start(plane([server.address], listener={"bind": ["[::1]:0"]}, backend={
            "connectionPool": {"transparent": True}, "sendProxyProtocol": {"version": "V1"}}))
        self.ask(self.connect(fairlead), "both")
        self.assertEqual(told, [("::1", "::1")])

    def test_tcp(self):
        sources = []

        def script(peer, _):
            sources.append(peer.socket.getpeername()[0])
            peer.send(b"hello")

        server = ScriptedOrigin(script)
        self.addCleanup(server.close)
        fairlead = self.start(plane([server.address], listener={"protocol": "TCP"},
                                    backend={"connectionPool": {"transparent": True}}))
        self.assertEqual(self.connect(fairlead, "127.0.0.7").read_to_end(), b"hello")
        self.assertEqual(sources, ["127.0.0.7"])


if __name__ == "__main__":
    main()
