"""Certificates for tests, made by openssl; and clients that speak TLS."""

import base64
import os
import pathlib
import ssl
import subprocess
import tempfile

from .connection import Connection
from .processes import DEADLINE, distribution_program

KEY_KINDS = {"ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
             "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
             "ed25519": ["-algorithm", "ED25519"],
             "secp256k1": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
             "ed448": ["-algorithm", "ED448"]}


def openssl(*arguments, stdin=None):
    """What it writes; it must succeed."""
    made = subprocess.run([distribution_program("openssl", "openssl"), *map(str, arguments)], input=stdin,
                          capture_output=True, timeout=DEADLINE, check=False)
    assert made.returncode == 0, made.stderr.decode()
    return made.stdout.decode()


class Issued:
    """A certificate with its key, as text."""

    def __init__(self, certificate, key, issuers=()):
        self.certificate = certificate
        self.key = key
        # The chain as it is to be sent.
        self.chain = certificate + "".join(issuers)

    def fields(self, name):
        """As a resource."""
        return {"name": name, "chain": self.chain, "private_key": self.key}


class Authority:
    """Issues certificates; `folder` is the test's."""

    def __init__(self, folder, name="Test Root", issuer=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        self.issuer = issuer
        made = _issue(self.folder, name, issuer, ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"])
        self.certificate, self.key = made.certificate, made.key
        self.root = issuer.root if issuer else self.certificate
        self.root_file = str(self.folder / "root.pem")
        pathlib.Path(self.root_file).write_text(self.root)

    def revoke(self, *revoked, days=1):
        """A list of these certificates, as text; negative `days`: it was to be renewed."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "ca.pem").write_text(self.certificate)
        (folder / "ca.key").write_text(self.key)
        (folder / "index").write_text("".join(
            "R\t350101000000Z\t250101000000Z\t" + openssl("x509", "-noout", "-serial", stdin=one.certificate.encode())
            .strip().split("=")[1] + "\tunknown\t/CN=revoked\n" for one in revoked))
        (folder / "config").write_text(f"[ca]\ndefault_ca=own\n[own]\ndatabase={folder}/index\ndefault_md=sha256\n")
        until = ["-crldays", str(days)] if days > 0 else ["-crl_lastupdate", "20250101000000Z", "-crl_nextupdate", "20250201000000Z"]
        return openssl("ca", "-gencrl", "-config", folder / "config", "-cert", folder / "ca.pem", "-keyfile", folder / "ca.key",
                       *until)

    def issue(self, *names, kind="ec", days=30, subject=None, usage="serverAuth", lines=()):
        """For these hosts; negative `days`: it has expired."""
        alternatives = ",".join(f"DNS:{name}" for name in names)
        lines = [*lines, f"extendedKeyUsage={usage}", *([f"subjectAltName={alternatives}"] if names else [])]
        made = _issue(self.folder, subject or (names[0] if names else "nobody"), self, lines, kind, days)
        issuers = [self.certificate] if self.issuer else []
        return Issued(made.certificate, made.key, issuers)
    def ocsp_response(self, issued, revoked=False, signer=None):
        """What is said of it, by its issuer or by `signer`: DER as base64, valid for a day."""
        signer = signer or self
        own = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        for name, text in (("ca.pem", self.certificate), ("of.pem", issued.certificate), ("signer.pem", signer.certificate),
                           ("signer.key", signer.key)):
            (own / name).write_text(text)
        serial = openssl("x509", "-noout", "-serial", stdin=issued.certificate.encode()).strip().partition("=")[2]
        state = "R\t400101000000Z\t250101000000Z" if revoked else "V\t400101000000Z\t"
        (own / "index").write_text(f"{state}\t{serial}\tunknown\t/CN=somebody\n")
        openssl("ocsp", "-issuer", own / "ca.pem", "-cert", own / "of.pem", "-reqout", own / "request", "-no_nonce")
        openssl("ocsp", "-index", own / "index", "-CA", own / "ca.pem", "-rsigner", own / "signer.pem", "-rkey",
                own / "signer.key", "-reqin", own / "request", "-respout", own / "response", "-ndays", "1")
        return base64.b64encode((own / "response").read_bytes()).decode()


def _issue(folder, name, issuer, lines, kind="ec", days=30):
    key = openssl("genpkey", *KEY_KINDS[kind])
    own = pathlib.Path(tempfile.mkdtemp(dir=folder))
    (own / "key.pem").write_text(key)
    # Of a name "CN=a,O=b" each part, else it is the common name.
    subject = "".join("/" + part for part in name.split(",")) if "=" in name else f"/CN={name}"
    request = openssl("req", "-new", "-key", own / "key.pem", "-subj", subject)
    (own / "extensions").write_text("\n".join(lines) + "\n")
    signing = ["-days", str(days), "-extfile", own / "extensions", "-sha256", "-set_serial",
               str(int.from_bytes(os.urandom(8), "big"))]
    if issuer:
        (own / "ca.pem").write_text(issuer.certificate)
        (own / "ca.key").write_text(issuer.key)
        signing += ["-CA", own / "ca.pem", "-CAkey", own / "ca.key"]
    else:
        signing += ["-key", own / "key.pem"]
    return Issued(openssl("x509", "-req", *signing, stdin=request.encode()), key)


class TlsConnection(Connection):
    """A client that speaks TLS; what it believes is `authority`'s (None: anything)."""

    def __init__(self, address, authority=None, host="example.com", alpn=("http/1.1",), version=None, session=None,
                 certificate=None, context=None, **options):
        super().__init__(address, **options)
        context = context or client_context(authority, alpn, version, certificate)
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=host, session=session,
                                              suppress_ragged_eofs=False)
        except BaseException:
            self.socket.close()
            raise

    def receive(self):
        try:
            return super().receive()
        except ssl.SSLEOFError:
            # An end that was not announced.
            self.was_reset = True
            self.ended = True
            return False


def client_context(authority=None, alpn=("http/1.1",), version=None, certificate=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority:
        context.load_verify_locations(cadata=authority.root)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if version:
        context.minimum_version = context.maximum_version = version
    if certificate:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(certificate.chain + certificate.key)
            file.flush()
            context.load_cert_chain(file.name)
    return context
