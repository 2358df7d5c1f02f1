"""Elections, resyncs and watches that go on, as control planes in another language use them."""

from harness import main, plane
from harness.api import DEADLINE, Api, ApiCase, delete, grpc, management, observation, resources, server, upsert

NOT_PRIMARY = management.REASON_NOT_PRIMARY


def election_id(low):
    return management.ElectionId(low=low)


class Elections(ApiCase):
    def test_39_an_old_primary_is_refused_from_the_new_ones_opening_on(self):
        fairlead, api = self.start_with_api(plane([]))
        old = self.session(api, "old", election_id=election_id(1))
        self.assertEqual(old.apply(upsert(server("kept", "127.0.0.1:1"))).outcome, management.OUTCOME_APPLIED)
        new = self.session(api, "new", election_id=election_id(2))
        self.assertTrue(new.opened.primary)
        refused = old.apply(delete("kept"))
        self.assertEqual((refused.outcome, refused.failures[0].reason), (management.OUTCOME_REFUSED, NOT_PRIMARY))
        self.assertIn("lower than 2", refused.failures[0].message)
        self.assertEqual([found.name for found in api.servers()], ["kept"])
        self.assertEqual(new.apply(delete("kept")).outcome, management.OUTCOME_APPLIED)
        plain = Api(fairlead.management, override=False)
        self.addCleanup(plain.close)
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, plain.management.AddServer,
                            management.AddServerRequest(server=server("s", "127.0.0.1:1")), "fence", "2")
        stale = management.Fence(election_id=election_id(1))
        self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, plain.management.AddServer,
                            management.AddServerRequest(server=server("s", "127.0.0.1:1"), fence=stale), "lower than 2")

    def test_an_observer_reads_and_does_not_write(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api, election_id=None)
        self.assertFalse(session.opened.primary)
        self.assertFalse(session.opened.HasField("highest_election_id"))
        for _ in range(2):
            self.assertEqual(session.apply(upsert(server("s", "127.0.0.1:1"))).failures[0].reason, NOT_PRIMARY)
        session.send(heartbeat=management.Heartbeat())
        self.assertEqual(session.read().heartbeat.version, session.opened.version)

    def test_fairleadctl_says_which_option_writes_all_the_same(self):
        fairlead, api = self.start_with_api(plane([]))
        self.session(api, election_id=election_id(7))
        refused = fairlead.ctl("server", "add", "app/s1", "127.0.0.1:1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--override", refused.stderr)
        self.ctl(fairlead, "server", "add", "app/s1", "127.0.0.1:1", "--override")
        self.ctl(fairlead, "server", "set", "app/s1", "--weight", "2", "--election-id", "7")
        file = "resources: {backends: [{name: app, servers: [{name: s1, address: '127.0.0.1:3'}]}]}"
        refused = fairlead.ctl("apply", "-f", "-", stdin=file)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--override", refused.stderr)
        self.ctl(fairlead, "apply", "-f", "-", "--override", stdin=file)

    def test_a_thousand_sessions_at_once(self):
        fairlead, api = self.start_with_api(plane([]))
        sessions = []
        for _ in range(20):
            client = self.api_of(fairlead)
            sessions += [self.session(client, election_id=election_id(len(sessions) + 1)) for _ in range(50)]
        self.assertEqual(sessions[0].apply([]).failures[0].reason, NOT_PRIMARY)
        self.assertEqual(sessions[-1].apply(upsert(server("s", "127.0.0.1:1"))).outcome, management.OUTCOME_APPLIED)


