"""What clients of the management API get wrong: each is refused with a text that says what and why, and changes nothing."""

import socket

from harness import Case, Connection, fetch, is_refused, main, plane
from harness.api import DEADLINE, Api, Session, delete, grpc, management, resources, server, upsert

INVALID = grpc.StatusCode.INVALID_ARGUMENT


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

    def tearDown(self):
        self.assertEqual(self.api.export(), self.before)
        self.assertEqual(fetch(self.fairlead.address()).body, b"live")
        super().tearDown()

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

    def assert_field(self, item, field, *parts):
        """A server that is malformed: refused alike by a unary call and in a transaction."""
        self.assert_refused(INVALID, lambda: self.add(item), field, *parts)
        result = self.api.apply(upsert(item))
        self.assertEqual(result.outcome, management.OUTCOME_REFUSED)
        self.assertEqual((result.failures[0].index, result.failures[0].reason, result.failures[0].field),
                         (0, management.REASON_INVALID, field))

    def assert_unreadable(self, message):
        """gRPC's C++ callback API answers what its parser refuses with UNIMPLEMENTED, others with INTERNAL."""
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.raw("/fairlead.v1.ManagementService/AddServer", message)
        self.assertIn(caught.exception.code(), (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL, INVALID))

    def test_01_02_a_server_that_exists(self):
        self.add(server("s1", self.live.address))
        self.assert_refused(grpc.StatusCode.ALREADY_EXISTS, lambda: self.add(server("s1", self.live.address, weight=9)),
                            "server app/s1")

    def test_03_the_same_name_twice_is_applied_in_order(self):
        """Our rule: operations see those before them, so the second is a change of the first, or refused as a create."""
        twice = [management.Operation(create=management.Resource(server=server("twice", f"127.0.0.1:{port}")))
                 for port in (1, 2)]
        result = self.api.apply(twice)
        self.assertEqual((result.outcome, result.failures[0].index, result.failures[0].reason),
                         (management.OUTCOME_REFUSED, 1, management.REASON_ALREADY_EXISTS))

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

    def test_06_a_deletion_of_nothing_succeeds_and_says_so(self):
        answer = self.api.management.DeleteServer(management.DeleteServerRequest(backend="app", name="nobody"),
                                                  timeout=DEADLINE)
        self.assertEqual((answer.existed, answer.version), (False, self.before[1]))
        self.assertEqual(self.api.apply(delete("nobody")).outcome, management.OUTCOME_UNCHANGED)

    def test_07_a_mask_with_a_field_that_is_not_there(self):
        for path in ("wieght", "weight.x", "metadata.uid", "status", ""):
            request = management.UpdateServerRequest(server=server("s1", self.live.address), update_mask={"paths": [path]})
            self.assert_refused(INVALID, lambda: self.api.management.UpdateServer(request, timeout=DEADLINE),
                                "update_mask", "app/s1")

    def test_08_10_names(self):
        for name in ("", "a" * 256, "a/b", "a b", "a\0b", "a\nb", ".", "..", "наме", "sе1", "a\x1b[31m"):
            with self.subTest(name=name):
                self.assert_field(server(name, "127.0.0.1:80"), "name")
        log = self.fairlead.out.text() + self.fairlead.log.text()
        self.assertNotIn("\x1b", log)
        self.assertNotIn("\0", log)

    def test_09_text_that_is_not_utf8_is_refused_by_the_parser(self):
        bad = b"\x0a\x0e\x0a\x03app\x12\x02s\xff\x1a\x03x:1"
        self.assert_unreadable(bad)

    def test_11_12_13_15_addresses(self):
        for address in ("256.1.1.1:80", "1.2.3:80", "127.1:80", "0x7f.1:80", "[::1%eth0]:80", "[::1", "", "host:80",
                        "localhost:80", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:", "127.0.0.1",
                        "127.0.0.1:080", "127.0.0.1: 80", " 127.0.0.1:80", "::1:80", "0.0.0.0:80", "[::]:80",
                        "224.0.0.1:80", "[ff02::1]:80", "255.255.255.255:80", "unix:", "unix:/" + "x" * 107,
                        "http://127.0.0.1:80"):
            with self.subTest(address=address):
                self.assert_field(server("s", address), "address", *([address[:50]] if address else []))

    def test_14_an_address_of_our_own_listener(self):
        self.assert_refused(INVALID, lambda: self.add(server("s", self.fairlead.address())), "app/s",
                            self.fairlead.address())
        result = self.api.apply(upsert(server("s", self.fairlead.address())))
        self.assertEqual(result.failures[0].reason, management.REASON_LOOP)

    def test_16_weights(self):
        for weight in (257, 1 << 20, (1 << 32) - 1):
            self.assert_field(server("s", "127.0.0.1:80", weight=weight), "weight", str(weight), "256")

    def test_20_durations(self):
        for field in ("connect", "response", "idle"):
            for seconds, nanos in ((-1, 0), (0, 0), (86_401, 0), (1, 1_000_000_000), (315_576_000_000, 0), (1, -1)):
                with self.subTest(field=field, seconds=seconds, nanos=nanos):
                    backend = resources.Backend(name="new")
                    duration = getattr(backend.timeouts, field)
                    duration.seconds, duration.nanos = seconds, nanos
                    request = management.AddBackendRequest(backend=backend)
                    self.assert_refused(INVALID, lambda: self.api.management.AddBackend(request, timeout=DEADLINE),
                                        f"timeouts.{field}", "backend new")

    def test_23_24_enums_and_oneofs(self):
        listener = resources.Listener(name="new", bind=["127.0.0.1:0"], default_backend="app")
        for protocol in (0, 77):
            listener.protocol = protocol
            self.assert_refused(INVALID, lambda: self.api.management.AddListener(
                management.AddListenerRequest(listener=listener), timeout=DEADLINE), "protocol")
        self.assert_field(server("s", "127.0.0.1:80", admin_state=9), "admin_state")
        for operation in (management.Operation(), management.Operation(upsert=management.Resource()),
                          management.Operation(delete=management.Delete())):
            result = self.api.apply([operation])
            self.assertEqual((result.outcome, result.failures[0].index, result.failures[0].reason),
                             (management.OUTCOME_REFUSED, 0, management.REASON_INVALID))

    def test_28_one_bad_of_ten_thousand(self):
        many = upsert(*[server(f"n{index}", f"127.0.0.1:{1 + index}") for index in range(10_000)])
        many[7_123].upsert.server.weight = 300
        result = self.api.apply(many)
        self.assertEqual((result.outcome, result.failures_total), (management.OUTCOME_REFUSED, 1))
        failure = result.failures[0]
        self.assertEqual((failure.index, failure.resource, failure.field), (7_123, "server app/n7123", "weight"))

    def test_29_too_many_operations(self):
        result = self.api.apply(upsert(*[server("n", "127.0.0.1:1")]) * 10_001)
        self.assertEqual((result.outcome, result.failures[0].reason),
                         (management.OUTCOME_REFUSED, management.REASON_LIMIT_EXCEEDED))
        self.assertIn("10000", result.failures[0].message.replace(",", ""))

    def test_a_hundred_failures_are_named_and_all_are_counted(self):
        result = self.api.apply(upsert(*[server("n", "127.0.0.1:0")]) * 500, atomicity=management.ATOMICITY_EACH)
        self.assertEqual((result.outcome, len(result.failures), result.failures_total),
                         (management.OUTCOME_REFUSED, 100, 500))

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

    def test_34_35_expected_versions(self):
        present = self.before[1]
        for expected, reason in ((present - 1, management.REASON_VERSION_MISMATCH),
                                 (present + 1, management.REASON_FUTURE_VERSION)):
            result = self.api.apply(upsert(server("s", "127.0.0.1:80")), expected_version=expected)
            self.assertEqual((result.outcome, result.version), (management.OUTCOME_REFUSED, present))
            self.assertEqual((result.failures[0].reason, result.failures[0].HasField("index")), (reason, False))
            self.assertIn(str(present), result.failures[0].message)

    def test_42_a_backend_in_use(self):
        request = management.DeleteBackendRequest(name="app")
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION,
                            lambda: self.api.management.DeleteBackend(request, timeout=DEADLINE), "app", "listener web")

    def test_41_a_listener_of_a_backend_that_is_absent(self):
        listener = resources.Listener(name="new", bind=["127.0.0.1:0"], protocol=resources.PROTOCOL_HTTP,
                                      routes=[resources.Route(path_prefix="/a", backend="app"),
                                              resources.Route(path_prefix="/b", backend="nowhere")])
        self.assert_refused(grpc.StatusCode.NOT_FOUND, lambda: self.api.management.AddListener(
            management.AddListenerRequest(listener=listener), timeout=DEADLINE), "new", "routes[1].backend", "nowhere")

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
        for address in (self.fairlead.address(), self.fairlead.ready["observation"]):
            listener = resources.Listener(name="new", bind=[address], protocol=resources.PROTOCOL_HTTP)
            self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, lambda: self.api.management.AddListener(
                management.AddListenerRequest(listener=listener), timeout=DEADLINE), address)

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

    def test_fields_of_listeners(self):
        def listener(**fields):
            return resources.Listener(**{"name": "new", "bind": ["127.0.0.1:0"], "protocol": resources.PROTOCOL_HTTP,
                                         **fields})

        for bad, field in ((listener(bind=[]), "bind"), (listener(bind=["127.0.0.1:0"] * 17), "bind"),
                           (listener(bind=["127.0.0.1:99999"]), "bind[0]"), (listener(bind=["a:80"]), "bind[0]"),
                           (listener(protocol=resources.PROTOCOL_TCP), "default_backend"),
                           (listener(protocol=resources.PROTOCOL_TCP, default_backend="app",
                                     routes=[resources.Route(backend="app")]), "routes"),
                           (listener(routes=[resources.Route(backend="app", path_prefix="v1")]), "routes[0].path_prefix"),
                           (listener(routes=[resources.Route(path_prefix="/v1")]), "routes[0].backend"),
                           (listener(routes=[resources.Route(backend="app", hosts=["a b"])]), "routes[0].hosts[0]"),
                           (listener(routes=[resources.Route(backend="app", hosts=["a.*.b"])]), "routes[0].hosts[0]"),
                           (listener(http=resources.HttpOptions(max_head_bytes=1023)), "http.max_head_bytes"),
                           (listener(http=resources.HttpOptions(max_headers=257)), "http.max_headers"),
                           (listener(labels={"": "x"}), "labels"),
                           (listener(labels={f"l{index}": "" for index in range(65)}), "labels")):
            with self.subTest(field=field, listener=str(bad)):
                request = management.AddListenerRequest(listener=bad)
                self.assert_refused(INVALID, lambda: self.api.management.AddListener(request, timeout=DEADLINE),
                                    "listener new", field)

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
