"""Listeners and routes that come, change and go at run time; TCP mode; limits of connections."""

import hashlib
import os
import threading

from harness import Case, Connection, fetch, get, is_refused, main, plane, proves, wait_until


class ListenersAndRoutes(Case):
    def test_routes_change_while_clients_are_connected(self):
        first, second = self.origin("first"), self.origin("second")
        fairlead = self.start(plane([first.address]))
        self.ctl(fairlead, "backend", "add", "api")
        self.ctl(fairlead, "server", "add", "api/s1", second.address)
        with Connection(fairlead.address()) as connection:
            def body(path, host="any"):
                return connection.request(get(path, host)).body

            self.assertEqual(body("/v1/x"), b"first")
            self.ctl(fairlead, "listener", "set", "web", "--route", "/v1=api", "--route", "*.example.com=api")
            self.assertEqual([body("/v1"), body("/v1/x"), body("/v10"), body("/", "A.example.com:80"),
                              body("/", "example.com")], [b"second", b"second", b"first", b"second", b"first"])
            self.ctl(fairlead, "listener", "set", "web", "--route", "api.example.com/v1=api")
            self.assertEqual([body("/v1/x"), body("/v1/x", "api.example.com"), body("/", "a.example.com")],
                             [b"first", b"second", b"first"])
            said = self.refused(fairlead, "backend", "delete", "api")
            self.assertIn("listener web", said)
            self.assertEqual(body("/v1/x", "api.example.com"), b"second")

    def test_listeners_come_and_go(self):
        origin = self.origin()
        fairlead = self.start(plane([origin.address]))
        self.ctl(fairlead, "listener", "add", "more", "--bind", "127.0.0.1:0", "--bind", f"unix:{self.folder}/more.sock",
                 "--protocol", "http", "--default-backend", "app")
        more = self.bound_address(fairlead, "more")
        with Connection(more) as connection:
            self.assertEqual(connection.request(get()).body, b"origin")
            self.assertEqual(fetch(f"unix:{self.folder}/more.sock").body, b"origin")
            origin.hold()
            connection.send(get("/slow"))
            origin.wait_for_requests(3)
            self.ctl(fairlead, "listener", "delete", "more")
            self.assertTrue(is_refused(more))
            self.assertTrue(is_refused(f"unix:{self.folder}/more.sock"))
            origin.release()
            answer = connection.read_response()  # what was under way is finished, and then the connection is closed
            self.assertEqual((answer.body, answer.get("connection")), (b"origin", "close"))
            self.assertTrue(connection.is_closed_within(20))
        self.assertEqual(fetch(fairlead.address()).body, b"origin")

    @proves("150", "151")
    def test_tcp_with_half_close_both_ways(self):
        def script(peer, number):
            if number == 0:
                peer.send(b"got " + peer.read_to_end())
            else:
                peer.send(b"server first")
                peer.finish()
                self.late = peer.read_to_end()

        self.late = None
        origin = self.scripted(script)
        fairlead = self.start(plane([origin.address]))
        self.ctl(fairlead, "listener", "add", "raw", "--bind", "127.0.0.1:0", "--protocol", "tcp", "--default-backend",
                 "app")
        raw = self.bound_address(fairlead, "raw")
        with Connection(raw) as connection:
            connection.send(b"all of it")
            connection.finish()
            self.assertEqual(connection.read_to_end(), b"got all of it")
        with Connection(raw) as connection:
            self.assertEqual(connection.read_to_end(), b"server first")
            connection.send(b"said after the server's end")
            connection.finish()
            origin.wait_until_unconnected()
        self.assertEqual(self.late, b"said after the server's end")

    def test_tcp_carries_many_bytes_both_ways_at_once(self):
        data = os.urandom(1 << 20) * 8

        def echo(peer, _):
            while peer.receive():
                peer.socket.sendall(peer.buffer)
                peer.buffer = b""

        fairlead = self.start(plane([self.scripted(echo).address], listener={"protocol": "TCP"}))
        with Connection(fairlead.address()) as connection:
            def send_all():
                connection.send(data)
                connection.finish()

            sender = threading.Thread(target=send_all)
            sender.start()
            self.assertEqual(hashlib.sha256(connection.read_to_end()).digest(), hashlib.sha256(data).digest())
            sender.join()

    @proves("C4")
    def test_connections_over_the_limit_are_closed_and_the_others_go_on(self):
        origin = self.origin()
        fairlead = self.start(plane([origin.address], listener={"maxConnections": 3}))
        kept = [Connection(fairlead.address()) for _ in range(3)]
        for connection in kept:
            self.assertEqual(connection.request(get()).status, 200)
        for _ in range(20):
            with Connection(fairlead.address()) as refused:
                self.assertTrue(refused.is_closed_within(20))
        for connection in kept:
            self.assertEqual(connection.request(get()).status, 200)
        self.assertIn('fairlead_listener_refused_total{listener="web"} 20',
                      fetch(fairlead.ready["observation"], "/metrics").body.decode())
        kept.pop().close()

        def is_let_in():
            try:
                return fetch(fairlead.address()).status == 200
            except EOFError:
                return False

        wait_until(is_let_in, "a place for a new connection")
        for connection in kept:
            connection.close()


if __name__ == "__main__":
    main()
