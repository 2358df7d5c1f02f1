"""What control planes get wrong, or try, in elections and resyncs and when they watch again: they are told so, and
nothing is changed by it.

Names begin with the row of the catalogue of bad input where it has one.
"""

from harness import main, plane
from harness.api import (DEADLINE, Api, ApiCase, Session, delete, grpc, management, observation, resources, server,
                         upsert)

ADDRESS = "127.0.0.1:9"


def election(low, high=0):
    return management.ElectionId(high=high, low=low)


class SessionCase(ApiCase):
    def setUp(self):
        super().setUp()
        self.fairlead, self.api = self.start_with_api(plane({f"s{index}": ADDRESS for index in range(10)}))
        # Whose calls say nothing that they were not told to say.
        self.plain = Api(self.fairlead.management, override=False)
        self.addCleanup(self.plain.close)

    def info(self):
        return self.api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def unary(self, operations, **fields):
        request = management.ApplyTransactionRequest(
            transaction=management.Transaction(id=1, operations=operations), **fields)
        return self.plain.management.ApplyTransaction(request, timeout=DEADLINE).result

    def assert_result(self, result, reason, *parts):
        self.assertEqual(result.outcome, management.OUTCOME_REFUSED, result)
        self.assertEqual([failure.reason for failure in result.failures], [reason], result)
        for part in parts:
            self.assertIn(part, result.failures[0].message)

    def names(self):
        return {item.name for item in self.api.export()[0].servers}


class Elections(SessionCase):
    def test_an_observer_may_not_write_once_there_was_an_election(self):
        primary = self.session(self.api, "primary", election_id=election(5))
        self.assertTrue(primary.opened.primary)
        observer = self.session(self.api, "observer", election_id=None)
        self.assertFalse(observer.opened.primary)
        self.assertEqual(observer.opened.highest_election_id, election(5))
        digest = self.info().digest
        self.assert_result(observer.apply(upsert(server("x", ADDRESS))), management.REASON_NOT_PRIMARY, "5")
        self.assertEqual(self.info().digest, digest)
        # Looking whether it would be taken is not writing.
        self.assertEqual(observer.apply(upsert(server("x", ADDRESS)), validate_only=True).outcome,
                         management.OUTCOME_UNCHANGED)
        self.assertEqual(primary.apply(upsert(server("x", ADDRESS))).outcome, management.OUTCOME_APPLIED)

    def test_39_a_lower_id_than_the_highest_and_a_former_primary(self):
        old = self.session(self.api, "old", election_id=election(5))
        late = self.session(self.api, "late", election_id=election(4))
        self.assertFalse(late.opened.primary)
        digest = self.info().digest
        self.assert_result(late.apply(delete("s0")), management.REASON_NOT_PRIMARY, "5")
        self.assertEqual(self.info().digest, digest)
        new = self.session(self.api, "new", election_id=election(0, high=1))  # 2^64: above 5
        self.assertTrue(new.opened.primary)
        self.assert_result(old.apply(delete("s0")), management.REASON_NOT_PRIMARY)
        self.assertEqual(self.info().digest, digest)
        self.assertEqual(new.apply(delete("s0")).outcome, management.OUTCOME_APPLIED)
        # What was refused did not end the session.
        self.assertEqual(old.end()[0], grpc.StatusCode.OK)

    def test_39_an_equal_id_means_the_newer_session(self):
        first = self.session(self.api, "same", election_id=election(7))
        second = self.session(self.api, "same", election_id=election(7))
        self.assertTrue(second.opened.primary)
        self.assert_result(first.apply(delete("s0")), management.REASON_NOT_PRIMARY)
        self.assertEqual(second.apply(delete("s0")).outcome, management.OUTCOME_APPLIED)

    def test_an_id_of_zeros_is_not_an_id(self):
        session = Session(self.api, name=None)
        session.send(open=management.Open(client_name="zero", election_id=election(0)))
        code, text = session.status()
        self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("election_id", text)

    def test_39_unary_writes_say_who_they_are(self):
        self.assertEqual(self.unary(upsert(server("x", ADDRESS))).outcome, management.OUTCOME_APPLIED)
        self.session(self.api, "primary", election_id=election(5))
        digest = self.info().digest
        for fence in (None, management.Fence(), management.Fence(election_id=election(4))):
            self.assert_result(self.unary(delete("x"), fence=fence), management.REASON_NOT_PRIMARY)
            self.assert_refused(grpc.StatusCode.FAILED_PRECONDITION, self.plain.management.DeleteServer,
                                management.DeleteServerRequest(backend="app", name="x", fence=fence))
        self.assertEqual(self.info().digest, digest)
        self.assertEqual(self.unary(delete("x"), fence=management.Fence(override=True)).outcome,
                         management.OUTCOME_APPLIED)
        self.assertEqual(self.info().highest_election_id, election(5))
        self.assertEqual(self.unary(delete("s1"), fence=management.Fence(election_id=election(6))).outcome,
                         management.OUTCOME_APPLIED)
        self.assertEqual(self.info().highest_election_id, election(6))

    def test_an_override_with_an_id_does_not_raise_the_highest(self):
        self.session(self.api, "primary", election_id=election(5))
        self.unary(delete("s1"), fence=management.Fence(override=True, election_id=election(9)))
        self.assertEqual(self.info().highest_election_id, election(5))


