"""Calls that end early, and calls while the data plane starts or ends: whole or not at all, and never forgotten.

Names begin with the row of the catalogue of bad input.
"""

import random
import re
import signal
import threading

from harness import Fairlead, main, plane, wait_until
from harness.api import DEADLINE, Api, ApiCase, Session, delete, grpc, management, observation, server, upsert

SEED = 20261124
GROUP = 40


def group(number):
    """A transaction of servers that come together or not at all."""
    return upsert(*[server(f"g{number}-{index}", "127.0.0.1:80") for index in range(GROUP)])


class EndedEarly(ApiCase):
    def setUp(self):
        super().setUp()
        self.fairlead, self.api = self.start_with_api(plane([]))
        self.first = self.api.export()[1]
        self.random = random.Random(SEED)

    def groups(self):
        """Those that are there; each must be whole, and each was one version."""
        whole, version = self.api.export()
        found = {}
        for item in whole.servers:
            number = int(re.fullmatch(r"g(\d+)-\d+", item.name)[1])
            found[number] = found.get(number, 0) + 1
        self.assertEqual(set(found.values()) | {GROUP}, {GROUP}, f"half applied, seed {SEED}: {found}")
        self.assertEqual(version, self.first + len(found), f"seed {SEED}")
        return set(found)

    def call(self, number, timeout=DEADLINE):
        request = management.ApplyTransactionRequest(
            transaction=management.Transaction(id=1, operations=group(number)))
        return self.api.management.ApplyTransaction.future(request, timeout=timeout)

    def settle(self):
        """What was taken before is done after a call that comes behind it."""
        self.api.apply([])

    def test_60_deadlines_around_the_commit(self):
        acknowledged, late = set(), 0
        for number in range(300):
            call = self.call(number, timeout=self.random.uniform(0.0001, 0.006))
            if call.code() == grpc.StatusCode.OK:
                self.assertEqual(call.result().result.outcome, management.OUTCOME_APPLIED)
                acknowledged.add(number)
            else:
                self.assertEqual(call.code(), grpc.StatusCode.DEADLINE_EXCEEDED, call.details())
                late += 1
        self.settle()
        self.assertLessEqual(acknowledged, self.groups())
        self.assertGreater(late, 0)

    def test_61_cancellations_around_the_commit(self):
        acknowledged = set()
        for number in range(300):
            call = self.call(number)
            done = threading.Event()
            call.add_done_callback(lambda _, done=done: done.set())
            done.wait(self.random.uniform(0, 0.004))
            if not call.cancel() and call.code() == grpc.StatusCode.OK:
                acknowledged.add(number)
        self.settle()
        self.assertLessEqual(acknowledged, self.groups())

    def test_61_sessions_that_vanish_among_their_transactions(self):
        """What is there is a beginning of what was sent, and holds all that was answered."""
        number = 0
        for _ in range(40):
            api = self.api_of(self.fairlead)
            session = Session(api, "vanishing")
            begins = number
            ids = {session.transaction(group(number := number + 1)): number for _ in range(10)}
            answered = begins
            for _ in range(self.random.randrange(3)):
                answered = ids[session.read_result().id]
            if self.random.random() < 0.5:
                session.cancel()
            api.close()
            self.settle()
            there = sorted(found for found in self.groups() if found > begins)
            self.assertEqual(there, list(range(begins + 1, begins + 1 + len(there))), f"seed {SEED}")
            self.assertGreaterEqual(begins + len(there), answered)


