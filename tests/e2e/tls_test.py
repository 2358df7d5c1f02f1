"""TLS of listeners: certificates by name, added, replaced and removed while clients come; and who may not come in."""

import json
import pathlib
import ssl
import subprocess
import threading
import time

from harness import Connection, Fairlead, fetch, get, main, plane, proves, wait_until
from harness.api import ApiCase, grpc, management, resources
from harness.certificates import Authority, Issued, TlsConnection, client_context, openssl
from harness.origins import response
from harness.processes import DEADLINE, distribution_program, run

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class TlsCase(ApiCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.example = self.authority.issue("example.com", "*.example.org")

    def tls_plane(self, servers, tls=None, certificates=None, listener=None, **others):
        """One listener with TLS; certificates by name, the first is the default."""
        certificates = certificates or {"example": self.example}
        configuration = plane(servers, listener={"tls": {"certificates": list(certificates), **(tls or {})},
                                                 **(listener or {})}, **others)
        configuration["resources"]["certificates"] = [item.fields(name) for name, item in certificates.items()]
        return configuration

    def start_tls(self, tls=None, certificates=None, **others):
        self.live = self.origin("live")
        fairlead = self.start(self.tls_plane([self.live.address], tls, certificates, **others))
        return fairlead

    def connect(self, fairlead, **options):
        connection = TlsConnection(fairlead.address(), options.pop("authority", self.authority), **options)
        self.addCleanup(connection.close)
        return connection

    def assert_serves(self, fairlead, **options):
        with self.connect(fairlead, **options) as connection:
            answer = connection.request(get(host=options.get("host") or "example.com"))
            self.assertEqual((answer.status, answer.body), (200, b"live"))

    def assert_no_handshake(self, fairlead, reason=None, **options):
        with self.assertRaises((ssl.SSLError, ConnectionError)) as caught:
            with self.connect(fairlead, **options) as connection:
                # In TLS 1.3 a client is done before the server has looked at its certificate.
                connection.send(get())
                connection.read_response()
        if reason:
            self.assertIn(reason, str(caught.exception))

    def put(self, fairlead, name, issued):
        api = self.api_of(fairlead)
        operation = management.Operation(upsert=management.Resource(certificate=resources.Certificate(
            **issued.fields(name))))
        result = api.apply([operation])
        self.assertEqual(result.failures_total, 0, result)

    def peer_name(self, fairlead, **options):
        with self.connect(fairlead, **options) as connection:
            return dict(part[0] for part in connection.socket.getpeercert()["subject"])["commonName"]


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
            self.assertEqual(connection.request(get(host="other.com")).status, 421)
            self.assertTrue(connection.is_closed_within(DEADLINE))
        self.ctl(fairlead, "listener", "set", "web", "--tls-strict-sni", "false")
        with self.connect(fairlead) as connection:
            self.assertEqual(connection.request(get(host="other.com")).status, 200)


def client_hello(server_name):
    """Of a client of TLS 1.2 that names this host, in one record."""
    name = b"\x00" + len(server_name).to_bytes(2, "big") + server_name
    listed = len(name).to_bytes(2, "big") + name
    extensions = (b"\x00\x00" + len(listed).to_bytes(2, "big") + listed +
                  b"\x00\x0a\x00\x04\x00\x02\x00\x17" + b"\x00\x0b\x00\x02\x01\x00" + b"\x00\x0d\x00\x04\x00\x02\x04\x03")
    body = (b"\x03\x03" + b"\x07" * 32 + b"\x00" + b"\x00\x02\xc0\x2b" + b"\x01\x00" +
            len(extensions).to_bytes(2, "big") + extensions)
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


class Changing(TlsCase):
    def test_replaced_a_thousand_times_while_clients_come(self):
        fairlead = self.start_tls(workers=2)
        api = self.api_of(fairlead)
        both = [self.authority.issue("example.com", subject=name) for name in ("one", "two")]
        stop, failures, served, names = threading.Event(), [], [0, 0, 0], set()

        def ask(number):
            context = client_context(self.authority)
            try:
                while not stop.is_set():
                    with TlsConnection(fairlead.address(), context=context) as connection:
                        subject = connection.socket.getpeercert()["subject"]
                        names.add(dict(part[0] for part in subject)["commonName"])
                        for _ in range(3):
                            answer = connection.request(get(host="example.com"))
                            assert (answer.status, answer.body) == (200, b"live"), answer
                    served[number] += 1
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)

        def keep_one(number):
            """On one connection from the first certificate to the last."""
            try:
                with TlsConnection(fairlead.address(), self.authority) as connection:
                    while not stop.is_set():
                        answer = connection.request(get(host="example.com"))
                        assert (answer.status, answer.get("connection")) == (200, None), answer
                        served[number] += 1
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)

        clients = [threading.Thread(target=target, args=(number,)) for number, target in enumerate((ask, ask, keep_one))]
        for client in clients:
            client.start()
        try:
            for number in range(1000):
                operation = management.Operation(upsert=management.Resource(
                    certificate=resources.Certificate(**both[number % 2].fields("example"))))
                result = api.apply([operation])
                self.assertEqual(result.failures_total, 0, result)
            wait_until(lambda: min(served) > 10 or failures, "requests of all")
        finally:
            stop.set()
            for client in clients:
                client.join()
        self.assertEqual(failures, [])
        self.assertLessEqual({"one", "two"}, names)

    def test_added_named_taken_away_and_removed(self):
        fairlead = self.start_tls()
        other = self.authority.issue("other.com")
        self.put(fairlead, "other", other)
        self.assertEqual(self.peer_name(fairlead, host="other.com", context=self.unnamed()), "example.com")
        self.ctl(fairlead, "listener", "set", "web", "--tls-certificate", "example", "--tls-certificate", "other")
        self.assertEqual(self.peer_name(fairlead, host="other.com"), "other.com")
        said = self.refused(fairlead, "certificate", "delete", "other")
        self.assertIn("in use by listeners web", said)
        self.ctl(fairlead, "listener", "set", "web", "--tls-certificate", "example")
        self.ctl(fairlead, "certificate", "delete", "other")
        self.assertNotIn("other", self.ctl(fairlead, "certificate", "list"))
        self.assertIn("was not there", self.ctl(fairlead, "certificate", "delete", "other"))

    def unnamed(self):
        context = client_context(self.authority)
        context.check_hostname = False
        return context

    def test_a_listener_begins_and_ends_to_speak_tls_in_place(self):
        self.live = self.origin("live")
        configuration = plane([self.live.address])
        configuration["resources"]["certificates"] = [self.example.fields("example")]
        fairlead = self.start(configuration)
        with Connection(fairlead.address()) as clear:
            self.assertEqual(clear.request(get()).status, 200)
            self.ctl(fairlead, "listener", "set", "web", "--tls-certificate", "example")
            with self.connect(fairlead) as secret:
                self.assertEqual(secret.request(get(host="example.com")).status, 200)
                self.assertEqual(clear.request(get()).status, 200)
                self.ctl(fairlead, "listener", "set", "web", "--tls", "default")
                self.assertEqual(fetch(fairlead.address()).status, 200)
                self.assertEqual(secret.request(get(host="example.com")).status, 200)

    def test_by_fairleadctl_from_files(self):
        fairlead = self.start_tls()
        new = self.authority.issue("example.com", subject="new")
        for name, text in (("chain.pem", new.chain), ("key.pem", new.key)):
            pathlib.Path(self.folder / name).write_text(text)
        self.ctl(fairlead, "certificate", "set", "example", "--chain", str(self.folder / "chain.pem"), "--key",
                 str(self.folder / "key.pem"), "--label", "a=b")
        self.assertEqual(self.peer_name(fairlead), "new")
        listed = self.ctl(fairlead, "certificate", "list")
        self.assertRegex(listed, r"example +example.com +EC P-256 +\d{4}-\d\d-\d\d +(29|30) d +web +a=b")
        shown = json.loads(self.ctl(fairlead, "certificate", "get", "example", "-o", "json"))
        self.assertEqual(shown["status"]["subject"], "CN=new")
        self.assertNotIn("private_key", shown)
        # What was exported can be applied again, without keys.
        exported = self.ctl(fairlead, "export")
        self.assertNotIn("PRIVATE", exported)
        (self.folder / "export.yaml").write_text(exported)
        self.ctl(fairlead, "apply", "-f", str(self.folder / "export.yaml"))
        self.assertEqual(self.ctl(fairlead, "diff", "-f", str(self.folder / "export.yaml")).count("+"), 0)


