"""A client of gRPC that writes HTTP/2 frames by hand, so that it can do what a library would not (RFC 9113)."""

import struct

from .connection import Connection

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM = ACK = 1
END_HEADERS = 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_TABLE_SIZE = 1
CANCEL, ENHANCE_YOUR_CALM = 8, 11

# The names that RFC 7541 (HPACK) numbers from 1, as far as responses use them.
STATIC_NAMES = dict(enumerate(
    ":authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status :status "
    "accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow "
    "authorization cache-control content-disposition content-encoding content-language content-length content-location "
    "content-range content-type".split(), 1))
STATIC_STATUSES = dict(zip(range(8, 15), "200 204 206 304 400 404 500".split()))


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name, value):
    """A literal without indexing and without Huffman's code."""
    return b"\0" + b"".join(_integer(len(text), 7) + text for text in (name.encode(), value.encode()))


def message(data, compressed=0, length=None):
    """gRPC's prefix and the message; the prefix may lie."""
    return struct.pack(">BI", compressed, len(data) if length is None else length) + data


def _integer(value, bits):
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    text, value = bytes([most]), value - most
    while value >= 128:
        text, value = text + bytes([value % 128 + 128]), value // 128
    return text + bytes([value])


class _Block:
    """A block of headers of a peer that was told not to use a dynamic table."""

    def __init__(self, data):
        self.data = data

    def _take_integer(self, bits):
        most = (1 << bits) - 1
        value, self.data = self.data[0] & most, self.data[1:]
        shift = 0
        while value >= most and shift >= 0:
            byte, self.data = self.data[0], self.data[1:]
            value, shift = value + ((byte & 127) << shift), shift + 7 if byte & 128 else -1
        return value

    def _take_string(self):
        is_coded = self.data[0] & 128
        size = self._take_integer(7)
        text, self.data = self.data[:size], self.data[size:]
        # In Huffman's code gRPC writes only what is binary, and nobody here looks at that.
        return text.hex() if is_coded else text.decode("latin-1")

    def fields(self):
        while self.data:
            first = self.data[0]
            if first & 128:
                index = self._take_integer(7)
                yield STATIC_NAMES[index], STATIC_STATUSES.get(index, "")
            elif first & 0b11100000 == 0b00100000:
                self._take_integer(5)  # the dynamic table's size
            else:
                index = self._take_integer(6 if first & 64 else 4)
                yield STATIC_NAMES[index] if index else self._take_string(), self._take_string()


class Http2Connection(Connection):
    """Sends its preface and its settings; afterwards only what it is told."""

    def __init__(self, address):
        super().__init__(address)
        self.goaway = None
        self.send(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", HEADER_TABLE_SIZE, 0)))

    def call(self, stream, path, data=b"", flags=END_STREAM, **headers):
        """A call's headers, and after them its bytes."""
        fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "localhost",
                  "content-type": "application/grpc", "te": "trailers",
                  **{name.replace("_", "-"): value for name, value in headers.items()}}
        block = b"".join(header(name, value) for name, value in fields.items())
        self.send(frame(HEADERS, END_HEADERS, stream, block) + b"".join(
            frame(DATA, 0, stream, data[at:at + 16_384]) for at in range(0, len(data), 16_384)))
        if flags:
            self.send(frame(DATA, flags, stream))

    def read_frame(self):
        """Kind, flags, stream, payload. Settings are acknowledged, nothing else is."""
        head = self.read_exactly(9)
        size, = struct.unpack(">I", b"\0" + head[:3])
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = self.read_exactly(size)
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        if kind == GOAWAY:
            self.goaway = struct.unpack(">I", payload[4:8])[0], payload[8:]
        return kind, flags, stream, payload

    def read_answer(self, stream):
        """The fields of headers and trailers of this stream; "reset" stands for the code of a reset."""
        fields = {}
        while True:
            kind, flags, of, payload = self.read_frame()
            if of != stream:
                continue
            if kind == HEADERS:
                fields.update(_Block(payload).fields())
            if kind == RST_STREAM:
                return {**fields, "reset": struct.unpack(">I", payload)[0]}
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                return fields

    def read_to_goaway(self):
        """Its code and its text."""
        while self.goaway is None:
            self.read_frame()
        return self.goaway
