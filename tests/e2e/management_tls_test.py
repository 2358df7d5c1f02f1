"""TLS of the management API: who gets in, what each role may do, certificates that change, and the audit log."""

import json
import os
import pathlib
import resource
import signal
import socket
import ssl
import threading

from harness import Connection, Fairlead, fetch, main, plane, program, wait_until
from harness.api import Api, ApiCase, Session, delete, grpc, management, observation, resources, server, upsert
from harness.certificates import Authority, TlsConnection, client_context, openssl
from harness.processes import DEADLINE, REPOSITORY, buf, run

NAME = "plane.example.org"
ROLES = {"viewer": "spiffe://example.org/viewer", "operator": "operator.example.org", "editor": "editor.ci.example.org",
         "admin": "Alice Admin"}
CLIENT = "clientAuth"


class TlsApiCase(ApiCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder, "Clients")
        self.own = Authority(self.folder, "Servers")
        self.place = self.folder / "tls"
        self.place.mkdir()
        self.write_files(self.own.issue(NAME))
        self.clients = {
            "viewer": self.authority.issue(subject="nobody", usage=CLIENT, lines=[f"subjectAltName=URI:{ROLES['viewer']}"]),
            "operator": self.authority.issue(ROLES["operator"], usage=CLIENT),
            "editor": self.authority.issue(ROLES["editor"], usage=CLIENT),
            "admin": self.authority.issue(subject=ROLES["admin"], usage=CLIENT),
        }

    def write(self, name, text):
        """In one step, as certificates are replaced."""
        unfinished = self.place / (name + ".new")
        unfinished.write_text(text)
        unfinished.rename(self.place / name)

    def write_files(self, issued, authority=None):
        self.write("key.pem", issued.key)
        (self.place / "key.pem").chmod(0o600)
        self.write("chain.pem", issued.chain)
        self.write("ca.pem", (authority or self.authority).certificate)

    def tls(self, **fields):
        return {"certificate_file": str(self.place / "chain.pem"), "private_key_file": str(self.place / "key.pem"),
                "client_ca_file": str(self.place / "ca.pem"), "check_interval": "100ms",
                "roles": [{"name": ROLES["viewer"], "role": "VIEWER"}, {"name": ROLES["operator"], "role": "OPERATOR"},
                          {"name": "*.ci.example.org", "role": "EDITOR"}, {"name": ROLES["admin"], "role": "ADMIN"}],
                **fields}

    def configuration(self, listen=("127.0.0.1:0",), tls=None, **others):
        return plane({"s1": "127.0.0.1:9"}, **{
            "management": {"listen": [*listen, f"unix:{self.folder}/m.sock"], "tls": tls or self.tls()}, **others})

    def start_tls(self, **options):
        fairlead = self.start(self.configuration(**options))
        return fairlead, self.address(fairlead)

    @staticmethod
    def address(fairlead):
        return next(one for one in fairlead.ready["management"] if not one.startswith("unix:"))

    def unix(self):
        api = Api(f"unix:{self.folder}/m.sock")
        self.addCleanup(api.close)
        return api

    def api(self, address, client, override=False, root=None, name=NAME):
        """As `client`: one of the roles, or what was issued; None: without a certificate."""
        issued = self.clients[client] if isinstance(client, str) else client
        tls = grpc.ssl_channel_credentials((root or self.own.certificate).encode(), *(
            (issued.key.encode(), issued.chain.encode()) if issued else (None, None)))
        api = Api(address, override=override, tls=tls, server_name=name)
        self.addCleanup(api.close)
        return api

    def connect(self, address, client=None):
        """TLS without gRPC."""
        connection = TlsConnection(address, self.own, host=NAME, alpn=("h2",), certificate=client)
        self.addCleanup(connection.close)
        return connection

    def assert_kept_out(self, address, client, reason):
        with self.assertRaises((ssl.SSLError, ConnectionError)) as caught:
            # In TLS 1.3 a client is done before the data plane has looked at its certificate.
            self.connect(address, client).read_exactly(1)
        self.assertIn(reason, str(caught.exception).lower().replace("_", " "))
        with self.assertRaises(grpc.RpcError) as refused:
            self.info(self.api(address, client))
        self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAVAILABLE, refused.exception.details())

    @staticmethod
    def info(api):
        return api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def metric(self, fairlead, name):
        page = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        return float(next(line.rsplit(" ", 1)[1] for line in page.splitlines() if line.startswith(name + " ")))


