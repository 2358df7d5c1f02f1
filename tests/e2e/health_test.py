"""Active checks with real servers that misbehave, as an operator sets and sees them, and under load."""

import json
import random
import socket
import threading
import time

from harness import Connection, Fairlead, Origin, fetch, get, main, plane, response, wait_until
from harness.api import ApiCase, delete, observation, resources, server, upsert
from harness.processes import program

CHECK = {"http": {"path": "/healthz"}, "interval": "200ms", "fastInterval": "50ms"}
PENDING, READY = resources.LIFECYCLE_PENDING, resources.LIFECYCLE_READY
UP, DOWN = resources.HEALTH_UP, resources.HEALTH_DOWN


class Well(Origin):
    """A server with a health of its own. What comes while its health is bad, as others know, is `stray`."""

    def __init__(self, name):
        self.status = 200
        # Of requests that are no checks.
        self.status_of_all = 200
        self.known_down = False
        self.stray = []
        self.checks = 0
        super().__init__(name, self.answer)

    def answer(self, request):
        if request.target == "/healthz":
            self.checks += 1
            return response(self.status)
        if self.known_down:
            self.stray.append(request.target)
        return response(self.status_of_all, body=self.name.encode())


class Load:
    """Clients that ask one after the other; whatever is not 200 is a failure."""

    def __init__(self, address, clients=4):
        self.address = address
        self.served, self.failures = 0, []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self):
        try:
            with Connection(self.address) as connection:
                while not self._stop.is_set():
                    answer = connection.request(get())
                    if answer.status != 200:
                        self.failures.append(answer)
                        return
                    self.served += 1
                    time.sleep(0.001)
        except (EOFError, OSError) as error:
            self.failures.append(error)

    def wait_for(self, more):
        goal = self.served + more
        wait_until(lambda: self.served >= goal or self.failures, "more requests")

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Health(ApiCase):
    def well(self, name="well"):
        origin = Well(name)
        self.addCleanup(origin.close)
        return origin

    def start_checked(self, servers, check=None, **others):
        fairlead, api = self.start_with_api(plane(servers, backend={"healthCheck": check or CHECK}, **others))
        return fairlead, api

    def status(self, api, name):
        return next(found.status for found in api.servers("app") if found.name == name)

    def wait_for_health(self, api, name, health):
        wait_until(lambda: self.status(api, name).health == health, f"{name} to be {resources.Health.Name(health)}")
        return self.status(api, name)

    def load(self, fairlead, **options):
        load = Load(fairlead.address(), **options)
        self.addCleanup(load.stop)
        return load

    def test_a_server_goes_and_comes_as_its_checks_say(self):
        well = self.well()
        well.status = 503
        fairlead, api = self.start_checked({"s1": well.address})
        events = api.observation.WatchEvents(observation.WatchEventsRequest(snapshot=True), timeout=60)
        self.addCleanup(events.cancel)
        watch = self.start_process("fairleadctl", [program("fairleadctl"), "watch"], env=fairlead.ctl_environment())
        watch.out.wait_for(lambda line: "present" in line, "the snapshot")
        status = self.wait_for_health(api, "s1", DOWN)
        self.assertEqual((status.lifecycle, status.effective_weight), (PENDING, 0))
        self.assertEqual(status.health_reason, "status: 503, expected 200-399")
        self.assertEqual(fetch(fairlead.address()).status, 503)
        self.assertIn("pending", self.ctl(fairlead, "server", "list", "app"))
        self.assertIn("down (status: 503, expected 200-399)", self.ctl(fairlead, "server", "list", "app"))
        version = api.export()[1]

        well.status = 200
        status = self.wait_for_health(api, "s1", UP)
        self.assertEqual((status.lifecycle, status.effective_weight), (READY, 1))
        self.assertEqual(status.health_reason, "status 200")
        self.assertAlmostEqual(status.health_time.ToDatetime().timestamp(), time.time(), delta=60)
        self.assertEqual(fetch(fairlead.address()).status, 200)

        well.status = 500
        self.wait_for_health(api, "s1", DOWN)
        well.known_down = True
        self.assertEqual(fetch(fairlead.address()).status, 503)
        backend = json.loads(self.ctl(fairlead, "backend", "get", "app", "-o", "json"))["status"]
        self.assertEqual((backend.get("down"), backend.get("eligible", "0")), ("1", "0"))
        page = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        self.assertIn('fairlead_server_up{backend="app",server="s1"} 0', page)
        self.assertIn('fairlead_backend_checked_servers{backend="app"} 1', page)
        self.assertRegex(page, r'fairlead_server_check_failures_total{backend="app",server="s1"} [1-9]')
        self.assertEqual(api.export()[1], version, "health is no configuration")
        self.assertEqual(well.stray, [])
        for text in ("ready, up: status 200", "ready, down: status: 500, expected 200-399"):
            watch.out.wait_for(lambda line, text=text: "server app/s1 " + text in line, text)
        seen = []
        for event in events:
            if event.HasField("server"):
                seen.append((event.server.lifecycle, event.server.health))
            if (READY, DOWN) in seen:
                break
        self.assertEqual(seen[-2:], [(READY, UP), (READY, DOWN)])

    def test_who_adds_a_server_hears_when_it_is_ready(self):
        well = self.well()
        well.status = 503
        _, api = self.start_checked({})
        session = self.session(api, server_events=True)
        session.apply(upsert(server("s1", well.address)))
        self.assertEqual(api.servers("app")[0].status.lifecycle, PENDING)
        well.status = 200
        event = session.read_event()
        self.assertEqual((event.server.name, event.lifecycle, event.health), ("s1", READY, UP))

    def test_an_agent_steers_its_server(self):
        says = [b"up\n"]
        agent = self.scripted(lambda peer, _: peer.socket.sendall(says[0]))
        well, other = self.well(), self.well("other")
        fairlead, api = self.start_checked({"other": other.address}, {
            **CHECK, "agent": {"port": int(agent.address.rsplit(":", 1)[1]), "interval": "50ms"}})
        api.apply(upsert(server("s1", well.address, weight=100)))
        # One agent for both here; only s1 has a weight that shows it.
        self.wait_for_health(api, "s1", UP)

        def wait(text, is_so):
            says[0] = text
            wait_until(lambda: is_so(self.status(api, "s1")), f"the effect of {text}")

        wait(b"75% maxconn:30 up\n", lambda status: status.effective_weight == 75)
        self.assertEqual(self.status(api, "s1").agent.max_connections, 30)
        wait(b"drain\n", lambda status: status.effective_weight == 0)
        # The other hears it when its own turn to ask comes.
        wait_until(lambda: self.status(api, "other").effective_weight == 0, "the drain of the other")
        self.assertEqual(fetch(fairlead.address()).status, 503)
        self.assertIn("up (agent: drain)", self.ctl(fairlead, "server", "list", "app"))
        wait(b"ready 100%\n", lambda status: status.effective_weight == 100)
        self.assertEqual(fetch(fairlead.address()).status, 200)
        wait(b"down # disk full\n", lambda status: status.health == DOWN)
        self.assertEqual(self.status(api, "s1").health_reason, "agent: down # disk full")
        wait(b"up\n", lambda status: status.health == UP)
        for text, problem in ((b"what?\n", 'answer: "what?" is not a word of an agent'), (b"", "answer: closed without a word"),
                              (b"x" * 4_000_000, "answer: a line of more than 1 KiB")):
            wait(text, lambda status, problem=problem: status.agent.problem == problem)
        self.assertEqual((self.status(api, "s1").health, self.status(api, "s1").effective_weight), (UP, 100))

    def test_an_agent_of_a_servers_own(self):
        port = lambda agent: int(agent.address.rsplit(":", 1)[1])  # noqa: E731
        agents = [self.scripted(lambda peer, _, said=said: peer.socket.sendall(said))
                  for said in (b"50%\n", b"25%\n", b"10%\n")]
        well = self.well()
        _, api = self.start_checked({"s1": well.address, "s2": well.address}, {
            **CHECK, "agent": {"port": port(agents[0]), "interval": "50ms"}})
        api.apply(upsert(*(server(f"s{i}", well.address, weight=100) for i in (1, 2))))
        weight = lambda name: self.status(api, name).effective_weight  # noqa: E731
        wait_until(lambda: weight("s1") == weight("s2") == 50, "the backend's agent")
        api.apply(upsert(server("s1", well.address, weight=100, health_check={"agent": {"port": port(agents[1])}})))
        wait_until(lambda: weight("s1") == 25, "an agent of its own")
        api.apply(upsert(server("s1", well.address, weight=100, health_check={"agent": {"address": agents[2].address}})))
        wait_until(lambda: weight("s1") == 10, "one at another address")
        self.assertEqual(weight("s2"), 50)
        api.apply(upsert(server("s1", well.address, weight=100)))
        wait_until(lambda: weight("s1") == 50, "the backend's again")

    def test_a_follower_goes_with_its_target_and_loses_what_it_has(self):
        echo = self.scripted(lambda peer, _: peer.read_to_end())
        well = self.well()
        fairlead, api = self.start_with_api(plane(
            {"s1": echo.address}, listener={"protocol": "TCP"}, backend={"onMarkedDown": "ON_MARKED_DOWN_CLOSE"}))
        self.ctl(fairlead, "backend", "add", "checked", "--check", "http:/healthz", "--check-interval", "100ms")
        self.ctl(fairlead, "server", "add", "checked/t1", well.address)
        self.ctl(fairlead, "server", "set", "app/s1", "--track", "checked/t1")
        self.wait_for_health(api, "s1", UP)
        with Connection(fairlead.address()) as held:
            held.send(b"x")
            echo.wait_for(lambda: echo.open_connections() == 1, "the connection to the server")
            well.status = 500
            self.wait_for_health(api, "s1", DOWN)
            self.assertTrue(held.is_closed_within(10))
        echo.wait_for(lambda: echo.open_connections() == 0, "its end")
        self.assertIn("down (track checked/t1: status: 500, expected 200-399)", self.ctl(fairlead, "server", "list", "app"))
        refused = self.refused(fairlead, "server", "set", "checked/t1", "--track", "app/s1")
        self.assertIn('health_check.track: "app/s1" follows this server itself', refused)
        self.ctl(fairlead, "server", "delete", "checked/t1")
        self.assertEqual(self.status(api, "s1").health, DOWN)
        well.status = 200
        self.ctl(fairlead, "server", "add", "checked/t1", well.address)
        self.wait_for_health(api, "s1", UP)

    def test_a_server_that_fails_requests_is_ejected_and_returns(self):
        well, bad = self.well("well"), self.well("bad")
        bad.status_of_all = 503
        fairlead, api = self.start_with_api(plane({"s1": well.address, "s2": bad.address}, backend={
            "outlierDetection": {"consecutiveErrors": 3, "baseEjectionTime": "4s"}, "retry": {"attempts": 0}}))
        watch = self.start_process("fairleadctl", [program("fairleadctl"), "watch"], env=fairlead.ctl_environment())
        watch.out.wait_for(lambda line: "present" in line, "the snapshot")
        version = api.export()[1]
        answers = []
        wait_until(lambda: answers.append(fetch(fairlead.address()).status) or self.status(api, "s2").ejected, "the ejection")
        # Counted over all workers; the last ones may have come while it was decided.
        self.assertGreaterEqual(answers.count(503), 3)
        self.assertLessEqual(answers.count(503), 6)
        status = self.status(api, "s2")
        self.assertEqual((status.lifecycle, status.effective_weight), (READY, 0))
        self.assertEqual((status.ejection.reason, status.ejection.number), ("3 errors in a row", 1))
        self.assertIn("ejected (3 errors in a row)", self.ctl(fairlead, "server", "list", "app"))
        backend = json.loads(self.ctl(fairlead, "backend", "get", "app", "-o", "json"))["status"]
        self.assertEqual((backend["eligible"], backend["ejected"]), ("1", "1"))
        page = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        self.assertIn('fairlead_backend_ejected_servers{backend="app"} 1', page)
        self.assertIn('fairlead_backend_ejections_total{backend="app"} 1', page)
        bad.status_of_all = 200
        wait_until(lambda: not self.status(api, "s2").ejected, "its return")
        for text in ("ready, ejected: 3 errors in a row", "ready, back: its time is over"):
            watch.out.wait_for(lambda line, text=text: "server app/s2 " + text in line, text)
        self.assertEqual({fetch(fairlead.address()).body for _ in range(8)}, {b"well", b"bad"})
        self.assertEqual(api.export()[1], version, "it is no configuration")
        # The last one remains, whatever it does.
        well.status_of_all = bad.status_of_all = 500
        for _ in range(40):
            self.assertEqual(fetch(fairlead.address()).status, 500)
        self.assertEqual(sum(found.status.ejected for found in api.servers("app")), 1)
        self.ctl(fairlead, "backend", "set", "app", "--max-ejected", "0")
        wait_until(lambda: not any(found.status.ejected for found in api.servers("app")), "all to be back")

    def test_each_way_to_fail_has_its_name(self):
        def script(act):
            def run(peer, _):
                peer.read_request_head()
                act(peer)
            return self.scripted(run).address

        def send(data):
            return script(lambda peer: peer.socket.sendall(data))

        def endless(first, then):
            def act(peer):
                peer.socket.sendall(first)
                while True:
                    peer.socket.sendall(then)
            return script(act)

        # Full: the kernel answers nothing to those who come.
        full = socket.socket()
        self.addCleanup(full.close)
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            self.addCleanup(one.close)
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        closed = socket.socket()
        closed.bind(("127.0.0.1", 0))
        self.addCleanup(closed.close)

        expected = {
            "refuses": ("%s:%d" % closed.getsockname(), "connect: refused"),
            "black-hole": ("%s:%d" % full.getsockname(), "connect: timed out after 500ms"),
            "resets": (script(lambda peer: peer.reset()), "response: reset"),
            "closes": (script(lambda peer: None), "response: closed before its head was complete"),
            "silent": (script(lambda peer: peer.read_to_end()), "response: timed out after 500ms"),
            "no-http": (send(b"220 smtp.example ESMTP\r\n"), "response: malformed: "),
            "status": (send(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), "status: 404, expected 200-299"),
            "long-head": (endless(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 8000 + b"\r\n"), "response: malformed: "),
            "long-body": (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 8000), 'body: "fine" is not in its first 64 KiB'),
            "other-body": (send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"), 'body: "fine" is not in it'),
            "cut-body": (send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbad"), "body: ended early"),
            "good": (send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nI'mfine"), 'status 200, with "fine"'),
        }
        _, api = self.start_checked(
            {name: address for name, (address, _) in expected.items()},
            {"http": {"path": "/", "bodyContains": "fine", "expectedStatuses": [{"first": 200, "last": 299}]},
             "interval": "500ms", "timeout": "500ms"})
        for name, (_, reason) in expected.items():
            status = self.wait_for_health(api, name, UP if name == "good" else DOWN)
            self.assertIn(reason, status.health_reason, name)
        self.assertEqual([found.name for found in api.servers("app", lifecycles=[READY])], ["good"])

    def test_a_failing_server_gets_nothing_while_membership_flaps(self):
        wells = [self.well(f"w{index}") for index in range(4)]
        fairlead, api = self.start_checked({}, {**CHECK, "interval": "100ms", "fall": 2, "rise": 1})
        # One is always well, so that no request has to fail.
        api.apply(upsert(*[server(well.name, well.address, health_check={"disabled": well is wells[0]}) for well in wells]))
        for well in wells[1:]:
            self.wait_for_health(api, well.name, UP)
        load = self.load(fairlead)
        chance = random.Random(4)
        end = time.monotonic() + 8
        flaps = 0
        failing = None
        while time.monotonic() < end and not load.failures:
            if failing is None:
                failing = chance.choice(wells[1:])
                failing.status = 503
                self.wait_for_health(api, failing.name, DOWN)
                failing.known_down = True
            elif chance.random() < 0.2:
                failing.known_down = False
                failing.status = 200
                self.wait_for_health(api, failing.name, UP)
                failing = None
            # A member more and less, some 50 times a second.
            name = f"extra{flaps % 3}"
            api.apply(upsert(server(name, chance.choice(wells[:1]).address)))
            time.sleep(0.01)
            api.apply(delete(name))
            flaps += 1
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual([well.stray for well in wells], [[]] * 4)
        self.assertGreater(flaps, 50)
        self.assertGreater(load.served, 100)

    def test_ten_times_more_servers_that_need_three_seconds(self):
        """Some refuse until then, others listen and say 503."""
        first = self.well("first")
        fairlead, api = self.start_checked({"first": first.address}, {"http": {"path": "/healthz"}, "fastInterval": "100ms"})
        self.wait_for_health(api, "first", UP)
        load = self.load(fairlead)
        started = []
        for step in range(10):
            late = self.well(f"late{step}")
            late.status = 503
            refusing = socket.socket()
            refusing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            refusing.bind(("127.0.0.1", 0))
            self.addCleanup(refusing.close)
            late.known_down = True
            api.apply(upsert(server(f"late{step}", late.address), server(f"refusing{step}", "%s:%d" % refusing.getsockname())))
            started.append((late, refusing, time.monotonic() + 3))
            load.wait_for(20)
            time.sleep(0.3)
        for number, (late, refusing, when) in enumerate(started):
            time.sleep(max(0, when - time.monotonic()))
            late.known_down = False
            late.status = 200
            refusing.listen(128)
            threading.Thread(target=self.serve, args=(refusing,), daemon=True).start()
            self.wait_for_health(api, f"late{number}", UP)
            self.wait_for_health(api, f"refusing{number}", UP)
        load.wait_for(200)
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual(len(api.servers("app", lifecycles=[READY])), 21)
        for late, _, _ in started:
            self.assertEqual(late.stray, [])
            self.assertGreater(late.count - late.checks, 0, f"{late.name} serves")

    def serve(self, listening):
        """A well-behaved server on a socket that listens late."""
        def answer(accepted):
            with accepted:
                data = b""
                try:
                    while more := accepted.recv(65536):
                        data += more
                        while b"\r\n\r\n" in data:
                            _, data = data.split(b"\r\n\r\n", 1)
                            accepted.sendall(response(body=b"late"))
                except OSError:
                    pass  # a check breaks off when it knows enough
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(accepted,), daemon=True).start()

    def test_a_restart_and_a_takeover_fail_nothing(self):
        well = self.well()
        configuration = plane({"s1": well.address}, backend={"healthCheck": CHECK}, state_directory=str(self.folder / "state"),
                              listener={"bind": ["127.0.0.1:0"]})
        place = self.folder / "one"
        place.mkdir()
        first = Fairlead(place, configuration)
        self.addCleanup(first.kill)
        self.wait_for_health(self.api_of(first), "s1", UP)
        load = self.load(first)
        load.wait_for(50)
        second = Fairlead(place, configuration, arguments=["--takeover"])
        self.addCleanup(second.kill)
        self.assertEqual(first.wait(), 0)
        load.stop()
        # Connections of the old process end with the answer to their last request; nothing else may have failed.
        self.assertEqual([failure for failure in load.failures if not isinstance(failure, EOFError)], [])
        self.assertEqual(fetch(second.address()).status, 200)
        second.stop()
        third = self.start(configuration)
        self.assertEqual(fetch(third.address()).status, 200, "presumed well, until its first check")
        self.wait_for_health(self.api_of(third), "s1", UP)


if __name__ == "__main__":
    main()