class Secrets(TlsCase):
    def setUp(self):
        super().setUp()
        self.key_file = self.folder / "journal.key"
        self.key_file.write_text(openssl("rand", "-hex", "32"))
        self.key_file.chmod(0o600)
        self.live = self.origin("live")
        self.state = self.folder / "state"

    def configuration(self, **others):
        return self.tls_plane([self.live.address], state_directory=str(self.state),
                              certificate_key_file=str(self.key_file), **others)

    def test_a_private_key_outlives_the_process_and_is_shown_nowhere(self):
        fairlead = self.start(self.configuration())
        former = self.example
        renewed = self.authority.issue("example.com", subject="renewed")
        self.put(fairlead, "example", renewed)
        self.put(fairlead, "removed", self.authority.issue("removed.com"))
        self.ctl(fairlead, "certificate", "delete", "removed")
        api = self.api_of(fairlead)
        answers = [self.ctl(fairlead, "certificate", "list", "-o", "json"), self.ctl(fairlead, "export"),
                   self.ctl(fairlead, "diff", "1", "-o", "json"), self.ctl(fairlead, "history"),
                   str(api.management.GetCertificate(management.GetCertificateRequest(name="example"))),
                   *fairlead.log.all(), *fairlead.out.all()]
        fairlead.stop()
        files = [path.read_bytes() for path in self.state.iterdir() if path.is_file()]
        for issued in (former, renewed):
            secrets = issued.key.splitlines()[1:-1]
            for secret in secrets:
                self.assertFalse([answer for answer in answers if secret in answer])
                self.assertFalse([1 for content in files if secret.encode() in content])
        again = self.start(self.configuration())
        self.assertEqual(self.peer_name(again), "renewed")
        self.assert_serves(again)

    def test_another_process_takes_over_while_clients_come(self):
        self.state.mkdir(mode=0o700)
        place = self.folder / "taken_over"
        place.mkdir()
        old = Fairlead(place, self.configuration())
        self.addCleanup(old.kill)
        self.put(old, "example", self.authority.issue("example.com", subject="renewed"))
        ended = threading.Event()
        served = [0] * 3
        failures = []

        def come(number):
            try:
                while not ended.is_set():
                    self.assert_serves(old)
                    served[number] += 1
            except (AssertionError, OSError) as failure:
                failures.append(repr(failure))

        threads = [threading.Thread(target=come, args=(number,)) for number in range(len(served))]
        for thread in threads:
            thread.start()
        wait_until(lambda: sum(served) > 20 or failures, "clients of the old process")
        new = Fairlead(place, self.configuration(), arguments=["--takeover"])
        self.addCleanup(new.kill)
        self.assertEqual(old.wait(), 0, old.all_text())
        before = sum(served)
        wait_until(lambda: sum(served) > before + 20 or failures, "clients of the new process")
        ended.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.peer_name(new), "renewed")
        new.stop()

    def test_without_the_right_key_it_does_not_start(self):
        self.start(self.configuration()).stop()
        for text, reason in ((openssl("rand", "-hex", "32"), "cannot be decrypted"), ("12", "64 hexadecimal digits")):
            self.key_file.write_text(text)
            self.assertIn(reason, self.failed_start(self.configuration()))
        self.key_file.chmod(0o644)
        self.assertIn("chmod 600", self.failed_start(self.configuration()))
        self.key_file.unlink()
        self.assertIn("openssl rand", self.failed_start(self.configuration()))

    def test_without_a_key_file_no_certificate_is_kept(self):
        configuration = self.configuration()
        del configuration["certificate_key_file"]
        self.assertIn("certificate_key_file: is not set", self.failed_start(configuration))
        del configuration["resources"]["certificates"], configuration["resources"]["listeners"]
        fairlead = self.start(configuration)
        api = self.api_of(fairlead)
        request = management.AddCertificateRequest(certificate=resources.Certificate(**self.example.fields("example")))
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, api.management.AddCertificate, request,
                            "certificate example: private_key: cannot be kept", "certificate_key_file")

    def failed_start(self, configuration):
        from harness.processes import program  # pylint: disable=import-outside-toplevel
        file = self.folder / "failing.yaml"
        configuration = {**configuration, "management": {"listen": [f"unix:{self.folder}/failing.sock"]}}
        file.write_text(json.dumps(configuration))
        ended = run(program("fairlead"), "--config", file)
        self.assertNotEqual(ended.returncode, 0)
        return ended.stderr

    def test_a_rollback_needs_the_key_of_the_time(self):
        fairlead = self.start(self.configuration())
        relabelled = {**self.example.fields("example"), "labels": {"a": "b"}}
        api = self.api_of(fairlead)
        api.apply([management.Operation(upsert=management.Resource(certificate=resources.Certificate(**relabelled)))])
        self.ctl(fairlead, "rollback", "1")
        self.put(fairlead, "example", self.authority.issue("example.com", subject="renewed"))
        said = self.refused(fairlead, "rollback", "1")
        self.assertIn("private_key: what it was then is kept nowhere", said)
        self.assertEqual(self.peer_name(fairlead), "renewed")


