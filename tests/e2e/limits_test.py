"""Limits of servers and the algorithms around them, as an operator sets and sees them."""

from harness import Connection, fetch, get, main, plane, wait_until
from harness.api import ApiCase


class Limits(ApiCase):
    def setUp(self):
        super().setUp()
        self.live = self.origin("live")
        self.fairlead = self.start(plane({"s1": self.live.address}, backend={"serverDefaults": {"maxConnections": 2}}))

    def hold(self, count):
        """So many requests that wait at the server."""
        already = self.live.count
        held = []
        for _ in range(count):
            connection = Connection(self.fairlead.address())
            self.addCleanup(connection.close)
            connection.send(get())
            held.append(connection)
        self.live.wait_for_requests(already + count)
        return held

    def test_where_all_are_full_the_answer_is_503_and_says_why(self):
        self.live.hold()
        held = self.hold(2)
        answer = fetch(self.fairlead.address(), "/more")
        self.assertEqual(answer.status, 503)
        line = self.fairlead.wait_for_access("target=/more ")
        self.assertEqual((line["status"], line["end"]), ("503", "all_servers_full"))
        self.ctl(self.fairlead, "server", "set", "app/s1", "--max-connections", "3")
        held += self.hold(1)
        self.assertEqual(fetch(self.fairlead.address()).status, 503)
        # Lowered: what is there may finish, and nothing is let in before there is room.
        self.ctl(self.fairlead, "server", "set", "app/s1", "--max-connections", "1")
        self.assertEqual(fetch(self.fairlead.address()).status, 503)
        self.live.release()
        for connection in held:
            self.assertEqual(connection.read_response().status, 200)
        wait_until(lambda: fetch(self.fairlead.address()).status == 200, "a place")

    def test_a_client_that_leaves_leaves_its_place(self):
        self.live.hold()
        for connection in self.hold(2):
            connection.reset()
        wait_until(lambda: self.in_flight() == 0, "the end of both")
        self.live.release()
        self.assertEqual(fetch(self.fairlead.address()).status, 200)

    def in_flight(self):
        return self.api_of(self.fairlead).servers("app")[0].status.in_flight

    def test_every_algorithm_serves_and_can_be_set_in_place(self):
        other = self.origin("other")
        self.ctl(self.fairlead, "server", "add", "app/s2", other.address)
        for algorithm in ("round_robin", "random", "least_connections", "static_round_robin", "first", "sticky",
                          "peak_ewma", "prequal", "hash"):
            key = ("--hash-key", "{path}") if algorithm == "hash" else ()
            self.ctl(self.fairlead, "backend", "set", "app", "--balance", algorithm, *key)
            bodies = {fetch(self.fairlead.address(), f"/{number}").body for number in range(40)}
            if algorithm in ("first", "sticky"):
                self.assertEqual(bodies, {b"live"}, algorithm)
            else:
                self.assertEqual(bodies, {b"live", b"other"}, algorithm)


if __name__ == "__main__":
    main()
