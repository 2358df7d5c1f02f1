"""One process takes over from another: no connection and no request is lost, and whichever dies, the other one serves."""

import array
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading

from harness import DEADLINE, Connection, Fairlead, Nameserver, fetch, get, is_refused, main, plane, program, wait_until
from harness.api import Api, ApiCase, Session, grpc, management, resources, server, upsert

ROUNDS = 3
DRAIN = resources.ADMIN_STATE_DRAIN
TAKEN = (management.OUTCOME_APPLIED, management.OUTCOME_UNCHANGED)


class Writer:
    """Adds servers until it is told to end, whoever serves."""

    def __init__(self, address):
        self.address = address
        # By name.
        self.acknowledged = []
        # In one session, in this order.
        self.sent_together = []
        # Why it had to begin anew.
        self.trouble = []

    def run(self, ended):
        while not ended.is_set():
            api = Api(self.address)
            try:
                self.write(api, ended)
            except (grpc.RpcError, StopIteration) as error:
                self.trouble.append(repr(error))
            finally:
                api.close()


class CallWriter(Writer):
    def write(self, api, ended):
        while not ended.is_set():
            name = f"call{len(self.acknowledged)}"
            if api.apply(upsert(server(name, "127.0.0.1:9", admin_state=DRAIN))).outcome in TAKEN:
                self.acknowledged.append(name)


class StreamWriter(Writer):
    MANY = 50

    def __init__(self, address):
        super().__init__(address)
        self.sessions = 0

    def write(self, api, ended):
        session = Session(api, "writer")
        self.sessions += 1
        sent = {}
        self.sent_together.append([])
        try:
            while not ended.is_set():
                for _ in range(self.MANY):
                    name = f"stream{self.sessions}-{len(sent)}"
                    sent[session.transaction(upsert(server(name, "127.0.0.1:9", admin_state=DRAIN)))] = name
                    self.sent_together[-1].append(name)
                answered = max(sent) - self.MANY
                while answered < max(sent):
                    result = session.read_result()
                    if result.outcome not in TAKEN:
                        self.trouble.append(str(result))
                        return
                    # It stands for those before it too.
                    self.acknowledged += [sent[number] for number in range(answered + 1, result.id + 1)]
                    answered = result.id
        finally:
            session.cancel()