class StartingAndEnding(ApiCase):
    def test_67_before_the_state_is_loaded_no_call_is_answered_from_half_of_it(self):
        servers = {f"s{index}": f"127.0.0.1:{1 + index % 60_000}" for index in range(20_000)}
        path = self.folder / "management.sock"
        api = Api(f"unix:{path}")
        self.addCleanup(api.close)
        ready, wrong, attempts = threading.Event(), [], []

        def ask():
            while not ready.is_set():
                request = management.ListServersRequest(backend="app", page_size=1000)
                call = api.management.ListServers.future(request, timeout=DEADLINE)
                attempts.append(call.code())
                if call.code() == grpc.StatusCode.OK:
                    if len(call.result().servers) != 1000:
                        wrong.append(call.result())
                elif call.code() != grpc.StatusCode.UNAVAILABLE:
                    wrong.append(call.details())

        asking = threading.Thread(target=ask)
        asking.start()
        self.addCleanup(asking.join, DEADLINE)
        self.addCleanup(ready.set)
        wait_until(lambda: attempts, "the first attempt")
        fairlead = Fairlead(self.folder, plane(servers))
        self.addCleanup(fairlead.stop)
        wait_until(lambda: attempts[-1] == grpc.StatusCode.OK, "an answer")
        ready.set()
        asking.join(DEADLINE)
        self.assertEqual(wrong, [])
        self.assertEqual(attempts[0], grpc.StatusCode.UNAVAILABLE)

    def test_68_what_is_acknowledged_while_the_process_ends_was_done(self):
        """The log tells of every version that came to be; nobody is told of one that is not there."""
        for round_number in range(3):
            with self.subTest(round_number):
                self.end_among_calls()

    def end_among_calls(self):
        fairlead = self.start(plane([]))
        acknowledged, ended = [], []
        begun = threading.Semaphore(0)

        def call(writer):
            api = Api(fairlead.management)
            try:
                for number in range(1_000_000):
                    result = api.apply(upsert(server(f"w{writer}-{number}", "127.0.0.1:80")))
                    if result.outcome == management.OUTCOME_APPLIED:
                        acknowledged.append(result.version)
                    elif result.failures[0].reason != management.REASON_SHUTTING_DOWN:
                        return ended.append(result)
                    begun.release()
            except grpc.RpcError as error:
                ended.append(error.code())
            finally:
                api.close()

        def stream(writer):
            api = Api(fairlead.management)
            session = Session(api, f"w{writer}")
            try:
                for number in range(1_000_000):
                    result = session.apply(upsert(server(f"w{writer}", "127.0.0.1:80", weight=number % 256)))
                    if result.outcome == management.OUTCOME_APPLIED:
                        acknowledged.append(result.version)
                    begun.release()
            except grpc.RpcError as error:
                ended.append(error.code())
            finally:
                session.cancel()
                api.close()

        writers = [threading.Thread(target=target, args=(index,))
                   for index, target in enumerate((call, call, stream, stream))]
        for writer in writers:
            writer.start()
        for _ in range(200):
            self.assertTrue(begun.acquire(timeout=DEADLINE))
        fairlead.signal(signal.SIGTERM)
        for writer in writers:
            writer.join(DEADLINE)
        self.assertEqual(fairlead.wait(), 0)
        self.assertEqual(len(ended), len(writers))
        # A call that comes when gRPC has shut its door and told nobody yet is CANCELLED by it, and reaches nobody.
        self.assertLessEqual(set(ended), {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
        self.assertGreaterEqual(ended.count(grpc.StatusCode.UNAVAILABLE), 2)  # the sessions
        told = {int(number) for number in re.findall(r"accepted: version (\d+) by", fairlead.log.text())}
        self.assertLessEqual(set(acknowledged), told)


class SlowWatchers(ApiCase):
    def test_63_a_watcher_that_does_not_read_is_ended_and_holds_little(self):
        fairlead, api = self.start_with_api(plane([]))
        slow = self.api_of(fairlead)
        stream = slow.observation.WatchEvents(observation.WatchEventsRequest(snapshot=True), timeout=4 * DEADLINE)
        while not next(stream).HasField("snapshot_complete"):
            pass
        session = self.session(api)
        names = [f"s{index}" for index in range(5000)]
        session.apply(upsert(*[server(name, "127.0.0.1:80") for name in names]))
        before = fairlead.resident_bytes()
        for weight in range(1, 41):
            session.apply(upsert(*[server(name, "127.0.0.1:80", weight=weight) for name in names]))
        self.assert_memory_grew_less_than(fairlead, before, 128 << 20)
        with self.assertRaises(grpc.RpcError) as caught:
            versions = [event.version for event in stream]
            self.fail(f"the stream ended without a status after {len(versions)} events")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.ABORTED)
        self.assertIn("watch again with a snapshot", caught.exception.details())
        # Whoever watches again sees how things are.
        again = api.observation.WatchEvents(observation.WatchEventsRequest(snapshot=True), timeout=DEADLINE)
        weights = set()
        for event in again:
            if event.HasField("snapshot_complete"):
                break
            if event.resource.resource.HasField("server"):
                weights.add(event.resource.resource.server.weight)
        again.cancel()
        self.assertEqual(weights, {40})


class Pages(ApiCase):
    def test_65_page_tokens_that_were_changed_and_pages_that_are_too_large(self):
        _, api = self.start_with_api(plane([]))
        api.apply(upsert(*[server(f"s{index:04}", "127.0.0.1:80") for index in range(1100)]))
        calls = api.management

        def servers(**fields):
            return calls.ListServers(management.ListServersRequest(backend="app", **fields), timeout=DEADLINE)

        self.assertEqual(len(servers(page_size=100_000).servers), 1000)
        self.assertEqual(len(servers().servers), 100)
        token = servers(page_size=7).next_page_token
        self.assertEqual(servers(page_size=1, page_token=token).servers[0].name, "s0007")
        changed = {token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:] for at in range(len(token))}
        for bad in {token[:-1], token[1:], token + "A", token + token, token[:4], "=", "\0", "x" * 100_000} | changed:
            if bad.rstrip("=") == token.rstrip("="):
                continue
            self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, calls.ListServers,
                                management.ListServersRequest(backend="app", page_token=bad), "page_token")
        for call, request in ((calls.ListBackends, management.ListBackendsRequest),
                              (calls.ListListeners, management.ListListenersRequest)):
            self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, call, request(page_token=token), "page_token")
            self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, call, request(page_size=-1), "page_size")

    def test_65_a_page_goes_on_where_its_last_item_was_though_that_is_gone(self):
        _, api = self.start_with_api(plane([]))
        api.apply(upsert(*[server(f"s{index}", "127.0.0.1:80") for index in range(9)]))
        first = api.management.ListServers(management.ListServersRequest(page_size=4), timeout=DEADLINE)
        api.apply(delete("s3", "s4"))
        rest = api.management.ListServers(
            management.ListServersRequest(page_size=9, page_token=first.next_page_token), timeout=DEADLINE)
        self.assertEqual([found.name for found in rest.servers], ["s5", "s6", "s7", "s8"])


if __name__ == "__main__":
    main()
