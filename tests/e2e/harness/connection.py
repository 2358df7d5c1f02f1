"""A client that sends exactly the bytes that it is given, and reads responses strictly."""

import socket
import time

from .processes import DEADLINE


def open_socket(address, timeout=DEADLINE, source=None):
    """`source`: the client's IP address."""
    if address.startswith("unix:"):
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.settimeout(timeout)
        try:
            opened.connect(address[5:])
        except OSError:
            opened.close()
            raise
        return opened
    host, port = address.rsplit(":", 1)
    opened = socket.create_connection((host.strip("[]"), int(port)), timeout, (source, 0) if source else None)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


class Response:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.version, status, self.reason = (lines[0] + " ").split(" ", 2)
        self.status = int(status)
        self.headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon and name == name.strip() and name, f"malformed header line {line!r}"
            self.headers.append((name.lower(), value.strip()))
        self.body = b""
        # The body came as its framing says.
        self.is_whole = False

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def get(self, name):
        return ", ".join(self.all(name)) or None

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:80]!r}{'' if self.is_whole else ' not whole'}>"


class Connection:
    """One connection of a client."""

    # It ended in a reset, not in a proper end.
    was_reset = False

    def __init__(self, address, timeout=DEADLINE, source=None):
        self.socket = open_socket(address, timeout, source)
        self.buffer = b""
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Sends what is taken: a peer that answered and closed may refuse the rest."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def finish(self):
        """Half-closes: nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def receive(self):
        """More bytes into the buffer. False at the end, however it comes."""
        if self.ended:
            return False
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            self.was_reset = True
            data = b""
        self.buffer += data
        self.ended = not data
        return not self.ended

    def read_until(self, separator):
        while separator not in self.buffer:
            if not self.receive():
                raise EOFError(f"the connection ended after {self.buffer!r}")
        part, self.buffer = self.buffer.split(separator, 1)
        return part

    def read_exactly(self, size):
        while len(self.buffer) < size:
            if not self.receive():
                raise EOFError(f"the connection ended {size - len(self.buffer)} bytes early")
        part, self.buffer = self.buffer[:size], self.buffer[size:]
        return part

    def read_to_end(self):
        while self.receive():
            pass
        part, self.buffer = self.buffer, b""
        return part

    def is_closed_within(self, seconds):
        """Whether the peer ends the connection in this time, saying nothing more."""
        if self.ended:
            return not self.buffer
        self.socket.settimeout(seconds)
        try:
            return not self.receive() and not self.buffer
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(DEADLINE)

    def request(self, data, **options):
        self.send(data)
        return self.read_response(**options)

    def read_head(self):
        return Response(self.read_until(b"\r\n\r\n"))

    def read_response(self, head_only=False, interim=None):
        """The next final response; interim ones are appended to `interim`. A body cut short leaves is_whole False."""
        result = self.read_head()
        while 100 <= result.status < 200 and result.status != 101:
            if interim is not None:
                interim.append(result)
            result = self.read_head()
        try:
            result.body = b"" if head_only else self._read_body(result)
            result.is_whole = True
        except EOFError:
            result.body, self.buffer = self.buffer, b""
        return result

    def _read_body(self, head):
        if head.status in (101, 204, 304):
            return b""
        lengths = head.all("content-length")
        codings = head.all("transfer-encoding")
        assert len(lengths) + len(codings) <= 1, f"ambiguous framing: {head.headers}"
        if codings:
            assert codings == ["chunked"], codings
            return self._read_chunks()
        return self.read_exactly(int(lengths[0])) if lengths else self.read_to_end()

    def _read_chunks(self):
        body = []
        while True:
            size = int(self.read_until(b"\r\n"), 16)
            body.append(self.read_exactly(size))
            if size == 0:
                while self.read_until(b"\r\n"):
                    pass
                return b"".join(body)
            assert self.read_exactly(2) == b"\r\n"


def get(path="/", host="test", method="GET", headers=(), body=None, version="HTTP/1.1"):
    """The bytes of a request."""
    lines = [f"{method} {path} {version}"] + ([f"Host: {host}"] if host else []) + list(headers)
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def fetch(address, path="/", **options):
    """One request on a connection of its own."""
    with Connection(address) as connection:
        return connection.request(get(path, **options), head_only=options.get("method") == "HEAD")


def is_refused(address):
    """Whether nobody accepts connections there, now."""
    try:
        open_socket(address).close()
    except (ConnectionRefusedError, FileNotFoundError, ConnectionResetError):
        return True
    return False


def wait_until(is_true, what, timeout=DEADLINE):
    """For what gives no event to wait for: looked at again and again, with growing pauses."""
    end = time.monotonic() + timeout
    pause = 0.002
    while not is_true():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {timeout} s")
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
