"""What the world sends to a listener with TLS."""

import json
import socket
import ssl
import subprocess
import threading
import time

from harness import Connection, get, main, wait_until
from harness.certificates import TlsConnection, client_context, openssl
from harness.processes import DEADLINE
from harness.tls_case import TLS_1_2, TLS_1_3, TlsCase, client_hello


class Hostile(TlsCase):
    def alert_or_end(self, fairlead, data, seconds=DEADLINE):
        """Sends raw bytes; the connection must end. What came."""
        with Connection(fairlead.address(), timeout=seconds) as connection:
            connection.send(data)
            return connection.read_to_end()

    def test_row_169_plain_http_on_the_port_of_tls(self):
        fairlead = self.start_tls()
        self.assertNotIn(b"live", self.alert_or_end(fairlead, get()))
        self.assertNotIn(b"live", self.alert_or_end(fairlead, b"\x16\x03\x01\x00\x02garbage" * 100))
        self.assertEqual(self.live.count, 0)
        self.assert_serves(fairlead)

    def test_a_handshake_that_fails_has_a_line_in_the_access_log(self):
        fairlead = self.start_tls(tls={"handshake_timeout": "0.5s"})
        self.alert_or_end(fairlead, get())
        line = fairlead.wait_for_access("end=tls_handshake_failed")
        self.assertEqual((line["listener"], line["status"], line["method"]), ("web", "-", "-"))
        self.alert_or_end(fairlead, client_hello(b"example.com")[:20])
        fairlead.wait_for_access("end=tls_handshake_timeout")
        count = len(fairlead.out.all())
        self.alert_or_end(fairlead, b"")
        self.assert_serves(fairlead)
        fairlead.wait_for_access("status=200", start=count)
        self.assertEqual([line for line in fairlead.out.all()[count:] if "handshake" in line], [], "who said nothing")
        tcp = self.start(self.tls_plane([self.live.address], listener={"protocol": "TCP"}))
        with Connection(tcp.address()):
            pass
        tcp.wait_for_access("end=client_gone")
        through = self.start(self.tls_plane([self.live.address], listener={"protocol": "TCP", "tls": {"pass_through": {}}}))
        self.alert_or_end(through, get())
        through.wait_for_access("end=tls_handshake_failed")

    def test_row_170_a_hello_in_single_bytes_and_one_that_is_too_large(self):
        fairlead = self.start_tls()
        hello = client_hello(b"example.com")
        message = hello[5:]
        with Connection(fairlead.address()) as connection:
            for byte in message:
                connection.send(b"\x16\x03\x01\x00\x01" + bytes([byte]))
            self.assertEqual(connection.read_exactly(3)[:1], b"\x16", "the server's hello")
        large = b"\x01\xff\xff\xff" + b"x" * 16000
        record = b"\x16\x03\x01" + len(large).to_bytes(2, "big") + large
        self.assertNotIn(b"live", self.alert_or_end(fairlead, record * 20))
        self.assert_serves(fairlead)

    def test_row_173_old_versions_and_renegotiation(self):
        fairlead = self.start_tls()
        for version in ("-tls1", "-tls1_1"):
            client = subprocess.run(["openssl", "s_client", "-connect", fairlead.address(), version, "-cipher",
                                     "DEFAULT@SECLEVEL=0"], input=b"", capture_output=True, timeout=DEADLINE, check=False)
            self.assertNotEqual(client.returncode, 0)
            self.assertIn(b"alert protocol version", client.stderr)
        # SSLv2's hello, and SSLv3's.
        self.assertNotIn(b"live", self.alert_or_end(fairlead, b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x07" * 40))
        self.assertTrue(self.alert_or_end(fairlead, client_hello(b"a").replace(b"\x03\x03" + b"\x07" * 32, b"\x03\x00" + b"\x07" * 32))
                        .startswith(b"\x15"))
        client = subprocess.run(["openssl", "s_client", "-connect", fairlead.address(), "-tls1_2", "-legacy_renegotiation"],
                                input=b"R\n", capture_output=True, timeout=DEADLINE, check=False)
        self.assertIn(b"no renegotiation", client.stderr)
        self.assert_serves(fairlead)

    def test_row_173_only_the_newest_where_that_is_said(self):
        fairlead = self.start_tls(tls={"min_version": "TLS_VERSION_1_3"})
        self.assert_no_handshake(fairlead, version=TLS_1_2)
        self.assert_serves(fairlead, version=TLS_1_3)

    def test_row_174_protocols_that_are_not_spoken_here(self):
        fairlead = self.start_tls()
        for protocols in (("h2",), ("nonsense", "h3")):
            self.assert_no_handshake(fairlead, "no application protocol", alpn=protocols)
        with self.connect(fairlead, alpn=("h2", "http/1.1")) as connection:
            self.assertEqual(connection.socket.selected_alpn_protocol(), "http/1.1")
            # What follows is no HTTP/1.
            connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            self.assertGreaterEqual(connection.read_response().status, 400)
        self.assert_serves(fairlead, alpn=())

    def test_row_175_no_early_data_is_offered(self):
        fairlead = self.start_tls()
        session = self.folder / "session.pem"
        first = openssl("s_client", "-connect", fairlead.address(), "-tls1_3", "-sess_out", session, "-ign_eof",
                        stdin=get(host="example.com", headers=["Connection: close"]))
        self.assertIn("live", first)
        self.assertIn("Max Early Data: 0", first)

    def test_row_176_a_handshake_that_stalls_ends_at_its_own_limit(self):
        fairlead = self.start_tls(tls={"handshake_timeout": "0.3s"}, listener={"timeouts": {"request_head": "60s"}})
        hello = client_hello(b"example.com")
        for data in (b"", hello[:20], hello):
            began = time.monotonic()
            self.alert_or_end(fairlead, data)
            self.assertLess(time.monotonic() - began, 20)
        self.assert_serves(fairlead)

    def test_row_177_floods_of_records_that_say_nothing(self):
        """(Of key updates, which no client here can make: tests/unit/tls.)"""
        fairlead = self.start_tls()
        # Of the compatibility mode, before and within the handshake.
        self.alert_or_end(fairlead, client_hello(b"example.com") + b"\x14\x03\x03\x00\x01\x01" * 5000)
        # Empty records of the handshake.
        self.alert_or_end(fairlead, b"\x16\x03\x01\x00\x00" * 5000)
        wait_until(lambda: self.connections(fairlead) == 0, "the end of all")
        self.assert_serves(fairlead)

    def connections(self, fairlead):
        return json.loads(self.ctl(fairlead, "listener", "get", "web", "-o", "json"))["status"].get("connections", 0)

    def test_row_179_an_end_that_is_not_announced(self):
        # Of a client's request with a length: what came is served.
        fairlead = self.start_tls()
        with self.connect(fairlead) as connection:
            answer = connection.request(get(host="example.com"))
            self.assertEqual(answer.status, 200)
            raw = connection.socket
            raw.shutdown(2)
        wait_until(lambda: self.connections(fairlead) == 0, "the end")
        # Of a client's TCP stream: passed on as an end, and what the server says then still comes.
        def answer_at_the_end(peer, _):
            peer.send(b"heard " + peer.read_to_end())
        tcp = self.start(self.tls_plane([self.scripted(answer_at_the_end).address], listener={"protocol": "TCP"}))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            connection = self.connect(tcp, alpn=(), version=version)
            connection.send(b"some bytes")
            socket.socket.shutdown(connection.socket, socket.SHUT_WR)
            self.assertEqual((connection.read_to_end(), connection.was_reset), (b"heard some bytes", False), version)

    def test_row_179_we_announce_ours_and_not_where_a_response_is_cut(self):
        origin = self.scripted(self.whole_or_cut)
        fairlead = self.start(self.tls_plane([origin.address]))
        with self.connect(fairlead) as connection:
            connection.send(get("/whole", host="example.com", version="HTTP/1.0"))
            answer = connection.read_response()
            self.assertEqual((answer.body, connection.was_reset), (b"until the end", False))
        with self.connect(fairlead) as connection:
            connection.send(get("/cut", host="example.com", version="HTTP/1.0"))
            fairlead.wait_for_access("target=/cut ", "status=200", "end=response_incomplete")
            connection.read_response()
            self.assertTrue(connection.was_reset, "a response that was cut off looks whole")

    @staticmethod
    def whole_or_cut(peer, _):
        request = peer.read_request()
        if request.target == "/whole":
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nuntil the end\r\n0\r\n\r\n")
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nuntil the end\r\n")

    def test_a_storm_of_handshakes_lets_requests_through(self):
        fairlead = self.start_tls()
        stop, failures = threading.Event(), []

        def storm():
            context = client_context(self.authority)
            while not stop.is_set():
                try:
                    TlsConnection(fairlead.address(), context=context).close()
                except OSError as error:
                    failures.append(error)

        storms = [threading.Thread(target=storm) for _ in range(8)]
        for thread in storms:
            thread.start()
        try:
            with self.connect(fairlead) as connection:
                for _ in range(200):
                    self.assertEqual(connection.request(get(host="example.com")).status, 200)
        finally:
            stop.set()
            for thread in storms:
                thread.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    main()
