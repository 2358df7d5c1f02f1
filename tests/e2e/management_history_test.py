"""Repetitions of a transaction, what became of one, and the versions before: what they answer, and what is refused.

Names begin with the row of the catalogue of bad input where it has one.
"""

import signal

from harness import main, plane
from harness.api import DEADLINE, ApiCase, delete, grpc, management, resources, server, upsert

ADDRESS = "127.0.0.1:9"


class HistoryCase(ApiCase):
    def setUp(self):
        super().setUp()
        self.state = self.folder / "state"
        self.fairlead, self.api = self.start_with_api(plane([ADDRESS], state_directory=str(self.state)))
        self.calls = self.api.management

    def info(self):
        return self.calls.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def repeat(self, number, operations, client="ci"):
        return self.calls.ApplyTransaction(management.ApplyTransactionRequest(
            client_name=client, transaction=management.Transaction(id=number, operations=operations)),
            timeout=DEADLINE).result

    def restart(self):
        self.fairlead.stop()
        self.fairlead, self.api = self.start_with_api({"state_directory": str(self.state)})
        self.calls = self.api.management


class Repetitions(HistoryCase):
    def test_37_the_same_id_with_the_same_content_is_applied_once(self):
        first = self.repeat(7, upsert(server("x", ADDRESS)))
        self.assertEqual(first.outcome, management.OUTCOME_APPLIED)
        self.repeat(8, delete("x"))
        info = self.info()
        again = self.repeat(7, upsert(server("x", ADDRESS)))
        self.assertEqual((again.outcome, again.version, again.id), (first.outcome, first.version, 7))
        self.assertEqual((self.info().version, self.info().digest), (info.version, info.digest))
        self.restart()
        again = self.repeat(7, upsert(server("x", ADDRESS)))
        self.assertEqual((again.outcome, again.version, again.id), (first.outcome, first.version, 7))
        self.assertEqual((self.info().version, self.info().digest), (info.version, info.digest))

    def test_37_one_that_was_partial_says_so_again(self):
        operations = upsert(server("x", ADDRESS), server("y", ADDRESS, weight=300))
        request = management.ApplyTransactionRequest(client_name="ci", transaction=management.Transaction(
            id=9, operations=operations, atomicity=management.ATOMICITY_EACH))
        first, again = (self.calls.ApplyTransaction(request, timeout=DEADLINE).result for _ in range(2))
        self.assertEqual(first.outcome, management.OUTCOME_PARTIAL)
        self.assertEqual(again, first)

    def test_38_the_same_id_with_other_content(self):
        self.repeat(7, upsert(server("x", ADDRESS)))
        info = self.info()
        for operations in (upsert(server("x", ADDRESS, weight=2)), delete("x"), [],
                           upsert(server("x", ADDRESS), server("y", ADDRESS))):
            result = self.repeat(7, operations)
            self.assertEqual(result.outcome, management.OUTCOME_REFUSED)
            self.assertEqual([failure.reason for failure in result.failures], [management.REASON_REQUEST_ID_REUSED])
            self.assertIn("7", result.failures[0].message)
        self.assertEqual((self.info().version, self.info().digest), (info.version, info.digest))
        # Another client's ids are its own.
        self.assertEqual(self.repeat(7, delete("x"), client="other").outcome, management.OUTCOME_APPLIED)

    def test_37_an_id_of_zero_tells_nothing_apart(self):
        info = self.info()
        try:
            result = self.repeat(0, upsert(server("x", ADDRESS)))
            self.assertEqual([failure.reason for failure in result.failures], [management.REASON_INVALID])
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(self.info().digest, info.digest)

    def test_37_what_was_refused_may_be_sent_again_with_its_id(self):
        self.assertEqual(self.repeat(7, upsert(server("x", ADDRESS, weight=300))).outcome, management.OUTCOME_REFUSED)
        self.assertEqual(self.repeat(7, upsert(server("x", ADDRESS, weight=30))).outcome, management.OUTCOME_APPLIED)

    def test_60_what_became_of_a_transaction(self):
        result = self.repeat(7, upsert(server("x", ADDRESS)))
        session = self.session(self.api, "stream")
        streamed = session.apply(upsert(server("y", ADDRESS)), id=40)
        self.repeat(9, upsert(server("x", ADDRESS)))  # changes nothing
        for _ in range(2):
            for client, number, version in (("ci", 7, result.version), ("stream", 40, streamed.version)):
                answer = self.calls.GetTransaction(management.GetTransactionRequest(client_name=client, id=number),
                                                   timeout=DEADLINE)
                self.assertEqual(answer.version, version)
                self.assertGreater(answer.time.seconds, 1_600_000_000)
            for client, number in (("ci", 8), ("ci", 9), ("stream", 7), ("nobody", 7)):
                self.assert_refused(grpc.StatusCode.NOT_FOUND, self.calls.GetTransaction,
                                    management.GetTransactionRequest(client_name=client, id=number), client,
                                    str(number))
            session.cancel()
            self.restart()
        self.assertEqual(self.session(self.api, "stream").opened.last_transaction_id, 40)


