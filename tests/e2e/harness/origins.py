"""Servers behind the data plane, scripted in Python: well-behaved ones that count, and others."""

import socket
import threading

from .connection import Connection
from .processes import DEADLINE


# Of Linux, for processes that are moved to another machine; Python does not name it.
TCP_REPAIR = 19


def may_vanish():
    """Whether this user may end a connection without the other end being told."""
    with socket.socket() as one:
        try:
            one.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except OSError:  # or this system has it not
            return False
    return True


class Request:
    def __init__(self, head, body=b""):
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.method, self.target, self.version = lines[0].split(" ")
        self.headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        self.raw_head = head
        self.body = body
        # The whole body came.
        self.is_whole = False
        # The connection that it came on is no more.
        self.is_over = False

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def get(self, name):
        return ", ".join(self.all(name)) or None


class Peer(Connection):
    """The server's end of a connection."""

    def __init__(self, accepted):  # pylint: disable=super-init-not-called
        accepted.settimeout(DEADLINE)
        if accepted.family != socket.AF_UNIX:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = accepted
        self.buffer = b""
        self.ended = False

    def vanish(self):
        """Ends without a word, as a machine that loses its power: the other end hears of it when it sends."""
        self.socket.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        self.socket.close()

    def read_request_head(self):
        return Request(self.read_until(b"\r\n\r\n"))

    def read_request(self):
        request = self.read_request_head()
        self.read_request_body(request)
        return request

    def read_request_body(self, request):
        try:
            if request.get("transfer-encoding"):
                request.body = self._read_chunks()
            elif request.get("content-length"):
                request.body = self.read_exactly(int(request.get("content-length")))
            request.is_whole = True
        except EOFError:
            request.body = self.buffer


def response(status=200, body=b"hello", headers=(), version="HTTP/1.1"):
    """The bytes of a response with its length."""
    lines = [f"{version} {status} Reason", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class ScriptedOrigin:
    """Accepts connections and runs script(peer, number) for each in a thread of its own; closes when it returns."""

    def __init__(self, script, address="127.0.0.1"):
        self._script = script
        self._changed = threading.Condition()
        self._peers = set()
        self._threads = []
        self.connections = 0
        # What went wrong in a script, so that a test can look.
        self.errors = []
        if isinstance(address, str) and address.startswith("unix:"):
            self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listening.bind(address[5:])
            self.address = address
        else:
            # With a port of its own, or with a given one.
            host, port = address if isinstance(address, tuple) else (address, 0)
            is_ip6 = ":" in host
            self._listening = socket.socket(socket.AF_INET6 if is_ip6 else socket.AF_INET, socket.SOCK_STREAM)
            self._listening.bind((host, port))
            self.address = ("[%s]:%d" if is_ip6 else "%s:%d") % self._listening.getsockname()[:2]
        self._listening.listen(1024)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self):
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            peer = Peer(accepted)
            with self._changed:
                number = self.connections
                self.connections += 1
                self._peers.add(peer)
                self._changed.notify_all()
            thread = threading.Thread(target=self._serve, args=(peer, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer, number):
        try:
            self._script(peer, number)
        except (EOFError, OSError):
            pass  # the other side went away, or this one is being closed
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
        finally:
            peer.close()
            with self._changed:
                self._peers.discard(peer)
                self._changed.notify_all()

    def wait_for(self, is_true, what):
        with self._changed:
            if not self._changed.wait_for(is_true, DEADLINE):
                raise AssertionError(f"{what} did not happen within {DEADLINE} s at the origin {self.address}")

    def open_connections(self):
        with self._changed:
            return len(self._peers)

    def wait_until_unconnected(self):
        self.wait_for(lambda: not self._peers, "the end of all connections")

    def close(self):
        try:
            self._listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listening.close()
        self._accepting.join(DEADLINE)
        with self._changed:
            for peer in self._peers:
                try:
                    peer.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        for thread in self._threads:
            thread.join(DEADLINE)


class Origin(ScriptedOrigin):
    """Answers each request with answer(request), bytes, on keep-alive connections, and remembers what came.

    Without `answer` the body is `name`. While hold() is in force, requests are taken but not answered before release().
    """

    def __init__(self, name="origin", answer=None, address="127.0.0.1"):
        self.name = name
        self.requests = []
        self._answer = answer or (lambda request: response(body=b"" if request.method == "HEAD" else name.encode()))
        self._open = threading.Event()
        self._open.set()
        super().__init__(self._serve_requests, address)

    def _serve_requests(self, peer, _):
        served = []
        try:
            self._serve_connection(peer, served)
        finally:
            with self._changed:
                for request in served:
                    request.is_over = True
                self._changed.notify_all()

    def _serve_connection(self, peer, served):
        while True:
            request = peer.read_request_head()
            served.append(request)
            with self._changed:
                self.requests.append(request)
                self._changed.notify_all()
            peer.read_request_body(request)
            with self._changed:
                self._changed.notify_all()
            self._open.wait(DEADLINE)
            peer.socket.sendall(self._answer(request))
            if request.get("connection") == "close":
                return

    def hold(self):
        self._open.clear()

    def release(self):
        self._open.set()

    @property
    def count(self):
        return len(self.requests)

    def wait_for_requests(self, count):
        self.wait_for(lambda: len(self.requests) >= count, f"request {count}")

    def wait_for_end_of(self, request):
        """Until the connection of this request is no more. (Others may be, idle in the data plane's pools.)"""
        self.wait_for(lambda: request.is_over, f"the end of the connection of {request.line}")

    def close(self):
        self.release()
        super().close()
