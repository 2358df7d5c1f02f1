"""Limits of servers and the algorithms around them, as an operator sets and sees them."""

import re

from harness import Connection, fetch, get, main, plane, proves, wait_until
from harness.api import ApiCase
from harness.origins import response


class Limits(ApiCase):
    def setUp(self):
        super().setUp()
        self.live = self.origin("live")
        self.fairlead = self.start(plane({"s1": self.live.address}, backend={
            "serverDefaults": {"maxConnections": 2}, "queue": {"maxWaiting": 0}}))

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

    def test_the_backends_defaults_hold_for_a_server_that_is_added(self):
        added = self.origin("added")
        self.ctl(self.fairlead, "server", "add", "app/s2", added.address)
        self.ctl(self.fairlead, "server", "drain", "app/s1", "--wait")
        for origin in (self.live, added):
            origin.hold()

        def held_by_s2(count):
            before = added.count
            for _ in range(count):
                connection = Connection(self.fairlead.address())
                self.addCleanup(connection.close)
                connection.send(get())
            added.wait_for_requests(before + count)

        held_by_s2(2)
        self.assertEqual(fetch(self.fairlead.address()).status, 503, "the default of two")
        self.ctl(self.fairlead, "server", "set", "app/s2", "--max-connections", "3")
        held_by_s2(1)
        self.assertEqual(fetch(self.fairlead.address()).status, 503, "its own of three")
        added.release()

    @proves("C2")
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


class Queues(ApiCase):
    """All places of both workers are taken; what else comes waits."""

    def start_full(self, **queue):
        self.live = self.origin("live")
        self.fairlead = self.start(plane({"s1": self.live.address}, workers=2, backend={
            "serverDefaults": {"maxConnections": 1}, "queue": {"timeout": "60s", **queue}}))
        self.live.hold()
        self.first = self.ask("/first")
        self.live.wait_for_requests(1)

    def ask(self, path):
        connection = Connection(self.fairlead.address())
        self.addCleanup(connection.close)
        connection.send(get(path))
        return connection

    def metric(self, name):
        text = fetch(self.fairlead.ready["observation"], "/metrics").body.decode()
        return int(re.search(rf'^{name}{{backend="app"}} (\d+)$', text, re.MULTILINE).group(1))

    def wait_for_queued(self, count):
        wait_until(lambda: self.metric("fairlead_backend_queued") == count, f"{count} that wait")

    def test_requests_wait_for_a_place_and_are_served_in_order(self):
        self.start_full()
        waiting = []
        for number in range(10):
            waiting.append(self.ask(f"/{number}"))
            self.wait_for_queued(number + 1)
        self.live.release()
        for connection in [self.first, *waiting]:
            self.assertEqual(connection.read_response().status, 200)
        self.assertEqual([request.target for request in self.live.requests[1:]], [f"/{number}" for number in range(10)])
        self.assertEqual(self.metric("fairlead_backend_waited_total"), 10)
        self.assertEqual(self.metric("fairlead_backend_queued"), 0)

    def test_too_many_and_too_long_are_503_and_say_why(self):
        self.start_full(maxWaiting=1, timeout="0.2s")
        late = self.ask("/late")
        self.assertEqual(late.read_response().status, 503)
        self.fairlead.wait_for_access("target=/late ", "status=503", "end=queue_timeout")
        self.ctl(self.fairlead, "backend", "set", "app", "--queue-timeout", "60s")
        self.ask("/waits")
        self.wait_for_queued(1)
        self.assertEqual(fetch(self.fairlead.address(), "/refused").status, 503)
        self.fairlead.wait_for_access("target=/refused ", "status=503", "end=queue_full")
        self.assertEqual(self.metric("fairlead_backend_queue_timeouts_total"), 1)
        self.assertEqual(self.metric("fairlead_backend_queue_refused_total"), 1)
        self.live.release()

    @proves("C5")
    def test_who_leaves_waits_no_more_and_a_raised_limit_takes_the_rest(self):
        self.start_full()
        leaving, staying = self.ask("/leaving"), self.ask("/staying")
        self.wait_for_queued(2)
        leaving.close()
        self.wait_for_queued(1)
        self.ctl(self.fairlead, "server", "set", "app/s1", "--max-connections", "2")
        self.live.wait_for_requests(2)
        self.assertEqual(self.metric("fairlead_backend_queued"), 0)
        self.live.release()
        self.assertEqual(staying.read_response().status, 200)


class RatesAndConnections(ApiCase):
    def setUp(self):
        super().setUp()
        self.live = self.origin("live")
        self.fairlead = self.start(plane({"s1": self.live.address}))

    def test_more_requests_than_a_limit_says_are_429_with_the_time_to_wait(self):
        self.ctl(self.fairlead, "listener", "set", "web", "--rate-limit", "1", "--rate-limit-per", "60s",
                 "--rate-limit-burst", "2")
        answers = [fetch(self.fairlead.address(), f"/{number}") for number in range(3)]
        self.assertEqual([answer.status for answer in answers], [200, 200, 429])
        self.assertIn(int(answers[2].get("retry-after")), range(50, 61))
        self.fairlead.wait_for_access("target=/2 ", "status=429", "end=rate_limited")
        text = fetch(self.fairlead.ready["observation"], "/metrics").body.decode()
        self.assertIn('fairlead_listener_rate_limited_total{listener="web"} 1', text)
        # For each address of its own: all of these come from the same.
        self.ctl(self.fairlead, "listener", "set", "web", "--rate-limit", "0", "--client-rate-limit", "1",
                 "--client-rate-limit-per", "60s")
        self.assertEqual([fetch(self.fairlead.address()).status for _ in range(2)], [200, 429])
        self.ctl(self.fairlead, "listener", "set", "web", "--client-rate-limit", "default")
        self.assertEqual(fetch(self.fairlead.address()).status, 200)

    def test_more_than_a_circuit_limit_is_refused_at_once(self):
        self.ctl(self.fairlead, "backend", "set", "app", "--circuit-max-requests", "1")
        self.live.hold()
        with Connection(self.fairlead.address()) as first:
            first.send(get())
            self.live.wait_for_requests(1)
            self.assertEqual(fetch(self.fairlead.address(), "/more").status, 503)
            self.fairlead.wait_for_access("target=/more ", "status=503", "end=too_many_requests")
            self.assertIn("no server: too_many_requests", self.ctl(self.fairlead, "explain", "web"))
            self.live.release()
            self.assertEqual(first.read_response().status, 200)
        # A place is free when the response has been handed over, which its client may know before we do.
        wait_until(lambda: fetch(self.fairlead.address()).status == 200, "the free place")

    def test_connections_come_from_the_address_that_is_set(self):
        sources = []

        def script(peer, _):
            sources.append(peer.socket.getpeername()[0])
            peer.read_request()
            peer.send(response())

        origin = self.scripted(script)
        self.ctl(self.fairlead, "server", "set", "app/s1", "--address", origin.address)
        self.ctl(self.fairlead, "backend", "set", "app", "--source-address", "127.0.0.9", "--pool-reuse", "never")
        self.assertEqual(fetch(self.fairlead.address()).status, 200)
        self.ctl(self.fairlead, "backend", "set", "app", "--source-address", "default")
        self.assertEqual(fetch(self.fairlead.address()).status, 200)
        self.assertEqual(sources, ["127.0.0.9", "127.0.0.1"])


if __name__ == "__main__":
    main()
