"""What listeners and routes make of requests and responses: paths, quirks, limits, headers, redirects, error pages."""

from harness import Case, Connection, fetch, get, main, plane, proves, response


def head(line, *lines):
    return b"\r\n".join([line, b"Host: a", *lines]) + b"\r\n\r\n"


class Paths(Case):
    """Two backends, of which /admin belongs to one: the route matched is always that of the path which is sent on."""

    def start_paths(self, **path):
        self.open, self.admin = self.origin("open"), self.origin("admin")
        return self.start({"resources": {
            "listeners": [{"name": "web", "bind": ["127.0.0.1:0"], "protocol": "HTTP", "default_backend": "open",
                           "http": {"path": path}, "routes": [{"path_prefix": "/admin", "backend": "admin"}]}],
            "backends": [{"name": name, "servers": [{"name": "s", "address": origin.address}]}
                         for name, origin in (("open", self.open), ("admin", self.admin))]}})

    def send(self, fairlead, target):
        """Who served it, and as what; or the status."""
        answer = fetch(fairlead.address(), target)
        if answer.status != 200:
            return answer.status
        origin = self.open if answer.body == b"open" else self.admin
        return answer.body.decode(), origin.requests[-1].target

    @proves("E3")
    def test_e3_kept_as_they_are(self):
        fairlead = self.start_paths()
        for target in ("/a/../admin", "//admin", "/%2e%2e/admin", "/a%2fadmin", "/%61dmin", "/%zz"):
            self.assertEqual(self.send(fairlead, target), ("open", target))
        self.assertEqual(self.send(fairlead, "/admin/../x?a=/../b"), ("admin", "/admin/../x?a=/../b"))

    @proves("E3")
    def test_e3_normalised(self):
        action = "NORMALIZE"
        fairlead = self.start_paths(dot_segments=action, repeated_slashes=action, encoded_slashes=action, escapes=action)
        for target, expected in (
                ("/a/../admin", ("admin", "/admin")), ("//admin//x", ("admin", "/admin/x")), ("/x/%2e%2e/admin", ("admin", "/admin")),
                ("/a%2f..%2fadmin/", ("admin", "/admin/")), ("/%61dmin", ("admin", "/admin")), ("/admin/../x", ("open", "/x")),
                ("/a?b=/../%2f//", ("open", "/a?b=/../%2f//")), ("/../admin", 400), ("/%2e%2e/", 400), ("/%zz", 400),
                ("/a/..;/admin", 400), ("/%e4", ("open", "/%E4"))):
            with self.subTest(target):
                self.assertEqual(self.send(fairlead, target), expected)
        with Connection(fairlead.address()) as connection:
            self.assertEqual(connection.request(head(b"OPTIONS * HTTP/1.1")).status, 200)
            self.assertEqual(self.open.requests[-1].target, "*")
            connection.request(head(b"GET http://a/x/../admin HTTP/1.1"))
            self.assertEqual(self.admin.requests[-1].target, "/admin")

    @proves("E3")
    def test_e3_refused(self):
        action = "REFUSE"
        fairlead = self.start_paths(dot_segments=action, encoded_slashes=action)
        count = self.open.count + self.admin.count
        for target in ("/a/../admin", "/.", "/%2e%2e/", "/a%2fb", "/a%5Cb", "/a/..;x/b"):
            with self.subTest(target), Connection(fairlead.address()) as connection:
                self.assertEqual(connection.request(get(target)).status, 400)
                # Nothing is ambiguous about where the request ends, so the connection goes on.
                self.assertEqual(connection.request(get("/fine//%41")).status, 200)
                count += 1
        self.assertEqual(self.open.count + self.admin.count, count)
        fairlead.wait_for_access("status=400", "end=path_refused")
        metrics = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        self.assertIn('fairlead_listener_bad_requests_total{listener="web",cause="target"} 6', metrics)

    def test_the_choice_changes_in_place(self):
        fairlead = self.start_paths()
        with Connection(fairlead.address()) as connection:
            connection.request(get("/a/../admin"))
            self.ctl(fairlead, "listener", "set", "web", "--path-dot-segments", "normalize")
            self.assertEqual(connection.request(get("/a/../admin")).body, b"admin")
            self.ctl(fairlead, "listener", "set", "web", "--path-dot-segments", "refuse")
            self.assertEqual(connection.request(get("/a/../admin")).status, 400)


