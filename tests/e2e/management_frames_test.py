"""What a client of the management API sends that no library would: each is ended, and nothing is changed by it.

Numbers are rows of the catalogue of bad input. Other clients, and the data plane, do not notice.
"""

import gzip
import random
import struct
import zlib

from harness import Case, Connection, fetch, main, plane, wait_until
from harness.api import DEADLINE, Api, Session, grpc, management, server
from harness.http2_frames import (CANCEL, ENHANCE_YOUR_CALM, PING, PREFACE, RST_STREAM, SETTINGS, Http2Connection,
                                  frame, message)

SERVICE = "/fairlead.v1.ManagementService"
ADD = SERVICE + "/AddServer"
INFO = SERVICE + "/GetInfo"
UPDATES = SERVICE + "/StreamUpdates"
MEGABYTE = 1 << 20

# Of grpc-status.
OK, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = "0", "8", "12", "13"


def add(address="127.0.0.1:80", **fields):
    return management.AddServerRequest(server=server("s", address, **fields)).SerializeToString()


def bomb(size):
    """A message of zeros, of which a thousandth is sent."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    fields = b"\x0a\x03app" + b"\x12" + _varint(size)  # of a server with a very long name
    packed = packer.compress(b"\x0a" + _varint(len(fields) + size) + fields)
    for _ in range(size // MEGABYTE):
        packed += packer.compress(bytes(MEGABYTE))
    return packed + packer.flush()


def _varint(value):
    text = b""
    while value >= 128:
        text, value = text + bytes([value % 128 + 128]), value // 128
    return text + bytes([value])


class Frames(Case):
    @classmethod
    def setUpClass(cls):
        """One data plane for all: nothing that a test does may change it, which each checks at its end."""
        cls.keeper = Case()
        cls.keeper.setUp()
        cls.fairlead = cls.keeper.start(plane([cls.keeper.origin("live").address]))
        cls.api = Api(cls.fairlead.management)
        cls.before = cls.api.export()

    @classmethod
    def tearDownClass(cls):
        cls.api.close()
        cls.keeper.doCleanups()

    def setUp(self):
        super().setUp()
        self.connections = []
        self.resident = self.fairlead.resident_bytes()
        self.descriptors = self.fairlead.open_descriptors()

    def tearDown(self):
        for connection in self.connections:
            connection.close()
        self.assertEqual(self.api.export(), self.before)
        self.assertEqual(fetch(self.fairlead.address()).body, b"live")
        wait_until(lambda: self.fairlead.open_descriptors() <= self.descriptors + 2, "the closing of all descriptors")
        super().tearDown()

    def connect(self):
        connection = Http2Connection(self.fairlead.management)
        self.connections.append(connection)
        return connection

    def answer(self, path, data, **headers):
        connection = self.connect()
        connection.call(1, path, data, **headers)
        return connection.read_answer(1)

    def test_a_call_by_hand_is_answered(self):
        """What the others are measured by."""
        self.assertEqual(self.answer(INFO, message(b""))["grpc-status"], OK)
        packed = message(gzip.compress(b""), compressed=1)
        self.assertEqual(self.answer(INFO, packed, grpc_encoding="gzip")["grpc-status"], OK)

    def assert_unreadable(self, data, **headers):
        """gRPC's C++ callback API answers what its parser refuses with UNIMPLEMENTED; bad gzip resets the stream."""
        answer = self.answer(ADD, data, **headers)
        if "reset" not in answer:
            self.assertIn(answer["grpc-status"], (RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL), answer)

    def test_31_a_message_that_grows_a_thousandfold(self):
        for size in (5 * MEGABYTE, 60 * MEGABYTE):
            packed = bomb(size)
            self.assertLess(len(packed), size // 900)
            answer = self.answer(ADD, message(packed, compressed=1), grpc_encoding="gzip")
            self.assertEqual(answer["grpc-status"], RESOURCE_EXHAUSTED, answer)
        self.assert_memory_grew_less_than(self.fairlead, self.resident, 16 * MEGABYTE)

    def test_32_a_compression_that_nobody_knows(self):
        for encoding in ("brotli", "gzip", "", "gzip, gzip"):
            with self.subTest(encoding):
                self.assert_unreadable(message(random.Random(32).randbytes(1000), compressed=1), grpc_encoding=encoding)

    def test_33_lengths_that_lie(self):
        for name, data in (("larger than the data", message(add(), length=10_000)),
                           ("all ones", message(add(), length=0xffffffff)),
                           ("just over the limit", message(add(), length=4 * MEGABYTE + 1)),
                           ("a prefix cut short", b"\0\0\0"), ("nothing", b"")):
            with self.subTest(name):
                self.assert_unreadable(data)
        answer = self.answer(ADD, message(add(), compressed=0xfe))
        self.assertNotEqual(answer.get("grpc-status"), OK, answer)
        self.assert_memory_grew_less_than(self.fairlead, self.resident, 16 * MEGABYTE)

    def test_55_headers_that_are_none_fail_their_own_call(self):
        other = self.connect()
        connection = self.connect()
        connection.call(1, ADD, message(add()), te="x" + "y" * 9_000)
        self.assertNotEqual(connection.read_answer(1)["grpc-status"], OK)
        connection.call(3, INFO, message(b""))
        self.assertEqual(connection.read_answer(3)["grpc-status"], OK)
        # For these gRPC 1.51 gives up the connection with the call.
        for text in ("!!!", "AAA=A"):
            with self.subTest(text):
                self.assertNotEqual(self.answer(ADD, message(add()), x_bin=text)["grpc-status"], OK)
        other.call(1, INFO, message(b""))
        self.assertEqual(other.read_answer(1)["grpc-status"], OK)

    def test_57_a_thousand_that_connect_and_abort(self):
        beginnings = (b"", PREFACE, PREFACE + frame(SETTINGS, 0, 0), PREFACE + frame(SETTINGS, 0, 0) + b"\0\0\xff\1",
                      b"\x16\x03\x01\x02\0", b"GET / HTTP/1.1\r\n")
        for number in range(1000):
            with Connection(self.fairlead.management) as connection:
                connection.send(beginnings[number % len(beginnings)])
            if number % 100 == 0:
                self.api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)
        for number in range(50):
            connection = self.connect()
            connection.call(1, UPDATES, flags=0)
            connection.close()
        self.assertEqual(self.answer(INFO, message(b""))["grpc-status"], OK)

    def test_57_idle_ones_are_in_nobodys_way(self):
        idle = [Connection(self.fairlead.management) for _ in range(300)]
        for connection in idle:
            self.addCleanup(connection.close)
        self.assertEqual(self.answer(INFO, message(b""))["grpc-status"], OK)
        for connection in idle:
            connection.close()

    def test_58_a_flood_of_pings_is_told_to_calm_down(self):
        connection = self.connect()
        connection.call(1, UPDATES, flags=0)
        for _ in range(100):
            connection.send(frame(PING, 0, 0, b"12345678") * 10)
        code, text = connection.read_to_goaway()
        self.assertEqual((code, text), (ENHANCE_YOUR_CALM, b"too_many_pings"))
        connection.read_to_end()

    def test_59_more_streams_than_are_allowed_end_the_connection_and_no_other(self):
        other = Api(self.fairlead.management)
        self.addCleanup(other.close)
        session = Session(other, "other")
        connection = self.connect()
        self.assertEqual(connection.read_frame()[0], SETTINGS)
        for number in range(150):
            connection.call(2 * number + 1, UPDATES, flags=0)
        connection.socket.settimeout(10)  # before it would be ended for answering nothing
        connection.read_to_end()
        self.assertEqual(session.apply([]).outcome, management.OUTCOME_UNCHANGED)
        self.assertEqual(session.end()[0], grpc.StatusCode.OK)

    def is_let_go(self):
        """Whether streams are open to others again."""
        try:
            return self.api.export() == self.before
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            return False

    def test_59_thousands_of_streams_that_are_reset_at_once(self):
        """They count until they are let go, soon. What gRPC holds for a round of them (some 110 MB) it uses again."""
        for _ in range(4):
            connection = self.connect()
            self.assertEqual(connection.read_frame()[0], SETTINGS)
            for number in range(5000):
                stream = 2 * number + 1
                connection.call(stream, UPDATES, flags=0)
                connection.send(frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)))
                if number % 1000 == 0:
                    self.api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)
                    self.assertEqual(fetch(self.fairlead.address()).status, 200)
            connection.close()
            self.assertEqual(self.answer(INFO, message(b""))["grpc-status"], OK)
            wait_until(self.is_let_go, "the end of all streams that were reset")
        self.assert_memory_grew_less_than(self.fairlead, self.resident, 256 * MEGABYTE)


if __name__ == "__main__":
    main()