class BadInput(TlsCase):
    def test_certificates_that_are_refused_with_field_and_reason(self):
        fairlead = self.start_tls()
        api = self.api_of(fairlead)
        good = self.authority.issue("example.com", subject="good")
        other = self.authority.issue("example.com")
        middle = Authority(self.folder, "Middle", self.authority)
        below = middle.issue("example.com")
        encrypted = openssl("pkey", "-aes256", "-passout", "pass:x", stdin=good.key.encode())
        small = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")
        (self.folder / "small.key").write_text(small)
        small_certificate = openssl("req", "-x509", "-key", self.folder / "small.key", "-subj", "/CN=small")
        nul = self.authority.issue("bad name.com")
        cases = {
            "the key does not match": (good.chain, other.key, "private_key: does not belong to"),
            "no key": (good.chain, "", "private_key: is not set, and the present one does not belong"),
            "expired": ((old := self.authority.issue("example.com", days=-1)).chain, old.key, "chain: has expired on"),
            "encrypted": (good.chain, encrypted, "private_key: is encrypted with a passphrase"),
            "no chain": ("", good.key, "chain: is not set"),
            "not PEM": ("hello", good.key, "chain: has no certificate in PEM"),
            "cut": (good.chain[:-100] + "\n", good.key, "chain: "),
            "no PEM key": (good.chain, "hello", "private_key: has no private key in PEM"),
            "key in the chain": (good.chain + good.key, good.key, 'chain: holds a "PRIVATE KEY"'),
            "wrong order": (middle.certificate + below.certificate, below.key, "chain: is in the wrong order"),
            "not of one piece": (good.certificate + middle.certificate, good.key, "chain: is in the wrong order"),
            "too long": (good.chain * 800, good.key, "chain: has "),
            "weak": (small_certificate, small, "chain: cannot be used"),
            "a name that is none": (nul.chain, nul.key, "chain: is for \"bad name.com\""),
        }
        for what, (chain, key, reason) in cases.items():
            with self.subTest(what):
                request = management.UpdateCertificateRequest(certificate=resources.Certificate(
                    name="example", chain=chain, private_key=key))
                self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, api.management.UpdateCertificate, request,
                                    "certificate example: " + reason)
                self.assertEqual(self.peer_name(fairlead), "example.com")
        self.put(fairlead, "example", good)
        self.assertEqual(self.peer_name(fairlead), "good")

    def test_settings_of_listeners_that_are_refused_with_field_and_reason(self):
        fairlead = self.start_tls()
        root = self.authority.root
        cases = {
            "--tls-certificate nobody": "tls.certificates[0]: certificate nobody does not exist",
            "--tls-ciphers NO-SUCH": 'tls.ciphers: knows no cipher "NO-SUCH"',
            "--tls-ciphers ECDHE-RSA-AES128-GCM-SHA256:NO-SUCH": 'tls.ciphers: knows no cipher "NO-SUCH"',
            "--tls-cipher-suites NO-SUCH": "tls.cipher_suites: ",
            "--tls-alpn h2": 'tls.alpn[0]: "h2" is not what an HTTP listener speaks',
            "--tls-handshake-timeout 1ms": "tls.handshake_timeout: ",
            "--tls-client-certificates optional": "tls.client_certificates.ca: is not set",
        }
        for options, reason in cases.items():
            with self.subTest(options):
                self.assertIn(reason, self.refused(fairlead, "listener", "set", "web", *options.split(" ")))
        (self.folder / "ca.pem").write_text(root)
        said = self.refused(fairlead, "listener", "set", "web", "--tls-client-certificates", "required",
                            "--tls-client-ca", str(self.folder / "ca.pem"), "--tls-subject-header", "Host")
        self.assertIn("tls.client_certificates.subject_header: ", said)
        self.assert_serves(fairlead)


