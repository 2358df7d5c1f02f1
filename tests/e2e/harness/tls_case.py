"""A data plane whose listener ends TLS, and clients that speak it."""

import ssl

from .api import ApiCase, management, resources
from .cases import plane
from .certificates import Authority, TlsConnection
from .connection import get

__all__ = ["TLS_1_2", "TLS_1_3", "TlsCase", "client_hello"]

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
