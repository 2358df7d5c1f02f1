"""Limits of the process as a whole: connections, descriptors, memory; and who it becomes."""

import ctypes
import os
import pathlib
import resource
import unittest

from harness import Connection, Fairlead, fetch, get, main, plane, program, run, wait_until
from harness.api import ApiCase

# Of linux/prctl.h and linux/capability.h.
PR_CAPBSET_DROP = 24
CAP_SYS_NICE = 23


class Limits(ApiCase):
    def start_with(self, limits, **options):
        return self.start(plane([self.origin("live").address], limits=limits, workers=1, **options))

    def open(self, fairlead):
        connection = Connection(fairlead.address())
        self.addCleanup(connection.close)
        return connection

    def metric(self, fairlead, series):
        text = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        return int(text.partition(f"\n{series} ")[2].split("\n")[0])

    def refused(self, fairlead, cause):
        return self.metric(fairlead, f'fairlead_listener_refusals_total{{listener="web",cause="{cause}"}}')

    def test_connections_over_all_listeners(self):
        fairlead = self.start_with({"maxConnections": 3})
        held = [self.open(fairlead) for _ in range(3)]
        for connection in held:
            self.assertEqual(connection.request(get()).body, b"live")
        self.assertEqual(self.open(fairlead).read_to_end(), b"")
        self.assertEqual(self.refused(fairlead, "process_full"), 1)
        held.pop().close()
        wait_until(lambda: self.metric(fairlead, 'fairlead_listener_connections{listener="web"}') == 2, "the end of one")
        self.assertEqual(self.open(fairlead).request(get()).body, b"live")
        for connection in held:
            self.assertEqual(connection.request(get()).body, b"live")

    def test_descriptors_in_steps_and_back(self):
        fairlead = self.start_with({"maxDescriptors": 100})
        events = self.start_process("fairleadctl", [program("fairleadctl"), "watch"], env=fairlead.ctl_environment()).out
        events.wait_for(lambda text: "present" in text, "the snapshot")
        active = self.open(fairlead)
        self.assertEqual(active.request(get()).body, b"live")
        held = []

        def fill_to(count):
            while (before := fairlead.open_descriptors()) < count:
                held.append(self.open(fairlead))
                wait_until(lambda before=before: fairlead.open_descriptors() > before, "the accepting of one")

        fill_to(82)
        events.wait_for(lambda text: "overload: no keep alive: descriptors: " in text, "the first step")
        answer = self.open(fairlead).request(get())
        self.assertEqual((answer.body, answer.get("connection")), (b"live", "close"))
        fill_to(92)
        events.wait_for(lambda text: "overload: no connections: descriptors: " in text, "the second step")
        wait_until(lambda: self.refused(fairlead, "overload") > 0 or held.append(self.open(fairlead)), "a refusal")
        # What is open goes on, until it is asked to come again.
        self.assertEqual(active.request(get()).body, b"live")
        for connection in held:
            connection.close()
        events.wait_for(lambda text: "no overload: descriptors: " in text, "the end of it")
        self.assertEqual(fetch(fairlead.address()).body, b"live")
        self.assertIsNone(self.open(fairlead).request(get()).get("connection"))

    def test_memory_sheds_those_who_are_idle(self):
        fairlead = self.start_with({"maxMemoryMib": 8})
        # It uses more than that from its start.
        idle = self.open(fairlead)
        wait_until(lambda: self.metric(fairlead, "fairlead_overload_step") == 3, "the last step")
        self.assertEqual(idle.read_to_end(), b"")
        self.assertEqual(self.open(fairlead).read_to_end(), b"")
        self.assertIn("overload: shed: memory: ", fairlead.all_text())

    @unittest.skipIf(os.environ.get("FAIRLEAD_SANITIZE"), "a sanitizer keeps what was freed")
    def test_memory_in_steps_and_back(self):
        usual = self.start_with({}).resident_bytes() >> 20
        room = 14
        fairlead = self.start_with({"maxMemoryMib": usual + room})
        self.assertEqual(self.metric(fairlead, "fairlead_overload_step"), 0)
        # Heads that do not come to their end.
        held = []

        def is_felt():
            for _ in range(50):
                connection = self.open(fairlead)
                connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 12_000)
                held.append(connection)
            return self.metric(fairlead, "fairlead_overload_step") > 0

        wait_until(is_felt, "a step")
        fairlead.log.wait_for(lambda line: "overload: " in line and ": memory: " in line, "what is short of")
        for connection in held:
            connection.close()
        wait_until(lambda: self.metric(fairlead, "fairlead_overload_step") == 0, "the end of it")
        connection = self.open(fairlead)
        self.assertIsNone(connection.request(get()).get("connection"))