class Resuming(TlsCase):
    """Row 172: a session is resumed where it would be granted now, and nowhere else."""

    def session_of(self, address, context):
        with TlsConnection(address, context=context) as connection:
            connection.request(get(host="example.com"))
            return connection.socket.session

    def is_resumed(self, address, context, session):
        with TlsConnection(address, context=context, session=session) as connection:
            answer = connection.request(get(host="example.com"))
            self.assertEqual(answer.status, 200)
            return connection.socket.session_reused

    def test_on_any_worker_and_with_another_certificate(self):
        fairlead = self.start_tls(workers=2)
        for version in (TLS_1_2, TLS_1_3):
            context = client_context(self.authority, version=version)
            session = self.session_of(fairlead.address(), context)
            for _ in range(8):
                self.assertTrue(self.is_resumed(fairlead.address(), context, session), version)
            self.put(fairlead, "example", self.authority.issue("example.com"))
            self.assertTrue(self.is_resumed(fairlead.address(), context, session), version)
        self.ctl(fairlead, "listener", "set", "web", "--tls-session-tickets", "false")
        context = client_context(self.authority, version=TLS_1_2)
        self.assertFalse(self.is_resumed(fairlead.address(), context, self.session_of(fairlead.address(), context)))

    def test_row_172_not_on_another_listener_nor_after_a_change_of_whom_to_believe(self):
        fairlead = self.start_tls()
        (self.folder / "ca.pem").write_text(self.authority.root)
        clients = ["--tls-client-certificates", "optional", "--tls-client-ca", str(self.folder / "ca.pem")]
        self.ctl(fairlead, "listener", "add", "other", "--bind", "127.0.0.1:0", "--protocol", "http",
                 "--default-backend", "app", "--tls-certificate", "example", *clients)
        other = self.bound_address(fairlead, "other")
        for version in (TLS_1_2, TLS_1_3):
            context = client_context(self.authority, version=version)
            session = self.session_of(fairlead.address(), context)
            self.assertFalse(self.is_resumed(other, context, session), version)
            session = self.session_of(other, context)
            self.assertTrue(self.is_resumed(other, context, session), version)
            (self.folder / "ca.pem").write_text(Authority(self.folder).root)
            self.ctl(fairlead, "listener", "set", "other", *clients)
            self.assertFalse(self.is_resumed(other, context, session), version)


