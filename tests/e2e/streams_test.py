"""StreamUpdates and WatchEvents as a control plane in another language uses them."""

import threading

from harness import main, plane, wait_until
from harness.api import DEADLINE, ApiCase, delete, grpc, management, observation, resources, server, upsert


class Sessions(ApiCase):
    def test_open_is_answered_with_what_there_is(self):
        _, api = self.start_with_api(plane(["127.0.0.1:9"]))
        opened = self.session(api).opened
        info = api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)
        self.assertEqual((opened.epoch, opened.version), (info.epoch, info.version))
        self.assertNotEqual(opened.epoch, 0)
        self.assertTrue(opened.primary)
        self.assertEqual(opened.limits, info.limits)
        self.assertEqual((info.servers, info.backends, info.listeners, info.workers), (1, 1, 1, 2))

    def test_results_come_in_order_and_cover_all(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api)
        count = 300
        for index in range(count):
            session.transaction(upsert(server(f"s{index}", f"127.0.0.1:{1000 + index}")))
        answered, versions = 0, [session.opened.version]
        while answered < count:
            result = session.read_result()
            self.assertEqual(result.outcome, management.OUTCOME_APPLIED)
            self.assertGreater(result.id, answered)
            self.assertGreater(result.version, versions[-1])
            answered = result.id
            versions.append(result.version)
        self.assertEqual(answered, count)
        # One version for each transaction, whichever results were told.
        self.assertEqual(versions[-1], versions[0] + count)
        self.assertEqual(session.end()[0], grpc.StatusCode.OK)
        self.assertEqual(len(api.servers("app")), count)

    def test_a_refused_one_among_many_stands_alone(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api)
        for index in range(1, 101):
            session.transaction(upsert(server("s", "127.0.0.1:80", weight=300 if index == 50 else index)))
        refused = []
        last = 0
        while last < 100:
            result = session.read_result()
            last = result.id
            if result.outcome == management.OUTCOME_REFUSED:
                refused.append((result.id, result.failures[0].field, result.failures[0].reason))
        self.assertEqual(refused, [(50, "weight", management.REASON_INVALID)])

    def test_all_or_nothing_and_each(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api)
        operations = upsert(server("a", "127.0.0.1:1"), server("b", "127.0.0.1:0"), server("c", "127.0.0.1:3"),
                            server("d", "127.0.0.1:4", backend="absent"))
        nothing = session.apply(operations)
        self.assertEqual((nothing.outcome, nothing.version), (management.OUTCOME_REFUSED, session.opened.version))
        self.assertEqual([(failure.index, failure.resource, failure.field) for failure in nothing.failures][:1],
                         [(1, "server app/b", "address")])
        self.assertEqual(api.servers(), [])
        each = session.apply(operations, atomicity=management.ATOMICITY_EACH)
        self.assertEqual((each.outcome, each.version), (management.OUTCOME_PARTIAL, session.opened.version + 1))
        self.assertEqual([(failure.index, failure.reason) for failure in each.failures],
                         [(1, management.REASON_INVALID), (3, management.REASON_NOT_FOUND)])
        self.assertEqual([found.name for found in api.servers()], ["a", "c"])

    def test_a_patch_changes_what_its_mask_names(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api)
        session.apply(upsert(server("s", "127.0.0.1:80", weight=7, labels={"zone": "a"})))
        patch = management.Patch(resource=management.Resource(server=server("s", "127.0.0.1:81", weight=9)))
        patch.update_mask.paths.append("weight")
        self.assertEqual(session.apply([management.Operation(patch=patch)]).outcome, management.OUTCOME_APPLIED)
        found = api.servers()[0]
        self.assertEqual((found.address, found.weight, dict(found.labels)), ("127.0.0.1:80", 9, {"zone": "a"}))
        patch.resource.server.ClearField("weight")
        session.apply([management.Operation(patch=patch)])
        found = api.servers()[0]
        self.assertFalse(found.HasField("weight"))
        self.assertEqual(found.status.effective_weight, 1)

    def test_identical_content_changes_nothing(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api)
        first = session.apply(upsert(server("s", "127.0.0.1:80", labels={"zone": "a"})))
        again = session.apply(upsert(server("s", "127.0.0.1:80", labels={"zone": "a"})))
        self.assertEqual((again.outcome, again.version), (management.OUTCOME_UNCHANGED, first.version))
        nothing = session.apply([])
        self.assertEqual((nothing.outcome, nothing.version), (management.OUTCOME_UNCHANGED, first.version))
        only = session.apply(upsert(server("t", "127.0.0.1:80")), validate_only=True)
        self.assertEqual((only.outcome, only.version), (management.OUTCOME_UNCHANGED, first.version))
        self.assertEqual([found.name for found in api.servers()], ["s"])

    def test_a_lost_session_changes_nothing(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api)
        session.apply(upsert(server("s", "127.0.0.1:80")))
        before = api.export()
        session.cancel()
        other = self.session(api, "other")  # whose opening comes after the end of the first
        self.assertEqual(other.opened.version, before[1])
        self.assertEqual(api.export(), before)

    def test_what_is_out_of_order_ends_the_session_with_a_sentence(self):
        _, api = self.start_with_api(plane([]))
        for what, text in ((dict(transaction=management.Transaction(id=1)), "open"),
                           (dict(heartbeat=management.Heartbeat()), "open"), ({}, "message"),
                           (dict(open=management.Open(client_name="a b")), "client_name")):
            session = self.session(api, name=None)
            session.send(**what)
            code, details = session.status()
            self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn(text, details)
        session = self.session(api)
        session.apply([], id=5)
        repeated = session.apply(upsert(server("s", "127.0.0.1:80")), id=5)
        self.assertEqual((repeated.outcome, repeated.failures[0].field), (management.OUTCOME_REFUSED, "id"))

    def test_a_heartbeat_is_answered_with_the_version(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api)
        session.send(heartbeat=management.Heartbeat(version=1))
        self.assertEqual(session.read().heartbeat.version, session.opened.version)

    def test_the_end_of_the_process_is_told(self):
        fairlead, api = self.start_with_api(plane([]))
        session = self.session(api)
        fairlead.stop()
        self.assertEqual(session.status()[0], grpc.StatusCode.UNAVAILABLE)


