"""What outlives the process: journal, start, refusals, and the bench that kills."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from harness import fetch, plane, wait_until
from harness.api import ApiCase, delete, grpc, management, resources, server, upsert
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


DRAIN = resources.ADMIN_STATE_DRAIN
APPLIED = management.OUTCOME_APPLIED
TAKEN = (APPLIED, management.OUTCOME_UNCHANGED)


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

    def test_what_was_removed_takes_nothing_until_all_stands_there_again(self):
        configuration = self.configuration()
        fairlead, api = self.start_doomed(configuration)
        for number, remove in enumerate((lambda: shutil.rmtree(self.state), (self.state / "journal.db").unlink,
                                         (self.state / "journal.db-wal").unlink)):
            remove()
            result = api.apply(upsert(server(f"lost{number}", "10.0.0.9:80")))
            self.assertEqual(result.failures[0].reason, management.REASON_JOURNAL_FAILED, result)
            self.assertIn("was removed, or another one is in its place", result.failures[0].message)
            wait_until(lambda: self.info(api).journal.state == management.JOURNAL_STATE_WRITING, "a new file")
            self.assertEqual(api.apply(upsert(server(f"kept{number}", "10.0.0.9:80"))).outcome, APPLIED)
            with self.assertRaisesRegex(AssertionError, f"is in use by process {fairlead.pid}"):
                self.start(configuration)
        before = api.export()
        fairlead.kill()
        _, api = self.start_with_api(configuration)
        self.assertEqual(api.export(), before)
        names = {item.name for item in api.servers("app")}
        self.assertEqual(names, {"s1", "s2", "kept0", "kept1", "kept2"})

    def test_its_files_are_for_its_owner_alone(self):
        self.state.mkdir(mode=0o755)
        self.start(self.configuration())
        for name in ("journal.db", "journal.db-wal", "journal.db-shm", "lock", "takeover.sock"):
            self.assertEqual((self.state / name).stat().st_mode & 0o077, 0, name)

    def test_resources_are_exported_whatever_became_of_their_history(self):
        fairlead, api = self.start_doomed(self.configuration())
        api.apply(upsert(server("s3", "10.0.0.3:80")))
        fairlead.kill()
        with contextlib.closing(sqlite3.connect(self.state / "journal.db")) as journal:
            journal.execute("UPDATE history SET changes = x'ff00ff'")
            journal.commit()
        verify = run(program("fairlead"), "journal", "verify", self.state)
        self.assertEqual(verify.returncode, 1)
        self.assertIn("history: version ", verify.stderr)
        export = run(program("fairlead"), "journal", "export", self.state)
        self.assertEqual(export.returncode, 0, export.stderr)
        self.assertIn("name: s3", export.stdout)
        self.assertEqual(run(program("fairlead"), "journal", "verify", "--help").returncode, 0)

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


class FailingDisk(ApiCase):
    """A disk that is full, or fails, while requests go on."""

    def start_failing(self, fault):
        self.fault = self.folder / "fault"
        configuration = plane([self.origin("well").address], state_directory=str(self.folder / "state"))
        fairlead, api = self.start_with_api(configuration, faults=f"{fault}={self.fault}")
        return configuration, fairlead, api

    def state(self, api):
        info = api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)
        return info.version, info.digest

    def assert_serves(self, fairlead):
        self.assertEqual(fetch(fairlead.address()).body, b"well")

    def assert_is_kept(self, fairlead, api, configuration):
        """By who starts next, on a disk that is well."""
        version, digest = self.state(api)
        fairlead.stop()
        _, again = self.start_with_api(configuration)
        self.assertEqual(self.state(again), (version, digest))

    def test_a_full_disk_takes_no_writes_and_recovers_by_itself(self):
        configuration, fairlead, api = self.start_failing("full_while")
        session = self.session(api)
        self.assertEqual(session.apply(upsert(server("before", "10.0.0.1:80", admin_state=DRAIN))).outcome, APPLIED)
        before = self.state(api)
        self.fault.touch()
        result = session.apply(upsert(server("during", "10.0.0.2:80", admin_state=DRAIN)))
        self.assertEqual(result.outcome, management.OUTCOME_REFUSED)
        self.assertEqual(result.failures[0].reason, management.REASON_DISK_FULL, result)
        self.assert_refused(grpc.StatusCode.RESOURCE_EXHAUSTED, api.management.DeleteServer,
                            management.DeleteServerRequest(backend="app", name="before"), "there is no room for it in")
        self.assertEqual(self.state(api), before)
        self.assert_serves(fairlead)
        self.fault.unlink()
        wait_until(lambda: session.apply(upsert(server("after", "10.0.0.3:80", admin_state=DRAIN))).outcome in TAKEN,
                   "writes when there is room")
        self.assertEqual({one.name for one in api.servers("app")}, {"s1", "before", "after"})
        self.assert_serves(fairlead)
        audited = [line for line in fairlead.log.text().splitlines() if "accepted: version" in line]
        self.assertEqual([line.rpartition(" ")[2] for line in audited][-2:], ["app/before", "app/after"])
        self.assert_is_kept(fairlead, api, configuration)

    def test_after_a_failed_flush_nothing_is_taken_until_all_stands_in_a_new_file(self):
        configuration, fairlead, api = self.start_failing("failed_flush_while")
        session = self.session(api)
        # Its election id is on disk.
        self.assertEqual(session.apply(upsert(server("before", "10.0.0.1:80", admin_state=DRAIN))).outcome, APPLIED)
        before = self.state(api)
        self.fault.touch()
        result = session.apply(upsert(server("during", "10.0.0.2:80", admin_state=DRAIN)))
        self.assertEqual(result.outcome, management.OUTCOME_REFUSED, result)
        self.assertEqual(result.failures[0].reason, management.REASON_JOURNAL_FAILED, result)
        self.assertEqual(self.state(api), before)
        self.assert_serves(fairlead)
        info = api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)
        self.assertNotEqual(info.journal.state, management.JOURNAL_STATE_WRITING)
        self.assertIn("journal", fairlead.log.text())
        old = (self.folder / "state/journal.db").stat().st_ino
        self.fault.unlink()
        wait_until(lambda: session.apply(upsert(server("after", "10.0.0.3:80", admin_state=DRAIN))).outcome in TAKEN,
                   "writes when the disk is well")
        self.assertNotEqual((self.folder / "state/journal.db").stat().st_ino, old)
        self.assertEqual({one.name for one in api.servers("app")}, {"s1", "before", "after"})
        self.assert_serves(fairlead)
        self.assert_is_kept(fairlead, api, configuration)

    def journal(self, api):
        return api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE).journal

    def test_requests_metrics_and_get_info_go_on_while_a_flush_does_not_end(self):
        _, fairlead, api = self.start_failing("stuck_flush_while")
        session = self.session(api)
        self.assertEqual(session.apply(upsert(server("before", "10.0.0.1:80", admin_state=DRAIN))).outcome, APPLIED)
        version = api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE).version
        self.fault.touch()
        session.transaction(upsert(server("during", "10.0.0.2:80", admin_state=DRAIN)))
        for _ in range(20):
            self.assert_serves(fairlead)
            page = fetch(fairlead.ready["observation"], "/metrics").body.decode()
            self.assertIn(f"fairlead_configuration_version {version}\n", page)
            self.assertRegex(page, r"fairlead_change_duration_seconds_count [1-9]")
            self.assertEqual(api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE).version, version)
        wait_until(lambda: self.journal(api).state == management.JOURNAL_STATE_STALLED, "a stalled journal")
        self.assertRegex(self.journal(api).problem, r"^the disk has not ended a flush for \d+ s$")
        self.assertIn("fairlead_journal_writable 0\n", fetch(fairlead.ready["observation"], "/metrics").body.decode())
        self.assertIn("stalled, ", self.ctl(fairlead, "info"))
        refused = self.refused(fairlead, "--timeout", "1s", "server", "list")
        self.assertRegex(refused, r"no answer .* within 1s; its journal waits: the disk has not ended a flush for \d+ s \(/")
        self.fault.unlink()
        self.assertEqual(session.read_result().outcome, APPLIED)
        self.assertEqual(self.journal(api).state, management.JOURNAL_STATE_WRITING)
        self.assertIn("for a flush of", fairlead.log.text())


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
