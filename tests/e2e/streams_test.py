"""The management API's streams and unary calls as a control plane in another language uses them."""

import threading

from harness import Case, Connection, fetch, get, main, plane, wait_until
from harness.api import DEADLINE, Api, Session, delete, grpc, management, observation, resources, server, upsert
from harness.processes import program, run


class StreamCase(Case):
    def start_with_api(self, configuration):
        fairlead = self.start(configuration)
        return fairlead, self.api_of(fairlead)

    def api_of(self, fairlead):
        api = Api(fairlead.management)
        self.addCleanup(api.close)
        return api

    def session(self, api, name="test", **fields):
        session = Session(api, name, **fields)
        self.addCleanup(session.cancel)
        return session

    def assert_refused(self, code, call, request, *parts):
        with self.assertRaises(grpc.RpcError) as caught:
            call(request, timeout=DEADLINE)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        for part in parts:
            self.assertIn(part, caught.exception.details())


class Sessions(StreamCase):
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


class Traffic(StreamCase):
    """An acknowledgement is about requests: those after it."""

    def test_the_next_request_sees_an_addition_and_none_after_a_deletion_comes(self):
        """Over both workers, on connections that were open before: more than 30, so that each worker has some."""
        stays, comes = self.origin("stays"), self.origin("comes")
        fairlead, api = self.start_with_api(plane({"stays": stays.address}))
        session = self.session(api)
        clients = [Connection(fairlead.address()) for _ in range(32)]
        for client in clients:
            self.addCleanup(client.close)
            client.request(get())
        for _ in range(10):
            self.assertEqual(session.apply(upsert(server("comes", comes.address))).outcome, management.OUTCOME_APPLIED)
            # In turn on each worker: of two requests on one connection, with nothing between, one is the newcomer's.
            for client in clients[::4]:
                client.send(get() + get())
                bodies = {client.read_response().body for _ in range(2)}
                self.assertIn(b"comes", bodies)
            self.assertEqual(session.apply(delete("comes")).outcome, management.OUTCOME_APPLIED)
            reached = comes.count
            for client in clients:
                client.send(get())
            self.assertEqual({client.read_response().body for client in clients}, {b"stays"})
            self.assertEqual(comes.count, reached)

    def test_churn_under_load_fails_no_request(self):
        origins = [self.origin(f"o{index}") for index in range(3)]
        fairlead, api = self.start_with_api(plane({"stays": origins[0].address}))
        session = self.session(api)
        stopping = threading.Event()
        wrong = []
        counts = [0] * 4

        def load(number):
            with Connection(fairlead.address()) as client:
                while not stopping.is_set():
                    try:
                        answer = client.request(get())
                    except (EOFError, OSError) as error:
                        return wrong.append(error)
                    counts[number] += 1
                    if answer.status != 200 or not answer.is_whole:
                        wrong.append(answer)

        threads = [threading.Thread(target=load, args=(number,)) for number in range(len(counts))]
        for thread in threads:
            thread.start()
        for index in range(150):
            session.apply(upsert(server("x", origins[1].address), server(f"y{index}", origins[2].address)))
            session.apply(delete("x", f"y{index}"))
        stopping.set()
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(wrong, [])
        self.assertTrue(all(counts), counts)
        self.assertEqual(sum(counts), sum(origin.count for origin in origins))

    def test_a_drain_is_told_from_its_beginning_to_its_end(self):
        origin = self.origin()
        fairlead, api = self.start_with_api(plane({"s": origin.address}))
        session = self.session(api, server_events=True)
        other = self.session(api, "other", server_events=True)
        uid = api.servers()[0].metadata.uid
        origin.hold()
        with Connection(fairlead.address()) as finishes:
            finishes.send(get())
            origin.wait_for_requests(1)
            session.apply(delete("s"))
            draining = session.read_event()
            self.assertEqual((draining.lifecycle, draining.uid), (resources.LIFECYCLE_DRAINING, uid))
            self.assertEqual([found.status.lifecycle for found in api.servers()], [resources.LIFECYCLE_DRAINING])
            origin.release()
            self.assertEqual(finishes.read_response().body, b"origin")
        removed = session.read_event()
        self.assertEqual((removed.lifecycle, removed.uid, removed.cut_off), (resources.LIFECYCLE_REMOVED, uid, 0))
        self.assertEqual((removed.server.backend, removed.server.name), ("app", "s"))
        self.assertEqual(api.servers(), [])
        # Events go to the session that caused them; this one's next message is the answer to its heartbeat.
        other.send(heartbeat=management.Heartbeat())
        self.assertTrue(other.read().HasField("heartbeat"))

    def test_what_is_left_at_the_deadline_is_cut_off_and_counted(self):
        origin = self.origin()
        fairlead, api = self.start_with_api(plane({"s": origin.address}))
        session = self.session(api, server_events=True)
        origin.hold()
        clients = [Connection(fairlead.address()) for _ in range(5)]
        for client in clients:
            self.addCleanup(client.close)
            client.send(get())
        origin.wait_for_requests(5)
        drain = resources.Drain()
        drain.timeout.FromMilliseconds(200)
        session.apply(delete("s", drain=drain))
        self.assertEqual(session.read_event().lifecycle, resources.LIFECYCLE_DRAINING)
        removed = session.read_event()
        self.assertEqual((removed.lifecycle, removed.cut_off), (resources.LIFECYCLE_REMOVED, 5))
        self.assertEqual({client.read_response().status for client in clients}, {503})
        fairlead.wait_for_access("status=503", "end=drain_deadline")

    def test_a_name_that_drains_can_be_added_again_beside_it(self):
        old, new = self.origin("old"), self.origin("new")
        fairlead, api = self.start_with_api(plane({"s": old.address}))
        session = self.session(api, server_events=True)
        old.hold()
        with Connection(fairlead.address()) as finishes:
            finishes.send(get())
            old.wait_for_requests(1)
            session.apply(delete("s"))
            session.apply(upsert(server("s", new.address)))
            self.assertEqual(fetch(fairlead.address()).body, b"new")
            uids = {found.status.lifecycle: found.metadata.uid for found in api.servers()}
            self.assertEqual(set(uids), {resources.LIFECYCLE_DRAINING, resources.LIFECYCLE_READY})
            old.release()
            self.assertEqual(finishes.read_response().body, b"old")
        events = [session.read_event()]
        while events[-1].lifecycle != resources.LIFECYCLE_REMOVED:
            events.append(session.read_event())
        self.assertEqual(events[-1].uid, uids[resources.LIFECYCLE_DRAINING])
        self.assertEqual([found.metadata.uid for found in api.servers()], [uids[resources.LIFECYCLE_READY]])

    def test_admin_states_drain_and_bring_back(self):
        origin = self.origin()
        fairlead, api = self.start_with_api(plane({"s": origin.address}))
        session = self.session(api, server_events=True)

        def enter(state):
            patch = management.Patch(resource=management.Resource(server=server("s", "", admin_state=state)))
            patch.update_mask.paths.append("admin_state")
            session.apply([management.Operation(patch=patch)])

        origin.hold()
        with Connection(fairlead.address()) as finishes:
            finishes.send(get())
            origin.wait_for_requests(1)
            enter(resources.ADMIN_STATE_DRAIN)
            self.assertEqual(session.read_event().lifecycle, resources.LIFECYCLE_DRAINING)
            self.assertEqual(fetch(fairlead.address()).status, 503)
            origin.release()
            self.assertEqual(finishes.read_response().status, 200)
        drained = session.read_event()
        self.assertEqual((drained.lifecycle, drained.cut_off), (resources.LIFECYCLE_DRAINED, 0))
        enter(resources.ADMIN_STATE_READY)
        self.assertEqual(session.read_event().lifecycle, resources.LIFECYCLE_READY)
        self.assertEqual(fetch(fairlead.address()).status, 200)

    def test_statistics_have_no_gaps(self):
        origin = self.origin(answer=None)
        fairlead, api = self.start_with_api(plane({"a": origin.address, "b": origin.address}))
        request = observation.StreamStatisticsRequest(servers=True)
        request.interval.FromMilliseconds(20)
        stream = api.observation.StreamStatistics(request, timeout=4 * DEADLINE)
        first = next(stream)
        sent = 400

        def load(count):
            with Connection(fairlead.address()) as client:
                for _ in range(count):
                    client.request(get())

        threads = [threading.Thread(target=load, args=(sent // 4,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        total = {"started": 0, "finished": 0, "by_server": 0, "latency": 0, "2xx": 0, "accepted": 0}
        end = first.end
        parts = [first]
        while total["finished"] < sent:
            part = next(stream)
            parts.append(part)
            self.assertEqual(part.start, end)
            self.assertGreater(part.end.ToNanoseconds(), part.start.ToNanoseconds())
            end = part.end
            counters = part.backends[0].counters
            total["started"] += counters.started
            total["finished"] += counters.finished
            total["by_server"] += sum(item.counters.finished for item in part.backends[0].servers)
            total["latency"] += sum(bucket.count for bucket in counters.latency.buckets)
            total["2xx"] += counters.statuses[1] if len(counters.statuses) > 1 else 0
            total["accepted"] += part.listeners[0].connections_accepted
        for thread in threads:
            thread.join(DEADLINE)
        last = next(stream)
        self.assertEqual(total, {"started": sent, "finished": sent, "by_server": sent, "latency": sent, "2xx": sent,
                                 "accepted": 4})
        self.assertEqual((last.backends[0].counters.finished, last.backends[0].counters.in_flight), (0, 0))
        self.assertEqual(last.backends[0].eligible_servers, 2)
        stream.cancel()
        for milliseconds in (9, 3_600_001):
            request.interval.FromMilliseconds(milliseconds)
            with self.assertRaises(grpc.RpcError) as caught:
                next(api.observation.StreamStatistics(request, timeout=DEADLINE))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn("interval", caught.exception.details())

    def test_in_flight_is_seen_by_statistics_and_lists(self):
        origin = self.origin()
        fairlead, api = self.start_with_api(plane({"a": origin.address}))
        origin.hold()
        clients = [Connection(fairlead.address()) for _ in range(3)]
        for client in clients:
            self.addCleanup(client.close)
            client.send(get())
        origin.wait_for_requests(3)
        self.assertEqual(api.servers()[0].status.in_flight, 3)
        request = observation.StreamStatisticsRequest(backends=["app"])
        request.interval.FromMilliseconds(20)
        stream = api.observation.StreamStatistics(request, timeout=DEADLINE)
        next(stream)
        self.assertEqual(next(stream).backends[0].counters.in_flight, 3)
        stream.cancel()
        origin.release()
        for client in clients:
            client.read_response()


class Watching(StreamCase):
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
                if event.resource.change == observation.CHANGE_DELETED:
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
        self.assertEqual(actors[observation.CHANGE_CREATED], {"churner", "unary"})
        self.assertEqual(actors[observation.CHANGE_DELETED], {"churner"})
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


class Unary(StreamCase):
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

    def test_what_is_not_there_yet_says_so(self):
        _, api = self.start_with_api(plane([]))
        calls = api.management
        for call, request in ((calls.AddCertificate, management.AddCertificateRequest()),
                              (calls.UpdateCertificate, management.UpdateCertificateRequest()),
                              (calls.DeleteCertificate, management.DeleteCertificateRequest()),
                              (calls.GetCertificate, management.GetCertificateRequest()),
                              (calls.ListCertificates, management.ListCertificatesRequest()),
                              (calls.ApplyTransaction,
                               management.ApplyTransactionRequest(election_id=management.ElectionId(low=1)))):
            self.assert_refused(grpc.StatusCode.UNIMPLEMENTED, call, request)
        for request in (dict(begin_resync=management.BeginResync()), dict(end_resync=management.EndResync())):
            session = self.session(api)
            session.send(**request)
            code, details = session.status()
            self.assertEqual(code, grpc.StatusCode.UNIMPLEMENTED)
            self.assertIn("resync", details)
        session = self.session(api, name=None)
        session.send(open=management.Open(client_name="a", election_id=management.ElectionId(low=1)))
        self.assertEqual(session.status()[0], grpc.StatusCode.UNIMPLEMENTED)
        with self.assertRaises(grpc.RpcError) as caught:
            next(api.observation.WatchEvents(observation.WatchEventsRequest(epoch=1, version=1), timeout=DEADLINE))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        refused = api.apply(upsert(server("s", "127.0.0.1:80", max_connections=5)))
        self.assertEqual((refused.failures[0].reason, refused.failures[0].field),
                         (management.REASON_UNIMPLEMENTED, "max_connections"))

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
