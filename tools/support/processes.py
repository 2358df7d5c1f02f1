"""Processes that a script starts and ends: each by its own pid, none left behind."""

import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failed(Exception):
    """What went wrong, as a sentence for people."""


def ask_kernel_to_end_with_parent():
    """Should this script be killed, the kernel ends its children."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def may_go_first():
    """Whether we may start processes in the real-time class, as what stands for a machine of its own."""
    ordinary = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, *ordinary)
    return True


class Process:
    """A child with its output in a file; in a process group of its own, so that Ctrl-C reaches only the script, but in the
    script's session: sessions share the processors evenly, whatever their processes ask for (autogroup, sched(7)). One that
    `gives_way` runs when nobody else would, one that `goes_first` whenever it wants to: see may_go_first()."""

    def __init__(self, name, command, log_path, cpus=None, stdout=None, gives_way=False, goes_first=False):
        self.name = name
        self.log_path = pathlib.Path(log_path)
        if cpus is not None:
            command = ["taskset", "--cpu-list", cpus, *command]
        if gives_way:
            command = ["chrt", "--idle", "0", *command]
        if goes_first:
            command = ["chrt", "--rr", "1", *command]
        log = open(self.log_path, "ab")
        try:
            self.child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log,
                process_group=0, preexec_fn=ask_kernel_to_end_with_parent)
        except FileNotFoundError as error:
            raise Failed(f"{name}: {error.filename} is not there") from error
        finally:
            log.close()

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child.poll() is None

    def log_tail(self, lines=12):
        text = self.log_path.read_text(errors="replace").strip()
        return "\n".join("  " + line for line in text.splitlines()[-lines:]) or "  (it said nothing)"

    def check_running(self):
        if not self.is_running():
            raise Failed(f"{self.name} ended by itself with status {self.child.returncode}:\n{self.log_tail()}")

    def wait_for_file(self, path, seconds=20):
        """The JSON in a ready file, as soon as it is there."""
        deadline = time.monotonic() + seconds
        while not os.path.exists(path):
            self.check_running()
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} does not serve after {seconds} s:\n{self.log_tail()}")
            time.sleep(0.02)
        return json.loads(pathlib.Path(path).read_text())

    def end(self, seconds=10):
        """SIGTERM, after some time SIGKILL. The status."""
        if self.is_running():
            self.child.terminate()
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()


class Workshop:
    """A temporary folder and the processes that work in it; all are gone at the end of the `with`.

    Whatever ends the script - an exception, Ctrl-C, SIGTERM, a closed terminal - ends them in the reverse order of their
    start.
    """

    def __init__(self, name):
        self.name = name
        self.processes = []
        self.processors_are_kept_awake = False

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.interrupt)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"fairlead-{self.name}-"))
        return self

    @staticmethod
    def interrupt(*_):
        raise KeyboardInterrupt

    def __exit__(self, kind, *_):
        # A second Ctrl-C must not keep anything alive.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for process in reversed(self.processes):
            process.end()
        self.end_strays()
        if kind is not None and kind is not KeyboardInterrupt and os.environ.get("FAIRLEAD_KEEP"):
            print(f"kept: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return False

    def start(self, name, command, **options):
        process = Process(name, command, self.folder / f"{name}.log", **options)
        self.processes.append(process)
        return process

    def keep_processors_awake(self):
        """For what measures how long things take: a processor that sleeps wakes late, on a virtual machine by milliseconds."""
        self.processors_are_kept_awake = True
        for number in sorted(os.sched_getaffinity(0)):
            self.start(f"awake-{number}", [program("fairlead-awake")], cpus=str(number), gives_way=True)

    def end_strays(self):
        """Grandchildren whose parent had no time to end them: those that were started with a path in our folder."""
        marker = str(self.folder).encode()
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and int(entry.name) != os.getpid() and \
                        marker in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue


# Another build's folder, which is used as it is: nothing is installed or built then.
BUILD = os.environ.get("FAIRLEAD_BUILD")


def run_tool(*command):
    """A script of tools/, with its output on the terminal."""
    if subprocess.run([str(ROOT / "tools" / command[0]), *command[1:]], check=False).returncode != 0:
        raise Failed(f"tools/{command[0]} failed (above)")


def build(programs):
    if not BUILD:
        run_tool("build", "release", *programs)


def program(name):
    return pathlib.Path(BUILD or ROOT / "build" / "release") / "bin" / name
