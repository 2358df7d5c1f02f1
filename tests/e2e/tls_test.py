"""TLS of listeners: what is served over it, and by which certificate."""

import time

from harness import Connection, fetch, get, main, proves
from harness.api import management, resources
from harness.certificates import Authority, client_context, openssl
from harness.origins import response
from harness.processes import DEADLINE, distribution_program, run
from harness.tls_case import TLS_1_2, TLS_1_3, TlsCase, client_hello


class Serving(TlsCase):
    def test_requests_on_one_connection_in_both_versions(self):
        fairlead = self.start_tls()
        for version in (TLS_1_2, TLS_1_3):
            with self.connect(fairlead, version=version) as connection:
                self.assertEqual(connection.socket.selected_alpn_protocol(), "http/1.1")
                for number in range(5):
                    answer = connection.request(get(f"/{version}/{number}", host="example.com"))
                    self.assertEqual((answer.status, answer.body), (200, b"live"))
        self.assertEqual(self.live.requests[-1].get("x-forwarded-proto"), "https")

    def test_real_clients(self):
        fairlead = self.start_tls()
        host, port = fairlead.address().rsplit(":", 1)
        curl = run(distribution_program("curl", "curl"), "-sS", "--cacert", self.authority.root_file, "--resolve",
                   f"example.com:{port}:{host}", f"https://example.com:{port}/curl", "--next", "-sS", "--cacert",
                   self.authority.root_file, "--resolve", f"a.example.org:{port}:{host}",
                   f"https://a.example.org:{port}/curl")
        self.assertEqual((curl.returncode, curl.stdout), (0, "livelive"), curl.stderr)
        client = openssl("s_client", "-connect", fairlead.address(), "-servername", "example.com", "-CAfile",
                         self.authority.root_file, "-verify_return_error", "-brief", "-ign_eof",
                         stdin=get(host="example.com", headers=["Connection: close"]))
        self.assertIn("live", client)

    def test_bodies_of_all_sizes_both_ways(self):
        sizes = (0, 1, 100, 16_384, 16_385, 70_000, 3_000_000)
        origin = self.scripted(self.echo)
        fairlead = self.start(self.tls_plane([origin.address]))
        for version in (TLS_1_2, TLS_1_3):
            with self.connect(fairlead, version=version) as connection:
                for size in sizes:
                    body = bytes(number * 7 % 251 for number in range(size))
                    # (One thread: a connection of Python's ssl is not for two. The origin reads before it answers.)
                    connection.send(get(method="POST", host="example.com", body=body))
                    answer = connection.read_response()
                    self.assertEqual(answer.status, 200)
                    self.assertTrue(answer.body == body, f"{size} bytes came back as {len(answer.body)}")
        self.assertEqual(origin.errors, [])

    @staticmethod
    def echo(peer, _):
        while True:
            request = peer.read_request()
            peer.send(response(body=request.body))

    def test_a_client_that_reads_slowly_gets_all(self):
        body = bytes(range(256)) * 40_000
        origin = self.scripted(lambda peer, _: (peer.read_request(), peer.send(response(body=body))))
        fairlead = self.start(self.tls_plane([origin.address]))
        with self.connect(fairlead) as connection:
            connection.send(get(host="example.com"))
            # Until the data plane can send no more.
            before = None
            while before != (before := fairlead.resident_bytes()):
                time.sleep(0.2)
            answer = connection.read_response()
            self.assertTrue(answer.body == body)

    def test_pipelined_requests_and_records_of_single_bytes(self):
        fairlead = self.start_tls()
        with self.connect(fairlead) as connection:
            connection.send(b"".join(get(f"/{number}", host="example.com") for number in range(50)))
            for _ in range(50):
                self.assertEqual(connection.read_response().status, 200)
            for byte in get(host="example.com"):
                connection.socket.send(bytes([byte]))
            self.assertEqual(connection.read_response().status, 200)

    def test_a_tcp_listener_ends_tls_and_passes_the_end_of_each_side_on(self):
        ends = []
        origin = self.scripted(lambda peer, _: (peer.send(b"hello "), ends.append(peer.read_to_end())))
        fairlead = self.start(self.tls_plane([origin.address], listener={"protocol": "TCP"}))
        with self.connect(fairlead, alpn=()) as connection:
            self.assertEqual(connection.read_exactly(6), b"hello ")
            connection.send(b"x" * 100_000)
            raw = connection.socket.unwrap()  # says goodbye, and waits for that of the other side
            connection.socket = raw
        self.assertEqual(ends, [b"x" * 100_000])
        self.assertEqual(origin.errors, [])

    def test_ocsp_responses_are_stapled_for_who_asks_and_replaced_in_place(self):
        fairlead = self.start_tls()

        def stapled(*arguments):
            return openssl("s_client", "-connect", fairlead.address(), "-servername", "example.com", "-CAfile",
                           self.authority.root_file, *arguments, stdin=b"")

        self.assertIn("OCSP response: no response sent", stapled("-status"))
        certificate = resources.Certificate(**self.example.fields("example"))
        certificate.ocsp_response = self.authority.ocsp_response(self.example)
        operation = management.Operation(upsert=management.Resource(certificate=certificate))
        self.assertEqual(self.api_of(fairlead).apply([operation]).failures_total, 0)
        for version in ("-tls1_2", "-tls1_3"):
            answer = stapled("-status", version)
            self.assertIn("OCSP Response Status: successful", answer)
            self.assertIn("Cert Status: good", answer)
        self.assertNotIn("OCSP Response Status", stapled())

        def refused(response):
            result = self.api_of(fairlead).apply([management.Operation(upsert=management.Resource(
                certificate=resources.Certificate(**self.example.fields("example"), ocsp_response=response)))])
            self.assertEqual([(one.field, one.reason) for one in result.failures],
                             [("ocsp_response", management.REASON_INVALID)])
            return result.failures[0].message

        other = self.authority.issue("example.com")
        self.assertIn("is about another certificate", refused(self.authority.ocsp_response(other)))
        self.assertIn("says that the certificate is revoked", refused(self.authority.ocsp_response(self.example, revoked=True)))
        certificate.ocsp_response = ""
        operation = management.Operation(upsert=management.Resource(certificate=certificate))
        self.assertEqual(self.api_of(fairlead).apply([operation]).failures_total, 0)
        self.assertIn("OCSP response: no response sent", stapled("-status"))

    def test_metrics_count_handshakes_and_tell_when_certificates_expire(self):
        fairlead = self.start_tls()
        self.assert_serves(fairlead)
        self.assert_no_handshake(fairlead, alpn=("h2",))
        page = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        self.assertIn('fairlead_listener_tls_handshakes_total{listener="web",result="full"} 1\n', page)
        self.assertIn('fairlead_listener_tls_handshakes_total{listener="web",result="failed"} 1\n', page)
        line = next(line for line in page.splitlines()
                    if line.startswith('fairlead_certificate_not_after_seconds{certificate="example"}'))
        self.assertAlmostEqual(float(line.split(" ")[1]), time.time() + 30 * 86400, delta=86400)


