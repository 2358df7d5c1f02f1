"""What servers send wrong: the client gets a 502 or sees a cut response, and nobody ever gets another's bytes.

Names begin with the row of the catalogue of bad input.
"""

import re
import select
import socket
import threading
import unittest

from harness import DEADLINE, Case, Connection, fetch, get, main, may_vanish, plane, proves, response

OK = b"HTTP/1.1 200 OK\r\n"

# What a server answers to a GET, and then closes: row, bytes.
REFUSED = [
    ("S1 garbage", b"nonsense\r\n\r\n"),
    ("S1 HTTP/0.9", b"<html>hello</html>"),
    ("S1 HTTP/2 settings", b"\0\0\0\x04\0\0\0\0\0" + b"\0" * 40),
    ("S1 status 99", b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n"),
    ("S1 status 1000", b"HTTP/1.1 1000 High\r\nContent-Length: 0\r\n\r\n"),
    ("S1 status 2x0", b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"),
    ("S1 version 2.0", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("S2 both lengths", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("S2 two lengths", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("S2 negative length", OK + b"Content-Length: -5\r\n\r\nhello"),
    ("S2 unknown coding", OK + b"Transfer-Encoding: gzip\r\n\r\nhello"),
    ("S2 bare LF", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    ("S2 NUL", OK + b"X: \0\r\nContent-Length: 5\r\n\r\nhello"),
    ("S2 control byte", OK + b"X: \x01\r\nContent-Length: 5\r\n\r\nhello"),
    ("S2 space before the colon", OK + b"Content-Length : 5\r\n\r\nhello"),
    ("S2 empty name", OK + b": 5\r\n\r\nhello"),
    ("S2 bad chunk at once", OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
    ("S4 101 that nobody asked for", b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
    ("S4 endless interim heads", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 1000),
    ("S6 close before a byte", b""),
    ("S6 close in the head", OK + b"Content-Le"),
    ("S6 close after an interim head", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ("S7 head of 1 MB", OK + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n"),
    ("S7 ten thousand headers", OK + b"X: y\r\n" * 10_000 + b"\r\n"),
]

# The head is good, what follows is not: the client must see that the response is not whole.
CUT = [
    ("S2 chunk bad later", [OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"zz\r\n"]),
    ("152 reset in the body", [OK + b"Content-Length: 100\r\n\r\nhello", None]),
    ("S6 close in the body", [OK + b"Content-Length: 100\r\n\r\nhello"]),
    ("S6 close without last chunk", [OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]),
]

# What is served, though odd: bytes, status, body.
ACCEPTED = [
    ("S1 no reason", b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
    ("S1 status 599", b"HTTP/1.1 599 Own\r\nContent-Length: 5\r\n\r\nhello", 599, b"hello"),
    ("S6 until close", OK + b"\r\nhello", 200, b"hello"),
    ("S10 HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
    ("S2 chunked", OK + b"Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nTrailer: x\r\n\r\n", 200, b"hello"),
    ("S3 204 with a body", b"HTTP/1.1 204 No Content\r\n\r\nhello", 204, b""),
    ("S3 304 with a body", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", 304, b""),
    ("153 more than its length", OK + b"Content-Length: 5\r\n\r\nhello" + response(body=b"stolen"), 200, b"hello"),
    ("S3 bytes after the last chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + response(body=b"x"),
     200, b"hello"),
    ("S2 obs-text", OK + b"X: \xe4\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
]


class Answers(Case):
    def start_rows(self, rows, **options):
        """A server that answers GET /N with row N, and every other request well, on connections that it keeps."""
        def script(peer, _):
            while True:
                request = peer.read_request()
                if not request.target[1:].isdigit():
                    peer.send(response(body=b"well"))
                    continue
                sent = rows[int(request.target[1:])]
                for part in sent if isinstance(sent, list) else [sent]:
                    if part is None:
                        return peer.reset()
                    peer.send(part)
                    self.go_on.wait(0.05)  # so that parts travel apart
                return None

        self.go_on = threading.Event()
        origin = self.scripted(script)
        self.addCleanup(lambda: self.assertEqual(origin.errors, []))
        return self.start(plane([origin.address, origin.address], **options))

    @proves("154")
    def test_what_is_refused_is_a_502_and_the_client_goes_on(self):
        fairlead = self.start_rows([sent for _, sent in REFUSED])
        with Connection(fairlead.address()) as connection:
            for number, (name, _) in enumerate(REFUSED):
                with self.row(name):
                    counted = self.bad_responses(fairlead)
                    interim = []
                    answer = connection.request(get(f"/{number}"), interim=interim)
                    self.assertEqual((answer.status, answer.is_whole), (502, True))
                    self.assertLess(len(interim), 20)
                    self.assertEqual(connection.request(get("/well")).body, b"well")
                    self.assertEqual(self.bad_responses(fairlead), counted + 1)

    def bad_responses(self, fairlead):
        page = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        found = re.search(r'^fairlead_backend_failed_total\{backend="app",cause="response"\} (\d+)$', page, re.MULTILINE)
        return int(found[1]) if found else 0

    def test_what_breaks_in_the_body_is_cut_for_the_client(self):
        fairlead = self.start_rows([sent for _, sent in CUT])
        for number, (name, _) in enumerate(CUT):
            with self.row(name), Connection(fairlead.address()) as connection:
                answer = connection.request(get(f"/{number}"))
                self.assertEqual((answer.status, answer.is_whole), (200, False))
                fairlead.wait_for_access(f"target=/{number} ", "end=response_incomplete")

    def test_what_is_odd_is_served_and_nobody_gets_the_rest(self):
        fairlead = self.start_rows([sent for _, sent, _, _ in ACCEPTED])
        for number, (name, _, status, body) in enumerate(ACCEPTED):
            with self.row(name), Connection(fairlead.address()) as connection:
                answer = connection.request(get(f"/{number}"))
                self.assertEqual((answer.status, answer.body, answer.is_whole), (status, body, True))
                self.assertEqual(fetch(fairlead.address(), "/well").body, b"well")

    @proves("S3")
    def test_s3_a_body_after_head(self):
        def script(peer, _):
            while True:
                peer.read_request()
                peer.send(response(body=b"for HEAD"))

        fairlead = self.start(plane([self.scripted(script).address]))
        with Connection(fairlead.address()) as connection:
            for _ in range(5):
                answer = connection.request(get(method="HEAD"), head_only=True)
                self.assertEqual((answer.status, answer.get("content-length")), (200, "8"))
                self.assertEqual(connection.request(get()).body, b"for HEAD")

    @proves("S4")
    def test_s4_interim_responses_reach_1_1_clients_only(self):
        def script(peer, _):
            peer.read_request()
            peer.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response())

        fairlead = self.start(plane([self.scripted(script).address]))
        with Connection(fairlead.address()) as connection:
            interim = []
            self.assertEqual(connection.request(get(), interim=interim).body, b"hello")
            self.assertEqual([(head.status, head.get("link")) for head in interim], [(102, None), (103, "</a>")])
        with Connection(fairlead.address()) as connection:
            interim = []
            self.assertEqual(connection.request(get(version="HTTP/1.0"), interim=interim).body, b"hello")
            self.assertEqual(interim, [])

    @proves("E4")
    def test_e4_cookies_are_never_joined(self):
        fairlead = self.start_rows([OK + b"Set-Cookie: a=1; Path=/\r\nX: 1\r\nset-cookie: b=2\r\nX: 2\r\n"
                                    b"Content-Length: 0\r\n\r\n"])
        answer = fetch(fairlead.address(), "/0")
        self.assertEqual(answer.all("set-cookie"), ["a=1; Path=/", "b=2"])
        self.assertEqual(answer.all("x"), ["1", "2"])

    @proves("S5")
    def test_s5_a_pooled_connection_that_speaks_unasked_is_not_used(self):
        def script(peer, number):
            peer.read_request()
            peer.send(response(body=b"%d" % number))
            self.answered.wait(20)
            peer.send(response(body=b"unasked"))
            peer.read_to_end()

        self.answered = threading.Event()
        origin = self.scripted(script)
        fairlead = self.start(plane([origin.address], workers=1))
        self.assertEqual(fetch(fairlead.address()).body, b"0")
        self.answered.set()
        origin.wait_until_unconnected()
        self.assertEqual(fetch(fairlead.address()).body, b"1")

    @proves("155", "S6")
    def test_155_s6_a_reused_connection_that_closes_is_tried_again_where_that_is_safe(self):
        def script(peer, number):
            peer.read_request()
            peer.send(response(body=b"%d" % number))
            peer.read_request()  # taken, and not answered

        origin = self.scripted(script)
        fairlead = self.start(plane([origin.address], workers=1))
        for number in range(5):
            self.assertEqual(fetch(fairlead.address()).body, b"%d" % number)
        line = fairlead.wait_for_access("retries=1")
        self.assertEqual((line["status"], line["end"]), ("200", "complete"))
        self.assertEqual(fetch(fairlead.address(), method="POST", body=b"twice?").status, 502)

    @proves("S8")
    def test_s8_a_server_that_is_slow(self):
        def script(peer, _):
            request = peer.read_request()
            peer.send({"/head": b"HTTP/1.1 200 OK\r\nContent-", "/body": OK + b"Content-Length: 10\r\n\r\nhello",
                       "/nothing": b""}[request.target])
            peer.read_to_end()

        origin = self.scripted(script)
        fairlead = self.start(plane([origin.address], backend={"timeouts": {"response": "0.2s", "idle": "0.2s"}}))
        for path in ("/nothing", "/head"):
            self.assertEqual(fetch(fairlead.address(), path).status, 504)
        self.assertFalse(fetch(fairlead.address(), "/body").is_whole)
        fairlead.wait_for_access("target=/body ", "end=response_body_timeout")
        origin.wait_until_unconnected()

    @proves("S9")
    def test_s9_connections_that_a_server_will_close_are_not_kept(self):
        for header in ("Connection: close", "Keep-Alive: timeout=1"):
            with self.subTest(header):
                def script(peer, number):
                    peer.read_request()
                    peer.send(response(body=b"%d" % number, headers=[header]))  # pylint: disable=cell-var-from-loop
                    peer.read_to_end()

                origin = self.scripted(script)
                fairlead = self.start(plane([origin.address], workers=1))
                self.assertEqual([fetch(fairlead.address()).body for _ in range(3)], [b"0", b"1", b"2"])
                origin.wait_until_unconnected()

    @proves("S11", "92")
    def test_s11_92_without_101_there_is_no_tunnel(self):
        fairlead = self.start_rows([])
        with Connection(fairlead.address()) as connection:
            connection.send(get("/a", headers=["Connection: Upgrade", "Upgrade: foo"], method="POST", body=b"body") +
                            b"GET  / smuggled\r\n\r\n")
            self.assertEqual(connection.read_response().body, b"well")
            self.assertEqual(connection.read_response().status, 400)  # what follows is a request still

    @proves("C6")
    def test_c6_servers_that_cannot_be_reached(self):
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)  # and two that nobody accepts: further ones get no answer at all
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            alive = self.origin("alive")
            fairlead = self.start(plane(["127.0.0.1:%d" % full.getsockname()[1]],
                                        backend={"timeouts": {"connect": "0.2s"}, "retry": {"attempts": 1}}))
            self.assertEqual(fetch(fairlead.address()).status, 504)
            fairlead.wait_for_access("status=504", "end=connect_timeout")
            self.ctl(fairlead, "server", "add", "app/alive", alive.address)
            self.assertEqual({fetch(fairlead.address()).body for _ in range(6)}, {b"alive"})

    @proves("S6", "C6")
    def test_s6_a_server_that_vanishes_for_good_is_a_503(self):
        origin = self.origin()
        fairlead = self.start(plane([origin.address], workers=1))
        self.assertEqual(fetch(fairlead.address()).status, 200)
        origin.close()
        self.assertEqual(fetch(fairlead.address()).status, 503)
        fairlead.wait_for_access("status=503", "end=connect_failed")


@unittest.skipUnless(may_vanish(), "needs CAP_NET_ADMIN and TCP_REPAIR")
class HalfOpen(Case):
    """Servers that lose their power: for the data plane the connection is open still."""

    def vanishing(self, act):
        """A server, and what is set when the next of its connections is open at one end only."""
        gone = threading.Event()

        def script(peer, number):
            act(peer, number)
            peer.vanish()
            gone.set()

        return self.scripted(script), gone

    def test_an_idle_connection_is_found_out_when_it_is_used(self):
        def act(peer, number):
            peer.read_request()
            peer.send(response(body=b"%d" % number))

        origin, gone = self.vanishing(act)
        fairlead = self.start(plane([origin.address], workers=1))
        for number in range(5):
            self.assertEqual(fetch(fairlead.address()).body, b"%d" % number)
            self.assertTrue(gone.wait(DEADLINE))
            gone.clear()
        line = fairlead.wait_for_access("retries=1")
        self.assertEqual((line["status"], line["end"]), ("200", "complete"))
        self.assertEqual(fetch(fairlead.address(), method="POST", body=b"twice?").status, 502)

    def test_a_request_that_is_not_answered_goes_to_another_server_where_that_is_said(self):
        origin, _ = self.vanishing(lambda peer, number: peer.read_request())
        fairlead = self.start(plane([origin.address], workers=1, backend={
            "timeouts": {"response": "0.2s"}, "retry": {"attempts": 1, "conditions": ["TIMEOUT"]}}))
        self.assertEqual(fetch(fairlead.address()).status, 504)
        self.ctl(fairlead, "server", "add", "app/well", self.origin("well").address)
        self.assertEqual({fetch(fairlead.address()).body for _ in range(6)}, {b"well"})
        self.assertEqual(fairlead.wait_for_access("retries=1", "status=200")["end"], "complete")

    def test_a_body_that_stops_is_cut_for_the_client_and_the_upload_too(self):
        def act(peer, _):
            if peer.read_request_head().method == "GET":
                peer.send(OK + b"Content-Length: 10\r\n\r\nhello")

        origin, _ = self.vanishing(act)
        fairlead = self.start(plane([origin.address], workers=1, backend={"timeouts": {"idle": "0.2s"}}))
        self.assertFalse(fetch(fairlead.address()).is_whole)
        fairlead.wait_for_access("method=GET", "end=response_body_timeout")
        # What is sent there is answered by the machine, which knows nothing of it.
        with Connection(fairlead.address()) as client:
            client.send(get(method="POST", headers=["Content-Length: 1000000"]))
            self.assertEqual(self.upload_until_answered(client).status, 502)

    @staticmethod
    def upload_until_answered(client):
        for _ in range(100):
            client.send(b"x" * 10000)
            if select.select([client.socket], [], [], 0.1)[0]:
                break
        return client.read_response()

    def test_a_tunnel_ends_when_the_client_speaks(self):
        def act(peer, _):
            self.assertEqual(peer.read_exactly(5), b"hello")
            peer.send(b"hello")

        origin, gone = self.vanishing(act)
        fairlead = self.start(plane([origin.address], listener={"protocol": "TCP"}))
        with Connection(fairlead.address()) as client:
            client.send(b"hello")
            self.assertEqual(client.read_exactly(5), b"hello")
            self.assertTrue(gone.wait(DEADLINE))
            client.send(b"anybody there?")
            self.assertEqual((client.read_to_end(), client.was_reset), (b"", True))


if __name__ == "__main__":
    main()
