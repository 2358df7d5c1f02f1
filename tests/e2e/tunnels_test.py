"""Tunnels, in TCP mode and after an upgrade: one that is cut off ends in a reset on both sides, not in a proper end."""

import socket
import threading

from harness import Case, Connection, main, plane, proves, wait_until

UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"


class Tunnels:
    """The stories; each is told in both protocols below."""

    protocol = None

    def open(self, **backend):
        """A tunnel on which each side has heard the other; the server then hears until the end."""
        def script(peer, _):
            if self.protocol == "HTTP":
                peer.read_request_head()
                peer.send(SWITCHED)
            peer.send(b"hello client")
            self.assertEqual(peer.read_exactly(12), b"hello server")
            self.server = peer
            self.is_open.set()
            self.rest_at_server = peer.read_to_end()
            self.server_was_reset = peer.was_reset
            self.is_over.set()
            if self.server_stays:
                self.let_go.wait(20)

        self.is_open, self.is_over, self.let_go = threading.Event(), threading.Event(), threading.Event()
        self.server_stays = False
        self.origin_of_tunnel = self.scripted(script)
        self.addCleanup(self.let_go.set)
        self.addCleanup(lambda: self.assertEqual(self.origin_of_tunnel.errors, []))
        self.fairlead = self.start(plane([self.origin_of_tunnel.address], listener={"protocol": self.protocol},
                                         backend=backend, shutdown={"timeout": "0.3s"}))
        client = Connection(self.fairlead.address())
        self.addCleanup(client.close)
        if self.protocol == "HTTP":
            client.send(UPGRADE)
            self.assertEqual(client.read_head().status, 101)
        client.send(b"hello server")
        self.assertEqual(client.read_exactly(12), b"hello client")
        self.assertTrue(self.is_open.wait(20))
        return client

    def assert_server_was_reset(self):
        self.assertTrue(self.is_over.wait(20))
        self.assertEqual((self.rest_at_server, self.server_was_reset), (b"", True))

    @proves("150", "S11")
    def test_a_proper_end_is_one_for_both(self):
        client = self.open()
        client.finish()
        self.assertEqual((client.read_to_end(), client.was_reset), (b"", False))
        self.assertTrue(self.is_over.wait(20))
        self.assertFalse(self.server_was_reset)

    def test_a_drains_deadline_resets_both(self):
        client = self.open()
        self.ctl(self.fairlead, "server", "delete", "app/s1", "--drain", "0.2s")
        self.assertEqual((client.read_to_end(), client.was_reset), (b"", True))
        self.assert_server_was_reset()

    def test_a_drains_deadline_resets_a_client_that_has_ended_its_side_already(self):
        client = self.open()
        self.server_stays = True
        client.finish()
        self.assertTrue(self.is_over.wait(20))
        self.ctl(self.fairlead, "server", "delete", "app/s1", "--drain", "0.2s")
        self.assertEqual((client.read_to_end(), client.was_reset), (b"", True))

    def test_a_server_that_breaks_is_a_reset_for_the_client(self):
        client = self.open()
        self.server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.server.socket.shutdown(socket.SHUT_RD)  # its script ends, and closes
        self.assertEqual((client.read_to_end(), client.was_reset), (b"", True))

    def test_a_client_that_breaks_is_a_reset_for_the_server(self):
        self.open().reset()
        self.assert_server_was_reset()
        self.fairlead.wait_for_access("end=client_reset")

    @proves("S11")
    def test_a_tunnel_without_progress_is_reset_on_both_sides(self):
        client = self.open(timeouts={"idle": "0.3s"})
        self.assertEqual((client.read_to_end(), client.was_reset), (b"", True))
        self.assert_server_was_reset()

    def test_the_end_of_the_process_resets_both(self):
        client = self.open()
        self.fairlead.signal(15)
        self.assertEqual((client.read_to_end(), client.was_reset), (b"", True))
        self.assert_server_was_reset()
        self.fairlead.wait_for_access("end=shutdown_deadline")

    def test_what_was_cut_off_frees_everything(self):
        client = self.open()
        before = self.fairlead.open_descriptors()
        client.reset()
        wait_until(lambda: self.fairlead.open_descriptors() <= before - 2, "the closing of both descriptors")


class TcpTunnels(Tunnels, Case):
    protocol = "TCP"


class UpgradedTunnels(Tunnels, Case):
    protocol = "HTTP"


if __name__ == "__main__":
    main()
