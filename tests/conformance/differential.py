#!/usr/bin/python3
"""What an origin sees must be what Fairlead understood, whatever a client sends.

usage: tests/conformance/differential.py [--count N] [--seed N] [--relaxed] [--only NUMBER] [--json]

Requests of the catalogue are mutated, from a seed, and each goes through Fairlead three times: to a server of ours that
says what it saw, to nginx before such a server, and to haproxy before one. What the server of ours sees directly is what
Fairlead understood, for Fairlead writes each request anew and our server takes nothing that is not written so. What the
servers behind nginx and haproxy see is what these understood of the same bytes. Methods, targets, hosts, bodies and the
number of requests must be the same for each answer that the client gets; that one of the two refuses a request is no
difference. A difference is ambiguous: it is printed with its number and its bytes, and the exit status is 1.

Afterwards nothing may be left of it all: the connections of clients are gone, and the process is as idle, as large and has
as many descriptors as after the first hundred.
"""

import argparse
import base64
import collections
import hashlib
import json
import os
import pathlib
import random
import re
import socket
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/e2e"))

# pylint: disable=wrong-import-position
from harness import Fairlead, Process, fetch, is_refused, wait_until  # noqa: E402
from harness.connection import open_socket  # noqa: E402
from harness.processes import distribution_program  # noqa: E402
import datapath_bad_input_test as catalogue  # noqa: E402

# Longer ones differ by size alone.
BAD = [entry[1] for entry in (*catalogue.REFUSED_HEADS, *catalogue.REFUSED_FRAMING) if len(entry[1]) < 1000]
GOOD = [entry[1] for entry in catalogue.VALID] + [
    b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n",
    b"HEAD /a HTTP/1.1\r\nHost: a:80\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
    b"PUT /a;b/c HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Length: 11\r\nX: y\r\n\r\nhello world",
    b"POST http://a/b?c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n1\r\na\r\n0\r\n\r\n",
    b"POST /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    b"OPTIONS /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\nConnection: x\r\nX: 1\r\n\r\n",
]
CORPUS = GOOD + BAD
LINES = [
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: 6", b"content-length:5", b"Content-Length : 5",
    b"Content-Length: 5, 5", b"Content-Length:\t5", b"Content-Length: 05", b"Transfer-Encoding: chunked",
    b"transfer-encoding:chunked", b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding: chunked, identity", b"Transfer_Encoding: chunked",
    b"Connection: close", b"Connection: keep-alive, content-length", b"Connection: upgrade", b"Upgrade: foo", b"Host: b",
    b"Host: a:80", b"Expect: 100-continue", b"TE: trailers", b"Trailer: X", b" folded", b"X: \xff", b"X:", b":", b"X",
    b"Max-Forwards: 0", b"Via: 1.1 x", b"Keep-Alive: timeout=1", b"Proxy-Connection: close", b"HTTP2-Settings: AA",
]
BODIES = [b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"5;x=\"y\"\r\nhello\r\n0\r\nX: y\r\n\r\n", b"5\r\nhello\r\n",
          b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"05\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n"]
BYTES = [b" ", b"\t", b"\r", b"\n", b"\r\n", b"\0", b"\x0b", b"\x7f", b"\xff", b":", b",", b";", b"/", b"?", b"#", b"%", b"\\",
         b"0", b"5", b"_", b"\"", b"@", b"A"]
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def mutate(number, seed):
    """The bytes of the mutation with this number: the same for the same seed."""
    draw = random.Random(f"{seed}/{number}")
    data = draw.choice(GOOD if draw.random() < 0.7 else BAD)
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        data = draw.choice(MUTATIONS)(data, draw)
    return data + NEXT if draw.random() < 0.5 else data


def insert_byte(data, draw):
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(BYTES) + data[at:]


def replace_byte(data, draw):
    at = draw.randrange(len(data)) if data else 0
    return data[:at] + draw.choice(BYTES) + data[at + 1:]


def delete_bytes(data, draw):
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at + draw.choice((1, 1, 2, 4)):]


def insert_line(data, draw):
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    lines.insert(draw.randrange(len(lines) + 1), draw.choice(LINES))
    return b"\r\n".join(lines) + end + body