class Takeover(ApiCase):
    def setUp(self):
        super().setUp()
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)
        self.place = self.folder / "plane"
        self.place.mkdir()

    def configuration(self, servers, **others):
        return plane(servers, **{"state_directory": str(self.state), **others})

    def run_plane(self, configuration, *arguments):
        fairlead = Fairlead(self.place, configuration, arguments=arguments)
        self.addCleanup(fairlead.kill)
        return fairlead

    def take_over(self, configuration):
        return self.run_plane(configuration, "--takeover")

    def failing_takeover(self, configuration):
        """A process that must end by itself with status 1; its log."""
        path = self.folder / "failing.yaml"
        path.write_text(json.dumps(configuration))
        process = self.start_process("fairlead", [program("fairlead"), "--config", path, "--takeover"])
        self.assertEqual(process.wait(), 1, process.all_text())
        return process.log.text()

    def assert_ends(self, fairlead):
        self.assertEqual(fairlead.wait(), 0, fairlead.all_text())
        self.assertNotIn("ThreadSanitizer", fairlead.log.text())

    def assert_writable(self, fairlead, name):
        result = self.api_of(fairlead).apply(upsert(server(name, "127.0.0.1:9")))
        self.assertEqual(result.outcome, 1, result)

    # ---- as it should be

    def test_under_load_nothing_is_lost(self):
        http = self.start_process("origin", [program("fairlead-origin"), "--listen=127.0.0.1:0",
                                               f"--ready-file={self.folder}/origin.json"])
        echo = self.start_process("echo", [program("fairlead-origin"), "--listen=127.0.0.1:0", "--tcp-echo",
                                           f"--ready-file={self.folder}/echo.json"])
        addresses = []
        for process, name in ((http, "origin"), (echo, "echo")):
            path = self.folder / f"{name}.json"
            wait_until(path.exists, f"the start of {process.name}")
            addresses.append(json.loads(path.read_text())["listen"])
        configuration = self.configuration([addresses[0]])
        configuration["resources"]["backends"].append(
            {"name": "echo", "servers": [{"name": "e", "address": addresses[1]}]})
        configuration["resources"]["listeners"].append(
            {"name": "tcp", "bind": ["127.0.0.1:0"], "protocol": "TCP", "default_backend": "echo"})
        configuration["workers"] = 2
        running = self.run_plane(configuration)
        loads = [self.load(running.address("web"), "--rate=400", "--new-connections=0.3", "--slow-share=0.03",
                           "--slow-latency=500ms", "--upload-share=0.05", "--upload-duration=300ms", "--upload-chunked"),
                 self.load(running.address("tcp"), "--tcp-echo", "--rate=200", "--new-connections=1")]
        old = []
        for number in range(ROUNDS):
            old.append(running)
            for load in loads:
                self.wait_for_more_requests(load)
            configuration["workers"] = (1, 3, 2)[number]
            running = self.take_over(configuration)
            self.assertEqual(running.ready["listeners"], old[-1].ready["listeners"])
            self.assertEqual(running.ready["observation"], old[-1].ready["observation"])
        for process in old:
            self.assert_ends(process)
        for load in loads:
            load.signal(signal.SIGTERM)
            self.assertEqual(load.wait(), 0, load.all_text())
            summary = json.loads(load.out.all()[-1])
            self.assertEqual((summary["failed"], summary["failures"]), (0, []))
        running.stop()
        self.assertFalse(pathlib.Path(running.socket_path).exists())
        self.assertFalse((self.state / "takeover.sock").exists())

    def load(self, address, *arguments):
        return self.start_process("load", [program("fairlead-load"), f"--target={address}", "--duration=600s",
                                           "--interval=50ms", *arguments])

    def wait_for_more_requests(self, load):
        """Until the load has sent at least 20 more than it had."""
        lines = load.out.all()
        at_first = json.loads(lines[-1])["requests_total"] if lines else 0
        load.out.wait_for(lambda line: json.loads(line)["requests_total"] >= at_first + 20, "more requests", len(lines))

    def test_no_request_goes_where_the_old_process_knew_it_should_not(self):
        """Servers that are down, and one whose name the new process has to ask for, without another try."""
        good = self.start_process("origin", [program("fairlead-origin"), "--listen=127.0.0.1:0",
                                               f"--ready-file={self.folder}/origin.json"])
        path = self.folder / "origin.json"
        wait_until(path.exists, f"the start of {good.name}")
        address = json.loads(path.read_text())["listen"]
        nameserver = Nameserver()
        self.addCleanup(nameserver.close)
        nameserver.set("app.internal", ["127.0.0.1"])
        nothing = [f"127.0.0.1:{port}" for port in range(1, 9)]
        servers = {"good": f"app.internal:{address.rpartition(':')[2]}",
                   **{f"down{number}": nowhere for number, nowhere in enumerate(nothing)}}
        backend = {"health_check": {"tcp": {}, "interval": "0.3s"}, "retry": {"attempts": 0}}
        configuration = self.configuration(servers, backend=backend, resolver={"nameservers": [nameserver.address]})
        running = self.run_plane(configuration)

        def states():
            listed = json.loads(self.ctl(running, "server", "list", "app", "-o", "json"))
            return [one["status"]["health"] for one in listed["servers"]]

        def is_known():
            return sorted(states()) == ["HEALTH_DOWN"] * len(nothing) + ["HEALTH_UP"]

        wait_until(is_known, "what is known of servers")
        load = self.load(running.address(), "--rate=400", "--new-connections=0.5")
        for _ in range(ROUNDS):
            self.wait_for_more_requests(load)
            old, running = running, self.take_over(configuration)
            self.assertIn("all names and checked servers have been heard of", running.log.text())
            self.wait_for_more_requests(load)
            self.assert_ends(old)
        load.signal(signal.SIGTERM)
        self.assertEqual(load.wait(), 0, load.all_text())
        summary = json.loads(load.out.all()[-1])
        self.assertEqual((summary["failed"], summary["failures"]), (0, []))

    def test_what_is_under_way_goes_on_in_the_old_process(self):
        origin = self.origin()
        configuration = self.configuration([origin.address])
        old = self.run_plane(configuration)
        with Connection(old.address()) as idle, Connection(old.address()) as busy:
            self.assertEqual(idle.request(get()).get("connection"), None)
            origin.hold()
            busy.send(get("/slow"))
            origin.wait_for_requests(2)
            new = self.take_over(configuration)
            origin.release()
            answer = busy.read_response()
            self.assertEqual((answer.status, answer.body), (200, b"origin"))
            # It leaves in steps: as long as it has not said so, the connection goes on.
            while answer.get("connection") is None:
                answer = idle.request(get("/next"))
                self.assertEqual((answer.status, answer.body), (200, b"origin"))
            self.assertTrue(idle.is_closed_within(20))
        self.assert_ends(old)
        self.assertEqual(fetch(new.address()).status, 200)
        self.assertIn(f"process {new.pid} serves", old.log.text())
        self.assertIn(f"process {old.pid} has given", new.log.text())
        new.stop()

    def test_unix_sockets_are_there_at_every_moment(self):
        path = f"unix:{self.folder}/web.sock"
        configuration = self.configuration([self.origin().address], listener={"bind": [path]},
                                           observation={"listen": f"unix:{self.folder}/metrics.sock"})
        running = self.run_plane(configuration)
        refused = []
        ended = threading.Event()

        def watch():
            while not ended.is_set():
                for address in (path, running.management, f"unix:{self.folder}/metrics.sock"):
                    # A queue that this loop itself has filled is no refusal.
                    with contextlib.suppress(BlockingIOError):
                        if is_refused(address):
                            refused.append(address)

        watching = threading.Thread(target=watch)
        watching.start()
        self.addCleanup(watching.join)
        self.addCleanup(ended.set)
        for _ in range(ROUNDS):
            old, running = running, self.take_over(configuration)
            self.assertEqual(fetch(path).status, 200)
            self.assert_ends(old)
        ended.set()
        watching.join()
        self.assertEqual(refused, [])
        self.assertEqual(fetch(path).status, 200)
        # gRPC takes a full queue for a connection that is on its way, and fails when it reads.
        wait_until(lambda: self.is_writable(running), "writes when the queue has room")
        running.stop()
        self.assertFalse(pathlib.Path(path[5:]).exists())

    def test_an_address_that_the_new_configuration_has_not_ends_with_the_old_process(self):
        configuration = self.configuration([self.origin().address])
        old = self.run_plane(configuration)
        new = self.take_over({**configuration, "observation": {"listen": f"unix:{self.folder}/metrics.sock"},
                              "workers": 1})
        self.assert_ends(old)
        self.assertTrue(is_refused(old.ready["observation"]))
        self.assertEqual(fetch(new.ready["observation"], "/metrics").status, 200)
        self.assertEqual(fetch(old.address()).status, 200)
        new.stop()

    def test_the_state_changes_hands_with_all_that_was_acknowledged(self):
        running = self.run_plane(self.configuration([self.origin().address]))
        for number in range(ROUNDS):
            self.assert_writable(running, f"added{number}")
            old, running = running, self.take_over(self.configuration([]))
            self.assert_ends(old)
        found = self.api_of(running).servers("app")
        self.assertEqual({item.name for item in found}, {"s1"} | {f"added{number}" for number in range(ROUNDS)})
        running.stop()

    def test_writers_lose_nothing_that_was_acknowledged(self):
        """A session with many transactions unanswered, and calls one after the other."""
        configuration = self.configuration([self.origin().address])
        running = self.run_plane(configuration)
        ended = threading.Event()
        stream, calls = StreamWriter(running.management), CallWriter(running.management)
        writers = [threading.Thread(target=writer.run, args=(ended,)) for writer in (stream, calls)]
        for thread in writers:
            thread.start()
            self.addCleanup(thread.join)
            self.addCleanup(ended.set)

        def wait_for_more():
            at_first = [len(writer.acknowledged) for writer in (stream, calls)]
            wait_until(lambda: all(len(writer.acknowledged) > count for writer, count in zip((stream, calls), at_first)),
                       f"more writes: {stream.trouble + calls.trouble}")

        for _ in range(ROUNDS):
            wait_for_more()
            old, running = running, self.take_over(configuration)
            wait_for_more()
            self.assert_ends(old)
        ended.set()
        for thread in writers:
            thread.join()
        self.assertGreater(stream.sessions, ROUNDS)
        there = {one.name for one in self.api_of(running).servers("app")}
        running.kill()
        kept = {one.name for one in self.api_of(self.run_plane(configuration)).servers("app")}
        self.assertEqual(kept, there)
        for writer in (stream, calls):
            self.assertEqual([name for name in writer.acknowledged if name not in there], [])
            # In order: nothing is there without all that was sent before it in the same session.
            for sent in writer.sent_together:
                is_there = [name in there for name in sent]
                self.assertEqual(is_there, sorted(is_there, reverse=True))

    # ---- without a running process, or a place to look for one

    def test_without_a_running_process_it_just_starts(self):
        fairlead = self.take_over(self.configuration([self.origin().address]))
        self.assertIn("no process runs", fairlead.log.text())
        self.assertEqual(fetch(fairlead.address()).status, 200)
        fairlead.kill()  # and leaves its files
        again = self.take_over(self.configuration([self.origin().address]))
        self.assertEqual(fetch(again.address()).status, 200)
        again.stop()

    def test_of_a_process_that_ends_it_waits_for_the_end(self):
        origin = self.origin()
        configuration = self.configuration([origin.address])
        old = self.run_plane(configuration)
        path = self.folder / "next.yaml"
        path.write_text(json.dumps({**configuration, "management": {"listen": [f"unix:{self.folder}/next.sock"]}}))
        with Connection(old.address()) as connection:
            origin.hold()
            connection.send(get())
            origin.wait_for_requests(1)
            old.signal(signal.SIGTERM)
            wait_until(lambda: is_refused(old.address()), "the end of accepting")
            new = self.start_process("next", [program("fairlead"), "--config", path, "--takeover"])
            new.log.wait_for(lambda line: f"process {old.pid} has {self.state}" in line, "that it waits")
            origin.release()
            self.assertEqual(connection.read_response().status, 200)
        self.assert_ends(old)
        new.log.wait_for(lambda line: " serves: " in line, "that it serves")

    def test_without_a_state_directory_it_is_refused(self):
        self.assertIn("--takeover: needs state_directory", self.failing_takeover(plane([])))

    # ---- the new one fails, or dies at any step

    def visitor(self):
        visitor = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        visitor.settimeout(DEADLINE)
        visitor.connect(str(self.state / "takeover.sock"))
        return visitor

    def receive(self, visitor):
        text, descriptors, _, _ = socket.recv_fds(visitor, 1 << 17, 253)
        for descriptor in descriptors:
            os.close(descriptor)
        return text.decode().split("\n")[0]

    def test_a_new_process_that_dies_at_any_step_leaves_the_old_one_as_it_was(self):
        running = self.run_plane(self.configuration([self.origin().address]))
        with Connection(running.address()) as client:
            for steps in range(4):
                with self.visitor() as visitor:
                    if steps > 0:
                        visitor.send(b"hello 1 test")
                    if steps > 1:
                        self.assertEqual(self.receive(visitor), "sockets")
                    if steps > 2:
                        self.assertEqual(self.receive(visitor), "yours")
                        status = self.refused(running, "server", "add", "app/no", "127.0.0.1:9")
                        self.assertIn("another process", status)
                    self.assertEqual(client.request(get()).status, 200)
                wait_until(lambda: self.is_writable(running), f"writes after a death at step {steps}")
                self.assertEqual(client.request(get()).status, 200)
            self.assertEqual(client.request(get()).get("connection"), None)
        new = self.take_over(self.configuration([self.origin().address]))
        self.assert_ends(running)
        new.stop()

    def is_writable(self, fairlead):
        return fairlead.ctl("server", "add", "app/probe", "127.0.0.1:9").returncode == 0 and \
            fairlead.ctl("server", "delete", "app/probe").returncode == 0

    def test_a_new_process_that_cannot_serve_leaves_the_old_one_and_its_files(self):
        path = f"unix:{self.folder}/web.sock"
        configuration = self.configuration([self.origin().address], listener={"bind": [path]})
        running = self.run_plane(configuration)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            bad = {**configuration, "management": {"listen": [running.management]}, "observation": {"listen": address}}
            self.assertIn("observation.listen: " + address, self.failing_takeover(bad))
        wait_until(lambda: self.is_writable(running), "writes after the failure")
        self.assertEqual(fetch(path).status, 200)
        new = self.take_over(configuration)
        self.assert_ends(running)
        new.stop()

    def test_what_a_new_process_wrote_that_cannot_serve_is_undone(self):
        """The state is empty, so the new one begins with what its file has."""
        running = self.run_plane({"state_directory": str(self.state)})
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            bad = {**self.configuration([self.origin().address]), "management": {"listen": [running.management]},
                   "observation": {"listen": address}}
            log = self.failing_takeover(bad)
            self.assertIn("resources come from the configuration file", log)
            self.assertIn("observation.listen: " + address, log)
        wait_until(lambda: running.ctl("backend", "add", "mine").returncode == 0, "writes after the failure")
        configured, _ = self.api_of(running).export()
        self.assertEqual([backend.name for backend in configured.backends], ["mine"])
        self.assertEqual(list(configured.listeners), [])
        running.kill()
        again = self.run_plane({"state_directory": str(self.state)})
        self.assertEqual(self.api_of(again).export()[0], configured)

    def test_a_new_process_that_finds_the_journal_damaged_leaves_the_old_one_serving(self):
        configuration = self.configuration([self.origin().address])
        running = self.run_plane(configuration)
        journal = self.state / "journal.db"
        self.overwrite(journal, b"not a journal!!\0")
        log = self.failing_takeover({**configuration, "management": {"listen": [running.management]}})
        self.assertIn(str(journal), log)
        self.assertEqual(fetch(running.address()).status, 200)
        # It writes nothing to a file that it does not know, and again when that is as it was.
        self.assertFalse(self.is_writable(running))
        self.overwrite(journal, b"SQLite format 3\0")
        wait_until(lambda: self.is_writable(running), "writes when the journal is whole again")
        new = self.take_over(configuration)
        self.assert_ends(running)
        new.stop()

    @staticmethod
    def overwrite(path, beginning):
        with path.open("r+b") as file:
            file.write(beginning)

    def test_a_second_takeover_at_the_same_time_is_refused(self):
        configuration = self.configuration([self.origin().address])
        running = self.run_plane(configuration)
        with self.visitor() as visitor:
            visitor.send(b"hello 1 test")
            self.assertEqual(self.receive(visitor), "sockets")
            self.assertIn("is taking over just now", self.failing_takeover(
                {**configuration, "management": {"listen": [running.management]}}))
        new = self.take_over(configuration)
        self.assert_ends(running)
        new.stop()

    def test_sigterm_in_the_middle_leaves_everything_to_the_new_process(self):
        path = f"unix:{self.folder}/web.sock"
        running = self.run_plane(self.configuration([self.origin().address], listener={"bind": [path]}))
        with self.visitor() as visitor:
            visitor.send(b"hello 1 test")
            self.assertEqual(self.receive(visitor), "sockets")
            self.assertEqual(self.receive(visitor), "yours")
            running.signal(signal.SIGTERM)
            self.assertEqual(self.receive(visitor), "leaving")
            self.assert_ends(running)
        self.assertTrue(pathlib.Path(path[5:]).exists())

    # ---- the old one dies at any step

    def test_an_old_process_that_dies_at_any_step_leaves_the_new_one_serving(self):
        configuration = self.configuration([self.origin().address], listener={"bind": [f"unix:{self.folder}/web.sock"]})
        for steps in range(4):
            with self.running_process_that_dies(steps):
                new = self.take_over(configuration)
            self.assertEqual(fetch(new.address()).status, 200)
            self.assertTrue(self.is_writable(new))
            new.stop()

    @contextlib.contextmanager
    def running_process_that_dies(self, steps):
        """It is a process of its own, because what the new one looks at is its end."""
        child = subprocess.Popen(["/usr/bin/python3", __file__, "--die", str(self.state / "takeover.sock"),
                                  f"{self.folder}/web.sock", str(steps)], stdout=subprocess.PIPE)
        self.addCleanup(child.kill)
        with child.stdout:
            self.assertEqual(child.stdout.readline(), b"listens\n")
            yield
            child.wait(DEADLINE)


def die(path, web, steps):
    """Plays a running process with one listener, for so many steps."""
    for old in (path, web):
        pathlib.Path(old).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as takeover:
        listener.bind(web)
        listener.listen()
        listener.setblocking(False)
        takeover.bind(path)
        takeover.listen()
        print("listens", flush=True)
        visitor, _ = takeover.accept()
        visitor.recv(4096)
        if steps > 0:
            text = f"sockets\nlistener 1 1 unix:{web}\tunix:{web}\ntakeover 0 1 {path}\t{path}\n".encode()
            descriptors = array.array("i", [listener.fileno(), takeover.fileno()])
            visitor.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        if steps > 1:
            visitor.send(b"yours")
        if steps > 2:
            visitor.recv(4096)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    import sys
    if sys.argv[1:2] == ["--die"]:
        die(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    main()
