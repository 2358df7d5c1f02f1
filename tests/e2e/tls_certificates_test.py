"""Certificates of listeners: added, replaced and removed while clients come, kept, and refused where they are no good."""

import json
import pathlib
import threading

from harness import Connection, Fairlead, fetch, get, main, plane, wait_until
from harness.api import grpc, management, resources
from harness.certificates import Authority, TlsConnection, client_context, openssl
from harness.processes import run
from harness.tls_case import TlsCase


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
        strange, large = (self.authority.issue("example.com", kind=kind) for kind in ("secp256k1", "ed448"))
        cases = {
            "a curve that clients do not know": (strange.chain, strange.key, "private_key: is of type EC secp256k1; used are RSA"),
            "a kind that clients do not know": (large.chain, large.key, "private_key: is of type ED448; used are RSA"),
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

    def test_an_ocsp_response_is_signed_by_the_issuer_that_the_chain_has(self):
        fairlead = self.start_tls()
        api = self.api_of(fairlead)
        middle = Authority(self.folder, "Middle", self.authority)
        below = middle.issue("example.com")

        def put(response):
            return api.apply([management.Operation(upsert=management.Resource(certificate=resources.Certificate(
                **below.fields("below"), ocsp_response=response)))])

        # By its name, but with another key.
        forger = Authority(self.folder, "Middle", self.authority)
        result = put(middle.ocsp_response(below, signer=forger))
        self.assertIn("ocsp_response: is not signed by the certificate's issuer", result.failures[0].message)
        self.assertEqual(put(middle.ocsp_response(below)).failures_total, 0)

    def test_settings_of_listeners_that_are_refused_with_field_and_reason(self):
        fairlead = self.start_tls()
        root = self.authority.root
        cases = {
            "--tls-certificate nobody": "tls.certificates[0]: certificate nobody does not exist",
            "--tls-ciphers aNULL:eNULL:@SECLEVEL=0": "tls.ciphers: has only ciphers without a certificate or without encryption",
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
        tls = {"certificates": ["example"], "client_certificates": {"mode": "CLIENT_CERTIFICATE_MODE_OPTIONAL", "ca": root,
                                                                    "subject_header": "X-Subject"}}
        for actions in ({"set": [{"name": "x-subject", "value": "x"}]}, {"add": [{"name": "X-Subject", "value": "x"}]},
                        {"remove": ["X-SUBJECT"]}):
            route = resources.Route(path_prefix="/a", backend="app", request_headers=resources.HeaderActions(**actions))
            result = self.api_of(fairlead).apply([management.Operation(upsert=management.Resource(listener=resources.Listener(
                name="other", bind=["127.0.0.1:0"], protocol=resources.PROTOCOL_HTTP, default_backend="app", tls=tls,
                routes=[route])))])
            self.assertIn('routes[0].request_headers: names "X-Subject", which is tls.client_certificates.subject_header',
                          result.failures[0].message)
        self.assert_serves(fairlead)


if __name__ == "__main__":
    main()
