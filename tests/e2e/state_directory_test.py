"""State directories that a data plane cannot have: it says why and ends, and leaves what it found as it was."""

import os

from harness import main, plane, program, run
from harness.api import ApiCase, upsert, server

ADDRESS = "127.0.0.1:9"


class StateDirectories(ApiCase):
    def refuse(self, path):
        """The data plane does not start with it; what it says."""
        configuration = self.folder / "refused.yaml"
        socket = self.folder / "refused.sock"
        configuration.write_text(
            f"{{workers: 1, management: {{listen: [\"unix:{socket}\"]}}, state_directory: {path}}}")
        ended = run(program("fairlead"), "--config", configuration)
        self.assertNotEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn(str(path), ended.stderr)
        self.assertFalse(socket.exists())
        return ended.stderr

    def test_one_that_is_missing_is_made_and_closed_to_others(self):
        path = self.folder / "state"
        fairlead, api = self.start_with_api(plane([ADDRESS], state_directory=str(path)))
        api.apply(upsert(server("x", ADDRESS)))
        self.assertTrue((path / "journal.db").is_file())
        self.assertEqual(path.stat().st_mode & 0o077, 0)
        self.assertTrue(fairlead.is_running())

    def test_one_that_cannot_be_made(self):
        self.refuse("/proc/fairlead")
        self.assertIn("does not exist", self.refuse(self.folder / "a" / "b"))
        self.assertFalse((self.folder / "a").exists())

    def test_one_that_is_a_file(self):
        path = self.folder / "file"
        path.write_text("mine")
        self.assertIn("director", self.refuse(path))
        self.assertEqual(path.read_text(), "mine")
        self.refuse(path / "below")

    def test_one_that_is_a_link_to_nothing(self):
        path = self.folder / "link"
        path.symlink_to(self.folder / "nothing")
        self.refuse(path)

    def test_one_that_is_not_writable(self):
        """Of a file system that nobody may write to; permissions hold back no root."""
        if os.geteuid() == 0:
            self.assertIn("/proc/self", self.refuse("/proc/self"))
            return
        path = self.folder / "closed"
        path.mkdir(mode=0o500)
        self.refuse(path)

    def test_one_of_a_running_process(self):
        path = self.folder / "state"
        first, api = self.start_with_api(plane([ADDRESS], state_directory=str(path)))
        api.apply(upsert(server("x", ADDRESS)))
        before = api.export()
        self.assertIn(str(first.pid), self.refuse(path))
        self.assertTrue(first.is_running())
        self.assertEqual(api.apply(upsert(server("y", ADDRESS))).version, before[1] + 1)
        first.stop()
        # Free with its end, and nothing of it was spoilt.
        again, api = self.start_with_api({"state_directory": str(path)})
        self.assertEqual({item.name for item in api.export()[0].servers}, {"s1", "x", "y"})
        self.assertTrue(again.is_running())

    def test_a_journal_that_is_none(self):
        path = self.folder / "state"
        path.mkdir()
        journal = path / "journal.db"
        for content in (b"not a database, but long enough to be looked at as one" * 100,
                        b"SQLite format 3\0" + b"\xff" * 4096):
            journal.write_bytes(content)
            said = self.refuse(path)
            self.assertIn("journal.db", said)
            self.assertEqual(journal.read_bytes(), content)


if __name__ == "__main__":
    main()