class Versions(HistoryCase):
    def setUp(self):
        super().setUp()
        self.first = self.info()
        self.api.apply(upsert(server("x", ADDRESS)))
        self.api.apply(upsert(server("x", ADDRESS, weight=5), server("y", ADDRESS)))
        self.api.apply(delete("x"))
        self.last = self.info()

    def history(self, **fields):
        return self.calls.ListHistory(management.ListHistoryRequest(**fields), timeout=DEADLINE)

    def differences(self, old, new):
        found = []
        for part in self.calls.DiffVersions(management.DiffVersionsRequest(from_version=old, to_version=new),
                                            timeout=DEADLINE):
            found += part.differences
        return {(item.before if item.HasField("before") else item.after).server.name: item for item in found}

    def test_the_versions_are_told_newest_first(self):
        entries = self.history().entries
        self.assertEqual([entry.version for entry in entries[:3]],
                         [self.last.version, self.last.version - 1, self.last.version - 2])
        self.assertEqual([(change.change, change.resource) for change in entries[0].changes],
                         [(resources.CHANGE_DELETED, "server app/x")])
        self.assertEqual(entries[1].changes_total, 2)
        self.assertEqual(entries[0].actor, "unary")

    def test_65_pages_of_history(self):
        seen, token = [], ""
        while True:
            page = self.history(page_size=1, page_token=token)
            self.assertEqual(len(page.entries), 1)
            seen += [entry.version for entry in page.entries]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(seen, sorted(seen, reverse=True))
        self.assertEqual(seen[:2], [self.last.version, self.last.version - 1])
        for fields in ({"page_size": -1}, {"page_token": "garbage"}, {"page_token": token + "x"}):
            self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, self.calls.ListHistory,
                                management.ListHistoryRequest(**fields))

    def test_very_many_readers_at_once(self):
        """So many wait as may, others are told so, and whoever opens a session or writes does not wait for them."""
        apis = [self.api_of(self.fairlead) for _ in range(20)]
        for api in apis:
            api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)
        # So that all come at once.
        self.fairlead.signal(signal.SIGSTOP)
        readers = [api.management.ListHistory.future(management.ListHistoryRequest(), timeout=DEADLINE)
                   for _ in range(100) for api in apis]
        self.fairlead.signal(signal.SIGCONT)
        self.session(self.api).apply(upsert(server("z", ADDRESS)))
        answered = [reader.result() for reader in readers if reader.exception() is None]
        refused = [reader.exception() for reader in readers if reader.exception() is not None]
        self.assertGreaterEqual(len(answered), 64)
        self.assertGreater(len(refused), 0)
        for error in refused:
            self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED, error.details())
            self.assertIn("64 readers of the history wait already; try again later", error.details())
        for answer in answered:
            self.assertIn(self.last.version, [entry.version for entry in answer.entries])
        self.assertEqual(self.history().entries[0].version, self.last.version + 1)

    def test_differences_say_before_and_after(self):
        forward = self.differences(self.first.version, self.last.version - 1)
        self.assertEqual({name: item.change for name, item in forward.items()},
                         {"x": resources.CHANGE_CREATED, "y": resources.CHANGE_CREATED})
        self.assertEqual(forward["x"].after.server, server("x", ADDRESS, weight=5))
        changed = self.differences(self.last.version - 2, self.last.version - 1)
        self.assertEqual((changed["x"].before.server, changed["x"].after.server),
                         (server("x", ADDRESS), server("x", ADDRESS, weight=5)))
        self.assertEqual(set(self.differences(self.first.version, 0)), {"y"})
        backward = self.differences(self.last.version - 1, self.first.version)
        self.assertEqual({item.change for item in backward.values()}, {resources.CHANGE_DELETED})
        self.assertEqual(self.differences(self.last.version, self.last.version), {})

    def test_64_versions_that_history_does_not_reach(self):
        oldest = self.history().oldest_version
        for bad in (self.last.version + 1, 1 << 63):
            call = self.calls.DiffVersions(management.DiffVersionsRequest(from_version=bad), timeout=DEADLINE)
            with self.assertRaises(grpc.RpcError) as caught:
                list(call)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.OUT_OF_RANGE)
            self.assertIn(str(oldest), caught.exception.details())
            self.assert_refused(grpc.StatusCode.OUT_OF_RANGE, self.calls.Rollback,
                                management.RollbackRequest(version=bad), str(oldest))
        self.assertEqual(self.info().digest, self.last.digest)

    def test_a_rollback_is_a_transaction_of_its_own(self):
        trial = self.calls.Rollback(management.RollbackRequest(version=self.first.version, validate_only=True),
                                    timeout=DEADLINE)
        self.assertEqual((trial.result.outcome, trial.changes_total), (management.OUTCOME_UNCHANGED, 1))
        self.assertEqual(self.info().digest, self.last.digest)
        stale = self.calls.Rollback(management.RollbackRequest(
            version=self.first.version, expected_version=self.last.version - 1), timeout=DEADLINE).result
        self.assertEqual([failure.reason for failure in stale.failures], [management.REASON_VERSION_MISMATCH])
        self.assertEqual(self.info().digest, self.last.digest)
        done = self.calls.Rollback(management.RollbackRequest(version=self.first.version), timeout=DEADLINE)
        self.assertEqual((done.result.outcome, done.result.version),
                         (management.OUTCOME_APPLIED, self.last.version + 1))
        self.assertEqual(self.info().digest, self.first.digest)
        # And back again.
        self.calls.Rollback(management.RollbackRequest(version=self.last.version), timeout=DEADLINE)
        self.assertEqual(self.info().digest, self.last.digest)
        self.restart()
        self.assertEqual(self.info().digest, self.last.digest)

    def test_a_rollback_to_nowhere_removes_nothing(self):
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, self.calls.Rollback, management.RollbackRequest(),
                            "version: is 0 or not set")
        self.assertEqual(self.info().digest, self.last.digest)

    def test_every_version_can_be_gone_back_to_after_a_restart(self):
        digests = {}
        for index in range(30):
            self.api.apply(upsert(server(f"n{index % 7}", ADDRESS, weight=index)) + delete(f"n{(index * 3) % 7}"))
            info = self.info()
            digests[info.version] = info.digest
        self.restart()
        for version in sorted(digests, key=lambda version: version * 7919 % 31):
            self.calls.Rollback(management.RollbackRequest(version=version), timeout=DEADLINE)
            self.assertEqual(self.info().digest, digests[version], version)


if __name__ == "__main__":
    main()
