"""The sample control plane with real processes: scales out and in under load, and survives restarts of either side."""

import ctypes
import json
import os
import pathlib
import signal

from harness import Case, Fairlead, fetch, main, plane, program, wait_until
from harness.api import Api, resources
from harness.processes import Process

PR_SET_CHILD_SUBREAPER = 36


class Autoscaling(Case):
    def setUp(self):
        super().setUp()
        # The servers that an autoscaler leaves behind become this process' children, and are ended with the test.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.addCleanup(self.end_children)
        # Always at one address, so that the autoscaler finds it again.
        self.plane_folder = self.folder / "plane"
        self.plane_folder.mkdir()
        self.fairlead = self.start_plane()
        self.autoscaler = None
        self.start_autoscaler()

    def end_children(self):
        for thread in pathlib.Path("/proc/self/task").iterdir():
            for pid in (thread / "children").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
                os.waitpid(int(pid), 0)

    def start_plane(self):
        fairlead = Fairlead(self.plane_folder, plane([], backend={"balance": {"algorithm": "RANDOM"}}))
        self.addCleanup(fairlead.kill)
        api = Api(fairlead.management)
        self.addCleanup(api.close)
        self.api = api
        return fairlead

    def start_autoscaler(self):
        origin = f"{program('fairlead-origin')} --listen=127.0.0.1:0 --ready-file={{ready_file}} --name={{name}} --latency=40ms"
        self.autoscaler = self.start_process("autoscaler", [
            program("fairlead-autoscaler"), f"--dataplane={self.fairlead.management}", "--backend=app",
            "--target-in-flight=2", "--min=1", "--max=4", "--interval=100ms", "--load-window=400ms", "--down-window=1s",
            "--scale-up-limit=none", "--scale-down-limit=none", "--refresh=500ms", "--drain-timeout=5s",
            f"--origin-command={origin}", f"--state-directory={self.folder}/autoscaler",
            f"--events={self.folder}/events.jsonl", "--stop-servers-on-exit"])

    def events(self, name):
        path = self.folder / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def ready(self):
        return {found.name: (found.address, found.labels["pid"])
                for found in self.api.servers("app", lifecycles=[resources.LIFECYCLE_READY])}

    def wait_for_servers(self, is_enough, what):
        def look():
            self.assertTrue(self.autoscaler.is_running(), self.autoscaler.log.text())
            return is_enough(len(self.ready()))

        wait_until(look, what)

    def load(self, *arguments):
        load = Process("load", [program("fairlead-load"), f"--target={self.fairlead.address()}", "--interval=0",
                                "--timeout=10s", "--report=/dev/stdout", *arguments])
        self.addCleanup(load.kill)
        return load

    def assert_nothing_failed(self, load):
        self.assertEqual(load.wait(), 0, load.log.text())
        summary = json.loads(load.out.all()[-1])
        self.assertEqual((summary["type"], summary["failed"]), ("summary", 0), summary)
        self.assertGreater(summary["requests"], 100)

    def test_out_under_load_and_in_again_over_restarts_of_both_sides(self):
        self.wait_for_servers(lambda count: count == 1, "the first server")

        # 200 requests a second of 40 ms are 8 in flight: four servers.
        load = self.load("--rate=200", "--duration=5s")
        self.wait_for_servers(lambda count: count >= 3, "scaling out")
        self.assert_nothing_failed(load)

        # The autoscaler dies. The next one takes over what runs, and scales it in when nobody asks for it.
        self.autoscaler.kill()
        before = self.ready()
        self.assertGreater(len(before), 1)
        self.assertEqual(fetch(self.fairlead.address()).status, 200)
        started = len(self.events("server_started"))
        self.start_autoscaler()
        wait_until(lambda: len(self.events("server_adopted")) >= len(before), "the adoption of all servers")
        self.assertEqual(len(self.events("server_started")), started)
        load = self.load("--rate=60", "--duration=3s")
        self.wait_for_servers(lambda count: count <= 2, "scaling in")
        self.assert_nothing_failed(load)
        self.wait_for_servers(lambda count: count == 1, "scaling in to the minimum")

        # The data plane dies, and comes back empty: it gets the servers that are there.
        last = self.ready()
        self.fairlead.kill()
        self.fairlead = self.start_plane()
        self.wait_for_servers(lambda count: count == 1, "the server on the new data plane")
        self.assertEqual(self.ready(), last)
        self.assertEqual(fetch(self.fairlead.address()).status, 200)

        # Told to, it takes everything with it.
        self.autoscaler.stop()
        self.assertEqual(self.api.servers("app", lifecycles=[resources.LIFECYCLE_READY]), [])
        for _, pid in before.values():
            self.assertFalse(self.is_alive(int(pid)), f"the server with pid {pid} runs on")
        self.fairlead.stop()

    def is_alive(self, pid):
        try:
            return "Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return False


if __name__ == "__main__":
    main()
