"""Descriptors that run out, and connections that want them: delayed without harm, and without a worker that spins.

Numbers are rows of the catalogue of bad input.
"""

import resource
import time

from harness import Case, Connection, fetch, get, main, plane, proves, wait_until

LIMIT = 96


def limit_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


class OutOfDescriptors(Case):
    def start_limited(self, **options):
        return self.start(plane([self.origin("live").address], **options), preexec_fn=limit_descriptors)

    def fill(self, fairlead):
        """Connections until no more are accepted; the last ones wait in the kernel's queue."""
        connections = []
        for _ in range(LIMIT + 40):
            connections.append(Connection(fairlead.address()))
            self.addCleanup(connections[-1].close)
        wait_until(lambda: fairlead.open_descriptors() >= LIMIT - 1, "the use of all descriptors")
        return connections

    @proves("157", "C3")
    def test_157_accepting_waits_without_spinning_and_goes_on_at_once(self):
        fairlead = self.start_limited()
        connections = self.fill(fairlead)
        used, began = fairlead.processor_seconds(), time.monotonic()
        waiting = connections.pop()
        self.assertFalse(waiting.is_closed_within(1))
        share = (fairlead.processor_seconds() - used) / (time.monotonic() - began)
        self.assertLess(share, 0.1, "a worker spins")
        for connection in connections:
            connection.close()
        began = time.monotonic()
        self.assertEqual(waiting.request(get()).body, b"live")
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(fetch(fairlead.address()).body, b"live")

    @proves("157")
    def test_157_those_that_are_connected_are_served_meanwhile(self):
        """A request that needs a connection to a server may be refused, with a status; one that reuses one is not."""
        fairlead = self.start_limited(workers=1)
        with Connection(fairlead.address()) as connected:
            self.assertEqual(connected.request(get()).status, 200)
            connections = self.fill(fairlead)
            for _ in range(20):
                self.assertEqual(connected.request(get()).body, b"live")
            for connection in connections[:5]:
                connection.send(get())
            self.assertIn(connections[0].read_response().status, (200, 503))

    @proves("157")
    def test_157_again_and_again(self):
        fairlead = self.start_limited()
        before = fairlead.open_descriptors()
        for _ in range(5):
            for connection in self.fill(fairlead):
                connection.close()
            self.assertEqual(fetch(fairlead.address()).body, b"live")
        wait_until(lambda: fairlead.open_descriptors() <= before + 4, "the closing of all descriptors")

    @proves("148")
    def test_148_connections_that_say_nothing_make_room(self):
        fairlead = self.start_limited(listener={"timeouts": {"requestHead": "0.3s"}})
        silent = self.fill(fairlead)
        # The first place may be taken by the client's connection, so that there is none for one to the server yet.
        wait_until(lambda: fetch(fairlead.address()).body == b"live", "an answer of the server")
        for connection in silent:
            self.assertIn(connection.read_to_end()[:12], (b"", b"HTTP/1.1 408"))


if __name__ == "__main__":
    main()