class Watching(ApiCase):
    def test_replayed_events_are_what_is_listed(self):
        origin = self.origin()
        fairlead, api = self.start_with_api(plane({f"s{index}": origin.address for index in range(20)}))
        stream = api.observation.WatchEvents(observation.WatchEventsRequest(snapshot=True), timeout=4 * DEADLINE)
        known, actors = {}, {}
        versions = []

        def read():
            event = next(stream)
            versions.append(event.version)
            if event.HasField("resource") and event.resource.resource.HasField("server"):
                changed = event.resource.resource.server
                actors.setdefault(event.resource.change, set()).add(event.actor)
                if event.resource.change == resources.CHANGE_DELETED:
                    known.pop(changed.name)
                else:
                    known[changed.name] = changed
            return event

        while not read().HasField("snapshot_complete"):
            pass
        self.assertEqual(set(known), {f"s{index}" for index in range(20)})
        session = self.session(api, "churner")
        for index in range(40):
            session.transaction(upsert(server(f"s{index}", origin.address, weight=index)))
            session.transaction(delete(f"s{index // 2 + 5}"))
        api.management.AddServer(management.AddServerRequest(server=server("last", origin.address)), timeout=DEADLINE)
        session.transaction(upsert(server("very-last", origin.address)))
        while "very-last" not in known or "last" not in known:
            read()
        self.assertEqual(versions, sorted(versions))
        listed = {found.name: found for found in api.servers("app", lifecycles=[resources.LIFECYCLE_READY])}
        self.assertEqual(set(known), set(listed))
        for name, found in listed.items():
            replayed = known[name]
            self.assertEqual((replayed.address, replayed.weight, replayed.metadata),
                             (found.address, found.weight, found.metadata))
        self.assertEqual(actors[resources.CHANGE_CREATED], {"churner", "unary"})
        self.assertEqual(actors[resources.CHANGE_DELETED], {"churner"})
        stream.cancel()

    def test_without_a_snapshot_only_changes_come(self):
        _, api = self.start_with_api(plane({"a": "127.0.0.1:1"}))
        stream = api.observation.WatchEvents(observation.WatchEventsRequest(), timeout=DEADLINE)
        # The stream's beginning is not told, so changes are made until one is seen.
        seen = []
        reader = threading.Thread(target=lambda: seen.append(next(stream)))
        reader.start()
        changes = iter(range(2, 100_000))

        def change():
            api.apply(upsert(server("b", f"127.0.0.1:{next(changes)}")))
            return seen

        wait_until(change, "an event")
        reader.join(DEADLINE)
        self.assertEqual(seen[0].resource.resource.server.name, "b")
        stream.cancel()


if __name__ == "__main__":
    main()
