"""What clients send wrong over real sockets: refused with the right status and a close, and no server sees any of it.

Numbers are rows of the catalogue of bad input; valid neighbours, which must pass, stand beside them. Each refusal is
counted by its cause.
"""

import random
import re
import threading
from collections import Counter

from harness import Case, Connection, fetch, get, main, plane, proves, wait_until

HOST = b"Host: a\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def head(line=b"GET / HTTP/1.1", *lines):
    return b"\r\n".join([line, b"Host: a", *lines]) + b"\r\n\r\n"


def post(*lines, body=b"hello"):
    return POST + b"\r\n".join(lines) + b"\r\n\r\n" + body


# Row, what is sent, the status that is right, and the cause that it is counted by.
REFUSED_HEADS = [
    ("1 two spaces", head(b"GET  / HTTP/1.1"), 400, "target"),
    ("2 tab as separator", head(b"GET\t/ HTTP/1.1"), 400, "request_line"),
    ("3 space inside the target", head(b"GET /a b HTTP/1.1"), 400, "version"),
    ("4 fragment", head(b"GET /a#b HTTP/1.1"), 400, "target"),
    ("5 no leading slash", head(b"GET admin HTTP/1.1"), 400, "target"),
    ("6 asterisk with GET", head(b"GET * HTTP/1.1"), 400, "target"),
    ("8 authority-form with GET", head(b"GET a:443 HTTP/1.1"), 400, "target"),
    ("10 absolute-form, Host different", head(b"GET http://b/ HTTP/1.1"), 400, "host"),
    ("11 userinfo", head(b"GET http://u:p@a/ HTTP/1.1"), 400, "target"),
    ("12 CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405, "method"),
    ("13 TRACE", head(b"TRACE / HTTP/1.1"), 405, "method"),
    ("15 method of 100 kB", head(b"X" * 100_000 + b" / HTTP/1.1"), 501, "method"),
    ("16 URL of 100 kB", head(b"GET /" + b"x" * 100_000 + b" HTTP/1.1"), 414, "too_large"),
    ("17 non-ASCII in the target", head(b"GET /\xc3\xa4 HTTP/1.1"), 400, "target"),
    ("18 NUL in the target", head(b"GET /\0 HTTP/1.1"), 400, "target"),
    ("19 overlong UTF-8", head(b"GET /\xc0\xaf HTTP/1.1"), 400, "target"),
    ("23 HTTP/9.9", head(b"GET / HTTP/9.9"), 505, "version"),
    ("24 HTTP/01.1", head(b"GET / HTTP/01.1"), 400, "version"),
    ("25 lower case version", head(b"GET / http/1.1"), 400, "version"),
    ("26 HTTP/0.9", b"GET /\r\n\r\n", 400, "target"),
    ("167 PROXY header where none is expected", b"PROXY TCP4 10.1.2.3 10.0.0.1 4321 80\r\n" + head(b"GET / HTTP/1.1"), 400, "target"),
    ("27 ten empty lines", b"\r\n" * 10 + head(), 400, "request_line"),
    ("28 bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400, "version"),
    ("28 bare LF after a header", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400, "line_end"),
    ("29 CR alone", b"GET / HTTP/1.1\rHost: a\r\r", 400, "version"),
    ("30 bare CR in a value", head(b"GET / HTTP/1.1", b"X: a\rb"), 400, "line_end"),
    ("31 obs-fold", head(b"GET / HTTP/1.1", b"X: a", b" folded"), 400, "header_name"),
    ("32 space before the first header", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "header_name"),
    ("33 space before the colon", head(b"GET / HTTP/1.1", b"X : a"), 400, "header_name"),
    ("34 empty name", head(b"GET / HTTP/1.1", b": a"), 400, "header_name"),
    ("35 no colon", head(b"GET / HTTP/1.1", b"nonsense"), 400, "header_name"),
    ("36 name not a token", head(b"GET / HTTP/1.1", b"a(b): c"), 400, "header_name"),
    ("37 non-ASCII name", head(b"GET / HTTP/1.1", b"\xc3\xa4: c"), 400, "header_name"),
    ("38 NUL in a value", head(b"GET / HTTP/1.1", b"X: \0"), 400, "header_value"),
    ("41 value of 100 kB", head(b"GET / HTTP/1.1", b"X: " + b"y" * 100_000), 431, "too_large"),
    ("42 10,000 headers", head(b"GET / HTTP/1.1", *[b"X: y"] * 10_000), 431, "too_large"),
    ("43 Content_Length", post(b"Content_Length: 5", b"Content-Length: 5"), 400, "header_name"),
    ("43 Transfer_Encoding", post(b"Transfer_Encoding: chunked", b"Content-Length: 5"), 400, "header_name"),
    ("44 no Host", b"GET / HTTP/1.1\r\n\r\n", 400, "host"),
    ("45 two Hosts", head(b"GET / HTTP/1.1", b"Host: b"), 400, "host"),
    ("46 two equal Hosts", head(b"GET / HTTP/1.1", b"Host: a"), 400, "host"),
    ("47 empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "host"),
    ("48 Host a,b", b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, "host"),
    ("49 Host with path", b"GET / HTTP/1.1\r\nHost: h/path\r\n\r\n", 400, "host"),
    ("49 Host with userinfo", b"GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400, "host"),
    ("50 HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 400, "version"),
    ("51 random bytes", random.Random(51).randbytes(256), 400, "request_line"),
    ("51 TLS on a clear port", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200), 400, "request_line"),
    *[(f"39 control byte {byte:#04x} in a value", head(b"GET / HTTP/1.1", b"X: a" + bytes([byte]) + b"b"), 400, "header_value")
      for byte in [*range(1, 9), 0x0b, 0x0c, *range(0x0e, 0x20), 0x7f]],
]

REFUSED_FRAMING = [
    ("53 both lengths", post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400, "transfer_encoding"),
    ("55 two lengths", post(b"Content-Length: 5", b"Content-Length: 6"), 400, "content_length"),
    ("56 list of lengths", post(b"Content-Length: 5, 6"), 400, "content_length"),
    ("54 both lengths the other way", post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"), 400,
     "transfer_encoding"),
    ("55 two equal lengths", post(b"Content-Length: 5", b"Content-Length: 5"), 400, "content_length"),
    ("56 list of equal lengths", post(b"Content-Length: 5, 5"), 400, "content_length"),
    *[(f"{row} Content-Length {value}", post(b"Content-Length: " + value), 400, "content_length")
      for row, value in ((57, b"+5"), (58, b"-1"), (59, b"0x5"), (60, b""), (61, b"005"), (62, b"1 0"), (62, b"5.0"),
                         (62, b"5;"), (62, b"five"), (63, b"18446744073709551621"), (56, b"5,"))],
    *[(f"{row} Transfer-Encoding {value}", post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n"), 501, "transfer_encoding")
      for row, value in ((67, b"xchunked"), (67, b"gzip"), (67, b"gzip, chunked"), (70, b"identity"))],
    *[(f"{row} Transfer-Encoding {value}", post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n"), 400, "transfer_encoding")
      for row, value in ((68, b"chunked, chunked"), (69, b"chunked, gzip"), (71, b""), (71, b"chunked,"),
                         (72, b"chunked;q=1"), (72, b'"chunked"'))],
    *[(f"72 Transfer-Encoding {value}", post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n"), 400, "header_value")
      for value in (b"\x0bchunked", b"chunked\x0c", b"\0chunked")],
    ("68 two Transfer-Encodings", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
     400, "transfer_encoding"),
    ("73 chunked in 1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "transfer_encoding"),
    *[(f"{row} chunk {body[:20]}", CHUNKED + body, 400, "body")
      for row, body in (
          (74, b"0x5\r\nhello\r\n0\r\n\r\n"), (75, b"1_0\r\nhello\r\n"), (76, b"-1\r\nhello"), (76, b"+5\r\nhello\r\n0\r\n\r\n"),
          (77, b" 5\r\nhello\r\n0\r\n\r\n"), (78, b"5 \r\nhello\r\n0\r\n\r\n"), (79, b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
          (79, b"10000000000000005\r\nhello\r\n0\r\n\r\n"), (81, b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
          (82, b"5;a\rb\r\nhello\r\n0\r\n\r\n"), (83, b"5;" + b"x" * 65_536 + b"\r\nhello\r\n0\r\n\r\n"),
          (84, b"5\r\nhelloo\r\n0\r\n\r\n"), (85, b"5\r\nhello\n0\r\n\r\n"), (85, b"5\nhello\r\n0\r\n\r\n"),
          (85, b"\r\nhello\r\n"), (85, b"g\r\n"))],
    *[(f"87 trailer {name}", CHUNKED + b"5\r\nhello\r\n0\r\n" + name + b": 1\r\n\r\n", 400, "body")
      for name in (b"Content-Length", b"transfer-encoding", b"HOST")],
    ("88 bad chunk after a good one", CHUNKED + b"5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n", 400, "body"),
]

# What is sent, and what the server must see of it: target, headers by name, body.
VALID = [
    ("7 OPTIONS *", head(b"OPTIONS * HTTP/1.1"), "*", {}, b""),
    ("9 absolute-form", head(b"GET http://a/x HTTP/1.1"), "/x", {"host": "a"}, b""),
    ("14 unknown method", head(b"FOO /x HTTP/1.1"), "/x", {}, b""),
    ("21 %0d%0a", head(b"GET /a%0d%0aX:%20y HTTP/1.1"), "/a%0d%0aX:%20y", {"x": None}, b""),
    ("E3 dots and slashes", head(b"GET //a/../%2e%2e/a%2fb?c HTTP/1.1"), "//a/../%2e%2e/a%2fb?c", {}, b""),
    ("27 one empty line", b"\r\n" + head(), "/", {}, b""),
    ("40 obs-text", head(b"GET / HTTP/1.1", b"X: \xe4\xff"), "/", {"x": "\xe4\xff"}, b""),
    ("39 tab in a value", head(b"GET / HTTP/1.1", b"X:\ta\tb \t"), "/", {"x": "a\tb"}, b""),
    ("65 GET with a body", get("/", body=b"hello"), "/", {"content-length": "5"}, b"hello"),
    ("74 chunks", CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "/", {"content-length": None}, b"hello world"),
    ("72 chunked in capitals", post(b"Transfer-Encoding: CHUNKED", body=b"5\r\nhello\r\n0\r\n\r\n"), "/",
     {"content-length": None}, b"hello"),
    ("43 other underscores", head(b"GET / HTTP/1.1", b"My_Header: 1"), "/", {"my_header": "1"}, b""),
    ("61 length of zero", post(b"Content-Length: 0", body=b""), "/", {"content-length": "0"}, b""),
    ("89 Expect", post(b"Expect: 100-continue", b"Content-Length: 5"), "/", {"expect": "100-continue"}, b"hello"),
    ("91 Connection names what is ours to drop", head(b"GET / HTTP/1.1", b"Connection: x, close", b"X: 1"), "/",
     {"x": None}, b""),
    ("80 chunk extension", CHUNKED + b'5;a=b;c="d"\r\nhello\r\n0\r\n\r\n', "/", {}, b"hello"),
    ("87 trailers are dropped", CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", "/", {"x-trailer": None}, b"hello"),
    ("93 h2c", head(b"GET / HTTP/1.1", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
     "/", {"http2-settings": None}, b""),
    ("44 1.0 without Host", b"GET / HTTP/1.0\r\n\r\n", "/", {}, b""),
]


class SharedPlane(Case):
    """One data plane for a class, with a listener `slow` whose timeouts are short."""

    @classmethod
    def setUpClass(cls):
        cls.keeper = Case()
        cls.keeper.setUp()
        cls.origin = cls.keeper.origin("live")
        configuration = plane({"s1": cls.origin.address})
        configuration["resources"]["listeners"].append({
            "name": "slow", "bind": ["127.0.0.1:0"], "protocol": "HTTP", "defaultBackend": "app",
            "timeouts": {"requestHead": "0.3s", "keepAlive": "0.3s", "idle": "0.3s"}})
        cls.fairlead = cls.keeper.start(configuration)
        cls.web, cls.slow = cls.fairlead.address(), cls.fairlead.address("slow")

    @classmethod
    def tearDownClass(cls):
        cls.keeper.doCleanups()


class Requests(SharedPlane):
    def refuse(self, rows):
        for name, sent, status, cause in rows:
            with self.row(name):
                before = self.origin.count
                counted = self.bad_requests()
                with Connection(self.web) as connection:
                    connection.send(sent)
                    answer = connection.read_response()
                    self.assertEqual(answer.status, status)
                    self.assertTrue(answer.is_whole)
                    self.assertEqual(answer.get("connection"), "close")
                    self.assertTrue(connection.is_closed_within(10), "the connection stays open")
                self.assertEqual(self.origin.count, before, "a server saw it")
                self.assertEqual(self.bad_requests() - counted, {cause: 1})
        self.assertEqual(fetch(self.web).body, b"live")

    def bad_requests(self):
        """How many were refused, by cause."""
        page = fetch(self.fairlead.ready["observation"], "/metrics").body.decode()
        return Counter({cause: int(number) for cause, number in re.findall(
            r'^fairlead_listener_bad_requests_total\{listener="web",cause="(\w+)"\} (\d+)$', page, re.MULTILINE)})

    def test_heads_that_are_refused(self):
        self.refuse(REFUSED_HEADS)

    def test_framing_that_is_refused(self):
        self.refuse(REFUSED_FRAMING)

    def test_a_refused_head_is_refused_however_it_is_cut(self):
        for name, sent, status, _ in REFUSED_HEADS:
            if len(sent) > 1000 or name.startswith("51"):
                continue
            with self.row(name), Connection(self.web) as connection:
                before = self.origin.count
                for cut in range(0, len(sent), 7):
                    connection.send(sent[cut:cut + 7])
                self.assertEqual(connection.read_response().status, status)
                self.assertEqual(self.origin.count, before, "a server saw it")

    def test_valid_neighbours_pass(self):
        for name, sent, target, headers, body in VALID:
            with self.row(name):
                before = self.origin.count
                with Connection(self.web) as connection:
                    answer = connection.request(sent)
                    self.assertEqual((answer.status, answer.body), (200, b"live"))
                self.assertEqual(self.origin.count, before + 1)
                seen = self.origin.requests[-1]
                self.assertEqual(seen.target, target or "/")
                self.assertEqual((seen.body, seen.is_whole), (body, True))
                for header, value in headers.items():
                    self.assertEqual(seen.get(header), value, header)

    def test_20_22_escapes_and_backslashes_are_refused_in_paths_and_data_in_queries(self):
        for row, bad in (("20", "%00"), ("22", "\\")):
            with self.row(f"{row} in the path"):
                self.assertEqual(fetch(self.web, f"/a{bad}b").status, 400)
            with self.row(f"{row} in the query"):
                self.assertEqual(fetch(self.web, f"/a?b={bad}").status, 200)
                self.assertEqual(self.origin.requests[-1].target, f"/a?b={bad}")

    def test_90_91_expectations_and_framing_headers_named_in_connection(self):
        rows = [("90 Expect: foo", b"Expect: foo", 417, "expect"),
                ("90 two Expects", b"Expect: 100-continue\r\nExpect: 100-continue", 400, "expect"),
                *[(f"91 {token}", b"Connection: " + token, 400, "connection")
                  for token in (b"content-length", b"host", b"transfer-encoding", b"x-forwarded-for, close")]]
        self.refuse([(name, post(line, b"Content-Length: 5"), status, cause) for name, line, status, cause in rows])

    @proves("94", "E1")
    def test_94_pipelined_requests_are_answered_in_order_and_each_is_checked(self):
        with Connection(self.web) as connection:
            connection.send(b"".join(get(f"/{number}") for number in range(100)))
            before = self.origin.count
            for number in range(100):
                self.assertEqual(connection.read_response().status, 200)
            self.assertEqual([request.target for request in self.origin.requests[-100:]],
                             [f"/{number}" for number in range(100)])
        with Connection(self.web) as connection:
            before = self.origin.count
            connection.send(post(b"Content-Length: 5") + b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/third"))
            self.assertEqual([connection.read_response().status for _ in range(2)], [200, 400])
            self.assertTrue(connection.is_closed_within(10))
            self.assertEqual(self.origin.count, before + 1)

    @proves("E1")
    def test_e1_one_byte_each_packet(self):
        with Connection(self.web) as connection:
            for byte in CHUNKED + b"5;x\r\nhello\r\n0\r\n\r\n":
                connection.send(bytes([byte]))
            self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(self.origin.requests[-1].body, b"hello")

    @proves("E4")
    def test_e4_repeated_headers_stay_in_order(self):
        fetch(self.web, headers=["Content-Type: a", "X: 1", "Content-Type: b", "X: 2"])
        seen = self.origin.requests[-1]
        self.assertEqual((seen.all("content-type"), seen.all("x")), (["a", "b"], ["1", "2"]))

    @proves("66", "86", "E6")
    def test_66_86_e6_a_body_cut_short_never_looks_whole(self):
        for sent in (post(b"Content-Length: 10"), CHUNKED + b"5\r\nhello\r\n"):
            for ending in (Connection.finish, Connection.reset):
                with self.subTest(sent=sent, ending=ending.__name__):
                    count = self.origin.count
                    with Connection(self.web) as connection:
                        connection.send(sent)
                        self.origin.wait_for_requests(count + 1)
                        seen = self.origin.requests[-1]
                        ending(connection)
                        self.origin.wait_for_end_of(seen)  # the server's connection goes with it
                        self.assertFalse(seen.is_whole)
        self.assertEqual(fetch(self.web).status, 200)

    @proves("88")
    def test_88_a_bad_chunk_that_comes_later_ends_the_servers_connection(self):
        count = self.origin.count
        with Connection(self.web) as connection:
            connection.send(CHUNKED + b"5\r\nhello\r\n")
            self.origin.wait_for_requests(count + 1)
            seen = self.origin.requests[-1]
            connection.send(b"zz\r\nhello\r\n0\r\n\r\n")
            self.assertEqual(connection.read_response().status, 400)
            self.assertTrue(connection.is_closed_within(10))
        self.origin.wait_for_end_of(seen)
        self.assertFalse(seen.is_whole)

    @proves("52", "64", "C1", "E6")
    def test_52_c1_clients_that_stall(self):
        with Connection(self.slow) as silent, Connection(self.slow) as half, Connection(self.slow) as idle:
            half.send(b"GET / HTTP/1.1\r\nHo")
            self.assertEqual(idle.request(get()).status, 200)
            self.assertEqual(half.read_response().status, 408)
            self.assertTrue(half.is_closed_within(10))
            self.assertIn(silent.read_to_end()[:12], (b"", b"HTTP/1.1 408"))
            self.assertTrue(idle.is_closed_within(10))
        for sent in (post(b"Content-Length: 10"), CHUNKED + b"5\r\nhel", post(b"Content-Length: 1000000000000000000", body=b"")):
            with self.subTest(sent), Connection(self.slow) as connection:
                count = self.origin.count
                connection.send(sent)
                self.assertIn(connection.read_response().status, (408, 413))
                self.assertTrue(connection.is_closed_within(10))
                for seen in self.origin.requests[count:]:
                    self.origin.wait_for_end_of(seen)
                    self.assertFalse(seen.is_whole)

    @proves("C2", "150")
    def test_c2_half_closed_clients_get_their_answer(self):
        with Connection(self.web) as connection:
            self.origin.hold()
            count = self.origin.count
            connection.send(get())
            connection.finish()
            self.origin.wait_for_requests(count + 1)
            self.origin.release()
            self.assertEqual(connection.read_response().body, b"live")
            self.assertTrue(connection.is_closed_within(10))

    @proves("C2")
    def test_c2_a_client_that_resets_frees_everything(self):
        self.origin.hold()
        count = self.origin.count
        connections = [Connection(self.web) for _ in range(10)]
        for connection in connections:
            connection.send(get())
        self.origin.wait_for_requests(count + 10)
        for connection in connections:
            connection.reset()
        wait_until(lambda: 'fairlead_backend_in_flight{backend="app"} 0' in self.metrics(), "the end of all exchanges")
        self.origin.release()
        self.assertEqual(fetch(self.web).status, 200)

    @proves("C3", "149")
    def test_c3_149_a_thousand_connections_opened_and_dropped(self):
        before = self.descriptors()
        for index in range(1000):
            connection = Connection(self.web)
            if index % 3 == 1:
                connection.send(b"GET / HTTP/1.1\r\n")
            connection.reset() if index % 2 else connection.close()
        self.assertEqual(fetch(self.web).status, 200)
        wait_until(lambda: self.descriptors() <= before + 4, "the closing of all descriptors")

    def metrics(self):
        return fetch(self.fairlead.ready["observation"], "/metrics").body.decode()

    def descriptors(self):
        return int(self.metrics().split("\nprocess_open_fds ")[1].split("\n")[0])


class SlowReaders(Case):
    @proves("C1", "C7", "156")
    def test_c1_c7_memory_stays_bounded_when_nobody_reads(self):
        """A client that does not read an endless response, and a server that does not read an endless upload."""
        def endless(peer, _):
            if peer.read_request_head().method == "GET":
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
                while True:
                    peer.socket.sendall(b"x" * 65_536)
            release.wait(30)

        release = threading.Event()
        self.addCleanup(release.set)
        origin = self.scripted(endless)
        configuration = plane([origin.address], backend={"timeouts": {"idle": "1s"}},
                              listener={"timeouts": {"idle": "1s"}})
        fairlead = self.start(configuration)
        before = fairlead.resident_bytes()
        readers = [Connection(fairlead.address()) for _ in range(8)]
        for reader in readers:
            self.addCleanup(reader.close)
            reader.send(get())
        with Connection(fairlead.address()) as uploader:
            uploader.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 50_000_000)
            uploader.read_to_end()
        self.assert_memory_grew_less_than(fairlead, before, 8 << 20)
        for reader in readers:
            self.assertFalse(reader.read_response().is_whole)  # cut off by then
        release.set()
        origin.wait_until_unconnected()


if __name__ == "__main__":
    main()