class Names(TlsCase):
    def test_exact_before_wildcard_before_the_first(self):
        wildcard = self.authority.issue("*.example.com", subject="wildcard")
        exact = self.authority.issue("api.example.com", subject="exact")
        fairlead = self.start_tls(certificates={"first": self.example, "wildcard": wildcard, "exact": exact})
        context = {"context": client_context(self.authority)}
        context["context"].check_hostname = False
        for host, name in (("api.example.com", "exact"), ("API.Example.COM", "exact"), ("www.example.com", "wildcard"),
                           ("a.b.example.com", "example.com"), ("example.com", "example.com"),
                           ("elsewhere.net", "example.com"), (None, "example.com")):
            self.assertEqual(self.peer_name(fairlead, host=host, **context), name, host)

    def test_of_several_key_types_the_one_that_the_client_can_use(self):
        rsa = self.authority.issue("example.com", kind="rsa", subject="rsa")
        fairlead = self.start_tls(certificates={"ec": self.example, "rsa": rsa})
        for ciphers, name in (("ECDHE-RSA-AES128-GCM-SHA256", "rsa"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "example.com")):
            context = client_context(self.authority, version=TLS_1_2)
            context.set_ciphers(ciphers)
            self.assertEqual(self.peer_name(fairlead, context=context), name)

    def test_a_chain_with_an_intermediate(self):
        middle = Authority(self.folder, "Middle", self.authority)
        fairlead = self.start_tls(certificates={"example": middle.issue("example.com")})
        self.assert_serves(fairlead)

    def test_row_171_names_that_no_certificate_has(self):
        fairlead = self.start_tls(tls={"strict_sni": True})
        self.assert_serves(fairlead)
        for host in (None, "elsewhere.net"):
            self.assert_no_handshake(fairlead, "UNRECOGNIZED_NAME", host=host, authority=None)
        # A name with a NUL, which no library would send.
        hello = client_hello(b"example.com\0.evil")
        with Connection(fairlead.address()) as connection:
            connection.send(hello)
            self.assertTrue(connection.read_to_end().startswith(b"\x15\x03"), "an alert")
        self.assert_serves(fairlead)

    @proves("E5")
    def test_row_171_a_host_that_is_not_the_one_of_the_handshake(self):
        certificates = {"example": self.example, "other": self.authority.issue("other.com")}
        fairlead = self.start_tls(tls={"strict_sni": True}, certificates=certificates)
        with self.connect(fairlead) as connection:
            self.assertEqual(connection.request(get(host="EXAMPLE.com:443")).status, 200)
            self.assertEqual(connection.request(get(host="example.com.")).status, 200)
            self.assertEqual(connection.request(get("/elsewhere", host="other.com")).status, 421)
            fairlead.wait_for_access("method=GET target=/elsewhere ", "status=421", "end=misdirected")
            self.assertTrue(connection.is_closed_within(DEADLINE))
        self.ctl(fairlead, "listener", "set", "web", "--tls-strict-sni", "false")
        with self.connect(fairlead) as connection:
            self.assertEqual(connection.request(get(host="other.com")).status, 200)


if __name__ == "__main__":
    main()