def change_line(data, draw):
    """Doubles, drops or swaps lines of the head, or cuts one's CR."""
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    kind = draw.randrange(4)
    if kind == 0:
        lines.insert(other, lines[at])
    elif kind == 1:
        del lines[at]
    elif kind == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at:at + 2] = [b"\n".join(lines[at:at + 2])]
    return b"\r\n".join(lines) + end + body


def change_case(data, draw):
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at:at + 8].swapcase() + data[at + 8:]


def other_body(data, draw):
    return data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + draw.choice(BODIES)


def splice(data, draw):
    other = draw.choice(CORPUS)
    return data[:draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1):]


def append(data, draw):
    return data + draw.choice(CORPUS)


MUTATIONS = [insert_byte, insert_byte, replace_byte, replace_byte, delete_bytes, insert_line, insert_line, insert_line,
             change_line, change_case, other_body, other_body, splice, append]


class NotWrittenAnew(Exception):
    pass


class SeeingServer:
    """Answers each whole request with what it saw of it: in a header, so that HEAD gets it too. `strict`: takes only what
    is written as a writer of heads would."""

    def __init__(self, strict):
        self.strict = strict
        self.seen = 0
        self.faults = []
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = "127.0.0.1:%d" % self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            accepted, _ = self.listening.accept()
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, peer):
        with peer, peer.makefile("rb") as reader:
            try:
                while self._serve_one(peer, reader):
                    pass
            except NotWrittenAnew as fault:
                self.faults.append(str(fault))
            except (OSError, EOFError):
                pass

    def _serve_one(self, peer, reader):
        lines = []
        while True:
            line = reader.readline(1 << 17)
            if not line.endswith(b"\r\n"):
                if line and not line.endswith(b"\n"):
                    return False  # cut off
                self._demand(not line, f"a line that ends in LF: {line!r}")
                return False
            if line == b"\r\n":
                break
            lines.append(line[:-2])
        self._demand(lines and len(lines[0].split(b" ")) == 3, f"the request line {lines[:1]}")
        method, target, version = lines[0].split(b" ")
        self._demand(version in (b"HTTP/1.1", b"HTTP/1.0"), f"the version {version}")
        fields = collections.defaultdict(list)
        for line in lines[1:]:
            name, colon, value = line.partition(b": ")
            self._demand(colon and name and not any(byte in b" \t:\r\n\0" for byte in name), f"the line {line!r}")
            fields[name.lower()].append(value)
        lengths, codings = fields[b"content-length"], fields[b"transfer-encoding"]
        self._demand(len(lengths) + len(codings) <= 1, f"two framings {lengths} {codings}")
        self._demand(len(fields[b"host"]) == 1, f"hosts {fields[b'host']}")
        if fields[b"expect"]:
            peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._chunks(reader) if codings else self._exactly(reader, int(lengths[0])) if lengths else b""
        self.seen += 1
        facts = [part.decode("latin-1") for part in (method, target, *fields[b"host"])]
        facts += [len(body), hashlib.sha256(body).hexdigest()[:16]]
        text = base64.b64encode(json.dumps(facts).encode())
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Seen: " + text + b"\r\n\r\n")
        return True

    def _demand(self, holds, what):
        if not holds:
            raise NotWrittenAnew(what) if self.strict else EOFError(what)

    def _exactly(self, reader, size):
        left, parts = size, []
        while left:
            part = reader.read1(min(left, 1 << 16))
            if not part:
                raise EOFError
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _chunks(self, reader):
        body = b""
        while True:
            line = reader.readline(1 << 16)
            if not line.endswith(b"\r\n"):
                raise EOFError
            size = int(line, 16)
            if size == 0:
                while reader.readline(1 << 16) not in (b"\r\n", b""):
                    pass
                return body
            body += self._exactly(reader, size)
            self._demand(self._exactly(reader, 2) == b"\r\n", "a chunk's end")


NGINX = """
daemon off;
master_process off;
{user}
worker_processes 1;
error_log /dev/null crit;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  underscores_in_headers on;
  upstream seeing {{ server {seeing}; keepalive 16; }}
  server {{
    listen unix:{folder}/nginx.sock;
    location / {{
      proxy_pass http://seeing; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header Connection "";
    }}
  }}
}}
"""

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-buffer-request
frontend f
  bind unix@{folder}/haproxy.sock mode 600
  default_backend b
backend b
  server s {seeing}