class WhoGetsIn(TlsApiCase):
    def test_51_without_a_certificate_or_with_one_that_is_not_believed_no_call_is_made(self):
        fairlead, address = self.start_tls()
        stranger = Authority(self.folder, "Clients")
        for client, reason in ((None, "certificate required"),
                               (stranger.issue(subject=ROLES["admin"], usage=CLIENT), "unknown ca"),
                               (self.authority.issue(subject=ROLES["admin"], usage=CLIENT, days=-1), "certificate expired"),
                               # A server's certificate is nobody's who calls.
                               (self.authority.issue(subject=ROLES["admin"], usage="serverAuth"), "certificate")):
            self.assert_kept_out(address, client, reason)
        for reason in ("peer did not return a certificate", "unable to get local issuer certificate", "certificate has expired"):
            fairlead.log.wait_for(lambda line, said=reason: "management: TLS from ipv4:127.0.0.1" in line and said in line)
        wait_until(lambda: self.metric(fairlead, 'fairlead_management_tls_handshakes_total{result="failed"}') >= 8, "all count")
        self.assertEqual(self.metric(fairlead, 'fairlead_management_tls_handshakes_total{result="done"}'), 0)
        self.assertEqual(self.info(self.api(address, "viewer")).caller.role, resources.ROLE_VIEWER)

    def test_each_client_is_told_whom_it_is_taken_for(self):
        _, address = self.start_tls()
        for role, name in ROLES.items():
            caller = self.info(self.api(address, role)).caller
            self.assertEqual((caller.name, resources.Role.Name(caller.role)), (name, "ROLE_" + role.upper()))
        caller = self.info(self.unix()).caller
        self.assertEqual((caller.name, caller.role), (f"unix: uid {os.getuid()}", resources.ROLE_ADMIN))

    def test_52_whoever_has_no_role_may_call_nothing_at_all(self):
        fairlead, address = self.start_tls()
        stranger = self.authority.issue("stranger.example.org", usage=CLIENT)
        api = self.api(address, stranger)
        digest = self.info(self.unix()).digest
        called = 0
        for file in (management.DESCRIPTOR, observation.DESCRIPTOR):
            for service in file.services_by_name.values():
                for method in service.methods:
                    call = api.channel.stream_stream(f"/{service.full_name}/{method.name}",
                                                     request_serializer=bytes, response_deserializer=bytes)
                    with self.assertRaises(grpc.RpcError) as caught:
                        list(call(iter([b""]), timeout=DEADLINE))
                    self.assertEqual((caught.exception.code(), caught.exception.details()),
                                     (grpc.StatusCode.PERMISSION_DENIED,
                                      f'{method.name}: "stranger.example.org" has no role, and this needs '
                                      + self.needed(method.name)), method.name)
                    called += 1
        self.assertGreaterEqual(called, 31)
        self.assertEqual(self.info(self.unix()).digest, digest)
        fairlead.log.wait_for(lambda line: 'denied: StreamUpdates: "stranger.example.org" has no role' in line
                              and "from ipv4:127.0.0.1:" in line)
        self.assertEqual(self.metric(fairlead, "fairlead_management_denied_total"), called)

    @staticmethod
    def needed(method):
        if method == "Rollback":
            return "ADMIN"
        if method in ("ApplyTransaction", "UpdateServer"):
            return "OPERATOR"
        return "EDITOR" if method.startswith(("Add", "Update", "Delete")) and method != "StreamUpdates" else "VIEWER"

    def test_clear_text_at_a_port_with_tls_gets_nothing(self):
        fairlead, address = self.start_tls()
        api = Api(address)
        self.addCleanup(api.close)
        with self.assertRaises(grpc.RpcError) as caught:
            self.info(api)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        for said in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes(range(256))):
            connection = Connection(address)
            self.addCleanup(connection.close)
            connection.send(said)
            self.assertTrue(connection.is_closed_within(DEADLINE))
        fairlead.log.wait_for(lambda line: "management: TLS from" in line and "http request" in line)
        self.assertEqual(self.info(self.api(address, "viewer")).caller.role, resources.ROLE_VIEWER)

    def test_handshakes_that_never_end_are_bounded_in_time_and_number_and_keep_nobody_out(self):
        fairlead, address = self.start_tls(tls=self.tls(handshake_timeout="3s"))
        before = fairlead.open_descriptors()
        host, port = address.rsplit(":", 1)
        silent = []
        for number in range(300):
            one = socket.create_connection((host, int(port)), timeout=DEADLINE)
            self.addCleanup(one.close)
            if number % 2:
                one.sendall(b"\x16\x03\x01\x02")  # the beginning of a hello
            silent.append(one)
            if number % 100 == 99:
                self.assertEqual(self.info(self.api(address, "viewer")).caller.role, resources.ROLE_VIEWER)
                self.assertLess(fairlead.open_descriptors() - before, 128 + 3 + 3 * 2 + 10)
        self.assertGreaterEqual(self.metric(fairlead, 'fairlead_management_tls_handshakes_total{result="failed"}'), 300 - 128)
        for one in silent:
            self.assertEqual(self.read_to_end(one), b"")
        fairlead.log.wait_for(lambda line: "the oldest of more than 128" in line)
        wait_until(lambda: self.metric(fairlead, "fairlead_management_tls_connections") <= 3, "they are gone")

    def test_57_a_thousand_connections_are_open_at_most_and_the_next_waits_for_an_end(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        fairlead, address = self.start_tls()
        context = client_context(self.own, alpn=("h2",), certificate=self.clients["viewer"])
        first = [TlsConnection(address, host=NAME, context=context) for _ in range(1000)]
        for one in first:
            self.addCleanup(one.close)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(address, self.clients["viewer"])
        fairlead.log.wait_for(lambda line: "1000 with TLS are open, the most that there may be" in line)
        self.assertEqual(self.info(self.unix()).caller.role, resources.ROLE_ADMIN)
        first[0].close()
        wait_until(lambda: self.metric(fairlead, "fairlead_management_tls_connections") < 1000, "one has ended")
        self.assertEqual(self.info(self.api(address, "viewer")).caller.role, resources.ROLE_VIEWER)

    @staticmethod
    def read_to_end(one):
        try:
            return one.recv(1)
        except ConnectionResetError:
            return b""

    def test_calls_and_streams_of_all_sizes_pass(self):
        _, address = self.start_tls()
        api = self.api(address, "editor")
        session = self.session(api, "big")
        count = 0
        for size in (1, 10, 1000, 9000):
            operations = upsert(*(server(f"n{count + i}", f"10.1.{(count + i) // 250}.{(count + i) % 250 + 1}:80",
                                         labels={"filler": "x" * 200}) for i in range(size)))
            count += size
            self.assertEqual(session.apply(operations).failures_total, 0)
        self.assertEqual(len(api.servers("app")), count + 1)
        whole, _ = api.export()
        self.assertEqual(len(whole.servers), count + 1)

    def test_fifty_clients_at_once_are_told_apart(self):
        _, address = self.start_tls()
        wrong = []

        def ask(role):
            for _ in range(5):
                api = self.api(address, role)
                caller = self.info(api).caller
                if caller.name != ROLES[role]:
                    wrong.append((role, caller))
                api.close()
        threads = [threading.Thread(target=ask, args=(list(ROLES)[number % 4],)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class WhoMayWhat(TlsApiCase):
    def setUp(self):
        super().setUp()
        self.fairlead, self.tcp = self.start_tls()
        self.apis = {role: self.api(self.tcp, role) for role in ROLES}
        self.root = self.unix()

    def calls(self):
        """By the role that each needs at least: what is called, in an order that works."""
        manage = {role: api.management for role, api in self.apis.items()}
        patch_weight = {"server": server("s1", "", weight=7), "update_mask": {"paths": ["weight"]}}
        drain = {"server": server("s1", "", admin_state=resources.ADMIN_STATE_DRAIN), "update_mask": {"paths": ["admin_state"]}}
        move = {"server": server("s1", "127.0.0.1:10"), "update_mask": {"paths": ["address"]}}
        issued = self.own.issue("www.example.org")
        certificate = resources.Certificate(**issued.fields("www"))
        without_key = resources.Certificate(name="www", chain=issued.chain, labels={"a": "b"})
        return [
            ("viewer", lambda role: manage[role].ListServers(management.ListServersRequest())),
            ("viewer", lambda role: list(manage[role].ExportConfig(management.ExportConfigRequest()))),
            ("viewer", lambda role: manage[role].ExplainPick(management.ExplainPickRequest(backend="app"))),
            ("viewer", lambda role: next(self.apis[role].observation.WatchEvents(
                observation.WatchEventsRequest(snapshot=True)))),
            ("operator", lambda role: manage[role].UpdateServer(management.UpdateServerRequest(**patch_weight))),
            ("operator", lambda role: manage[role].UpdateServer(management.UpdateServerRequest(**drain))),
            ("operator", lambda role: manage[role].UpdateServer(management.UpdateServerRequest(
                **patch_weight, fence={"override": True}))),
            ("editor", lambda role: manage[role].UpdateServer(management.UpdateServerRequest(**move))),
            ("editor", lambda role: manage[role].UpdateServer(management.UpdateServerRequest(
                server=server("s1", "127.0.0.1:9")))),
            ("editor", lambda role: manage[role].AddServer(management.AddServerRequest(server=server(role, "127.0.0.1:9")))),
            ("editor", lambda role: manage[role].DeleteServer(management.DeleteServerRequest(backend="app", name=role))),
            ("editor", lambda role: manage[role].UpdateBackend(management.UpdateBackendRequest(
                backend={"name": "app", "labels": {"by": role}}, update_mask={"paths": ["labels"]}))),
            ("editor", lambda role: manage[role].DeleteListener(management.DeleteListenerRequest(name="web"))),
            ("admin", lambda role: manage[role].AddCertificate(management.AddCertificateRequest(certificate=certificate))),
            ("editor", lambda role: manage[role].UpdateCertificate(management.UpdateCertificateRequest(
                certificate=without_key, update_mask={"paths": ["labels"]}))),
            ("admin", lambda role: manage[role].UpdateCertificate(management.UpdateCertificateRequest(
                certificate=certificate))),
            ("editor", lambda role: manage[role].DeleteCertificate(management.DeleteCertificateRequest(name="www"))),
            ("admin", lambda role: manage[role].DeleteServer(management.DeleteServerRequest(
                backend="app", name="none", fence={"override": True}))),
        ]

    def test_52_each_call_is_for_its_role_and_those_above(self):
        order = list(ROLES)
        for number, (needed, call) in enumerate(self.calls()):
            for role in order:
                before = self.info(self.root)
                if order.index(role) >= order.index(needed):
                    call(role)
                    continue
                with self.assertRaises(grpc.RpcError) as caught:
                    call(role)
                self.assertEqual(caught.exception.code(), grpc.StatusCode.PERMISSION_DENIED, (number, role))
                for part in (f'"{ROLES[role]}"', f"has the role {role.upper()}, and this needs "):
                    self.assertIn(part, caught.exception.details())
                after = self.info(self.root)
                self.assertEqual((before.digest, before.version), (after.digest, after.version), (number, role))
        self.fairlead.log.wait_for(lambda line: "denied: " in line and f'"{ROLES["viewer"]}"' in line)

    def test_rollback_is_for_admins(self):
        for role in ("viewer", "operator", "editor"):
            self.assert_refused(grpc.StatusCode.PERMISSION_DENIED, self.apis[role].management.Rollback,
                                management.RollbackRequest(version=1), "Rollback: ", "needs ADMIN")
        # There is no history here; that is another refusal.
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, self.apis["admin"].management.Rollback,
                            management.RollbackRequest(version=1), "history")

    def weight(self, value, name="s1"):
        return management.Operation(patch=management.Patch(
            resource={"server": server(name, "", weight=value)}, update_mask={"paths": ["weight"]}))

    def assert_denied(self, result, *expected):
        """Refused as a whole: position and the role that is needed, of each operation that is too much."""
        self.assertEqual(result.outcome, management.OUTCOME_REFUSED)
        self.assertEqual({failure.reason for failure in result.failures}, {management.REASON_PERMISSION_DENIED}, result)
        self.assertEqual([(failure.index if failure.HasField("index") else None, failure.message.rsplit(" ", 1)[1])
                          for failure in result.failures], list(expected))

    def test_a_transaction_with_one_operation_too_much_is_refused_as_a_whole(self):
        api = self.apis["operator"]
        self.assertEqual(api.apply([self.weight(9)]).outcome, management.OUTCOME_APPLIED)
        for fields in ({}, {"atomicity": management.ATOMICITY_EACH}, {"validate_only": True}):
            result = api.apply([self.weight(3), *delete("s1"), self.weight(4), *upsert(server("s2", "127.0.0.1:9"))], **fields)
            self.assert_denied(result, (1, "EDITOR"), (3, "EDITOR"))
            self.assertIn("server app/s1: ", result.failures[0].message)
        self.assertEqual([one.weight for one in self.root.servers("app")], [9])
        self.assert_refused(grpc.StatusCode.PERMISSION_DENIED, self.apis["viewer"].management.ApplyTransaction,
                            management.ApplyTransactionRequest(), "needs OPERATOR")
        # By name, and again: it is refused each time, and remembered by nobody.
        request = management.ApplyTransactionRequest(client_name="night", transaction={"id": 5, "operations": delete("s1")})
        for _ in range(2):
            self.assert_denied(api.management.ApplyTransaction(request, timeout=DEADLINE).result, (0, "EDITOR"))

    def test_a_stream_goes_on_after_what_was_refused(self):
        session = self.session(self.apis["operator"], "night")
        self.assertTrue(session.opened.primary)
        self.assertEqual(session.apply([self.weight(5)]).outcome, management.OUTCOME_APPLIED)
        self.assert_denied(session.apply(delete("s1")), (0, "EDITOR"))
        self.assert_denied(session.begin_resync(), (None, "EDITOR"))
        self.assert_denied(session.end_resync(), (None, "EDITOR"))
        self.assertEqual(session.apply([self.weight(6)]).outcome, management.OUTCOME_APPLIED)
        self.assertEqual(session.end()[0], grpc.StatusCode.OK)
        self.assertEqual([one.weight for one in self.root.servers("app")], [6])

    def test_a_viewer_may_look_on_and_not_take_part_in_the_election(self):
        api = self.apis["viewer"]
        session = Session(api, name=None)
        self.addCleanup(session.cancel)
        session.send(open=management.Open(client_name="look", election_id={"low": 2**60}))
        code, details = session.status()
        self.assertEqual(code, grpc.StatusCode.PERMISSION_DENIED, details)
        self.assertIn("open.election_id", details)
        self.assertFalse(self.info(self.root).HasField("highest_election_id"))
        session = self.session(api, "look", election_id=None)
        # As an observer it may not write, whatever its role.
        self.assertEqual(session.apply([self.weight(1)]).failures[0].reason, management.REASON_NOT_PRIMARY)
        session.send(heartbeat=management.Heartbeat())
        self.assertTrue(session.read().HasField("heartbeat"))

    def test_a_resync_with_a_private_key_removes_no_certificate_of_which_it_may_not_write_the_key(self):
        issued = self.own.issue("www.example.org")
        put = management.Operation(upsert={"certificate": resources.Certificate(**issued.fields("www"))})
        self.assertEqual(self.root.apply([put]).failures_total, 0)
        session = self.session(self.apis["editor"], "ci")
        session.begin_resync()
        self.assert_denied(session.apply([put]), (0, "ADMIN"))
        self.assertEqual(session.end_resync(max_removal_percent=100).failures_total, 0)
        self.assertEqual([one.name for one in self.root.management.ListCertificates(
            management.ListCertificatesRequest(), timeout=DEADLINE).certificates], ["www"])


class Audit(TlsApiCase):
    def test_each_change_says_who_made_it_in_the_log_and_in_history(self):
        (self.folder / "state").mkdir(mode=0o700)
        fairlead, address = self.start_tls(state_directory=str(self.folder / "state"))
        self.assertEqual(self.api(address, "editor").apply(upsert(server("s2", "127.0.0.1:9"))).failures_total, 0)
        session = self.session(self.api(address, "admin"), "control")
        self.assertEqual(session.apply(upsert(server("s3", "127.0.0.1:9"))).failures_total, 0)
        self.assertEqual(self.unix().apply(upsert(server("s4", "127.0.0.1:9"))).failures_total, 0)
        entries = self.unix().management.ListHistory(management.ListHistoryRequest(), timeout=DEADLINE).entries
        peers = [(entry.actor, entry.peer.rsplit(":", 1)[0]) for entry in entries[:3]]
        self.assertEqual(peers, [("unary", "unix"), ("control", f"{ROLES['admin']} (ADMIN), ipv4:127.0.0.1"),
                                 ("unary", f"{ROLES['editor']} (EDITOR), ipv4:127.0.0.1")])
        self.assertEqual(entries[0].peer, f"unix: uid {os.getuid()}")
        for entry, name in zip(entries[:3], ("s4", "s3", "s2")):
            fairlead.log.wait_for(lambda line, one=entry, made=name: (
                f'accepted: version {one.version} by "{one.actor}" from "{one.peer}", transaction {one.transaction_id}: '
                f"create server app/{made}") in line)
        self.assertIn(f"{ROLES['admin']} (ADMIN)", run(
            program("fairleadctl"), "--address", f"unix:{self.folder}/m.sock", "history", "-o", "json").stdout)


class Files(TlsApiCase):
    def presented(self, address, client="viewer"):
        """The serial number of the certificate that a new connection is shown."""
        with self.connect(address, self.clients[client]) as connection:
            return connection.socket.getpeercert()["serialNumber"]

    @staticmethod
    def serial(issued):
        return openssl("x509", "-noout", "-serial", stdin=issued.certificate.encode()).strip().split("=")[1]

    def test_certificates_are_replaced_under_load_without_a_failed_call(self):
        fairlead, address = self.start_tls()
        failed, calls, done = [], [0], threading.Event()

        def work(fresh):
            api = None
            while not done.is_set():
                try:
                    if api is None:
                        api = self.api(address, "operator")
                    self.info(api)
                    calls[0] += 1
                    if fresh:
                        api.close()
                        api = None
                except grpc.RpcError as error:
                    failed.append((fresh, error.code(), error.details()))
        threads = [threading.Thread(target=work, args=(number < 3,)) for number in range(4)]
        session = self.session(self.api(address, "operator"), "lasting")
        for thread in threads:
            thread.start()
        try:
            for number in range(8):
                issued = self.own.issue(NAME, kind="rsa" if number % 2 else "ec")
                self.write_files(issued)
                wait_until(lambda new=issued: self.presented(address) == self.serial(new), "the new one is in service")
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failed, [])
        self.assertGreater(calls[0], 100)
        self.assertEqual(session.apply([]).failures_total, 0)
        self.assertGreaterEqual(self.metric(fairlead, 'fairlead_management_tls_reloads_total{result="done"}'), 8)

    def test_what_is_refused_later_leaves_the_former_one_in_service_and_says_why(self):
        good = self.own.issue(NAME)
        self.write_files(good)
        fairlead, address = self.start_tls()
        refused = 0
        for name, text, field, reason in (
                ("chain.pem", self.own.issue(NAME).chain, "private_key_file", "does not belong to the certificate"),
                ("key.pem", "no key", "private_key_file", "has no private key in PEM"),
                ("chain.pem", "", "certificate_file", "has no certificate in PEM"),
                ("chain.pem", "x" * (1 << 20) + "x", "certificate_file", "has more than 1 MiB"),
                ("ca.pem", "garbage", "client_ca_file", "has no certificate in PEM")):
            start = len(fairlead.log)
            self.write_files(good)
            self.write(name, text)
            fairlead.log.wait_for(lambda line, parts=(field, reason): "management.tls." + parts[0] in line
                                  and parts[1] in line and "stays in service" in line, reason, start)
            refused += 1
            self.assertEqual(self.presented(address), self.serial(good))
            self.assertEqual(self.info(self.api(address, "viewer")).caller.role, resources.ROLE_VIEWER)
        old = self.own.issue(NAME, days=-1)
        self.write_files(old)
        fairlead.log.wait_for(lambda line: "certificate_file" in line and "has expired on" in line)
        (self.place / "key.pem").unlink()
        fairlead.log.wait_for(lambda line: "private_key_file" in line and "No such file or directory" in line)
        self.assertEqual(self.presented(address), self.serial(good))
        self.assertGreaterEqual(self.metric(fairlead, 'fairlead_management_tls_reloads_total{result="refused"}'), refused)
        for _ in range(5):
            fairlead.signal(signal.SIGHUP)
            self.presented(address)
        new = self.own.issue(NAME)
        self.write_files(new)
        wait_until(lambda: self.presented(address) == self.serial(new), "the new one is in service")
        # Each is told once, not at each look.
        self.assertEqual(fairlead.log.text().count("No such file or directory"), 1)

    def test_another_authority_holds_for_connections_from_then_on(self):
        _, address = self.start_tls()
        open_before = self.api(address, "viewer")
        self.info(open_before)
        other = Authority(self.folder, "Other")
        admitted = other.issue("editor.ci.example.org", usage=CLIENT)
        self.write("ca.pem", other.certificate)

        def is_admitted():
            try:
                return self.info(self.api(address, admitted)).caller.role == resources.ROLE_EDITOR
            except grpc.RpcError:
                return False
        wait_until(is_admitted, "whom the new one has signed is let in")
        self.assert_kept_out(address, self.clients["viewer"], "unknown ca")
        self.assertEqual(self.info(open_before).caller.role, resources.ROLE_VIEWER)

    def test_51_whoever_is_on_a_list_of_revoked_certificates_is_kept_out_from_then_on(self):
        fairlead, address = self.start_tls()
        self.assertEqual(self.info(self.api(address, "editor")).caller.role, resources.ROLE_EDITOR)
        self.write("ca.pem", self.authority.certificate + self.authority.revoke(self.clients["editor"]))
        fairlead.log.wait_for(lambda line: "files have changed" in line)
        self.assert_kept_out(address, self.clients["editor"], "certificate revoked")
        self.assertEqual(self.info(self.api(address, "viewer")).caller.role, resources.ROLE_VIEWER)
        # One that was to be renewed says nothing of anybody.
        start = len(fairlead.log)
        self.write("ca.pem", self.authority.certificate + self.authority.revoke(days=-1))
        fairlead.log.wait_for(lambda line: "files have changed" in line, start=start)
        self.assert_kept_out(address, self.clients["viewer"], "certificate")
        fairlead.log.wait_for(lambda line: "CRL has expired" in line)
        start = len(fairlead.log)
        broken = self.authority.revoke().splitlines()
        self.write("ca.pem", self.authority.certificate + "\n".join(broken[:1] + broken[2:]) + "\n")
        fairlead.log.wait_for(lambda line: "a list of revoked certificates that cannot be read" in line, start=start)

    def test_a_signal_looks_at_once(self):
        fairlead, address = self.start_tls(tls=self.tls(check_interval="1h"))
        new = self.own.issue(NAME)
        self.write_files(new)
        self.assertNotEqual(self.presented(address), self.serial(new))
        fairlead.signal(signal.SIGHUP)
        fairlead.log.wait_for(lambda line: "files have changed" in line and NAME in line)
        self.assertEqual(self.presented(address), self.serial(new))

    def refusal(self, *arguments, **options):
        path = self.folder / "bad.yaml"
        path.write_text(json.dumps(self.configuration(**options), indent=1))
        ended = run(program("fairlead"), "--config", path, *arguments)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        return ended.stderr

    def test_what_is_wrong_at_the_start_ends_it_with_line_and_field(self):
        good = self.own.issue(NAME)
        encrypted = openssl("pkey", "-aes128", "-passout", "pass:x", stdin=good.key.encode())
        for change, field, reason in (
                (lambda: self.write("key.pem", self.own.issue(NAME).key), "private_key_file", "does not belong to"),
                (lambda: self.write("key.pem", encrypted), "private_key_file", "is encrypted with a passphrase"),
                (lambda: (self.place / "chain.pem").unlink(), "certificate_file", "No such file or directory"),
                (lambda: self.write_files(self.own.issue(NAME, days=-1)), "certificate_file", "has expired on"),
                (lambda: self.write("chain.pem", "garbage"), "certificate_file", "has no certificate in PEM"),
                (lambda: self.write("chain.pem", good.chain + good.key), "certificate_file", "it is for certificates alone"),
                (lambda: self.write("ca.pem", "garbage"), "client_ca_file", "has no certificate in PEM")):
            self.write_files(good)
            change()
            for arguments in ((), ("--check",)):
                said = self.refusal(*arguments)
                self.assertRegex(said, rf"bad\.yaml:\d+:\d+: management\.tls\.{field}: .*{reason}")
        self.write_files(good)
        self.assertIn("is not a regular file", self.refusal(tls=self.tls(client_ca_file=str(self.place))))
        os.mkfifo(self.place / "pipe")
        self.assertIn("is not a regular file", self.refusal(tls=self.tls(private_key_file=str(self.place / "pipe"))))

    def test_a_key_that_everybody_can_read_is_told(self):
        (self.place / "key.pem").chmod(0o644)
        fairlead, _ = self.start_tls()
        fairlead.log.wait_for(lambda line: "private_key_file" in line and "may be read by everybody" in line)


class Takeover(TlsApiCase):
    def test_the_port_is_passed_on_and_no_call_on_a_new_connection_fails(self):
        state = self.folder / "state"
        state.mkdir(mode=0o700)
        configuration = self.configuration(listen=["127.0.0.1:0"], state_directory=str(state))
        first = Fairlead(self.place, configuration)
        self.addCleanup(first.kill)
        address = self.address(first)
        failed, pids, done = [], set(), threading.Event()

        def work():
            while not done.is_set():
                api = self.api(address, "viewer")
                try:
                    pids.add(self.info(api).uptime.seconds)
                except grpc.RpcError as error:
                    failed.append((error.code(), error.details()))
                api.close()
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        new = self.own.issue(NAME)
        try:
            current = first
            for _ in range(3):
                self.write_files(new)
                successor = Fairlead(self.place, configuration, arguments=("--takeover",))
                self.addCleanup(successor.kill)
                self.assertEqual(self.address(successor), address)
                self.assertEqual(current.wait(), 0, current.all_text())
                current = successor
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(self.api(address, "editor").apply(upsert(server("s2", "127.0.0.1:9"))).failures_total, 0)


class Programs(TlsApiCase):
    def options(self, client, **others):
        paths = {"tls-ca": self.folder / "own.pem", "tls-cert": self.folder / "client.pem", "tls-key": self.folder / "client.key",
                 "tls-server-name": NAME, **others}
        (self.folder / "own.pem").write_text(self.own.certificate)
        (self.folder / "client.pem").write_text(self.clients[client].chain)
        (self.folder / "client.key").write_text(self.clients[client].key)
        return {name: str(value) for name, value in paths.items() if value}

    def ctl(self, address, options, *arguments, environment=()):
        return run(program("fairleadctl"), "--address", address, *(f"--{name}={value}" for name, value in options.items()),
                   *arguments, env={**os.environ, **dict(environment)})

    def test_fairleadctl_by_options_and_by_the_environment(self):
        _, address = self.start_tls()
        options = self.options("operator")
        info = self.ctl(address, options, "info")
        self.assertEqual(info.returncode, 0, info.stderr)
        self.assertIn(f"{ROLES['operator']} (operator)", info.stdout)
        variables = {"FAIRLEAD_" + name.upper().replace("-", "_"): value for name, value in options.items()}
        info = self.ctl(address, {}, "info", environment=variables)
        self.assertIn(f"{ROLES['operator']} (operator)", info.stdout)
        # A Unix socket has no TLS, whatever the environment says.
        self.assertIn("uid", self.ctl(f"unix:{self.folder}/m.sock", {}, "info", environment=variables).stdout)
        for words in (("server", "set", "app/s1", "--weight", "3"), ("server", "drain", "app/s1"),
                      ("server", "set", "app/s1", "--weight", "4", "--override")):
            changed = self.ctl(address, options, *words)
            self.assertEqual(changed.returncode, 0, (words, changed.stderr))
        denied = self.ctl(address, options, "server", "delete", "app/s1")
        self.assertEqual(denied.returncode, 1)
        self.assertIn(f'"{ROLES["operator"]}" has the role OPERATOR, and this needs EDITOR', denied.stderr)

    def test_fairleadctl_says_what_is_wrong_with_its_side(self):
        _, address = self.start_tls()
        options = self.options("viewer")
        missing = self.ctl(address, {"tls-ca": options["tls-ca"]}, "info")
        self.assertEqual(missing.returncode, 2)
        self.assertIn("--tls-cert: is missing", missing.stderr)
        unreadable = self.ctl(address, {**options, "tls-key": "/nowhere.pem"}, "info")
        self.assertEqual(unreadable.returncode, 1)
        self.assertIn("--tls-key: /nowhere.pem: No such file or directory", unreadable.stderr)
        stranger = self.folder / "stranger.pem"
        stranger.write_text(Authority(self.folder, "Stranger").certificate)
        for wrong in ({**options, "tls-ca": str(stranger)}, {**options, "tls-server-name": "other.example.org"}):
            refused = self.ctl(address, wrong, "--timeout", "5s", "info")
            self.assertEqual(refused.returncode, 1)
            self.assertIn(f"no TLS with the data plane at {address}", refused.stderr)
        clear = self.ctl(address, {}, "--timeout", "5s", "info")
        self.assertEqual(clear.returncode, 1)
        self.assertIn("--tls-ca", clear.stderr)

    def test_what_the_readme_says_word_for_word(self):
        text = (REPOSITORY / "README.md").read_text().split("## Who may change it")[1].split("\n## ")[0]
        place = self.folder / "etc"

        def block(first, last):
            lines = [line[4:] for line in text.splitlines() if line.startswith("    ") or not line]
            begin = next(number for number, line in enumerate(lines) if line.startswith(first))
            end = next(number for number, line in enumerate(lines) if number >= begin and line.startswith(last))
            return "\n".join(lines[begin:end + 1]).replace("/etc/fairlead/tls", str(place))
        made = run("bash", "-e", "-c", block("install -d", "issue autoscaler"))
        self.assertEqual(made.returncode, 0, made.stderr)
        file = (block("management:", '      - {name: "spiffe').replace("/run/fairlead/", f"{self.folder}/")
                .replace("0.0.0.0:9901", "127.0.0.1:0"))
        fairlead = self.start(file)
        port = self.address(fairlead).rsplit(":", 1)[1]
        client = block("export FAIRLEAD_ADDRESS", "fairleadctl info").replace(":9901", f":{port}")
        info = run("bash", "-e", "-c", client, cwd=place, env={
            **os.environ, "PATH": os.path.dirname(program("fairleadctl")) + ":" + os.environ["PATH"]})
        self.assertEqual(info.returncode, 0, info.stderr)
        self.assertRegex(info.stdout, r"caller +alice\.ops\.example\.org \(admin\)")
        call = block("buf curl", "  https://").replace(":9901", f":{port}").replace("buf curl", f"{pathlib.Path(buf()).resolve()} curl")
        said = run("bash", "-e", "-c", call, cwd=place, env={
            **os.environ, "BUF_CACHE_DIR": str(self.folder / "buf"), "HOME": str(self.folder)})
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertEqual(json.loads(said.stdout)["caller"], {"name": "alice.ops.example.org", "role": "ROLE_ADMIN"})

    def test_the_sample_control_plane(self):
        _, address = self.start_tls()
        (self.folder / "wanted.yaml").write_text(
            "backends: [{name: app}, {name: other}]\nservers: [{backend: other, name: a, address: '127.0.0.1:9'}]\n")

        def mirror(client, **others):
            return run(program("fairlead-autoscaler"), "--source=file", f"--file={self.folder}/wanted.yaml", "--once",
                       "--max-removal-percent=100", f"--dataplane={address}", "--timeout=10s",
                       *(f"--{name}={value}" for name, value in self.options(client, **others).items()))
        made = mirror("editor")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual([one.name for one in self.unix().servers("other")], ["a"])
        self.assertEqual(mirror("editor", **{"tls-cert": None}).returncode, 2)
        denied = mirror("viewer")
        self.assertEqual(denied.returncode, 1)
        self.assertIn("VIEWER", denied.stderr)


if __name__ == "__main__":
    main()
