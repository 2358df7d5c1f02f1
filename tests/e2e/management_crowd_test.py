"""Very many clients of the management API at once, and what one of them can make it hold."""

import concurrent.futures

from harness import Case, Connection, fetch, main, plane, wait_until
from harness.api import DEADLINE, Api, Session, grpc, management, server, upsert
from harness.http2_frames import END_STREAM, HEADERS, PREFACE, SETTINGS, Http2Connection, frame, header, message

UPDATES = "/fairlead.v1.ManagementService/StreamUpdates"
OPEN = message(management.StreamUpdatesRequest(open=management.Open(client_name="one-of-many")).SerializeToString())
CONTINUATION = 9


class Crowd(Case):
    def setUp(self):
        super().setUp()
        self.fairlead = self.start(plane([self.origin("live").address]))
        self.api = Api(self.fairlead.management)
        self.addCleanup(self.api.close)

    def info(self):
        return self.api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def connect(self):
        connection = Http2Connection(self.fairlead.management)
        self.addCleanup(connection.close)
        return connection

    @staticmethod
    def opened(connection, streams):
        """How many of its streams are open, when all are answered."""
        first = {}
        while len(first) < streams:
            kind, flags, stream, _ = connection.read_frame()
            if kind == HEADERS:
                first.setdefault(stream, flags)
        return sum(1 for flags in first.values() if not flags & END_STREAM)

    def test_a_thousand_sessions_at_once_and_one_more_than_are_allowed(self):
        """`Limits.sessions` of them are open, each on 20 connections; more are told so; calls and traffic go on."""
        limit = self.info().limits.sessions
        self.assertGreaterEqual(limit, 1000)
        connections = [self.connect() for _ in range(20)]
        streams = {connection: 0 for connection in connections}
        for number in range(limit + 20):
            connection = connections[number % 20]
            connection.call(2 * streams[connection] + 1, UPDATES, OPEN, flags=0)
            streams[connection] += 1
        # Whoever asks for room while they still come takes the place of one of them.
        self.assertEqual(sum(self.opened(connection, count) for connection, count in streams.items()), limit)
        over = Api(self.fairlead.management)
        self.addCleanup(over.close)

        def next_is_refused():
            session = Session(over, name=None)
            self.addCleanup(session.cancel)
            session.send(open=management.Open(client_name="too-many"))
            try:
                session.read()
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
                self.assertIn(str(limit), error.details())
                return True
            self.assertEqual(session.end()[0], grpc.StatusCode.OK)
            return False

        self.assertTrue(next_is_refused())
        before = self.info()
        self.assertEqual(self.api.apply(upsert(server("beside", "127.0.0.1:80", weight=0))).outcome,
                         management.OUTCOME_APPLIED)
        self.assertEqual(self.info().version, before.version + 1)
        self.assertEqual(fetch(self.fairlead.address()).body, b"live")
        for connection in connections:
            connection.close()
        wait_until(lambda: not next_is_refused(), "room for sessions")

    def test_56_a_header_that_does_not_end(self):
        """Row 56. gRPC 1.51 keeps what has come of a header and copies it with each frame (CVE-2023-33953), which nobody
        outside it can cap. So 4 MiB here, not 64: they are given back with the connection, and calls and traffic go on.
        """
        resident = self.fairlead.resident_bytes()
        digest = self.info().digest
        start = b"".join(header(name, value) for name, value in
                         ((":method", "POST"), (":scheme", "http"), (":path", UPDATES)))
        start += b"\0\1x\x7f" + b"\x81\xff\xff\x1f"  # a literal whose length says 64 MiB
        for _ in range(4):
            with Connection(self.fairlead.management) as connection:
                connection.send(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, 0, 1, start))
                for _ in range(256):
                    connection.send(frame(CONTINUATION, 0, 1, b"x" * 16_000))
                self.assertEqual(self.info().digest, digest)
                self.assertEqual(fetch(self.fairlead.address()).body, b"live")
            wait_until(lambda: self.fairlead.management_connections() <= 1, "the closing of that connection")
        self.assert_memory_grew_less_than(self.fairlead, resident, 32 << 20)

    def test_36_writers_that_expect_the_same_version(self):
        """Row 36: of calls and a session that meet, exactly one is taken in each round."""
        apis = [Api(self.fairlead.management) for _ in range(5)]
        for api in apis:
            self.addCleanup(api.close)
        session = Session(apis[0], "writer")
        writers = [session.apply] + [api.apply for api in apis[1:]]
        with concurrent.futures.ThreadPoolExecutor(len(writers)) as pool:
            for number in range(30):
                version = self.info().version
                answers = [pool.submit(write, upsert(server(f"s{number}", f"127.0.0.1:{1 + index}")),
                                       expected_version=version) for index, write in enumerate(writers)]
                results = [answer.result(DEADLINE) for answer in answers]
                outcomes = [result.outcome for result in results]
                self.assertEqual(outcomes.count(management.OUTCOME_APPLIED), 1, results)
                self.assertEqual({result.failures[0].reason for result in results if result.failures},
                                 {management.REASON_VERSION_MISMATCH})
                self.assertEqual(self.info().version, version + 1)
        session.end()


if __name__ == "__main__":
    main()