"""


class Response:
    def __init__(self, status, seen):
        self.status = status
        self.seen = seen

    def __repr__(self):
        return f"{self.status} {self.seen or ''}"


def read_responses(data):
    """All final responses that a client got; none of ours has a body but errors, which say their length."""
    responses = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        if not end:
            responses.append(Response("cut", None))
            break
        lines = head.split(b"\r\n")
        status = int(lines[0].split(b" ")[1])
        if 100 <= status < 200:
            continue
        fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines[1:])}
        length = int(fields.get(b"content-length", b"0"))
        # To HEAD an error has no body: then the next response begins at once.
        if not data.startswith(b"HTTP/1."):
            data = data[length:]
        seen = json.loads(base64.b64decode(fields[b"x-seen"])) if b"x-seen" in fields else None
        responses.append(Response(status, seen))
    return responses


def exchange(address, data):
    """Sends it, ends its side, and reads to the end."""
    with open_socket(address, 20) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has been answered already
        received = b""
        try:
            while part := connection.recv(1 << 16):
                received += part
        except ConnectionResetError:
            pass
    return read_responses(received)


def difference(understood, through):
    """What the origin saw otherwise than Fairlead, or None. (An origin may refuse.)"""
    for ours, theirs in zip(understood, through):
        if ours.seen is None and theirs.seen is not None:
            return f"Fairlead answered {ours}, the origin saw {theirs.seen}"
        if ours.seen is not None and theirs.seen is None:
            if theirs.status == "cut" or theirs.status < 400:
                return f"Fairlead understood {ours.seen}, the answer is {theirs}"
            continue
        if ours.seen != theirs.seen:
            return f"Fairlead understood {ours.seen}, the origin {theirs.seen}"
        if ours.seen is None and ours.status != theirs.status:
            return f"Fairlead answered {ours} and {theirs}"
    # A client that breaks off may be told so or not: what counts is what a server saw.
    rest = understood[len(through):] + through[len(understood):]
    if any(answer.seen is not None for answer in rest):
        return f"{len(understood)} answers, and {len(through)} through the origin: {rest}"
    return None


# All that listeners accept of old clients, and paths in one spelling.
RELAXED = {"quirks": ["BARE_LINE_FEED", "UNDERSCORE_NAMES", "EMPTY_LINES"],
           "path": dict.fromkeys(("dot_segments", "repeated_slashes", "encoded_slashes", "escapes"), "NORMALIZE")}


class Trial:
    """All processes and servers of one run. `http`: of the listeners."""

    def __init__(self, folder, http):
        self.folder = pathlib.Path(folder)
        os.chmod(folder, 0o755)
        self.servers = {"direct": SeeingServer(strict=True), "nginx": SeeingServer(strict=False),
                        "haproxy": SeeingServer(strict=False)}
        self.processes = []
        self._start_origins()
        addresses = {"direct": self.servers["direct"].address, "nginx": f"unix:{folder}/nginx.sock",
                     "haproxy": f"unix:{folder}/haproxy.sock"}
        self.fairlead = Fairlead(self.folder, {
            "workers": 1, "access_log": {"path": "/dev/null"},
            "resources": {
                "listeners": [{"name": name, "bind": ["127.0.0.1:0"], "protocol": "HTTP", "default_backend": name, "http": http}
                              for name in addresses],
                "backends": [{"name": name, "servers": [{"name": "s", "address": address}]}
                             for name, address in addresses.items()]}})
        self.processes.append(self.fairlead)
        self.listeners = {name: self.fairlead.address(name) for name in addresses}
        self.refused_by_origin = collections.Counter()
        self.forwarded = 0

    def _start_origins(self):
        user = "user root;" if os.getuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(
            NGINX.format(folder=self.folder, seeing=self.servers["nginx"].address, user=user))
        (self.folder / "haproxy.cfg").write_text(
            HAPROXY.format(folder=self.folder, seeing=self.servers["haproxy"].address))
        for name, arguments in (
                ("nginx", [distribution_program("nginx", "nginx-light"), "-c", self.folder / "nginx.conf", "-p", self.folder,
                           "-e", "/dev/null"]),
                ("haproxy", [distribution_program("haproxy", "haproxy"), "-db", "-f", self.folder / "haproxy.cfg"])):
            process = Process(name, arguments)
            self.processes.append(process)
            path = f"unix:{self.folder}/{name}.sock"
            wait_until(lambda: not is_refused(path) or not process.is_running(), f"{name} listening")  # pylint: disable=cell-var-from-loop
            assert process.is_running(), process.log.text()

    def stop(self):
        for process in reversed(self.processes):
            process.kill()

    def run(self, data):
        """Texts that say what was ambiguous; none is as it should be."""
        before = {name: server.seen for name, server in self.servers.items()}
        answers = {name: exchange(self.listeners[name], data) for name in self.servers}
        understood = answers["direct"]
        found = []
        if self.servers["direct"].faults:
            found.append(f"not written anew: {self.servers['direct'].faults.pop()}")
        for name in ("nginx", "haproxy"):
            if what := difference(understood, answers[name]):
                found.append(f"{name}: {what}")
            self.refused_by_origin[name] += sum(
                1 for ours, theirs in zip(understood, answers[name]) if ours.seen is not None and theirs.seen is None)
        for name, server in self.servers.items():
            seen = sum(1 for answer in answers[name] if answer.seen is not None)
            if server.seen - before[name] != seen:
                found.append(f"{name}: {server.seen - before[name]} requests arrived, {seen} were answered")
        self.forwarded += sum(1 for answer in understood if answer.seen is not None)
        return found


class Footprint:
    """What a process holds when nobody asks it for anything."""

    def __init__(self, fairlead):
        self.fairlead = fairlead
        wait_until(lambda: self._connections() == 0, "the end of all connections")
        self.descriptors = fairlead.open_descriptors()
        self.memory = fairlead.resident_bytes()

    def _connections(self):
        page = fetch(self.fairlead.ready["observation"], "/metrics").body.decode()
        return sum(int(number) for number in re.findall(r"^fairlead_listener_connections\{.*\} (\d+)$", page, re.MULTILINE))

    def idle_percent(self, seconds=2):
        used = self.fairlead.processor_seconds()
        time.sleep(seconds)
        return 100 * (self.fairlead.processor_seconds() - used) / seconds

    def left_since(self, first):
        """Beside `first`: what is more than it should be."""
        facts = {"idle_cpu_percent": round(self.idle_percent(), 1), "memory_ratio": round(self.memory / first.memory, 3),
                 # Pooled connections to servers come and go.
                 "descriptors_more": self.descriptors - first.descriptors}
        is_fine = facts["idle_cpu_percent"] <= 1 and facts["memory_ratio"] <= 1.1 and facts["descriptors_more"] <= 8
        return facts, is_fine


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=400, help="mutations (default: 400)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="default: drawn and printed")
    parser.add_argument("--relaxed", action="store_true", help="listeners accept all quirks and normalise paths")
    parser.add_argument("--only", type=int, help="this one alone, and what came of it")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    arguments = parser.parse_args()
    numbers = range(arguments.count) if arguments.only is None else [arguments.only]
    ambiguous = 0
    begun = time.monotonic()
    left, nothing_left = {}, True
    with tempfile.TemporaryDirectory(prefix="fairlead-differential-") as folder:
        trial = Trial(folder, RELAXED if arguments.relaxed else {})
        try:
            first = None
            for number in numbers:
                if number == 100:
                    first = Footprint(trial.fairlead)
                data = mutate(number, arguments.seed)
                found = trial.run(data)
                if arguments.only is not None:
                    print(data, *[f"{name}: {exchange(trial.listeners[name], data)}" for name in trial.servers], sep="\n")
                for what in found:
                    print(f"seed {arguments.seed} number {number}: {what}\n    {data!r}", file=sys.stderr)
                ambiguous += bool(found)
                if not trial.fairlead.is_running():
                    sys.exit(f"fairlead ended at number {number}:\n{trial.fairlead.all_text()}")
            if first and not os.environ.get("FAIRLEAD_SANITIZE"):
                left, nothing_left = Footprint(trial.fairlead).left_since(first)
        finally:
            trial.stop()
    result = {"seed": arguments.seed, "count": len(numbers), "requests_forwarded": trial.forwarded,
              "refused_by_nginx": trial.refused_by_origin["nginx"], "refused_by_haproxy": trial.refused_by_origin["haproxy"],
              "ambiguous": ambiguous, **left, "seconds": round(time.monotonic() - begun, 1)}
    print(json.dumps(result) if arguments.json else " ".join(f"{key}={value}" for key, value in result.items()))
    sys.exit(0 if ambiguous == 0 and nothing_left else 1)


if __name__ == "__main__":
    main()
