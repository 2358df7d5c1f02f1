"""A nameserver over UDP and TCP, whose answers a test sets while it runs."""

import socket
import struct
import threading

A, AAAA, CNAME, SRV = 1, 28, 5, 33
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5


def _name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def _read_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels).lower(), at + 1


class Nameserver:
    """answers[name] is a list of IP addresses and of services (priority, weight, port, target), a code such as NXDOMAIN,
    None for silence, or bytes to send as they are."""

    def __init__(self, ttl=0, **answers):
        self.answers = {name.replace("_", "."): value for name, value in answers.items()}
        self.ttl = ttl
        # (name, type), in the order in which they came.
        self.questions = []
        self._changed = threading.Condition()
        while True:
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            self.port = self._udp.getsockname()[1]
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                self._tcp.bind(("127.0.0.1", self.port))
            except OSError:
                self._udp.close()
                self._tcp.close()
                continue
            break
        self._tcp.listen()
        self.address = f"127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=serve, daemon=True) for serve in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    def set(self, name, answer):
        with self._changed:
            self.answers[name] = answer

    def count(self, name):
        with self._changed:
            return sum(question[0] == name for question in self.questions)

    def wait_for(self, name, more=1, timeout=20):
        """Until the name was asked for so many times more."""
        with self._changed:
            wanted = sum(question[0] == name for question in self.questions) + more
            if not self._changed.wait_for(lambda: sum(q[0] == name for q in self.questions) >= wanted, timeout):
                raise AssertionError(f"{name} was not asked for within {timeout} s")

    def _serve_udp(self):
        while True:
            try:
                data, peer = self._udp.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            answer = self._answer(data, 1232)
            if answer:
                self._udp.sendto(answer, peer)

    def _serve_tcp(self):
        while True:
            try:
                accepted, _ = self._tcp.accept()
            except OSError:
                return
            with accepted:
                accepted.settimeout(5)
                try:
                    size = struct.unpack("!H", accepted.recv(2, socket.MSG_WAITALL))[0]
                    answer = self._answer(accepted.recv(size, socket.MSG_WAITALL), 65535)
                    if answer:
                        accepted.sendall(struct.pack("!H", len(answer)) + answer)
                except (OSError, struct.error):
                    pass

    def _answer(self, data, most):
        name, end = _read_name(data, 12)
        kind = struct.unpack("!H", data[end:end + 2])[0]
        with self._changed:
            self.questions.append((name, kind))
            self._changed.notify_all()
            answer = self.answers.get(name, NXDOMAIN)
        if answer is None:
            return None
        if isinstance(answer, bytes):
            return data[:2] + answer
        code = answer if isinstance(answer, int) else 0
        records = []
        for text in [] if isinstance(answer, int) else answer:
            if isinstance(text, tuple):
                if kind == SRV:
                    packed = struct.pack("!HHH", *text[:3]) + _name(text[3])
                    records.append(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl, len(packed)) + packed)
                continue
            family = socket.AF_INET6 if ":" in text else socket.AF_INET
            if kind == (AAAA if ":" in text else A):
                packed = socket.inet_pton(family, text)
                records.append(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl, len(packed)) + packed)
        question = data[12:end + 4]
        header = struct.pack("!2sHHHHH", data[:2], 0x8180 | code, 1, len(records), 0, 0)
        message = header + question + b"".join(records)
        if len(message) <= most:
            return message
        # Cut off: to be asked for over TCP.
        return struct.pack("!2sHHHHH", data[:2], 0x8380, 1, 0, 0, 0) + question

    def close(self):
        for listening in (self._udp, self._tcp):
            try:
                listening.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._udp.close()
        self._tcp.close()
        for thread in self._threads:
            thread.join(5)
