"""TLS to servers: who is believed, what is shown and offered, and that pools and checks go by it."""

import base64
import hashlib
import json
import pathlib
import ssl
import tempfile

from harness import Connection, fetch, main, plane, wait_until
from harness.api import ApiCase
from harness.certificates import Authority, openssl
from harness.origins import response


def server_context(issued, authority=None, alpn=()):
    """`authority`: clients have to have a certificate of its."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(issued.chain + issued.key)
        file.flush()
        context.load_cert_chain(file.name)
    if authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=authority.root)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class Servers(ApiCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.issued = self.authority.issue("app.internal")
        (self.folder / "ca.pem").write_text(self.authority.root)
        # What was seen of each connection: SNI, whether it was resumed, the peer's certificate, ALPN.
        self.seen = []

    def tls_origin(self, issued=None, sni=True, **options):
        context = server_context(issued or self.issued, **options)
        names = []
        if sni:
            context.sni_callback = lambda _, name, __: names.append(name)

        def serve(peer, _):
            names.clear()
            peer.socket = context.wrap_socket(peer.socket, server_side=True, suppress_ragged_eofs=False)
            self.seen.append({"sni": names[-1] if names else None, "resumed": peer.socket.session_reused,
                              "subject": (peer.socket.getpeercert() or {}).get("subject"),
                              "alpn": peer.socket.selected_alpn_protocol(), "version": peer.socket.version()})
            while True:
                request = peer.read_request()
                peer.send(response(body=request.body or b"secret"))
        return self.scripted(serve)

    def start_towards(self, origin, backend=None, **tls):
        tls = {"ca": self.authority.root, "sni": "app.internal", **tls}
        tls = {name: value for name, value in tls.items() if value is not None}
        return self.start(plane([origin.address], workers=1, backend={"tls": tls, **(backend or {})}))

    def assert_served(self, fairlead):
        answer = fetch(fairlead.address())
        self.assertEqual((answer.status, answer.body), (200, b"secret"))

    def assert_not_believed(self, fairlead):
        count = fairlead.out.all().__len__()
        self.assertEqual(fetch(fairlead.address()).status, 502)
        line = fairlead.wait_for_access("status=502", start=count)
        self.assertEqual(line["end"], "server_tls_failed")

    def test_a_server_that_is_believed(self):
        fairlead = self.start_towards(self.tls_origin())
        for _ in range(5):
            self.assert_served(fairlead)
        # One connection for all, as in the clear.
        self.assertEqual([(seen["sni"], seen["version"]) for seen in self.seen], [("app.internal", "TLSv1.3")])

    def test_bodies_both_ways(self):
        fairlead = self.start_towards(self.tls_origin())
        body = bytes(range(256)) * 20_000
        answer = fetch(fairlead.address(), method="POST", body=body)
        self.assertTrue(answer.body == body)

    def test_whom_it_does_not_believe(self):
        stranger = Authority(self.folder, "Stranger")
        cases = {"another's": stranger.issue("app.internal"), "another name": self.authority.issue("other.internal"),
                 "expired": self.authority.issue("app.internal", days=-1),
                 "for clients": self.authority.issue("app.internal", usage="clientAuth")}
        for what, issued in cases.items():
            with self.subTest(what):
                origin = self.tls_origin(issued)
                self.assert_not_believed(self.start_towards(origin))
                self.assertEqual(self.seen, [], "nothing may be sent")
                self.assert_served(self.start_towards(origin, verify=False))
                self.seen.clear()
        clear = self.scripted(lambda peer, _: (peer.receive(), peer.send(response(400))))
        self.assert_not_believed(self.start_towards(clear))

    def test_who_has_no_certificate_is_not_believed_whatever_the_ciphers(self):
        wrong = base64.b64encode(b"x" * 32).decode()

        def serve(peer, _):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("aNULL:@SECLEVEL=0")
            peer.socket = context.wrap_socket(peer.socket, server_side=True, suppress_ragged_eofs=False)
            self.seen.append(peer.socket.cipher())
            peer.read_request()
            peer.send(response(body=b"stolen"))

        origin = self.scripted(serve)
        for more in ({}, {"pins": [wrong]}, {"pins": [wrong], "verify": False}):
            self.assert_not_believed(self.start_towards(origin, ciphers="ALL:@SECLEVEL=0", **more))
        self.assertEqual(self.seen, [])

    def test_by_address_by_name_and_by_pin(self):
        address = self.authority.issue(lines=["subjectAltName=IP:127.0.0.1"])
        origin = self.tls_origin(address)
        self.assert_served(self.start_towards(origin, sni=None))
        # An address is looked for in the certificate, and is no host's name to be told.
        self.assert_served(self.start_towards(origin, sni="127.0.0.1"))
        self.assertEqual(self.seen[-1]["sni"], None)
        self.assert_not_believed(self.start_towards(origin, sni="127.0.0.2"))
        self.assert_not_believed(self.start_towards(origin))
        named = self.tls_origin()
        self.assert_not_believed(self.start_towards(named, sni=None))
        self.assert_served(self.start_towards(named, sni="elsewhere.net", name="app.internal"))
        self.assertEqual(self.seen[-1]["sni"], "elsewhere.net")
        spki = openssl("pkey", "-pubin", "-outform", "PEM", stdin=openssl(
            "x509", "-pubkey", "-noout", stdin=self.issued.certificate.encode()).encode())
        der = base64.b64decode("".join(spki.splitlines()[1:-1]))
        pin = base64.b64encode(hashlib.sha256(der).digest()).decode()
        wrong = base64.b64encode(b"x" * 32).decode()
        self.assert_served(self.start_towards(named, pins=[wrong, pin]))
        self.assert_served(self.start_towards(named, pins=[pin], verify=False))
        self.assert_not_believed(self.start_towards(named, pins=[wrong]))
        self.assert_not_believed(self.start_towards(named, pins=[wrong], verify=False))

    def test_sessions_go_on_and_a_certificate_is_shown(self):
        own = self.authority.issue(subject="CN=fairlead", usage="clientAuth")
        origin = self.tls_origin(authority=self.authority, alpn=["http/1.1"])
        # Each worker keeps sessions of its own.
        configuration = plane([origin.address], workers=1, backend={
            "connection_pool": {"reuse": "NEVER"},
            "tls": {"ca": self.authority.root, "sni": "app.internal", "client_certificate": "own", "alpn": ["http/1.1"]}})
        configuration["resources"]["certificates"] = [own.fields("own")]
        fairlead = self.start(configuration)
        for _ in range(4):
            self.assert_served(fairlead)
        self.assertEqual([seen["resumed"] for seen in self.seen], [False, True, True, True])
        self.assertEqual({json.dumps(seen["subject"]) for seen in self.seen}, {'[[["commonName", "fairlead"]]]'})
        self.assertEqual({seen["alpn"] for seen in self.seen}, {"http/1.1"})
        self.assertIn("in use by backend app", self.refused(fairlead, "certificate", "delete", "own"))
        # Replaced: the next connections show the new one.
        renewed = self.authority.issue(subject="CN=renewed", usage="clientAuth")
        for name, text in (("chain.pem", renewed.chain), ("key.pem", renewed.key)):
            pathlib.Path(self.folder / name).write_text(text)
        self.ctl(fairlead, "certificate", "set", "own", "--chain", str(self.folder / "chain.pem"), "--key",
                 str(self.folder / "key.pem"))
        self.assert_served(fairlead)
        self.assertIn("renewed", json.dumps(self.seen[-1]["subject"]))

    def test_pooled_connections_of_other_settings_are_not_used(self):
        fairlead = self.start_towards(self.tls_origin(), verify=False)
        self.assert_served(fairlead)
        self.ctl(fairlead, "backend", "set", "app", "--tls-verify", "true", "--tls-sni", "other.internal")
        self.assert_not_believed(fairlead)
        self.ctl(fairlead, "backend", "set", "app", "--tls-sni", "app.internal", "--tls-ca", str(self.folder / "ca.pem"))
        self.assert_served(fairlead)
        self.ctl(fairlead, "backend", "set", "app", "--tls", "default")
        self.assertIn(fetch(fairlead.address()).status, (502, 503))

    def test_checks_speak_tls_and_say_what_is_wrong(self):
        check = {"health_check": {"http": {"path": "/"}, "interval": "0.1s"}}
        fairlead = self.start_towards(self.tls_origin(), backend=check)
        api = self.api_of(fairlead)
        wait_until(lambda: api.servers("app")[0].status.health_reason == "status 200", "a successful check")
        strange = self.start_towards(self.tls_origin(Authority(self.folder, "Stranger").issue("app.internal")),
                                     backend=check)
        api = self.api_of(strange)
        wait_until(lambda: "tls: certificate verify failed" in api.servers("app")[0].status.health_reason, "a reason")

    def test_a_tcp_backend_and_the_end_of_each_side(self):
        context = server_context(self.issued)
        ends = []

        def echo(peer, _):
            peer.socket = context.wrap_socket(peer.socket, server_side=True, suppress_ragged_eofs=False)
            peer.send(peer.read_exactly(5))
            ends.append(peer.read_to_end())
            peer.socket.unwrap()
        origin = self.scripted(echo)
        fairlead = self.start(plane([origin.address], listener={"protocol": "TCP"}, backend={
            "tls": {"ca": self.authority.root, "sni": "app.internal"}}))
        with Connection(fairlead.address()) as connection:
            connection.send(b"hello")
            self.assertEqual(connection.read_exactly(5), b"hello")
            connection.send(b"bye")
            connection.finish()
            self.assertEqual(connection.read_to_end(), b"")
        wait_until(lambda: ends == [b"bye"], "the end at the server")
        self.assertEqual(origin.errors, [])

    def test_row_179_a_response_whose_end_was_not_announced_is_not_whole(self):
        context = server_context(self.issued)

        def cut(peer, number):
            peer.socket = context.wrap_socket(peer.socket, server_side=True, suppress_ragged_eofs=False)
            peer.read_request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\nas long as it lasts")
            if number == 1:
                peer.socket.unwrap()
        origin = self.scripted(cut)
        fairlead = self.start_towards(origin)
        self.assertFalse(fetch(fairlead.address()).is_whole)
        self.assertTrue(fetch(fairlead.address()).is_whole)


if __name__ == "__main__":
    main()
