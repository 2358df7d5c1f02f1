"""The PROXY protocol with those who speak it: curl and haproxy towards us, and haproxy behind us."""

import pathlib
import socket
import subprocess

from harness import Connection, ScriptedOrigin, fetch, get, is_refused, main, plane, proves, response, wait_until
from harness.api import ApiCase
from harness.catalogue import SIGNATURE, v2
from harness.processes import distribution_program


class Accepted(ApiCase):
    def setUp(self):
        super().setUp()
        self.live = self.origin("live")
        self.fairlead = self.start(plane([self.live.address], listener={
            "proxyProtocol": {"trusted": ["127.0.0.0/8"]}, "timeouts": {"proxyHeader": "1s"}}))

    def refusals(self):
        text = fetch(self.fairlead.ready["observation"], "/metrics").body.decode()
        cause = 'fairlead_listener_refusals_total{listener="web",cause="proxy_header"} '
        return int(text.partition(cause)[2].split("\n")[0])

    def test_of_curl(self):
        address = self.fairlead.address()
        run = subprocess.run(["curl", "-s", "--haproxy-protocol", "--interface", "127.0.0.9",
                              f"http://{address}/curl"], capture_output=True, timeout=20, check=False)
        self.assertEqual(run.stdout, b"live", run)
        line = self.fairlead.wait_for_access("target=/curl")
        self.assertTrue(line["client"].startswith("127.0.0.9:"), line)
        self.assertEqual(self.live.requests[-1].get("x-forwarded-for"), "127.0.0.9")

    @proves(*(str(row) for row in range(158, 169)))
    def test_rows_158_to_168_over_a_socket(self):
        for bytes_ in (get(), b"PROXY TCP4 1.2.3.4 1.2.3.4 1 80 \r\n" + get(), b"PROXY " + b"x" * 200,
                       SIGNATURE + b"\x11\x11\0\0" + get(), v2(tlvs=b"\x03\0\4abcd") + get(), v2(tlvs=b"\x02\0\xffab") + get(),
                       b"PROXY TCP4 1.2.3.4", SIGNATURE):
            with Connection(self.fairlead.address()) as connection:
                connection.send(bytes_)
                self.assertEqual(connection.read_to_end(), b"", bytes_)
        wait_until(lambda: self.refusals() == 8, "all to be counted")
        self.assertEqual(self.live.count, 0)
        with Connection(self.fairlead.address()) as connection:
            for byte in v2(port=1234) + get("/bytes"):
                connection.send(bytes([byte]))
            self.assertEqual(connection.read_response().body, b"live")
        self.assertEqual(self.fairlead.wait_for_access("target=/bytes")["client"], "203.0.113.7:1234")
        for header, target in ((b"PROXY UNKNOWN\r\n", "/unknown"), (SIGNATURE + b"\x20\0\0\0", "/local")):
            with Connection(self.fairlead.address()) as connection:
                connection.send(header + get(target))
                self.assertEqual(connection.read_response().body, b"live")
            self.assertTrue(self.fairlead.wait_for_access(f"target={target}")["client"].startswith("127.0.0.1:"))

    def test_rules_and_limits_hold_for_the_address_of_the_header(self):
        self.ctl(self.fairlead, "listener", "set", "web", "--access", "deny:203.0.113.0/24",
                 "--max-connections-per-client", "1")
        with Connection(self.fairlead.address()) as denied:
            denied.send(v2() + get())
            self.assertEqual(denied.read_to_end(), b"")
        with Connection(self.fairlead.address()) as first, Connection(self.fairlead.address()) as second:
            first.send(v2("198.51.100.1") + get())
            self.assertEqual(first.read_response().status, 200)
            second.send(v2("198.51.100.1") + get())
            self.assertEqual(second.read_to_end(), b"")
            with Connection(self.fairlead.address()) as other:
                other.send(v2("198.51.100.2") + get())
                self.assertEqual(other.read_response().status, 200)


HAPROXY = """\
defaults
    mode {mode}
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend front
    bind 127.0.0.1:{port} {bind}
    {frontend}
    default_backend back
backend back
    server s1 {server} {options}
"""