class Ids(SessionCase):
    def test_one_that_none_could_follow_is_refused_and_not_kept(self):
        session = self.session(self.api, "primary", election_id=election(5))
        session.transaction(upsert(server("x", ADDRESS)), id=2**63)
        self.assert_result(session.read_result(), management.REASON_INVALID, "id: 9223372036854775808 is out of range")
        session.send(begin_resync=management.BeginResync(id=2**64 - 1))
        self.assert_result(session.read_result(), management.REASON_INVALID, "is out of range")
        session.transaction(upsert(server("x", ADDRESS)), id=7)
        self.assertEqual(session.read_result().outcome, management.OUTCOME_APPLIED)


class Resyncs(SessionCase):
    def setUp(self):
        super().setUp()
        self.resyncing = self.session(self.api, "resyncing", election_id=election(1))
        self.last = 100

    def begin(self, backend=""):
        self.last += 1
        self.resyncing.send(begin_resync=management.BeginResync(id=self.last, backend=backend))
        return self.resyncing.read_result()

    def end(self, **fields):
        self.last += 1
        self.resyncing.send(end_resync=management.EndResync(id=self.last, **fields))
        return self.resyncing.read_result()

    def apply(self, operations):
        self.last += 1
        return self.resyncing.apply(operations, id=self.last)

    def test_an_end_without_a_beginning_and_a_beginning_within_another(self):
        digest = self.info().digest
        self.assert_result(self.end(), management.REASON_NO_RESYNC)
        self.assertEqual(self.begin("app").outcome, management.OUTCOME_UNCHANGED)
        self.assert_result(self.begin("app"), management.REASON_NO_RESYNC)
        self.assert_result(self.begin(), management.REASON_NO_RESYNC)
        # The first one still stands.
        self.assertEqual(self.end(cancel=True).outcome, management.OUTCOME_UNCHANGED)
        self.assert_result(self.end(), management.REASON_NO_RESYNC)
        self.assertEqual(self.info().digest, digest)

    def test_a_scope_that_is_not_there(self):
        self.assert_result(self.begin("nowhere"), management.REASON_NOT_FOUND, "nowhere")
        self.assert_result(self.end(), management.REASON_NO_RESYNC)

    def test_an_operation_outside_the_scope(self):
        self.apply([management.Operation(upsert=management.Resource(backend=resources.Backend(name="other")))])
        digest = self.info().digest
        self.begin("app")
        for operation in (upsert(server("x", ADDRESS, backend="other")), delete("x", backend="other"),
                          [management.Operation(upsert=management.Resource(backend=resources.Backend(name="other")))],
                          [management.Operation(delete=management.Delete(listener="web"))]):
            self.assert_result(self.apply(operation), management.REASON_OUT_OF_SCOPE, "app")
        self.assertEqual(self.info().digest, digest)
        self.end(cancel=True)
        self.assertEqual(self.apply(upsert(server("x", ADDRESS, backend="other"))).outcome, management.OUTCOME_APPLIED)

    def test_40_more_than_half_is_not_removed_by_mistake(self):
        digest = self.info().digest
        self.begin("app")
        self.apply(upsert(*[server(f"s{index}", ADDRESS) for index in range(4)]))
        self.assert_result(self.end(), management.REASON_MASS_REMOVAL, "6", "10")
        self.assert_result(self.end(max_removal_percent=59), management.REASON_MASS_REMOVAL)
        self.assertEqual(self.info().digest, digest)
        version = self.info().version
        # A refused end leaves it open: one more is named, and half may go.
        self.apply(upsert(server("s4", ADDRESS)))
        self.assertEqual(self.end().outcome, management.OUTCOME_APPLIED)
        self.assertEqual(self.names(), {f"s{index}" for index in range(5)})
        self.assertEqual(self.info().version, version + 1)

    def test_40_all_may_go_where_that_is_said(self):
        self.begin("app")
        self.assert_result(self.end(max_removal_percent=99), management.REASON_MASS_REMOVAL)
        self.assertEqual(self.end(max_removal_percent=100).outcome, management.OUTCOME_APPLIED)
        self.assertEqual(self.names(), set())

    def test_40_the_one_that_is_may_always_go(self):
        self.apply(delete(*[f"s{index}" for index in range(1, 10)]))
        self.begin("app")
        self.assertEqual(self.end(max_removal_percent=1).outcome, management.OUTCOME_APPLIED)
        self.assertEqual(self.names(), set())

    def test_a_share_above_100_is_malformed(self):
        self.begin("app")
        self.assert_result(self.end(max_removal_percent=101), management.REASON_INVALID, "101", "100")

    def test_all_that_is_there_named_again_changes_nothing(self):
        version, digest = self.info().version, self.info().digest
        whole = self.api.export()[0]
        self.begin()
        self.apply([management.Operation(upsert=management.Resource(backend=item)) for item in whole.backends]
                   + upsert(*whole.servers)
                   + [management.Operation(upsert=management.Resource(listener=item)) for item in whole.listeners])
        self.assertEqual(self.end().outcome, management.OUTCOME_UNCHANGED)
        self.assertEqual((self.info().version, self.info().digest), (version, digest))
        self.assertEqual(self.api.export()[0], whole)

    def test_a_whole_resync_removes_backends_and_listeners_that_nobody_named(self):
        self.apply([management.Operation(upsert=management.Resource(backend=resources.Backend(
            name="other", servers=[server("o", ADDRESS, backend="other")])))])
        whole = self.api.export()[0]
        self.begin()
        self.apply([management.Operation(upsert=management.Resource(backend=item)) for item in whole.backends
                    if item.name == "app"] + upsert(*[item for item in whole.servers if item.backend == "app"])
                   + [management.Operation(upsert=management.Resource(listener=item)) for item in whole.listeners])
        self.assertEqual(self.end().outcome, management.OUTCOME_APPLIED)
        after = self.api.export()[0]
        self.assertEqual([item.name for item in after.backends], ["app"])
        self.assertEqual(len(after.servers), 10)

    def test_a_backend_that_a_listener_names_does_not_go_with_a_resync(self):
        digest = self.info().digest
        whole = self.api.export()[0]
        self.begin()
        self.apply([management.Operation(upsert=management.Resource(listener=item)) for item in whole.listeners])
        self.assert_result(self.end(max_removal_percent=100), management.REASON_IN_USE, "app")
        self.assertEqual(self.info().digest, digest)

    def test_a_session_that_is_lost_in_its_resync_removes_nothing(self):
        digest = self.info().digest
        self.begin("app")
        self.apply(upsert(server("s0", ADDRESS)))
        self.resyncing.cancel()
        self.api.apply([], validate_only=True)
        self.assertEqual(self.info().digest, digest)
        again = self.session(self.api, "again", election_id=election(2))
        again.send(end_resync=management.EndResync(id=1))
        self.assert_result(again.read_result(), management.REASON_NO_RESYNC)

    def test_what_others_add_meanwhile_is_spared(self):
        self.begin("app")
        self.apply(upsert(*[server(f"s{index}", ADDRESS) for index in range(9)]))
        self.unary(upsert(server("meanwhile", ADDRESS)), fence=management.Fence(override=True))
        self.assertEqual(self.end().outcome, management.OUTCOME_APPLIED)
        self.assertEqual(self.names(), {f"s{index}" for index in range(9)} | {"meanwhile"})


