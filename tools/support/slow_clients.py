"""Clients that send one byte a second, half of them in heads and half in bodies: slow_clients.py ADDRESS COUNT.

Says "ready" when all are connected and have sent their beginning, goes on until SIGTERM, and then says as one JSON object
how many were closed by the other side.
"""

import json
import signal
import socket
import sys
import time

# Of a second: who has nothing to do with the others does not send together with them.
SLICES = 1000
LATE = 0.01
HEAD = b"GET / HTTP/1.1\r\nHost: slow.example\r\nUser-Agent: slow\r\nAccept: */*\r\nX-Slow: "
BODY = b"POST / HTTP/1.1\r\nHost: slow.example\r\nUser-Agent: slow\r\nContent-Length: 100000\r\n\r\n"


def connect(address, number):
    opened = socket.create_connection(address)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.sendall(BODY if number % 2 else HEAD)
    opened.setblocking(False)
    return opened


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    clients = [connect((host, int(port)), number) for number in range(int(sys.argv[2]))]
    print("ready", flush=True)
    lost = 0
    tick = 0
    due = time.monotonic()
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    while not ending:
        # Where it was late it does not make up for that: its clients would send all at once.
        due = max(due + 1 / SLICES, time.monotonic() - LATE)
        time.sleep(max(0, due - time.monotonic()))
        for index in range(tick % SLICES, len(clients), SLICES):
            try:
                clients[index].send(b"x")
            except BlockingIOError:
                pass
            except OSError:
                lost += 1
                clients[index].close()
                clients[index] = connect((host, int(port)), index)
        tick += 1
    print(json.dumps({"lost": lost, "ticks": tick // SLICES}), flush=True)


if __name__ == "__main__":
    main()
