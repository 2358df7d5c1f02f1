"""The management API's unary calls from another language."""

from harness import main, plane, program, run
from harness.certificates import Authority
from harness.api import DEADLINE, ApiCase, grpc, management, observation, resources, server, upsert


class Unary(ApiCase):
    def test_an_export_fed_back_changes_nothing(self):
        first = plane({f"s{index}": f"127.0.0.1:{1000 + index}" for index in range(500)},
                      listener={"routes": [{"hosts": ["*.example.com"], "pathPrefix": "/v1", "backend": "app"}]},
                      backend={"balance": {"algorithm": "RANDOM"}, "serverDefaults": {"weight": 3}, "labels": {"a": "b"},
                               "timeouts": {"connect": "1.5s"}, "drain": {"timeout": "10s", "jitter": "1s"}})
        fairlead, api = self.start_with_api(first)
        exported, version = api.export()
        self.assertEqual(len(exported.servers), 500)
        operations = [management.Operation(upsert=management.Resource(backend=item)) for item in exported.backends]
        operations += upsert(*exported.servers)
        operations += [management.Operation(upsert=management.Resource(listener=item)) for item in exported.listeners]
        result = api.apply(operations)
        self.assertEqual((result.outcome, result.version), (management.OUTCOME_UNCHANGED, version), result)
        # And as a file, for another data plane.
        text = self.ctl(fairlead, "export")
        path = self.folder / "exported.yaml"
        path.write_text(text)
        checked = run(program("fairlead"), "--check", "--config", path)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertIn("nothing to change", self.ctl(fairlead, "apply", "-f", "-", stdin=text))
        self.assertEqual(api.export()[1], version)

    def test_unary_calls_answer_with_the_resource(self):
        _, api = self.start_with_api(plane([]))
        calls = api.management
        added = calls.AddServer(management.AddServerRequest(server=server("s", "127.0.0.1:80", labels={"z": "a"})),
                                timeout=DEADLINE).server
        self.assertGreater(added.metadata.uid, 0)
        self.assertEqual(added.status.lifecycle, resources.LIFECYCLE_READY)
        changed = server("s", "127.0.0.1:81", weight=5)
        updated = calls.UpdateServer(management.UpdateServerRequest(server=changed, update_mask={"paths": ["weight"]}),
                                     timeout=DEADLINE).server
        self.assertEqual((updated.address, updated.weight, updated.metadata.uid),
                         ("127.0.0.1:80", 5, added.metadata.uid))
        self.assertGreater(updated.metadata.version, added.metadata.version)
        replaced = calls.UpdateServer(management.UpdateServerRequest(server=changed), timeout=DEADLINE).server
        self.assertEqual((replaced.address, dict(replaced.labels)), ("127.0.0.1:81", {}))
        found = calls.GetServer(management.GetServerRequest(backend="app", name="s"), timeout=DEADLINE).server
        self.assertEqual(found, replaced)
        gone = calls.DeleteServer(management.DeleteServerRequest(backend="app", name="s", wait=True), timeout=DEADLINE)
        self.assertTrue(gone.existed)
        again = calls.DeleteServer(management.DeleteServerRequest(backend="app", name="s"), timeout=DEADLINE)
        self.assertEqual((again.existed, again.version), (False, gone.version))

    def test_lists_are_paged_and_filtered(self):
        _, api = self.start_with_api(plane([]))
        api.apply(upsert(*[server(f"s{index:03}", f"127.0.0.1:{1000 + index}", labels={"zone": "ab"[index % 2]})
                           for index in range(250)]))
        names = [found.name for found in api.servers("app", page_size=30)]
        self.assertEqual(names, [f"s{index:03}" for index in range(250)])
        self.assertEqual(len(api.servers(labels={"zone": "a"})), 125)
        self.assertEqual(api.servers(lifecycles=[resources.LIFECYCLE_MAINTENANCE]), [])
        calls = api.management
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, calls.ListServers,
                            management.ListServersRequest(page_size=-1), "page_size")
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, calls.ListServers,
                            management.ListServersRequest(page_token="garbage"), "page_token")
        token = calls.ListServers(management.ListServersRequest(page_size=1), timeout=DEADLINE).next_page_token
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, calls.ListServers,
                            management.ListServersRequest(page_token=token, backend="app"), "page_token")

    def test_certificates_in_single_calls(self):
        _, api = self.start_with_api(plane([]))
        calls = api.management
        issued = Authority(self.folder).issue("example.com")
        certificate = resources.Certificate(**issued.fields("c"))
        added = calls.AddCertificate(management.AddCertificateRequest(certificate=certificate), timeout=DEADLINE)
        self.assertEqual((added.certificate.private_key, added.certificate.status.names), ("", ["example.com"]))
        labelled = resources.Certificate(name="c", labels={"a": "b"})
        calls.UpdateCertificate(management.UpdateCertificateRequest(certificate=labelled, update_mask={"paths": ["labels"]}),
                                timeout=DEADLINE)
        listed = calls.ListCertificates(management.ListCertificatesRequest(labels={"a": "b"}), timeout=DEADLINE)
        self.assertEqual([(item.name, item.chain, item.private_key) for item in listed.certificates], [("c", issued.chain, "")])
        found = calls.GetCertificate(management.GetCertificateRequest(name="c"), timeout=DEADLINE).certificate
        self.assertEqual((found.labels["a"], found.metadata.version), ("b", listed.version))
        deleted = management.DeleteCertificateRequest(name="c")
        self.assertTrue(calls.DeleteCertificate(deleted, timeout=DEADLINE).existed)
        self.assertFalse(calls.DeleteCertificate(deleted, timeout=DEADLINE).existed)
        self.assert_refused(grpc.StatusCode.NOT_FOUND, calls.GetCertificate, management.GetCertificateRequest(name="c"))

    def test_health_and_reflection(self):
        _, api = self.start_with_api(plane([]))
        serving = b"\x08\x01"
        self.assertEqual(api.raw("/grpc.health.v1.Health/Check"), serving)
        for service in ("fairlead.v1.ManagementService", "fairlead.v1.ObservationService"):
            named = b"\x0a" + bytes([len(service)]) + service.encode()
            self.assertEqual(api.raw("/grpc.health.v1.Health/Check", named), serving)
        reflect = api.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                            request_serializer=bytes, response_deserializer=bytes)
        listed = next(reflect(iter([b"\x3a\x00"]), timeout=DEADLINE))  # list_services
        for service in (b"fairlead.v1.ManagementService", b"fairlead.v1.ObservationService", b"grpc.health.v1.Health"):
            self.assertIn(service, listed)


if __name__ == "__main__":
    main()