class WatchingAgain(SessionCase):
    def watch(self, **fields):
        call = self.api.observation.WatchEvents(observation.WatchEventsRequest(**fields), timeout=DEADLINE)
        self.addCleanup(call.cancel)
        return call

    def assert_ended(self, code, *parts, **fields):
        with self.assertRaises(grpc.RpcError) as caught:
            for event in self.watch(**fields):
                self.fail(event)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        for part in parts:
            self.assertIn(part, caught.exception.details())

    def test_64_of_another_epoch_or_of_the_future(self):
        info = self.info()
        for epoch, version in ((info.epoch + 1, info.version), (info.epoch, info.version + 1), (0, 0)):
            self.assert_ended(grpc.StatusCode.OUT_OF_RANGE, f"version {version} of epoch {epoch} cannot",
                              f"of epoch {info.epoch};", epoch=epoch, version=version)
            first = next(self.watch(snapshot=True, epoch=epoch, version=version))
            self.assertTrue(first.HasField("too_old"), first)
            self.assertEqual(first.too_old.epoch, info.epoch)

    def test_64_one_without_the_other(self):
        info = self.info()
        self.assert_ended(grpc.StatusCode.INVALID_ARGUMENT, "epoch", version=info.version)
        self.assert_ended(grpc.StatusCode.INVALID_ARGUMENT, "version", epoch=info.epoch)

    def test_what_was_missed_comes_without_a_snapshot(self):
        info = self.info()
        for index in range(20):
            self.api.apply(upsert(server(f"n{index}", ADDRESS)))
        for after in (info.version, info.version + 7):
            call = self.watch(snapshot=True, epoch=info.epoch, version=after)
            seen = [next(call) for _ in range(info.version + 20 - after)]
            self.assertEqual([event.version for event in seen], list(range(after + 1, info.version + 21)))
            self.assertEqual([event.resource.resource.server.name for event in seen],
                             [f"n{version - info.version - 1}" for version in range(after + 1, info.version + 21)])


if __name__ == "__main__":
    main()