class Listeners(Case):
    def start_listener(self, http, **listener):
        self.live = self.origin("live")
        return self.start(plane([self.live.address], listener={"http": http, **listener}))

    @proves("27", "28", "43")
    def test_quirks_are_accepted_by_name_and_never_passed_on(self):
        fairlead = self.start_listener({"quirks": ["BARE_LINE_FEED", "UNDERSCORE_NAMES", "EMPTY_LINES"]})
        with Connection(fairlead.address()) as connection:
            sent = b"\r\n\r\n\r\nPOST /x HTTP/1.1\nHost: a\nContent_Length: 7\r\nContent-Length: 5\nX: y\n\nhello"
            self.assertEqual(connection.request(sent).status, 200)
            self.assertEqual(connection.request(get()).status, 200)
        seen = self.live.requests[0]
        self.assertEqual((seen.target, seen.body, seen.get("x"), seen.get("content_length")), ("/x", b"hello", "y", None))
        self.assertNotIn(b"\n", seen.raw_head.replace(b"\r\n", b""))
        strict = self.start_listener({"quirks": ["BARE_LINE_FEED"]})
        with Connection(strict.address()) as connection:
            self.assertEqual(connection.request(b"GET / HTTP/1.1\nHost: a\nContent_Length: 7\n\n").status, 400)

    @proves("E7")
    def test_e7_a_body_over_the_limit(self):
        fairlead = self.start_listener({"max_body_bytes": "10"})
        with Connection(fairlead.address()) as connection:
            self.assertEqual(connection.request(get(method="POST", body=b"x" * 10)).status, 200)
            answer = connection.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
            self.assertEqual((answer.status, answer.get("connection")), (413, "close"))
        self.assertEqual(self.live.count, 1)
        chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        with Connection(fairlead.address()) as connection:
            self.assertEqual(connection.request(chunked + b"a\r\n0123456789\r\n0\r\n\r\n").status, 200)
            self.assertEqual(connection.request(chunked + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").status, 413)
        self.assertEqual(self.live.count, 2)
        with Connection(fairlead.address()) as connection:
            connection.send(chunked + b"5\r\nhello\r\n")
            self.live.wait_for_requests(3)
            seen = self.live.requests[-1]
            connection.send(b"6\r\n world\r\n0\r\n\r\n")
            self.assertEqual(connection.read_response().status, 413)
            self.live.wait_for_end_of(seen)
            self.assertFalse(seen.is_whole)
        fairlead.wait_for_access("status=413", "end=request_body_too_large")

    @proves("E2")
    def test_e2_who_is_believed(self):
        fairlead = self.start_listener({"trusted_hops": 2}, client_rate_limit={"limit": {"requests": 1, "per": "3600s"}})
        sent = ["X-Forwarded-For: 6.6.6.6, 192.0.2.7", "X-Forwarded-For: 198.51.100.1", "X-Forwarded-Proto: https"]
        self.assertEqual(fetch(fairlead.address(), headers=sent).status, 200)
        seen = self.live.requests[-1]
        self.assertEqual((seen.get("x-forwarded-for"), seen.get("x-forwarded-proto")),
                         ("192.0.2.7, 198.51.100.1, 127.0.0.1", "https"))
        # What the client itself claims does not make it another one.
        sent[0] = "X-Forwarded-For: 7.7.7.7,192.0.2.7"
        self.assertEqual(fetch(fairlead.address(), headers=sent).status, 429)
        sent[0] = "X-Forwarded-For: 192.0.2.8"
        self.assertEqual(fetch(fairlead.address(), headers=sent).status, 200)
        # Fewer than two, or no address: it is the connection's peer.
        self.assertEqual(fetch(fairlead.address(), headers=sent[1:]).status, 200)
        self.assertEqual(fetch(fairlead.address(), headers=["X-Forwarded-For: a, b"]).status, 429)

    @proves("E2")
    def test_e2_an_address_is_the_same_client_in_each_spelling(self):
        fairlead = self.start_listener({"trusted_hops": 1}, client_rate_limit={"limit": {"requests": 1, "per": "3600s"}})
        for address, status in (("::ffff:192.0.2.1", 200), ("192.0.2.1", 429), ("::ffff:192.0.2.2", 200), ("192.0.2.3", 200),
                                ("::FFFF:c000:203", 429), ("2001:db8::1", 200), ("2001:0db8:0::1", 429)):
            answer = fetch(fairlead.address(), headers=[f"X-Forwarded-For: {address}"])
            self.assertEqual(answer.status, status, address)

    @proves("E2")
    def test_e2_what_nobody_vouches_for_is_left_out_where_something_is_added(self):
        sent = ["X-Forwarded-For: 6.6.6.6, 192.0.2.7", 'Forwarded: for="6.6.6.6, or so", for=7.7.7.7', "Forwarded: for=192.0.2.7"]
        for forwarded, added in (("X_FORWARDED", (["192.0.2.7, 127.0.0.1"], sent[1:])), ("FORWARDED", ([sent[0]], None)),
                                 ("BOTH", (["192.0.2.7, 127.0.0.1"], None))):
            fairlead = self.start_listener({"trusted_hops": 1, "forwarded_format": forwarded})
            fetch(fairlead.address(), headers=sent)
            seen = self.live.requests[-1]
            self.assertEqual(seen.all("x-forwarded-for"), [line.split(": ")[-1] for line in added[0]], forwarded)
            elements = ", ".join(seen.all("forwarded"))
            if added[1]:
                self.assertEqual(elements, ", ".join(line.split(": ")[1] for line in added[1]))
            else:
                self.assertTrue(elements.startswith("for=192.0.2.7, for=127.0.0.1;"), elements)
        fairlead = self.start_listener({"trusted_hops": 1, "forwarded": "KEEP"})
        fetch(fairlead.address(), headers=sent)
        self.assertEqual(self.live.requests[-1].get("x-forwarded-for"), "6.6.6.6, 192.0.2.7")

    @proves("E2")
    def test_e2_forwarded_of_rfc_7239(self):
        fairlead = self.start_listener({"forwarded": "REPLACE", "forwarded_format": "BOTH"})
        fetch(fairlead.address(), host="a:80", headers=["Forwarded: for=6.6.6.6", "X-Forwarded-For: 6.6.6.6"])
        seen = self.live.requests[-1]
        self.assertEqual(seen.all("forwarded"), ['for=127.0.0.1;host="a:80";proto=http'])
        self.assertEqual(seen.get("x-forwarded-for"), "127.0.0.1")

    def test_error_pages_take_the_place_of_our_own(self):
        fairlead = self.start_listener({}, default_backend="", error_pages=[
            {"statuses": [404, 400], "body": "<p>not here</p>"}, {"statuses": [503], "content_type": "text/plain", "body": "later"}])
        with Connection(fairlead.address()) as connection:
            answer = connection.request(get())
            self.assertEqual((answer.status, answer.get("content-type"), answer.body), (404, "text/html", b"<p>not here</p>"))
            answer = connection.request(get(method="HEAD"), head_only=True)
            self.assertEqual((answer.status, answer.get("content-length")), (404, "15"))
            self.assertEqual(connection.request(b"GET  / HTTP/1.1\r\n\r\n").body, b"<p>not here</p>")
        self.ctl(fairlead, "backend", "add", "empty")
        self.ctl(fairlead, "listener", "set", "web", "--default-backend", "empty")
        self.assertEqual(fetch(fairlead.address()).body, b"later")


class Routes(Case):
    def start_routes(self, *routes, answer=None):
        self.live = self.origin("live", answer=answer)
        return self.start(plane([self.live.address], listener={"routes": list(routes)}))

    def test_headers_are_removed_set_and_added(self):
        fairlead = self.start_routes({
            "path_prefix": "/api", "backend": "app",
            "request_headers": {"remove": ["X-Gone", "cookie"], "set": [{"name": "X-Set", "value": "ours"}],
                                "add": [{"name": "X-Add", "value": "1"}, {"name": "X-Add", "value": "2"}]},
            "response_headers": {"remove": ["server"], "set": [{"name": "Cache-Control", "value": "no-store"}],
                                 "add": [{"name": "Vary", "value": "X"}]},
        }, answer=lambda _: response(headers=["Server: secret", "Cache-Control: public", "cache-control: x", "Vary: Y"]))
        sent = ["X-Gone: 1", "X-Set: theirs", "X-Kept: 1", "x-set: theirs", "X-Add: 0", "Cookie: a=b", "X-GONE: 2"]
        answer = fetch(fairlead.address(), "/api/x", headers=sent)
        seen = self.live.requests[-1]
        self.assertEqual((seen.all("x-gone"), seen.all("cookie"), seen.all("x-kept")), ([], [], ["1"]))
        self.assertEqual((seen.all("x-set"), seen.all("x-add")), (["ours"], ["0", "1", "2"]))
        self.assertEqual((answer.all("server"), answer.all("cache-control"), answer.all("vary")), ([], ["no-store"], ["Y", "X"]))
        answer = fetch(fairlead.address(), "/other", headers=sent)
        self.assertEqual((answer.get("server"), self.live.requests[-1].all("x-set")), ("secret", ["theirs", "theirs"]))

    def test_paths_and_hosts_are_rewritten(self):
        fairlead = self.start_routes(
            {"path_prefix": "/v1", "backend": "app", "rewrite": {"path_prefix": "/"}},
            {"path_prefix": "/old/", "backend": "app", "rewrite": {"path_prefix": "/new/place", "host": "inner:81"}})
        for path, target, host in (("/v1/x?q=/v1", "/x?q=/v1", "test"), ("/v1", "/", "test"), ("/v10", "/v10", "test"),
                                   ("/old/a//b", "/new/place/a//b", "inner:81"), ("/old", "/new/place", "inner:81")):
            with self.subTest(path):
                self.assertEqual(fetch(fairlead.address(), path, headers=["X: y"], body=b"z").status, 200)
                seen = self.live.requests[-1]
                self.assertEqual((seen.target, seen.all("host"), seen.get("x"), seen.body), (target, [host], "y", b"z"))

    def test_redirects(self):
        fairlead = self.start_routes(
            {"path_prefix": "/tls", "redirect": {"scheme": "https", "status": 308}},
            {"path_prefix": "/port", "redirect": {"scheme": "https", "port": 8443}},
            {"path_prefix": "/moved", "redirect": {"path_prefix": "/here", "drop_query": True}},
            {"path_prefix": "/host", "redirect": {"host": "b.example", "path": "/all"},
             "response_headers": {"set": [{"name": "Cache-Control", "value": "max-age=9"}]}},
            {"hosts": ["c.example"], "redirect": {"host": "www.c.example", "status": 301}})
        with Connection(fairlead.address()) as connection:
            for path, host, status, location in (
                    ("/tls/x?y=z", "a:8080", 308, "https://a/tls/x?y=z"), ("/port", "[::1]:80", 302, "https://[::1]:8443/port"),
                    ("/moved/x?y", "a:8080", 302, "http://a:8080/here/x"), ("/host/x?y", "a", 302, "http://b.example/all?y"),
                    ("//evil.example/%2f", "c.example", 301, "http://www.c.example//evil.example/%2f")):
                with self.subTest(path):
                    answer = connection.request(get(path, host=host))
                    self.assertEqual((answer.status, answer.all("location")), (status, [location]))
                    self.assertTrue(answer.is_whole)
            self.assertEqual(connection.request(get("/host")).get("cache-control"), "max-age=9")
            answer = connection.request(get("/tls", method="HEAD"), head_only=True)
            self.assertEqual((answer.status, answer.get("location")), (308, "https://test/tls"))
            # A body that was not read ends the connection.
            answer = connection.request(b"POST /tls HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
            self.assertEqual((answer.status, answer.get("connection")), (308, "close"))
        with Connection(fairlead.address()) as connection:
            # Without a host there is only a path, which must not name one.
            answer = connection.request(b"GET /moved//x HTTP/1.0\r\n\r\n")
            self.assertEqual(answer.get("location"), "/here//x")
        self.assertEqual(self.live.count, 0)
        fairlead.wait_for_access("status=308", "end=redirect")
        metrics = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        self.assertIn('fairlead_listener_answered_total{listener="web"} 9', metrics)
        self.assertIn('fairlead_listener_unrouted_total{listener="web"} 0', metrics)

    def test_fixed_responses(self):
        fairlead = self.start_routes(
            {"path_prefix": "/robots.txt", "respond": {"status": 200, "body": "User-agent: *\n"},
             "response_headers": {"set": [{"name": "content-type", "value": "text/x"}, {"name": "Date", "value": "now"}]}},
            {"path_prefix": "/gone", "respond": {"status": 410, "content_type": "text/html", "body": "<p>"}},
            {"path_prefix": "/empty", "respond": {"status": 204}})
        with Connection(fairlead.address()) as connection:
            answer = connection.request(get("/robots.txt"))
            self.assertEqual((answer.status, answer.body, answer.all("content-type"), answer.all("date")),
                             (200, b"User-agent: *\n", ["text/x"], ["now"]))
            answer = connection.request(get("/gone"))
            self.assertEqual((answer.status, answer.reason.strip(), answer.body, answer.get("content-type")),
                             (410, "Gone", b"<p>", "text/html"))
            answer = connection.request(get("/empty"))
            self.assertEqual((answer.status, answer.get("content-length"), answer.get("content-type")), (204, None, None))
            self.assertEqual(connection.request(get("/")).body, b"live")

    def test_actions_change_in_place_while_a_request_is_under_way(self):
        fairlead = self.start_routes({"path_prefix": "/x", "backend": "app",
                                      "response_headers": {"set": [{"name": "X-Version", "value": "1"}]}})
        with Connection(fairlead.address()) as connection, Connection(fairlead.address()) as other:
            self.live.hold()
            connection.send(get("/x"))
            self.live.wait_for_requests(1)
            self.ctl(fairlead, "apply", "-f", "-", stdin="""
listeners:
  - {name: web, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app, routes: [{path_prefix: /x, respond: {status: 200, body: new}}]}
""")
            self.assertEqual(other.request(get("/x")).body, b"new")
            self.live.release()
            answer = connection.read_response()
            self.assertEqual((answer.body, answer.get("x-version")), (b"live", "1"))
            self.assertEqual(connection.request(get("/x")).body, b"new")


if __name__ == "__main__":
    main()
