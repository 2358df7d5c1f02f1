"""Answers and ends that come before the other side has said everything. Names begin with rows of the catalogue."""

import socket
import threading

from harness import Case, Connection, fetch, get, main, plane, proves, response

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


class EarlyAnswers(Case):
    def answering_at_once(self, *headers, then_close=False):
        """A server that answers as soon as it has a request's head."""
        def script(peer, _):
            while True:
                request = peer.read_request_head()
                self.lines.append(request.line)
                peer.send(response(413, b"too large", headers))
                if not then_close:
                    peer.read_request_body(request)
                if not request.is_whole:
                    return

        self.lines = []
        return self.scripted(script)

    @proves("95")
    def test_95_the_rest_of_a_body_is_never_read_as_a_request(self):
        fairlead = self.start(plane([self.answering_at_once().address]))
        for begun in (b"", SMUGGLED, SMUGGLED * 2):
            with self.subTest(begun=len(begun)), Connection(fairlead.address()) as connection:
                length = len(SMUGGLED) * 10
                connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length + begun)
                answer = connection.read_response()
                self.assertEqual((answer.status, answer.body), (413, b"too large"))
                connection.send(SMUGGLED * 9)
                self.assertEqual(connection.read_to_end(), b"")
        self.assertEqual(set(self.lines), {"POST / HTTP/1.1"})

    @proves("95")
    def test_95_a_connection_whose_body_was_read_in_spite_of_it_goes_on(self):
        fairlead = self.start(plane([self.answering_at_once().address]))
        with Connection(fairlead.address()) as connection:
            for _ in range(10):
                connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED)
                self.assertEqual(connection.read_response().status, 413)
        self.assertEqual(self.lines, ["POST / HTTP/1.1"] * 10)

    @proves("E8")
    def test_e8_the_answer_outlives_the_servers_close_and_the_clients_haste(self):
        """The client reads only when it has sent all that it can."""
        fairlead = self.start(plane([self.answering_at_once("Connection: close", then_close=True).address]))
        for _ in range(10):
            with Connection(fairlead.address()) as connection:
                connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
                for _ in range(16):
                    connection.send(b"x" * 65_536)
                answer = connection.read_response()
                self.assertEqual((answer.status, answer.body, connection.was_reset), (413, b"too large", False))


class Ends(Case):
    @proves("151")
    def test_151_what_a_server_sent_before_its_end_arrives_whole_and_then_the_end(self):
        data = b"0123456789abcdef" * (4 << 16)
        sent = threading.Event()

        def script(peer, _):
            peer.send(data)
            peer.finish()
            sent.set()
            peer.read_to_end()

        fairlead = self.start(plane([self.scripted(script).address], listener={"protocol": "TCP"}))
        with Connection(fairlead.address()) as connection:
            received = connection.read_exactly(1)
            received += connection.read_to_end()
            self.assertTrue(sent.wait(20))
            self.assertEqual((received == data, connection.was_reset), (True, False))

    @proves("152")
    def test_152_a_response_until_close_that_breaks_is_not_taken_for_whole(self):
        def script(peer, _):
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
            self.begun.wait(20)
            peer.reset()

        self.begun = threading.Event()
        fairlead = self.start(plane([self.scripted(script).address]))
        for version in ("HTTP/1.1", "HTTP/1.0"):
            self.begun.clear()
            with self.subTest(version), Connection(fairlead.address()) as connection:
                connection.send(get(version=version))
                connection.read_until(b"half")
                self.begun.set()
                rest = connection.read_to_end()
                self.assertTrue(connection.was_reset or not rest.endswith(b"0\r\n\r\n"), rest)
                if version == "HTTP/1.0":
                    self.assertTrue(connection.was_reset, "it looks whole")

    @proves("C6")
    def test_c6_a_server_that_resets_at_once_is_an_answer_and_harms_nobody(self):
        def script(peer, _):
            peer.reset()

        fairlead = self.start(plane([self.scripted(script).address]))
        for _ in range(20):
            self.assertIn(fetch(fairlead.address()).status, (502, 503))
        self.ctl(fairlead, "server", "set", "app/s1", "--address", self.origin("alive").address)
        self.assertEqual(fetch(fairlead.address()).body, b"alive")

    @proves("156")
    def test_156_a_reader_with_a_tiny_window_gets_everything(self):
        body = bytes(range(256)) * 1024
        fairlead = self.start(plane([self.origin(answer=lambda _: response(body=body)).address]))
        with socket.socket() as narrow:
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel's least
            narrow.settimeout(20)
            host, port = fairlead.address().rsplit(":", 1)
            narrow.connect((host, int(port)))
            narrow.sendall(get(headers=["Connection: close"]))
            received = b""
            while part := narrow.recv(1000):
                received += part
        self.assertEqual(received.split(b"\r\n\r\n", 1)[1], body)


if __name__ == "__main__":
    main()
