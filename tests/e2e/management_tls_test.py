"""TLS of the management API: who gets in, certificates that change, and the port that passes to another process."""

import json
import os
import resource
import signal
import socket
import ssl
import threading

from harness import Connection, Fairlead, main, program, wait_until
from harness.api import Api, grpc, management, observation, resources, server, upsert
from harness.certificates import Authority, TlsConnection, client_context, openssl
from harness.processes import DEADLINE, run
from harness.tls_api import CLIENT, NAME, ROLES, TlsApiCase


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
        first = []

        def come(role, count):
            context = client_context(self.own, alpn=("h2",), certificate=self.clients[role])
            for _ in range(count):
                first.append(TlsConnection(address, host=NAME, context=context))
                self.addCleanup(first[-1].close)
                # gRPC's first frame: it is in.
                first[-1].read_exactly(1)
        come("viewer", 250)
        with self.assertRaises((ssl.SSLError, ConnectionError, EOFError)):
            come("viewer", 1)
        fairlead.log.wait_for(lambda line: f'250 of "{ROLES["viewer"]}" are open, the most that one client may have' in line)
        for role in ("operator", "editor", "admin"):
            come(role, 250)
        with self.assertRaises((ssl.SSLError, ConnectionError, EOFError)):
            come("admin", 1)
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


if __name__ == "__main__":
    main()
