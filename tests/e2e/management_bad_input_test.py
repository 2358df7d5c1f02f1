"""What clients of the management API get wrong and only a whole process shows: each is refused with a text that says
what and why, and changes nothing. What can be said in an operation is in tables: tests/unit/management/bad_*.cc.
"""

import ctypes
import pathlib
import socket

from harness import Case, Connection, fetch, is_refused, main, plane
from harness.api import DEADLINE, Api, Session, delete, grpc, management, resources, server, upsert

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PRIVILEGED_PORT = 81


def bind_no_privileged_port():
    """Between fork and exec: not even as root."""
    pr_capbset_drop, cap_net_bind_service = 24, 10
    ctypes.CDLL(None).prctl(pr_capbset_drop, cap_net_bind_service, 0, 0, 0)


class BadInput(Case):
    @classmethod
    def setUpClass(cls):
        """One data plane for all: nothing that a test does may change it, which each checks at its end."""
        cls.keeper = Case()
        cls.keeper.setUp()
        cls.live = cls.keeper.origin("live")
        cls.fairlead = cls.keeper.start(plane({"s1": cls.live.address, "s2": cls.live.address}, listener={
            "routes": [{"pathPrefix": "/api", "backend": "app"}]}))
        cls.api = Api(cls.fairlead.management)

    @classmethod
    def tearDownClass(cls):
        cls.api.close()
        cls.keeper.doCleanups()

    def setUp(self):
        super().setUp()
        self.before = self.api.export()
        self.digest = self.info().digest

    def tearDown(self):
        self.assertEqual(self.api.export(), self.before)
        self.assertEqual(self.info().digest, self.digest)
        self.assertEqual(fetch(self.fairlead.address()).body, b"live")
        super().tearDown()

    def info(self):
        return self.api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def add(self, item):
        return self.api.management.AddServer(management.AddServerRequest(server=item), timeout=DEADLINE)

    def assert_refused(self, code, call, *parts):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        for part in parts:
            self.assertIn(part, caught.exception.details())
        self.assertLess(len(caught.exception.details()), 4096)
        return caught.exception

    def listen_at(self, address):
        listener = resources.Listener(name="new", bind=[address], protocol=resources.PROTOCOL_HTTP)
        return self.api.management.AddListener(management.AddListenerRequest(listener=listener), timeout=DEADLINE)

    def assert_unreadable(self, message):
        """gRPC's C++ callback API answers what its parser refuses with UNIMPLEMENTED, others with INTERNAL."""
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.raw("/fairlead.v1.ManagementService/AddServer", message)
        self.assertIn(caught.exception.code(), (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL, INVALID))

    def test_05_a_backend_that_is_absent(self):
        self.assert_refused(grpc.StatusCode.NOT_FOUND, lambda: self.add(server("s", "127.0.0.1:80", backend="nowhere")),
                            "nowhere")
        calls = self.api.management
        for call, request in ((calls.GetServer, management.GetServerRequest(backend="app", name="nobody")),
                              (calls.GetBackend, management.GetBackendRequest(name="nobody")),
                              (calls.GetListener, management.GetListenerRequest(name="nobody")),
                              (calls.UpdateServer, management.UpdateServerRequest(server=server("nobody", "127.0.0.1:8"))),
                              (calls.UpdateBackend,
                               management.UpdateBackendRequest(backend=resources.Backend(name="nobody")))):
            self.assert_refused(grpc.StatusCode.NOT_FOUND, lambda: call(request, timeout=DEADLINE), "nobody")

    def test_08_names_are_in_the_log_as_printable_text(self):
        for name in ("a\nb", "a\0b", "a\x1b[31m"):
            self.assert_refused(INVALID, lambda: self.add(server(name, "127.0.0.1:80")), "name")
            self.assert_refused(grpc.StatusCode.NOT_FOUND, lambda: self.add(server("s", "127.0.0.1:80", backend="x")))
        log = self.fairlead.out.text() + self.fairlead.log.text()
        self.assertNotIn("\x1b", log)
        self.assertNotIn("\0", log)

    def test_09_text_that_is_not_utf8_is_refused_by_the_parser(self):
        bad = b"\x0a\x0e\x0a\x03app\x12\x02s\xff\x1a\x03x:1"
        self.assert_unreadable(bad)

    def test_14_an_address_of_our_own_listener(self):
        self.assert_refused(INVALID, lambda: self.add(server("s", self.fairlead.address())), "app/s",
                            self.fairlead.address())
        result = self.api.apply(upsert(server("s", self.fairlead.address())))
        self.assertEqual(result.failures[0].reason, management.REASON_LOOP)

    def test_30_a_message_over_the_limit(self):
        big = server("s", "127.0.0.1:80", labels={"a": "x" * (5 << 20)})
        self.assert_refused(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: self.add(big))
        session = Session(self.api, "big")
        session.transaction(upsert(big))
        self.assertEqual(session.status()[0], grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_26_nesting_and_33_truncated_messages(self):
        # google.protobuf.Duration's unknown groups, 200 deep; and lengths that lie.
        for bad in (b"\x0b" * 200 + b"\x0c" * 200, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05app", b"\xff" * 11):
            with self.subTest(bad=bad[:12]):
                self.assert_unreadable(bad)

    def test_46_a_taken_port_leaves_nothing_half_open(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            path = f"unix:{self.folder}/half.sock"
            listener = resources.Listener(name="new", bind=[path, address], protocol=resources.PROTOCOL_HTTP)
            self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, lambda: self.api.management.AddListener(
                management.AddListenerRequest(listener=listener), timeout=DEADLINE), "new", address, "in use")
            self.assertTrue(is_refused(path))
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, lambda: self.listen_at(self.fairlead.address()),
                            self.fairlead.address())

    def test_47_where_this_process_listens_itself(self):
        for address, setting in ((self.fairlead.ready["observation"], "observation.listen"),
                                 (self.fairlead.management, "management.listen")):
            self.assert_refused(INVALID, lambda: self.listen_at(address), "listener new: bind: ", address, setting)

    def test_47_a_port_that_is_not_for_this_user(self):
        first = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        if int(first.read_text()) <= PRIVILEGED_PORT:
            self.skipTest(f"{first} lets everybody have it")
        fairlead = self.start(plane(["127.0.0.1:1"]), preexec_fn=bind_no_privileged_port)
        api = Api(fairlead.management)
        self.addCleanup(api.close)
        listener = resources.Listener(name="new", bind=[f"127.0.0.1:{PRIVILEGED_PORT}"],
                                      protocol=resources.PROTOCOL_HTTP)
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, lambda: api.management.AddListener(
            management.AddListenerRequest(listener=listener), timeout=DEADLINE),
            "listener new: bind: ", f"127.0.0.1:{PRIVILEGED_PORT}", "Permission denied")

    def test_54_methods_and_protocols_that_are_not_there(self):
        for method in ("/fairlead.v1.ManagementService/Explode", "/fairlead.v2.Nothing/AddServer", "/"):
            with self.assertRaises(grpc.RpcError) as caught:
                self.api.raw(method)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        with Connection(self.fairlead.management) as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            connection.read_to_end()
        with Connection(self.fairlead.management) as connection:
            connection.send(bytes(range(256)) * 8)
            connection.read_to_end()

    def test_55_metadata_over_the_limit_harms_nobody_else(self):
        big = Api(self.fairlead.management)
        self.addCleanup(big.close)
        with self.assertRaises(grpc.RpcError):
            big.management.GetInfo(management.GetInfoRequest(), metadata=[("x-big", "y" * 70_000)], timeout=DEADLINE)
        # gRPC 1.51 sometimes ends the connection with the call; another client's is not touched.
        self.api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def test_the_refusal_in_a_stream_is_the_same_as_in_a_call(self):
        session = Session(self.api, "twin")
        for item in (server("s", "nonsense"), server("s", "127.0.0.1:80", weight=999), server("s", "1.1.1.1:1", backend="x")):
            with self.assertRaises(grpc.RpcError) as caught:
                self.add(item)
            failure = session.apply(upsert(item)).failures[0]
            self.assertEqual(caught.exception.details(), failure.message)
        self.assertEqual(session.end()[0], grpc.StatusCode.OK)

    def test_fairleadctl_tells_the_reason_and_the_status(self):
        for arguments, parts in ((("server", "add", "app/s", "1.2.3:80"), ["server app/s", "address", "1.2.3:80"]),
                                 (("server", "add", "nowhere/s", "127.0.0.1:80"), ["nowhere"]),
                                 (("server", "set", "app/s1", "--weight", "300"), ["app/s1", "weight", "300"]),
                                 (("backend", "delete", "app"), ["listener web"])):
            # Sessions of other tests have used election ids.
            said = self.refused(self.fairlead, *arguments, "--override")
            for part in parts:
                self.assertIn(part, said)
        for usage in (("server", "explode"), ("server", "add"), ("server", "add", "app"), ("--frobnicate",)):
            self.assertEqual(self.fairlead.ctl(*usage).returncode, 2, usage)


class ManyTimes(Case):
    def test_45_the_same_name_again_and_again(self):
        origin = self.origin()
        fairlead = self.start(plane({"s1": origin.address}))
        api = Api(fairlead.management)
        self.addCleanup(api.close)
        session = Session(api, "churner")
        for _ in range(10):
            for _ in range(500):
                session.transaction(upsert(server("x", origin.address)))
                session.transaction(delete("x"))
            last = session.transaction([])
            while session.read_result().id < last:
                pass
        self.assertEqual([found.name for found in api.servers("app", lifecycles=[resources.LIFECYCLE_READY])], ["s1"])
        self.assertEqual(api.export()[1], session.opened.version + 10_000)
        self.assertEqual(fetch(fairlead.address()).body, b"origin")
        session.end()


if __name__ == "__main__":
    main()
