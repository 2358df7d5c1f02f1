"""The base of all test cases: what it starts, it ends."""

import json
import os
import pathlib
import shutil
import tempfile
import unittest

from .origins import Origin, ScriptedOrigin
from .processes import DEADLINE, Fairlead, Process
from .rows import RecordingRunner, row_of

__all__ = ["DEADLINE", "Case", "main"]


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        # Short, because a Unix socket's path is.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fairlead-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def row(self, name):
        """A part of a test that proves a row of the catalogue: its name begins with the row's number."""
        return self.subTest(row=row_of(name), name=name)

    def start(self, configuration, **options):
        """A data plane, in a folder of its own; at the end of the test it must end by itself, with status 0."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="plane", dir=self.folder))
        fairlead = Fairlead(folder, configuration, **options)
        self.addCleanup(fairlead.stop)
        return fairlead

    def start_process(self, name, arguments, **options):
        process = Process(name, arguments, **options)
        self.addCleanup(process.kill)
        return process

    def origin(self, name="origin", **options):
        """A well-behaved server."""
        origin = Origin(name, **options)
        self.addCleanup(origin.close)
        return origin

    def scripted(self, script, **options):
        """One that runs script(peer, number) for each connection."""
        origin = ScriptedOrigin(script, **options)
        self.addCleanup(origin.close)
        return origin

    def ctl(self, fairlead, *arguments, stdin=None):
        """fairleadctl, which must succeed; its output."""
        result = fairlead.ctl(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, 0, f"fairleadctl {' '.join(arguments)}: {result.stderr}")
        return result.stdout

    def refused(self, fairlead, *arguments):
        """fairleadctl, which must be refused; what it says."""
        result = fairlead.ctl(*arguments)
        self.assertEqual(result.returncode, 1, f"fairleadctl {' '.join(arguments)}: {result.stdout}{result.stderr}")
        return result.stderr

    def assert_memory_grew_less_than(self, fairlead, before, size):
        """Of resident_bytes(). A sanitizer keeps what was freed, so there it says nothing."""
        if not os.environ.get("FAIRLEAD_SANITIZE"):
            self.assertLess(fairlead.resident_bytes() - before, size)

    def bound_address(self, fairlead, listener):
        """Where a listener that was added at run time listens."""
        found = json.loads(self.ctl(fairlead, "listener", "get", listener, "-o", "json"))
        return found["status"]["bound"][0]


def plane(servers, listener=None, backend=None, **others):
    """A configuration with one HTTP listener, `web`, and one backend, `app`, of servers given by name or in order."""
    if not isinstance(servers, dict):
        servers = {f"s{index + 1}": server for index, server in enumerate(servers)}
    return {
        "resources": {
            "listeners": [{"name": "web", "bind": ["127.0.0.1:0"], "protocol": "HTTP", "default_backend": "app",
                           **(listener or {})}],
            "backends": [{"name": "app", **(backend or {}),
                          "servers": [{"name": name, "address": address} for name, address in servers.items()]}],
        },
        **others,
    }


def main():
    unittest.main(verbosity=2, testRunner=RecordingRunner)
