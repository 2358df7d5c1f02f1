"""Everything bad at one data plane: the rows of the catalogue, whole and cut, and the corpora of the fuzzers, by clients that
end as they like, and by a server that answers so."""

import collections
import random
import socket
import threading

from . import catalogue
from .connection import get, open_socket

# Listeners of the catalogue's rows, and `bad`, whose server is bad; short timeouts, so that who stalls is soon gone.
TIMEOUTS = {name: "3s" for name in ("request_head", "keep_alive", "idle", "proxy_header")}


def listeners(certificate):
    """As a configuration has them, for backends `app` and `bad` and a certificate of this name."""
    plain = {"bind": ["127.0.0.1:0"], "protocol": "HTTP", "timeouts": TIMEOUTS}
    return [{"name": "web", "default_backend": "app", **plain},
            {"name": "tls", "default_backend": "app", "tls": {"certificates": [certificate], "handshake_timeout": "3s"}, **plain},
            {"name": "proxy", "default_backend": "app", "proxy_protocol": {"trusted": ["127.0.0.0/8"]}, **plain},
            {"name": "bad", "default_backend": "bad", **plain}]


class BadServer:
    """Answers each connection with the next of the responses that the fuzzers begin with, and closes or stays."""

    def __init__(self):
        self._answers = [data for name, data in catalogue.corpora() if name.startswith("http1_response/")]
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._kept = collections.deque(maxlen=20)
        self.address = "127.0.0.1:%d" % self._listening.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            peer.settimeout(1)
            try:
                peer.recv(1 << 16)
                peer.sendall(self._answers[self.connections % len(self._answers)])
            except OSError:
                pass
            self.connections += 1
            if self.connections % 3:
                peer.close()
            else:
                self._kept.append(peer)

    def close(self):
        try:
            self._listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listening.close()
        self._thread.join()
        for peer in self._kept:
            peer.close()


class Thrower:
    """`addresses`: of the listeners by name; what else is there gets the corpora alone. Connections stay open until `keep` came
    after them; how each ends is drawn from the seed."""

    def __init__(self, addresses, seed, keep=200):
        self._addresses = addresses
        self._draw = random.Random(seed)
        self._keep = keep
        self._open = collections.deque()
        self.connections = 0

    def throw_rows(self):
        for _, listener, data in catalogue.rows():
            for size in catalogue.cuts_of(data):
                self._send(listener, data[:size])

    def throw_corpora(self):
        for _, data in catalogue.corpora():
            for name in self._addresses:
                self._send(name, data)

    def ask_the_bad_server(self, times):
        for _ in range(times):
            self._send("bad", get())

    def finish(self):
        while self._open:
            self._end(self._open.popleft())

    def _send(self, name, data):
        connection = open_socket(self._addresses[name], timeout=5)
        self.connections += 1
        try:
            connection.sendall(data)
        except OSError:
            pass  # it has been answered, and closed
        self._open.append(connection)
        if len(self._open) > self._keep:
            self._end(self._open.popleft())

    def _end(self, connection):
        kind = self._draw.randrange(3)
        try:
            if kind == 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            elif kind == 1:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        connection.close()
