"""What outlives the process: journal, start, refusals, and the bench that kills."""

import hashlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

from harness.api import ApiCase, delete, management, resources, server, upsert
from harness.cases import main
from harness.processes import DEADLINE, REPOSITORY, Fairlead, program, run

CONFIGURATION = {
    "workers": 1,
    "resources": {
        "backends": [{"name": "app", "servers": [{"name": "s1", "address": "10.0.0.1:80"},
                                                 {"name": "s2", "address": "10.0.0.2:80", "admin_state": "DRAIN"}]}],
        "listeners": [{"name": "web", "bind": ["127.0.0.1:0"], "protocol": "HTTP", "default_backend": "app"}],
    },
}


def digests(folder):
    """Of all files but sockets and the log's index, which is scratch."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())
            if path.is_file() and not path.name.endswith("-shm")}


class Journal(ApiCase):
    def setUp(self):
        super().setUp()
        self.state = self.folder / "state"

    def configuration(self, **fields):
        return {**CONFIGURATION, "state_directory": str(self.state), **fields}

    def start_doomed(self, configuration):
        """A data plane that will be killed."""
        fairlead = Fairlead(tempfile.mkdtemp(prefix="plane", dir=self.folder), configuration)
        self.addCleanup(fairlead.kill)
        return fairlead, self.api_of(fairlead)

    def info(self, api):
        return api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def test_after_a_kill_everything_is_as_it_was(self):
        fairlead, api = self.start_doomed(self.configuration())
        self.assertEqual(self.info(api).journal.state, management.JOURNAL_STATE_WRITING)
        api.apply(upsert(server("s3", "10.0.0.3:80", weight=7, labels={"zone": "a"})) + delete("s1"))
        before, version = api.export()
        info = self.info(api)
        address = fairlead.address()
        fairlead.kill()
        again, api = self.start_with_api(self.configuration())
        after, version_after = api.export()
        self.assertEqual(after, before)
        self.assertEqual(version_after, version)
        loaded = self.info(api)
        self.assertEqual((loaded.epoch, loaded.digest), (info.epoch, info.digest))
        self.assertEqual(loaded.journal.loaded_resources, 4)
        self.assertGreater(loaded.journal.bytes, 0)
        # A free port is the one that it was.
        self.assertEqual(again.address(), address)
        log = again.all_text()
        self.assertIn("journal: loaded 4 resources at version 2", log)
        self.assertIn("were not looked at (--reseed takes them)", log)
        drained = {item.name: item.status.lifecycle for item in api.servers("app")}
        self.assertEqual(drained["s2"], resources.LIFECYCLE_DRAINED)

    def test_the_file_seeds_an_empty_journal_and_reseed_begins_anew(self):
        fairlead, api = self.start_with_api(self.configuration())
        self.assertIn("is new, and begins empty: resources come from the configuration file", fairlead.all_text())
        epoch = self.info(api).epoch
        api.apply(upsert(server("s3", "10.0.0.3:80")))
        fairlead.stop()
        fairlead = self.start(self.configuration(), arguments=["--reseed"])
        api = self.api_of(fairlead)
        self.assertEqual([item.name for item in api.servers("app")], ["s1", "s2"])
        self.assertNotEqual(self.info(api).epoch, epoch)

    def test_a_second_process_is_kept_out(self):
        fairlead = self.start(self.configuration())
        with self.assertRaisesRegex(AssertionError, f"is in use by process {fairlead.pid}"):
            self.start(self.configuration())

    def test_verify_and_export_change_nothing(self):
        fairlead, _ = self.start_doomed(self.configuration())
        exported = fairlead.ctl("export")
        live = run(program("fairlead"), "journal", "verify", self.state)
        self.assertEqual((live.returncode, live.stdout.split(":")[0]), (0, "sound"), live.stderr)
        fairlead.kill()
        before = digests(self.state)
        offline = run(program("fairlead"), "journal", "export", self.state)
        self.assertEqual(offline.returncode, 0, offline.stderr)
        self.assertIn("name: s2", offline.stdout)
        self.assertEqual(run(program("fairlead"), "journal", "verify", self.state / "journal.db").returncode, 0)
        self.assertEqual(digests(self.state), before)
        self.assertIn("name: s2", exported.stdout)
        self.assertEqual(run(program("fairlead"), "journal", "verify").returncode, 2)

    def test_damage_is_said_and_left_alone(self):
        fairlead = self.start(self.configuration())
        fairlead.stop()
        file = self.state / "journal.db"
        damaged = bytearray(file.read_bytes())
        damaged[damaged.index(b"10.0.0.2:80") + 5] ^= 1
        file.write_bytes(damaged)
        verify = run(program("fairlead"), "journal", "verify", self.state)
        self.assertEqual(verify.returncode, 1)
        self.assertIn("is damaged", verify.stderr)
        with self.assertRaisesRegex(AssertionError, "is damaged: the row of resource"):
            self.start(self.configuration())
        self.assertEqual(file.read_bytes(), bytes(damaged))

    def test_a_listener_whose_address_is_taken_stops_the_start(self):
        fairlead = self.start(self.configuration())
        address = fairlead.address()
        host, port = address.rsplit(":", 1)
        api = self.api_of(fairlead)
        api.management.UpdateListener(management.UpdateListenerRequest(listener=resources.Listener(
            name="web", bind=[address], protocol=resources.PROTOCOL_HTTP, default_backend="app")), timeout=DEADLINE)
        fairlead.stop()
        with socket.create_server((host, int(port))):
            with self.assertRaisesRegex(AssertionError, f"listener web: bind: .*{port}"):
                self.start(self.configuration())


class CrashBench(unittest.TestCase):
    def crash(self, kills, faults=""):
        environment = {**os.environ, "FAIRLEAD_BUILD": str(pathlib.Path(program("fairlead")).parents[1]),
                       "FAIRLEAD_CRASH_FAULTS": faults}
        command = [sys.executable, "-B", REPOSITORY / "tools/support/bench.py", "crash", f"--kills={kills}", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)

    def test_nothing_acknowledged_is_lost_and_none_is_torn(self):
        result = self.crash(10)
        self.assertEqual((result["lost"], result["torn"], result["failed_starts"]), (0, 0, 0), result)
        self.assertEqual(result["kills"], 10)

    def test_it_reports_a_journal_that_skips_its_flush(self):
        self.assert_reported("skip_flush", kills=4)

    def test_it_reports_a_journal_that_acknowledges_early(self):
        self.assert_reported("late_flush", kills=12)

    def assert_reported(self, faults, kills):
        """Whether a kill falls where it does harm is chance, and seldom where the machine is slow."""
        self.assertTrue(any(self.crash(kills, faults)["lost"] for _ in range(6)), f"nothing was lost with {faults}")


if __name__ == "__main__":
    main()
