"""Roles of the management API's clients: what each may do, what is written down of it, and the programs that are clients."""

import json
import os
import pathlib

from harness import main, program
from harness.api import Session, delete, grpc, management, observation, resources, server, upsert
from harness.certificates import Authority
from harness.processes import DEADLINE, REPOSITORY, buf, run
from harness.tls_api import NAME, ROLES, TlsApiCase


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
        others = Authority(self.folder, "Others").issue("viewer.example.org", usage="clientAuth")
        for name, text in (("others.pem", others.chain), ("others.key", others.key)):
            (self.folder / name).write_text(text)
        untrusted = {"tls-cert": str(self.folder / "others.pem"), "tls-key": str(self.folder / "others.key")}
        refused = self.ctl(address, {**options, **untrusted}, "--timeout", "5s", "info")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"no TLS with the data plane at {address}: it ended the connection", refused.stderr)
        mixed = self.ctl(address, {**options, "tls-key": untrusted["tls-key"]}, "info")
        self.assertIn("others.key: is not the key of the certificate in", mixed.stderr)
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
                       "--max-removal-percent=100", f"--dataplane={address}", "--timeout=3s",
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
