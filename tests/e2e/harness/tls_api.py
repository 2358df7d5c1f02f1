"""A data plane whose management API speaks TLS, and clients with a certificate for each role."""

import ssl

from .api import Api, ApiCase, grpc, management
from .cases import plane
from .certificates import Authority, TlsConnection
from .connection import fetch
from .processes import DEADLINE

__all__ = ["CLIENT", "NAME", "ROLES", "TlsApiCase"]

NAME = "plane.example.org"
# Some are longer than what an error's text shows of other names.
ROLES = {"viewer": "spiffe://example.org/namespaces/operations/accounts/boards-that-everybody-looks-at",
         "operator": "operator.example.org", "editor": "editor-of-all-that-is-built-tested-and-delivered.ci.example.org",
         "admin": "Alice Admin"}
CLIENT = "clientAuth"


class TlsApiCase(ApiCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder, "Clients")
        self.own = Authority(self.folder, "Servers")
        self.place = self.folder / "tls"
        self.place.mkdir()
        self.write_files(self.own.issue(NAME))
        self.clients = {
            "viewer": self.authority.issue(subject="nobody", usage=CLIENT, lines=[f"subjectAltName=URI:{ROLES['viewer']}"]),
            "operator": self.authority.issue(ROLES["operator"], usage=CLIENT),
            "editor": self.authority.issue(ROLES["editor"], usage=CLIENT),
            "admin": self.authority.issue(subject=ROLES["admin"], usage=CLIENT),
        }

    def write(self, name, text):
        """In one step, as certificates are replaced."""
        unfinished = self.place / (name + ".new")
        unfinished.write_text(text)
        unfinished.rename(self.place / name)

    def write_files(self, issued, authority=None):
        self.write("key.pem", issued.key)
        (self.place / "key.pem").chmod(0o600)
        self.write("chain.pem", issued.chain)
        self.write("ca.pem", (authority or self.authority).certificate)

    def tls(self, **fields):
        return {"certificate_file": str(self.place / "chain.pem"), "private_key_file": str(self.place / "key.pem"),
                "client_ca_file": str(self.place / "ca.pem"), "check_interval": "100ms",
                "roles": [{"name": ROLES["viewer"], "role": "VIEWER"}, {"name": ROLES["operator"], "role": "OPERATOR"},
                          {"name": "*.ci.example.org", "role": "EDITOR"}, {"name": ROLES["admin"], "role": "ADMIN"}],
                **fields}

    def configuration(self, listen=("127.0.0.1:0",), tls=None, **others):
        return plane({"s1": "127.0.0.1:9"}, **{
            "management": {"listen": [*listen, f"unix:{self.folder}/m.sock"], "tls": tls or self.tls()}, **others})

    def start_tls(self, **options):
        fairlead = self.start(self.configuration(**options))
        return fairlead, self.address(fairlead)

    @staticmethod
    def address(fairlead):
        return next(one for one in fairlead.ready["management"] if not one.startswith("unix:"))

    def unix(self):
        api = Api(f"unix:{self.folder}/m.sock")
        self.addCleanup(api.close)
        return api

    def api(self, address, client, override=False, root=None, name=NAME):
        """As `client`: one of the roles, or what was issued; None: without a certificate."""
        issued = self.clients[client] if isinstance(client, str) else client
        tls = grpc.ssl_channel_credentials((root or self.own.certificate).encode(), *(
            (issued.key.encode(), issued.chain.encode()) if issued else (None, None)))
        api = Api(address, override=override, tls=tls, server_name=name)
        self.addCleanup(api.close)
        return api

    def connect(self, address, client=None):
        """TLS without gRPC."""
        connection = TlsConnection(address, self.own, host=NAME, alpn=("h2",), certificate=client)
        self.addCleanup(connection.close)
        return connection

    def assert_kept_out(self, address, client, reason):
        with self.assertRaises((ssl.SSLError, ConnectionError)) as caught:
            # In TLS 1.3 a client is done before the data plane has looked at its certificate.
            self.connect(address, client).read_exactly(1)
        self.assertIn(reason, str(caught.exception).lower().replace("_", " "))
        with self.assertRaises(grpc.RpcError) as refused:
            self.info(self.api(address, client))
        self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAVAILABLE, refused.exception.details())

    @staticmethod
    def info(api):
        return api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def metric(self, fairlead, name):
        page = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        return float(next(line.rsplit(" ", 1)[1] for line in page.splitlines() if line.startswith(name + " ")))
