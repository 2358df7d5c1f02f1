"""HTTP through the data plane, in front of nginx and of servers that do what a test needs."""

import hashlib
import os
import re
import socket

from harness import Case, Connection, fetch, get, is_refused, main, plane, proves, response, run, wait_until
from harness.processes import distribution_program

NGINX = """
daemon off;
master_process off;
worker_processes 1;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 64m;
  server {{
    listen unix:{folder}/nginx.sock;
    root {folder}/www;
    location /connection {{ return 200 "$connection $connection_requests"; }}
    location /headers {{
      default_type text/plain;
      return 200 "for=$http_x_forwarded_for proto=$http_x_forwarded_proto via=$http_via named=$http_x_named connection=$http_connection te=$http_te";
    }}
    location /chunked {{
      gzip on; gzip_min_length 1; gzip_types *; gzip_http_version 1.0; gzip_proxied any;
      alias {folder}/www/large;
    }}
    location /store/ {{ dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""


class NginxBehindFairlead(Case):
    def setUp(self):
        super().setUp()
        www = self.folder / "www"
        www.mkdir()
        self.large = os.urandom(1 << 20) * 12
        (www / "large").write_bytes(self.large)
        (www / "small").write_text("small file\n")
        os.chmod(self.folder, 0o755)
        configuration = self.folder / "nginx.conf"
        user = "user root;" if os.getuid() == 0 else ""
        configuration.write_text(user + NGINX.format(folder=self.folder))
        nginx = self.start_process("nginx", [distribution_program("nginx", "nginx-light"), "-c", configuration, "-p",
                                             self.folder, "-e", "stderr"])
        self.socket = f"{self.folder}/nginx.sock"
        wait_until(lambda: not is_refused(f"unix:{self.socket}") or not nginx.is_running(), "nginx listening")
        self.assertTrue(nginx.is_running(), nginx.log.text())
        self.fairlead = self.start(plane([f"unix:{self.socket}"], workers=1))
        self.web = self.fairlead.address()

    def test_connections_to_a_server_are_reused_by_all_clients(self):
        seen = [fetch(self.web, "/connection").body.decode().split() for _ in range(4)]
        self.assertEqual({number for number, _ in seen}, {seen[0][0]})
        self.assertEqual([count for _, count in seen], ["1", "2", "3", "4"])

    def test_a_client_keeps_its_connection(self):
        with Connection(self.web) as connection:
            for _ in range(5):
                answer = connection.request(get("/small"))
                self.assertEqual((answer.status, answer.body), (200, b"small file\n"))
                self.assertIsNone(answer.get("connection"))

    def test_a_large_download_is_the_same_file(self):
        answer = fetch(self.web, "/large")
        self.assertTrue(answer.is_whole)
        self.assertEqual(hashlib.sha256(answer.body).digest(), hashlib.sha256(self.large).digest())

    @proves("S10")
    def test_a_chunked_response_is_whole_for_1_1_and_without_chunks_for_1_0(self):
        plain = run(distribution_program("curl", "curl"), "-sS", "--compressed", "-o", self.folder / "got",
                    f"http://{self.web}/chunked")
        self.assertEqual(plain.returncode, 0, plain.stderr)
        self.assertEqual((self.folder / "got").read_bytes(), self.large)
        answer = fetch(self.web, "/chunked", headers=["Accept-Encoding: gzip"])
        self.assertEqual(answer.get("transfer-encoding"), "chunked")
        old = fetch(self.web, "/chunked", headers=["Accept-Encoding: gzip"], version="HTTP/1.0")
        self.assertIsNone(old.get("transfer-encoding"))
        self.assertEqual(old.body, answer.body)

    @proves("S3")
    def test_head_and_not_modified_have_no_body_and_the_connection_goes_on(self):
        with Connection(self.web) as connection:
            head = connection.request(get("/small", method="HEAD"), head_only=True)
            self.assertEqual((head.status, head.get("content-length")), (200, "11"))
            tag = head.get("etag")
            same = connection.request(get("/small", headers=[f"If-None-Match: {tag}"]))
            self.assertEqual((same.status, same.body), (304, b""))
            self.assertEqual(connection.request(get("/small")).body, b"small file\n")

    def test_a_range_is_passed_through(self):
        answer = fetch(self.web, "/large", headers=["Range: bytes=1000000-1000999"])
        self.assertEqual((answer.status, answer.body), (206, self.large[1000000:1001000]))

    @proves("89")
    def test_large_uploads_with_expect_by_curl(self):
        if "dav" not in run(distribution_program("nginx", "nginx-light"), "-V").stderr:
            self.fail("nginx has no dav module: install Debian's nginx-light")
        curl = distribution_program("curl", "curl")
        for name, headers in (("sized", []), ("chunked", ["-H", "Transfer-Encoding: chunked"])):
            with self.subTest(name):
                sent = run(curl, "-sS", "-v", "-T", self.folder / "www/large", "-H", "Expect: 100-continue",
                           "--expect100-timeout", "30", *headers, f"http://{self.web}/store/{name}")
                self.assertIn("HTTP/1.1 100 Continue", sent.stderr)
                self.assertIn("HTTP/1.1 201 Created", sent.stderr)
                self.assertEqual((self.folder / f"www/store/{name}").read_bytes(), self.large)

    @proves("E2")
    def test_headers_towards_the_server(self):
        answer = fetch(self.web, "/headers", headers=["Connection: X-Named, keep-alive", "X-Named: secret", "TE: gzip",
                                                      "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"])
        fields = dict(re.findall(r"(\w+)=([^=]*)(?: |$)(?=\w+=|$)", answer.body.decode()))
        self.assertEqual(fields["for"], "192.0.2.1, 127.0.0.1")
        self.assertEqual(fields["proto"], "http")
        self.assertRegex(fields["via"], r"^1\.1 fairlead")
        self.assertEqual((fields["named"], fields["te"]), ("", ""))
        self.assertNotIn("X-Named", fields["connection"])


class ScriptedServers(Case):
    def test_hop_by_hop_headers_of_a_response_stay_behind(self):
        origin = self.origin(answer=lambda request: response(
            headers=["Connection: X-Private", "X-Private: 1", "Keep-Alive: timeout=5", "X-Public: 1"]))
        answer = fetch(self.start(plane([origin.address])).address())
        self.assertEqual([answer.get(name) for name in ("connection", "x-private", "keep-alive", "x-public")],
                         [None, None, None, "1"])

    @proves("89", "S4")
    def test_expect_100_continue_reaches_the_server_and_its_answer_the_client(self):
        def script(peer, _):
            request = peer.read_request_head()
            assert request.get("expect") == "100-continue"
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            peer.read_request_body(request)
            peer.send(response(body=request.body))

        origin = self.scripted(script)
        with Connection(self.start(plane([origin.address])).address()) as connection:
            connection.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            self.assertEqual(connection.read_head().status, 100)
            self.assertEqual(connection.request(b"body").body, b"body")

    @proves("95")
    def test_an_early_response_arrives_though_the_upload_is_not_done(self):
        def script(peer, _):
            peer.read_request_head()
            peer.send(response(413, b"too large", ["Connection: close"]))

        origin = self.scripted(script)
        with Connection(self.start(plane([origin.address])).address()) as connection:
            connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 100000)
            answer = connection.read_response()
            self.assertEqual((answer.status, answer.body), (413, b"too large"))
            self.assertTrue(connection.is_closed_within(20))

    @proves("S11")
    def test_an_upgrade_becomes_a_tunnel_with_half_close(self):
        def script(peer, _):
            request = peer.read_request_head()
            assert request.get("upgrade") == "websocket" and "upgrade" in request.get("connection").lower()
            peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello ")
            peer.send(b"you said " + peer.read_until(b"!") + b"; ")
            peer.send(b"and at the end " + peer.read_to_end())

        origin = self.scripted(script)
        fairlead = self.start(plane([origin.address]))
        with Connection(fairlead.address()) as connection:
            connection.send(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            head = connection.read_head()
            self.assertEqual((head.status, head.get("upgrade")), (101, "websocket"))
            connection.send(b"hi!")
            self.assertEqual(connection.read_until(b"; "), b"hello you said hi")
            connection.send(b"bye")
            connection.finish()
            self.assertEqual(connection.read_to_end(), b"and at the end bye")
        fairlead.wait_for_access("status=101", "end=complete")
        self.assertEqual(origin.errors, [])

    def test_an_upgrade_before_the_body_was_sent_is_refused(self):
        def switch_early(peer, _):
            peer.read_request_head()
            peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            peer.read_to_end()

        fairlead = self.start(plane([self.scripted(switch_early).address]))
        with Connection(fairlead.address()) as connection:
            connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                            b"Content-Length: 10\r\n\r\n")
            self.assertEqual(connection.read_head().status, 502)
        self.assertTrue(fairlead.is_running())

    def test_options_at_its_last_hop_is_answered_here(self):
        origin = self.origin("never")
        fairlead = self.start(plane([origin.address]))
        with Connection(fairlead.address()) as connection:
            for _ in range(2):  # on one connection: nothing is wrong with it
                answer = connection.request(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
                self.assertEqual((answer.status, answer.get("connection")), (200, None))
        self.assertEqual(origin.count, 0)

    def test_a_response_may_end_with_the_servers_connection(self):
        def old(peer, _):
            peer.read_request()
            peer.send(b"HTTP/1.0 200 OK\r\n\r\n" + 3 * b"until the end ")

        for address in ("127.0.0.1", f"unix:{self.folder}/old.sock"):
            with self.subTest(address=address):
                fairlead = self.start(plane([self.scripted(old, address=address).address]))
                answer = fetch(fairlead.address())
                self.assertEqual((answer.status, answer.body, answer.is_whole), (200, 3 * b"until the end ", True))

    def test_what_no_backend_serves_is_counted_at_the_listener(self):
        fairlead = self.start(plane([self.origin().address], listener={
            "default_backend": "", "routes": [{"hosts": ["known"], "backend": "app"}]}))
        self.assertEqual(fetch(fairlead.address(), host="known").status, 200)
        self.assertEqual(fetch(fairlead.address(), host="unknown").status, 404)
        metrics = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        self.assertIn('fairlead_listener_unrouted_total{listener="web"} 1', metrics)

    def test_requests_go_to_another_server_when_one_refuses(self):
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))  # bound and not listening: refuses
            alive = self.origin("alive")
            fairlead = self.start(plane({"dead": "127.0.0.1:%d" % reserved.getsockname()[1], "alive": alive.address}))
            for _ in range(20):
                self.assertEqual(fetch(fairlead.address()).body, b"alive")
            fairlead.wait_for_access("server=alive", "retries=1", "end=complete")

    def test_what_fails_has_a_status_and_a_reason_in_the_access_log(self):
        def close_at_once(peer, _):
            peer.read_request_head()

        def never_answer(peer, _):
            peer.read_request_head()
            peer.read_to_end()

        silent = self.scripted(never_answer)
        closing = self.scripted(close_at_once)
        garbage = self.origin(answer=lambda request: b"SSH-2.0-server\r\n\r\n")
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            servers = {"silent": silent.address, "closing": closing.address, "garbage": garbage.address,
                       "refusing": "127.0.0.1:%d" % reserved.getsockname()[1], "empty": None}
            fairlead = self.start({"resources": {
                "listeners": [{"name": "web", "bind": ["127.0.0.1:0"], "protocol": "HTTP",
                               "routes": [{"pathPrefix": f"/{name}", "backend": name} for name in servers]}],
                "backends": [{"name": name, "timeouts": {"response": "0.2s"},
                              "servers": [{"name": "s", "address": address}] if address else []}
                             for name, address in servers.items()]}})
            for path, status, reason in (("/silent", 504, "response_timeout"), ("/closing", 502, "closed_before_response"),
                                         ("/garbage", 502, "malformed_response"), ("/refusing", 503, "connect_failed"),
                                         ("/empty", 503, "no_eligible_server"), ("/elsewhere", 404, "no_route")):
                with self.subTest(path):
                    answer = fetch(fairlead.address(), path)
                    self.assertEqual(answer.status, status)
                    self.assertTrue(answer.is_whole)
                    line = fairlead.wait_for_access(f"target={path} ")
                    self.assertEqual((line["status"], line["end"]), (str(status), reason))

    @proves("E2")
    def test_a_request_that_comes_back_is_a_loop(self):
        fairlead = self.start(plane([]))
        self.ctl(fairlead, "backend", "add", "self")
        self.ctl(fairlead, "listener", "add", "outer", "--bind", "127.0.0.1:0", "--protocol", "http",
                 "--default-backend", "self")
        # To a listener of its own it would be refused; through a relay nobody can know.
        inner = fairlead.address()

        def relay(peer, _):
            request = peer.read_request()
            with Connection(inner) as onwards:
                onwards.send(request.raw_head + b"\r\n\r\n")
                peer.send(response(onwards.read_response().status))

        self.ctl(fairlead, "server", "add", "self/relay", self.scripted(relay).address)
        self.assertEqual(fetch(self.bound_address(fairlead, "outer")).status, 508)


if __name__ == "__main__":
    main()
