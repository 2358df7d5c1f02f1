"""Processes under test: each is started with a deadline, told apart by its pid, and ended by it."""

import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

# For whatever should take no time at all; long, because a machine may be busy and a sanitizer may be on.
DEADLINE = 60.0

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def program(name):
    """A program of this project, from the folder in FAIRLEAD_BIN (ctest sets it)."""
    folder = os.environ.get("FAIRLEAD_BIN") or REPOSITORY / "build/release/bin"
    path = pathlib.Path(folder) / name
    if not path.is_file():
        raise AssertionError(f"{path} is not there: build it, or let FAIRLEAD_BIN name the folder where it is")
    return str(path)


def distribution_program(name, package):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise AssertionError(f"this test needs {name} (Debian package {package}): run tools/setup test")
    return path


def buf():
    path = shutil.which("buf") or REPOSITORY / "build/node/node_modules/.bin/buf"
    if not pathlib.Path(path).exists():
        raise AssertionError("this test needs buf (npm package @bufbuild/buf): run tools/setup test")
    return str(path)


def run(*arguments, timeout=DEADLINE, **options):
    """Runs a program to its end and returns it with its output as text."""
    return subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False, **options)


class Lines:
    """Lines that a pipe brings, gathered by a thread so that a test can wait for one."""

    def __init__(self, pipe):
        self._lines = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe):
        with pipe:
            for line in pipe:
                with self._changed:
                    self._lines.append(line.decode(errors="backslashreplace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __len__(self):
        return len(self._lines)

    def all(self):
        with self._changed:
            return list(self._lines)

    def text(self):
        return "\n".join(self.all())

    def wait_for(self, is_wanted, what="a line", start=0, timeout=DEADLINE):
        """The first line from `start` on for which is_wanted(line) is true."""
        end = time.monotonic() + timeout
        at = start
        with self._changed:
            while True:
                while at < len(self._lines):
                    if is_wanted(self._lines[at]):
                        return self._lines[at]
                    at += 1
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    raise AssertionError(f"{what} did not come; there is:\n" + "\n".join(self._lines[-40:]))
                self._changed.wait(left)

    def join(self):
        self._thread.join(DEADLINE)


class Process:
    """A child process whose standard output and error are gathered as lines."""

    def __init__(self, name, arguments, **options):
        self.name = name
        self.child = subprocess.Popen([str(argument) for argument in arguments], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.out = Lines(self.child.stdout)
        self.log = Lines(self.child.stderr)

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, timeout=DEADLINE):
        """Until it ended by itself; its exit status."""
        try:
            status = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout} s; its log:\n{self.all_text()}") from None
        self.out.join()
        self.log.join()
        return status

    def all_text(self):
        return "\n".join(self.out.all()[-100:] + self.log.all()[-200:])

    def kill(self):
        if self.is_running():
            self.child.kill()
        self.child.wait()
        self.out.join()
        self.log.join()

    def stop(self):
        """As an operator does it. An exit status other than 0 (a sanitizer's, for one) is a failure."""
        if self.is_running():
            self.signal(signal.SIGTERM)
        try:
            status = self.wait()
        finally:
            self.kill()
        if status != 0:
            raise AssertionError(f"{self.name} ended with {status}; its log:\n{self.all_text()}")


class Fairlead(Process):
    """A data plane, serving when the constructor returns.

    `configuration` is the file's text, or a dict to be written as JSON, which is YAML. Where the dict does not say
    otherwise there are two workers, a management socket, metrics, and an access log on standard output. With `faults`,
    its files break as these words say (tests/support/faulty_vfs).
    """

    def __init__(self, folder, configuration, arguments=(), faults=None, **options):
        self.folder = pathlib.Path(folder)
        self.socket_path = str(self.folder / "management.sock")
        path = self.folder / "fairlead.yaml"
        path.write_text(configuration if isinstance(configuration, str) else self._text(configuration))
        ready_file = self.folder / "ready.json"
        ready_file.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
            notify_path = self.folder / "notify.sock"
            notify_path.unlink(missing_ok=True)
            notifications.bind(str(notify_path))
            own = {"NOTIFY_SOCKET": str(notify_path), **({"FAIRLEAD_FAULTS": faults} if faults else {})}
            super().__init__("fairlead", [program("fairlead-faulty" if faults else "fairlead"), "--config", path,
                                          "--ready-file", ready_file, *arguments],
                             env={**os.environ, **own}, **options)
            try:
                self._await_ready(notifications)
            except BaseException:
                self.kill()
                raise
        # Written before the notification goes out.
        self.ready = json.loads(ready_file.read_text())

    def _text(self, configuration):
        whole = {
            "workers": 2,
            "management": {"listen": ["unix:" + self.socket_path]},
            "observation": {"listen": "127.0.0.1:0"},
            "access_log": {"path": "-"},
            "shutdown": {"timeout": "5s"},
            **configuration,
        }
        return json.dumps(whole, indent=1)

    def _await_ready(self, notifications):
        ended = os.pidfd_open(self.child.pid)
        try:
            readable, _, _ = select.select([notifications, ended], [], [], DEADLINE)
            if notifications in readable:
                said = notifications.recv(4096).decode()
                assert said in ("READY=1", f"MAINPID={self.child.pid}\nREADY=1"), said
            elif readable:
                raise AssertionError(f"fairlead ended with {self.wait()} instead of serving:\n{self.all_text()}")
            else:
                raise AssertionError(f"fairlead did not serve within {DEADLINE} s:\n{self.all_text()}")
        finally:
            os.close(ended)

    def address(self, listener="web"):
        return self.ready["listeners"][listener][0]

    @property
    def management(self):
        return "unix:" + self.socket_path

    def processor_seconds(self):
        """What all its threads have used so far."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split(" ")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split(" ")[1]) * os.sysconf("SC_PAGE_SIZE")

    def management_connections(self):
        """How many clients' connections to the management socket it holds."""
        lines = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()]
        return sum(1 for line in lines if line[-1] == self.socket_path and line[5] == "03")

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def ctl(self, *arguments, stdin=None):
        """fairleadctl to its end: status, output, errors."""
        return subprocess.run([program("fairleadctl"), *arguments], capture_output=True, text=True, timeout=DEADLINE,
                              input=stdin or "", env=self.ctl_environment(), check=False)

    def ctl_environment(self):
        return {**os.environ, "FAIRLEAD_ADDRESS": self.management}

    def wait_for_access(self, *parts, start=0):
        """The access log's line that contains all of `parts`, as a dict."""
        line = self.out.wait_for(lambda text: all(part in text for part in parts), f"access log line with {parts}", start)
        return dict(field.split("=", 1) for field in line.split(" "))