class WithHaproxy(ApiCase):
    def haproxy(self, server, mode="http", bind="", frontend="", options=""):
        """Between a client and `server`; its address."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        configuration = pathlib.Path(self.folder) / f"haproxy-{port}.cfg"
        configuration.write_text(HAPROXY.format(mode=mode, port=port, bind=bind, frontend=frontend, server=server,
                                                options=options))
        self.start_process("haproxy", [distribution_program("haproxy", "haproxy"), "-db", "-f", str(configuration)])
        wait_until(lambda: not is_refused(f"127.0.0.1:{port}"), "haproxy")
        return f"127.0.0.1:{port}"

    def trusting(self, servers, **options):
        return self.start(plane(servers, listener={"proxyProtocol": {"trusted": ["127.0.0.0/8"]}}, **options))

    def test_it_tells_us_of_its_clients(self):
        live = self.origin("live")
        fairlead = self.trusting([live.address])
        for number, options in enumerate(("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id")):
            front = self.haproxy(fairlead.address(), options=options, frontend="unique-id-format %{+X}o%ci%cp")
            with Connection(front, source="127.0.0.5") as client:
                self.assertEqual(client.request(get(f"/{number}")).body, b"live")
                port = client.socket.getsockname()[1]
                line = fairlead.wait_for_access(f"target=/{number}")
                self.assertEqual(line["client"], f"127.0.0.5:{port}", options)
            self.assertEqual(live.requests[-1].get("x-forwarded-for"), "127.0.0.5")

    def test_we_tell_it_of_ours(self):
        live = self.origin("live")
        back = self.haproxy(live.address, bind="accept-proxy",
                            frontend="http-request set-header X-Source %[src]:%[src_port]->%[dst]:%[dst_port]\n"
                                     "    http-request set-header X-Id %[fc_pp_unique_id]\n"
                                     "    http-request set-header X-Authority %[fc_pp_authority]")
        for settings in ({"version": "V1"}, {"version": "V2"}, {"version": "V2", "crc32c": True, "uniqueId": True}):
            fairlead = self.start(plane([back], backend={"sendProxyProtocol": settings, "healthCheck": {
                "tcp": {}, "interval": "0.1s"}}))
            wait_until(lambda f=fairlead: fetch(f.address()).status == 200, "a server that is up")
            with Connection(fairlead.address(), source="127.0.0.6") as client:
                self.assertEqual(client.request(get()).body, b"live")
                port = client.socket.getsockname()[1]
            seen = live.requests[-1]
            self.assertEqual(seen.get("x-source"), f"127.0.0.6:{port}->{fairlead.address()}", settings)
            self.assertEqual(len(seen.get("x-id") or ""), 32 if settings.get("uniqueId") else 0)

    def test_what_it_said_is_passed_on(self):
        """haproxy, we, haproxy: name and id of the connection, its source and destination."""
        live = self.origin("live")
        back = self.haproxy(live.address, bind="accept-proxy",
                            frontend="http-request set-header X-Source %[src]:%[src_port]->%[dst]:%[dst_port]\n"
                                     "    http-request set-header X-Authority %[fc_pp_authority]")
        fairlead = self.trusting([back], backend={"sendProxyProtocol": {"version": "V2", "authority": True}})
        with Connection(fairlead.address()) as client:
            client.send(v2(tlvs=b"\x02\0\x09a.example") + get())
            self.assertEqual(client.read_response().body, b"live")
        self.assertEqual(live.requests[-1].get("x-source"), "203.0.113.7:4321->10.0.0.1:80")
        self.assertEqual(live.requests[-1].get("x-authority"), "a.example")

    def test_tcp_connections_are_told_of_as_well(self):
        echo = ScriptedOrigin(lambda peer, _: peer.send(peer.read_until(b"\n") + peer.read_until(b"\n")))
        self.addCleanup(echo.close)
        fairlead = self.start(plane([echo.address], listener={"protocol": "TCP"},
                                    backend={"sendProxyProtocol": {"version": "V1"}}))
        with Connection(fairlead.address(), source="127.0.0.7") as client:
            client.send(b"bytes\n")
            host, port = fairlead.address().rsplit(":", 1)
            expected = f"PROXY TCP4 127.0.0.7 {host} {client.socket.getsockname()[1]} {port}\rbytes"
            self.assertEqual(client.read_to_end(), expected.encode())


class Pools(ApiCase):
    def test_a_connection_that_was_told_of_a_client_carries_only_its_requests(self):
        """Each client has a connection of its own to the server, over which all of its requests go."""
        told = []

        def script(peer, _):
            line = peer.read_until(b"\n")
            while True:
                request = peer.read_request()
                told.append((line.split()[4], request.get("x-client")))
                peer.send(response())

        server = ScriptedOrigin(script)
        self.addCleanup(server.close)
        fairlead = self.start(plane([server.address], backend={"sendProxyProtocol": {"version": "V1"}}))
        clients = [Connection(fairlead.address()) for _ in range(5)]
        for number in range(20):
            client = clients[number * 7 % 5]
            port = client.socket.getsockname()[1]
            answer = client.request(f"GET / HTTP/1.1\r\nHost: a\r\nX-Client: {port}\r\n\r\n".encode())
            self.assertEqual(answer.status, 200)
        self.assertEqual(server.connections, 5)
        self.assertEqual(len(told), 20)
        for of_connection, of_request in told:
            self.assertEqual(of_connection.decode(), of_request)
        for client in clients:
            client.close()
        # In place: from then on connections are anybody's again.
        self.ctl(fairlead, "backend", "set", "app", "--send-proxy", "default")
        self.assertEqual(fetch(fairlead.address()).status, 502)


if __name__ == "__main__":
    main()
