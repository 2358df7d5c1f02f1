"""The catalogue of bad input and the corpora of the fuzzers as bytes that can be sent: for what throws all of it at once."""

import pathlib
import socket
import ssl
import struct

import datapath_bad_input_test as bad_input

from .connection import get

CORPORA = pathlib.Path(__file__).resolve().parents[2] / "fuzz/corpus"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(source="203.0.113.7", port=4321, tlvs=b""):
    """A PROXY header of version 2."""
    addresses = socket.inet_aton(source) + socket.inet_aton("10.0.0.1") + struct.pack(">HH", port, 80)
    return SIGNATURE + b"\x21\x11" + struct.pack(">H", len(addresses) + len(tlvs)) + addresses + tlvs


def client_hello():
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(into, out, server_hostname="example.com")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def in_records(hello, size):
    """The same handshake message in records of `size` bytes."""
    message = hello[5:]
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(part)) + part
                    for part in (message[at:at + size] for at in range(0, len(message), size)))


def rows():
    """What clients send in rows of the catalogue: (name, which begins with the row's number, listener, bytes). Listeners are
    `web`, `tls`, and `proxy`, which wants a PROXY header."""
    post = bad_input.post
    for name, data, *_ in (*bad_input.REFUSED_HEADS, *bad_input.REFUSED_FRAMING, *bad_input.VALID):
        yield name, "web", data
    yield from (
        ("20 %00 in the path", "web", bad_input.head(b"GET /a%00b HTTP/1.1")),
        ("22 backslash in the path", "web", bad_input.head(b"GET /a\\b HTTP/1.1")),
        ("64 length of 10^18, no body", "web", post(b"Content-Length: 1000000000000000000", body=b"")),
        ("66 body cut short", "web", post(b"Content-Length: 10")),
        ("86 chunks cut short", "web", bad_input.CHUNKED + b"5\r\nhello\r\n"),
        ("90 Expect: foo", "web", post(b"Expect: foo", b"Content-Length: 5")),
        ("91 Connection: content-length", "web", post(b"Connection: content-length", b"Content-Length: 5")),
        ("94 100 pipelined requests", "web", get() * 100),
        ("E4 repeated headers", "web", bad_input.head(b"GET / HTTP/1.1", *[b"Content-Type: a", b"X: 1"] * 20)),
        ("E8 an upload", "web", post(b"Content-Length: 200000", body=b"x" * 200_000)))
    yield from ((f"{row} {data[:24]!r}", "proxy", data) for row, data in (
        (158, b"PROXY " + b"x" * 200), (159, b"PROXY TCP4 999.1.1.1 1.2.3.4 1 80\r\n" + get()),
        (160, b"PROXY UNKNOWN\r\n" + get()), (161, SIGNATURE + b"\x11\x11\0\0" + get()),
        (162, SIGNATURE + b"\x21\x11\xff\xff"), (163, SIGNATURE + b"\x20\0\0\0" + get()),
        (164, v2(tlvs=b"\x02\0\xffab") + get()),
        (165, v2(tlvs=b"\x03\0\4abcd") + get()), (166, get()), (168, b"PROXY TCP4 1.2.3.4")))
    hello = client_hello()
    yield from (
        ("169 plain HTTP on the TLS port", "tls", get()),
        ("170 hello in records of one byte", "tls", in_records(hello, 1)),
        ("170 hello over the limit", "tls", b"\x16\x03\x01\x40\0\x01\1\0\0" + bytes(0x4000 - 4)),
        ("173 SSLv2", "tls", b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10" + bytes(37)),
        ("176 a hello and nothing more", "tls", hello))


def cuts_of(data):
    """Where a client may stop: behind all of it, before the last byte, in the middle."""
    return sorted({len(data), len(data) - 1, len(data) // 2} - {0})


def corpora():
    """What the fuzzers begin with: (name, bytes), of all of them."""
    for path in sorted(CORPORA.glob("*/*")):
        yield f"{path.parent.name}/{path.name}", path.read_bytes()
