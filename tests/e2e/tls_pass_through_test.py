"""TLS that passes through a listener."""

import ssl

from harness import Connection, get, main
from harness.origins import response
from harness.tls_case import TlsCase, client_hello


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
