"""Who comes to a listener with TLS: sessions that are resumed, and certificates of clients."""

import ssl

from harness import get, main
from harness.certificates import Authority, Issued, TlsConnection, client_context
from harness.tls_case import TLS_1_2, TLS_1_3, TlsCase


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


    def test_not_under_another_name(self):
        certificates = {"a": self.authority.issue("a.example"), "b": self.authority.issue("b.example")}
        fairlead = self.start_tls(tls={"strict_sni": True}, certificates=certificates)
        for version in (TLS_1_2, TLS_1_3):
            context = client_context(self.authority, version=version)
            context.check_hostname = False

            def ask(named, host, session=None):
                with TlsConnection(fairlead.address(), context=context, session=session, host=named) as connection:
                    status = connection.request(get(host=host)).status
                    return status, connection.socket.session_reused, connection.socket.session

            status, _, session = ask("a.example", "a.example")
            self.assertEqual(status, 200)
            self.assertEqual(ask("A.example", "a.example", session)[:2], (200, True))
            self.assertEqual(ask("b.example", "b.example", session)[0], 200, version)
            self.assertEqual(ask("b.example", "a.example", session)[0], 421, version)
            for nobody in ("c.example", None):
                with self.assertRaises(ssl.SSLError, msg=(version, nobody)):
                    ask(nobody, "a.example", session)

    def test_whoever_names_no_known_host_is_resumed(self):
        fairlead = self.start_tls()
        for version in (TLS_1_2, TLS_1_3):
            context = client_context(version=version)
            for name in ("nobody.example", None):
                with TlsConnection(fairlead.address(), context=context, host=name) as connection:
                    connection.request(get(host="example.com"))
                    session = connection.socket.session
                with TlsConnection(fairlead.address(), context=context, host=name, session=session) as connection:
                    self.assertEqual(connection.request(get(host="example.com")).status, 200)
                    self.assertTrue(connection.socket.session_reused, (version, name))

    def test_after_a_takeover_as_before_and_not_after_a_start(self):
        live = self.origin("live")
        key_file = self.folder / "journal.key"
        key_file.write_text("ab" * 32)
        key_file.chmod(0o600)
        configuration = self.tls_plane([live.address], state_directory=str(self.folder / "state"),
                                       certificate_key_file=str(key_file))
        first = self.start(configuration)
        sessions = {}
        for version in (TLS_1_2, TLS_1_3):
            context = client_context(self.authority, version=version)
            sessions[context] = self.session_of(first.address(), context)
        taker = first
        # The keys go on to the next one and to the one after it.
        for _ in range(2):
            before, taker = taker, self.start(configuration, arguments=("--takeover",))
            self.assertEqual(before.wait(), 0, before.all_text())
            self.assertEqual(taker.address(), first.address())
            for context, session in sessions.items():
                self.assertTrue(self.is_resumed(taker.address(), context, session))
        taker.stop()
        again = self.start(configuration)
        for context, session in sessions.items():
            self.assertFalse(self.is_resumed(again.address(), context, session))


class Ciphers(TlsCase):
    def test_those_without_a_certificate_or_encryption_are_never_used(self):
        fairlead = self.start_tls(tls={"ciphers": "ALL:eNULL:@SECLEVEL=0"})
        for ciphers in ("aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.maximum_version = TLS_1_2
            context.set_ciphers(ciphers)
            with self.assertRaises(ssl.SSLError, msg=ciphers):
                TlsConnection(fairlead.address(), context=context)
        self.assertIn("those are never used", self.refused(fairlead, "listener", "set", "web", "--tls-ciphers", "aNULL"))
        self.assert_serves(fairlead)


class ClientCertificates(TlsCase):
    def test_who_is_believed_need_not_be_a_root(self):
        between = Authority(self.folder, "Between", self.authority)
        fairlead = self.start_tls(tls={"client_certificates": {"mode": "REQUIRED", "ca": between.certificate}})
        self.assert_serves(fairlead, certificate=between.issue("alice", usage="clientAuth"))
        self.assert_no_handshake(fairlead, certificate=self.authority.issue("alice", usage="clientAuth"))

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


if __name__ == "__main__":
    main()