def forbid_real_time():
    """Of this process and its children, root or not."""
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and libc.prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class RealTime(ApiCase):
    def classes(self, fairlead):
        """Of each thread, its name and whether it is in the real-time class."""
        return sorted(((task / "comm").read_text().strip(),
                       os.sched_getscheduler(int(task.name)) in (os.SCHED_RR, os.SCHED_FIFO))
                      for task in pathlib.Path(f"/proc/{fairlead.pid}/task").iterdir())

    def test_workers_are_of_the_real_time_class_and_nobody_else(self):
        before = os.sched_getscheduler(0), os.sched_getparam(0)
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except PermissionError:
            self.skipTest("needs CAP_SYS_NICE")
        os.sched_setscheduler(0, *before)
        fairlead = self.start(plane([self.origin("live").address], workers=2, realTimeWorkers=True))
        self.assertEqual(fetch(fairlead.address()).body, b"live")
        wait_until(lambda: [name for name, real_time in self.classes(fairlead) if real_time] == ["worker-0", "worker-1"],
                   "both workers in the class, and nobody else")
        ordinary = self.start(plane([self.origin("other").address], workers=1))
        self.assertEqual(fetch(ordinary.address()).body, b"other")
        self.assertIn(("worker-0", False), self.classes(ordinary))

    def test_where_the_kernel_does_not_allow_it(self):
        configuration = self.folder / "refused.yaml"
        configuration.write_text(
            f"{{real_time_workers: true, management: {{listen: [\"unix:{self.folder}/refused.sock\"]}}}}")
        ended = run(program("fairlead"), "--config", configuration, preexec_fn=forbid_real_time)
        self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
        self.assertIn("real_time_workers: the kernel does not allow it", ended.stderr)
        self.assertIn("CAP_SYS_NICE", ended.stderr)


class Identity(ApiCase):
    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_root_is_given_up_when_all_is_bound(self):
        live = self.origin("live")
        folder = pathlib.Path(self.folder) / "state"
        def open_folders():
            """For the notification, which goes to a socket in one of them."""
            for path in (pathlib.Path(self.folder), *pathlib.Path(self.folder).rglob("*")):
                path.chmod(0o777)

        fairlead = self.start(plane([live.address], user="65534", state_directory=str(folder)), preexec_fn=open_folders)
        status = pathlib.Path(f"/proc/{fairlead.pid}/status").read_text()
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        self.assertEqual(lines["Uid"].split(), ["65534"] * 4)
        self.assertEqual(lines["Gid"].split(), ["65534"] * 4)
        self.assertEqual(lines["Groups"].split(), ["65534"])
        self.assertEqual((int(lines["CapPrm"], 16), int(lines["CapEff"], 16)), (0, 0))
        for task in pathlib.Path(f"/proc/{fairlead.pid}/task").iterdir():
            self.assertIn("Uid:\t65534\t65534\t65534\t65534", (task / "status").read_text(), task)
        self.assertEqual(fetch(fairlead.address()).body, b"live")
        # It may still write what it must.
        self.ctl(fairlead, "listener", "set", "web", "--max-connections", "10")
        self.assertEqual(folder.stat().st_uid, 65534)
        self.assertEqual({entry.stat().st_uid for entry in folder.iterdir()}, {65534})

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_who_has_given_up_root_can_be_taken_over_from(self):
        live = self.origin("live")
        state = pathlib.Path(self.folder) / "state"
        place = pathlib.Path(self.folder) / "place"
        place.mkdir()

        def open_folders():
            for path in (pathlib.Path(self.folder), place, *place.rglob("*")):
                path.chmod(0o777)

        configuration = plane([live.address], user="65534", state_directory=str(state))
        old = Fairlead(place, configuration, preexec_fn=open_folders)
        self.addCleanup(old.kill)
        self.ctl(old, "listener", "set", "web", "--max-connections", "10")
        new = Fairlead(place, configuration, arguments=["--takeover"], preexec_fn=open_folders)
        self.addCleanup(new.kill)
        self.assertEqual(old.wait(), 0, old.all_text())
        self.assertEqual(new.ready["listeners"], old.ready["listeners"])
        self.assertIn("Uid:\t65534", pathlib.Path(f"/proc/{new.pid}/status").read_text())
        self.assertEqual(fetch(new.address()).body, b"live")
        self.assertIn("max_connections: 10", self.ctl(new, "export"))
        self.ctl(new, "listener", "set", "web", "--max-connections", "20")
        self.assertEqual({entry.stat().st_uid for entry in state.iterdir()}, {65534})
        new.stop()


if __name__ == "__main__":
    main()