class ClientCertificates(TlsCase):
    def start_with_clients(self, mode, **fields):
        clients = {"mode": mode, "ca": self.authority.root, "subject_header": "X-Client-Subject", **fields}
        return self.start_tls(tls={"client_certificates": clients})

    def subject_seen(self, fairlead, **options):
        with self.connect(fairlead, **options) as connection:
            answer = connection.request(get(host="example.com", headers=[
                "X-Client-Subject: CN=forged", "x-client-subject: CN=forged", "X_Client_Subject: CN=forged"]))
            self.assertEqual(answer.status, 200)
        self.assertIsNone(self.live.requests[-1].get("x_client_subject"))
        return self.live.requests[-1].get("x-client-subject")

    def test_optional(self):
        fairlead = self.start_with_clients("OPTIONAL")
        alice = self.authority.issue(subject="O=Example,CN=alice", usage="clientAuth")
        for version in (TLS_1_2, TLS_1_3):
            self.assertIsNone(self.subject_seen(fairlead, version=version))
            self.assertEqual(self.subject_seen(fairlead, version=version, certificate=alice), "CN=alice,O=Example")
            context = client_context(self.authority, version=version, certificate=alice)
            with self.connect(fairlead, context=context) as connection:
                connection.request(get(host="example.com"))
                session = connection.socket.session
            self.assertEqual(self.subject_seen(fairlead, context=context, session=session), "CN=alice,O=Example")

    def test_a_list_of_revoked_certificates_beside_the_authority_is_obeyed(self):
        alice, bob = (self.authority.issue(subject=f"CN={name}", usage="clientAuth") for name in ("alice", "bob"))
        fairlead = self.start_with_clients("REQUIRED", ca=self.authority.root + self.authority.revoke(bob))
        for version in (TLS_1_2, TLS_1_3):
            self.assertEqual(self.subject_seen(fairlead, version=version, certificate=alice), "CN=alice")
            self.assert_no_handshake(fairlead, "revoked", version=version, certificate=bob)

    def test_row_178_who_is_not_to_be_believed(self):
        for mode in ("OPTIONAL", "REQUIRED"):
            fairlead = self.start_with_clients(mode)
            strangers = Authority(self.folder, "Stranger")
            authority = self.authority
            for number in range(12):
                authority = Authority(self.folder, f"Level {number}", authority)
            deep = authority.issue(usage="clientAuth")
            levels, level = "", authority
            while level.issuer:
                levels, level = levels + level.certificate, level.issuer
            cases = {"another's": strangers.issue(usage="clientAuth"),
                     "for servers": self.authority.issue(usage="serverAuth"),
                     "expired": self.authority.issue(usage="clientAuth", days=-1),
                     "a chain too long": Issued(deep.certificate + levels, deep.key)}
            for what, certificate in cases.items():
                with self.subTest(f"{mode}: {what}"):
                    self.assert_no_handshake(fairlead, certificate=certificate)
            self.assertEqual(self.live.count, 0)
            if mode == "REQUIRED":
                self.assert_no_handshake(fairlead)
            good = self.authority.issue(usage="clientAuth", subject="CN=bob")
            self.assertEqual(self.subject_seen(fairlead, certificate=good), "CN=bob")


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
        # Of a client's TCP stream: passed on as an end.
        ends = []
        origin = self.scripted(lambda peer, _: ends.append(peer.read_to_end()))
        tcp = self.start(self.tls_plane([origin.address], listener={"protocol": "TCP"}))
        connection = self.connect(tcp, alpn=())
        connection.send(b"some bytes")
        connection.socket.shutdown(1)
        wait_until(lambda: ends == [b"some bytes"], "the end at the server")

    def test_row_179_we_announce_ours_and_not_where_a_response_is_cut(self):
        origin = self.scripted(self.whole_or_cut)
        fairlead = self.start(self.tls_plane([origin.address]))
        with self.connect(fairlead) as connection:
            connection.send(get("/whole", host="example.com", version="HTTP/1.0"))
            answer = connection.read_response()
            self.assertEqual((answer.body, connection.was_reset), (b"until the end", False))
        with self.connect(fairlead) as connection:
            connection.send(get("/cut", host="example.com", version="HTTP/1.0"))
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


