"""What acknowledgements, drains and statistics mean for the requests of clients."""

import threading

from harness import Connection, fetch, get, main, plane
from harness.api import DEADLINE, ApiCase, delete, grpc, management, observation, resources, server, upsert


class Traffic(ApiCase):
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
        other = self.session(api, "other", server_events=True)
        # The newer one is primary.
        session = self.session(api, server_events=True)
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


if __name__ == "__main__":
    main()