class BadSequences(ApiCase):
    def test_the_first_message_is_open_and_the_only_one(self):
        _, api = self.start_with_api(plane([]))
        for first in (dict(transaction=management.Transaction(id=1)), dict(heartbeat=management.Heartbeat()),
                      dict(begin_resync=management.BeginResync(id=1)), dict(end_resync=management.EndResync(id=1)), {},
                      dict(open=management.Open(client_name="a", election_id=management.ElectionId()))):
            session = self.session(api, name=None)
            session.send(**first)
            self.assertEqual(session.status()[0], grpc.StatusCode.INVALID_ARGUMENT, first)
        session = self.session(api)
        session.send(open=management.Open(client_name="again"))
        code, details = session.status()
        self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("was sent already", details)

    def test_a_message_over_the_limit_ends_that_stream_only(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api)
        session.transaction(upsert(server("s", "127.0.0.1:1", labels={"long": "x" * (5 << 20)})))
        self.assertEqual(session.status()[0], grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(self.session(api).apply([]).outcome, management.OUTCOME_UNCHANGED)


class Resyncs(ApiCase):
    def test_40_what_is_not_named_goes_unless_it_is_too_much(self):
        _, api = self.start_with_api(plane([f"127.0.0.1:{port}" for port in range(1001, 1005)]))
        names = [found.name for found in api.servers()]
        session = self.session(api)
        self.assertEqual(session.end_resync().failures[0].reason, management.REASON_NO_RESYNC)
        self.assertEqual(session.begin_resync(backend="app").outcome, management.OUTCOME_UNCHANGED)
        self.assertEqual(session.begin_resync().failures[0].reason, management.REASON_NO_RESYNC)
        outside = session.apply([management.Operation(upsert=management.Resource(
            backend=resources.Backend(name="other")))])
        self.assertEqual(outside.failures[0].reason, management.REASON_OUT_OF_SCOPE)
        session.apply(upsert(server(names[0], "127.0.0.1:1001")))
        refused = session.end_resync()
        self.assertEqual(refused.failures[0].reason, management.REASON_MASS_REMOVAL)
        self.assertIn("3 of 4 servers of backend app", refused.failures[0].message)
        self.assertEqual(len(api.servers()), 4)
        done = session.end_resync(max_removal_percent=75)
        self.assertEqual((done.outcome, done.version), (management.OUTCOME_APPLIED, session.opened.version + 1))
        ready = api.servers(lifecycles=[resources.LIFECYCLE_READY])
        self.assertEqual([found.name for found in ready], [names[0]])

    def test_a_lost_session_removes_nothing(self):
        _, api = self.start_with_api(plane(["127.0.0.1:1001"]))
        session = self.session(api)
        session.begin_resync()
        session.cancel()
        next_session = self.session(api)
        self.assertEqual(next_session.end_resync(max_removal_percent=100).failures[0].reason,
                         management.REASON_NO_RESYNC)
        self.assertEqual(len(api.servers()), 1)


class Watches(ApiCase):
    def read(self, api, count, **fields):
        stream = api.observation.WatchEvents(observation.WatchEventsRequest(**fields), timeout=DEADLINE)
        events = [next(stream) for _ in range(count)]
        stream.cancel()
        return events

    def test_64_events_after_a_version_come_exactly_once(self):
        _, api = self.start_with_api(plane([]))
        session = self.session(api)
        epoch, version = session.opened.epoch, session.opened.version
        for number in range(10):
            session.apply(upsert(server(f"s{number}", "127.0.0.1:1")))
        events = self.read(api, 10, epoch=epoch, version=version)
        self.assertEqual([event.version for event in events], list(range(version + 1, version + 11)))
        rest = self.read(api, 5, epoch=epoch, version=events[4].version, sequence=events[4].sequence)
        self.assertEqual([event.sequence for event in rest], [event.sequence for event in events[5:]])
        for bad in (dict(epoch=epoch + 1, version=version), dict(epoch=epoch, version=version + 100)):
            with self.assertRaises(grpc.RpcError) as caught:
                self.read(api, 1, **bad)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.OUT_OF_RANGE)
            first, second = self.read(api, 2, snapshot=True, **bad)
            self.assertEqual(first.too_old.epoch, epoch)
            self.assertTrue(second.HasField("resource"))


if __name__ == "__main__":
    main()
