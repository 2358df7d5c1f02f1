"""What processes have used: processor time to the nanosecond where the kernel says so, and memory."""

import os
import pathlib

TICK = 1e6 / os.sysconf("SC_CLK_TCK")


def family(pid):
    """The process and its children (nginx works in one)."""
    pids = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


class ProcessorTime:
    """Microseconds, of a process and its children since their start."""

    def __init__(self, pid):
        ticks_user = ticks_system = 0
        exact = 0
        for member in family(pid):
            fields = pathlib.Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            ticks_user += int(fields[11])
            ticks_system += int(fields[12])
            exact += sum(int((task / "schedstat").read_text().split()[0])
                         for task in pathlib.Path(f"/proc/{member}/task").iterdir())
        self.user = ticks_user * TICK
        self.system = ticks_system * TICK
        self.total = exact / 1e3

    def since(self, before):
        """(total, user, system). The total is exact; ticks only say how it is divided."""
        user, system = self.user - before.user, self.system - before.system
        total = self.total - before.total
        if total <= 0:  # a kernel without schedstat
            total = user + system
        share = user / (user + system) if user + system > 0 else 0
        return total, total * share, total * (1 - share)


def resident_kb(pid):
    total = 0
    for member in family(pid):
        for line in pathlib.Path(f"/proc/{member}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


def thread_time(pid, prefix):
    """Microseconds that threads whose name begins so have used."""
    exact = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith(prefix):
            exact += int((task / "schedstat").read_text().split()[0])
    return exact / 1e3


def is_asleep(pid):
    """No thread of the process runs, or could."""
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    return "R" not in states
