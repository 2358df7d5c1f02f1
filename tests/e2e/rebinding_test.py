"""Addresses that are given up and taken again at once, while the workers still close what was open there."""

from harness import fetch, is_refused, main, plane, wait_until
from harness.api import ApiCase, management, resources


def listener(name, *bind):
    return resources.Listener(name=name, bind=bind, protocol=resources.PROTOCOL_HTTP, default_backend="app")


def upsert(item):
    return [management.Operation(upsert=management.Resource(listener=item))]


def delete(name):
    return [management.Operation(delete=management.Delete(listener=name))]


class Rebinding(ApiCase):
    def setUp(self):
        super().setUp()
        self.fairlead, self.api = self.start_with_api(plane([self.origin().address]))
        self.updates = self.session(self.api)

    def must(self, operations):
        result = self.updates.apply(operations)
        self.assertEqual(result.outcome, management.OUTCOME_APPLIED, result)

    def must_all(self, transactions):
        """Sent without waiting between them; no result may be a refusal."""
        for operations in transactions:
            last = self.updates.transaction(operations)
        result = self.updates.read_result()
        while result.id < last:
            self.assertEqual(result.outcome, management.OUTCOME_APPLIED, result)
            result = self.updates.read_result()
        self.assertEqual(result.outcome, management.OUTCOME_APPLIED, result)

    def test_another_listener_takes_the_address_of_one_that_was_just_deleted(self):
        self.must(upsert(listener("l0", "127.0.0.1:0")))
        address = self.bound_address(self.fairlead, "l0")
        for number in range(200):
            self.must(delete(f"l{number}"))
            self.must(upsert(listener(f"l{number + 1}", address)))
            if number % 10 == 0:
                self.assertEqual(fetch(address).status, 200)
        self.must(delete("l200"))
        wait_until(lambda: is_refused(address), "the end of the last one")

    def test_the_same_without_waiting_for_the_deletion(self):
        self.must(upsert(listener("l0", "127.0.0.1:0")))
        address = self.bound_address(self.fairlead, "l0")
        self.must_all(operations for number in range(100)
                      for operations in (delete(f"l{number}"), upsert(listener(f"l{number + 1}", address))))
        self.assertEqual(fetch(address).status, 200)

    def test_bind_is_changed_back_and_forth_in_place(self):
        self.must(upsert(listener("moving", "127.0.0.1:0", "127.0.0.1:0")))
        first, second = self.api.management.GetListener(
            management.GetListenerRequest(name="moving"), timeout=10).listener.status.bound
        for _ in range(100):
            self.must(upsert(listener("moving", first)))
            self.assertEqual(fetch(first).status, 200)
            self.must(upsert(listener("moving", second)))
            self.assertEqual(fetch(second).status, 200)
        wait_until(lambda: is_refused(first), "the end of accepting where it was")
        self.must_all(upsert(listener("moving", address)) for _ in range(100) for address in (first, second))
        self.assertEqual(fetch(second).status, 200)

    def test_bind_is_changed_and_changed_back_at_once(self):
        """Also where the transaction is refused for something else: what was open stays open."""
        path = f"unix:{self.folder}/back.sock"
        self.must(upsert(listener("moving", "127.0.0.1:0")))
        first = self.bound_address(self.fairlead, "moving")
        self.must(upsert(listener("moving", first)) + upsert(listener("staying", path)))
        away = upsert(listener("moving", "127.0.0.1:0")) + upsert(listener("staying", "127.0.0.1:0"))
        back = upsert(listener("moving", first)) + upsert(listener("staying", path))
        for number in range(20):
            self.must(away + back)
            refused = self.updates.apply(away + back + [management.Operation()])
            self.assertEqual(refused.outcome, management.OUTCOME_REFUSED)
            refused = self.updates.apply(away + back + upsert(resources.Listener(
                name="bad", bind=["127.0.0.1:0"], protocol=resources.PROTOCOL_HTTP, default_backend="nowhere")))
            self.assertEqual(refused.failures[0].index, 4)
            for _ in range(4):
                self.assertEqual(fetch(first).status, 200, number)
                self.assertEqual(fetch(path).status, 200, number)

    def test_a_unix_socket_is_taken_again_too(self):
        path = f"unix:{self.folder}/again.sock"
        self.must(upsert(listener("l0", path)))
        for number in range(50):
            self.must(delete(f"l{number}"))
            self.must(upsert(listener(f"l{number + 1}", path)))
            self.assertEqual(fetch(path).status, 200)

    def test_an_address_in_use_by_another_of_ours_is_still_refused(self):
        """That sockets of ours may be closing there does not make a live one's address free."""
        self.must(upsert(listener("l0", "127.0.0.1:0")))
        address = self.bound_address(self.fairlead, "l0")
        self.must(delete("l0"))
        self.must(upsert(listener("l1", address)))
        refused = self.updates.apply(upsert(listener("l2", address)))
        self.assertEqual((refused.outcome, refused.failures[0].reason),
                         (management.OUTCOME_REFUSED, management.REASON_BIND_FAILED))
        self.assertEqual(fetch(address).status, 200)


if __name__ == "__main__":
    main()