class PassThrough(TlsCase):
    """TLS that ends at the servers, which are found by what clients say first."""

    def tls_server(self, issued, name, alpn=()):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (self.folder / "both.pem").write_text(issued.chain + issued.key)
        context.load_cert_chain(self.folder / "both.pem")
        if alpn:
            context.set_alpn_protocols(list(alpn))

        def serve(peer, _):
            peer.socket = context.wrap_socket(peer.socket, server_side=True, suppress_ragged_eofs=False)
            while True:
                peer.read_request()
                peer.send(response(body=name))
        return self.scripted(serve).address

    def setUp(self):
        super().setUp()
        issued = self.authority.issue("a.example", "b.example", "*.c.example")
        backends = {name: self.tls_server(issued, name.encode(), alpn=["h2"] if name == "h2" else ())
                    for name in ("other", "a", "c", "h2")}
        self.fairlead = self.start({"resources": {
            "backends": [{"name": name, "servers": [{"name": "s1", "address": address}]}
                         for name, address in backends.items()],
            "listeners": [{"name": "web", "bind": ["127.0.0.1:0"], "protocol": "TCP", "default_backend": "other", "tls": {
                "handshake_timeout": "1s", "pass_through": {"routes": [
                    {"hosts": ["a.example"], "backend": "a"}, {"hosts": ["*.c.example"], "backend": "c"},
                    {"alpn": ["h2"], "backend": "h2"}]}}}]}})

    def test_by_name_and_by_protocol(self):
        for host, alpn, name in (("a.example", (), b"a"), ("A.EXAMPLE", ("h2",), b"a"), ("x.c.example", (), b"c"),
                                 ("b.example", ("h2", "x"), b"h2"), ("b.example", ("x",), b"other")):
            with self.connect(self.fairlead, host=host, alpn=alpn) as connection:
                self.assertEqual(connection.request(get(host=host)).body, name, (host, alpn))
            protocols = [argument for protocol in alpn for argument in ("--alpn", protocol)]
            self.assertIn(f"{name.decode()}/s1 at ", self.ctl(self.fairlead, "explain", "web", "--sni", host, *protocols))
        with self.connect(self.fairlead, host=None, authority=None, alpn=()) as connection:
            self.assertEqual(connection.request(get()).body, b"other")

    def test_who_says_something_else_or_nothing_is_closed(self):
        for data in (get(), b"", client_hello(b"a.example")[:30], client_hello(b"a.example\0b")):
            with Connection(self.fairlead.address()) as connection:
                connection.send(data)
                self.assertEqual(connection.read_to_end(), b"")
        hello = client_hello(b"a.example")
        with Connection(self.fairlead.address()) as connection:
            for byte in hello:
                connection.send(bytes([byte]))
            self.assertEqual(connection.read_exactly(1), b"\x16", "the server's hello")

    def test_a_backend_that_a_route_names_stays(self):
        self.assertIn("in use by listener web", self.refused(self.fairlead, "backend", "delete", "c"))


if __name__ == "__main__":
    main()
