"""The commands of a newcomer: tools/demo and tools/bench start where nothing is installed, and compare what is equal."""

import importlib.util
import io
import pathlib
import shutil
import subprocess
import sys
import unittest

from harness import Case, main

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
SUPPORT = TOOLS / "support"


def load(name):
    """A script of tools/support as a module."""
    if str(SUPPORT) not in sys.path:
        sys.path.insert(0, str(SUPPORT))
    specification = importlib.util.spec_from_file_location(f"command_{name}", SUPPORT / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Commands(Case):
    # What every Debian has; no Python among it.
    ESSENTIAL = ("bash", "sed", "dirname", "readlink", "env", "cat")

    def run_bare(self, command, *arguments):
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        for name in self.ESSENTIAL:
            if not (folder / name).exists():
                (folder / name).symlink_to(shutil.which(name))
        return subprocess.run([TOOLS / command, *arguments], env={"PATH": str(folder)}, cwd=self.folder,
                              capture_output=True, text=True, check=False)

    def test_they_are_shell_scripts_because_setup_brings_python(self):
        for command in ("demo", "bench", "build", "check", "setup", "test"):
            self.assertEqual((TOOLS / command).read_text().splitlines()[0], "#!/bin/bash", command)
        for command in ("demo", "bench"):
            # Nothing before it may need what it installs.
            text = (TOOLS / command).read_text()
            self.assertLess(text.index("tools/setup"), text.index("exec /usr/bin/python3"), command)

    def test_help_needs_nothing_that_is_to_be_installed(self):
        for command in ("demo", "bench"):
            for flag in ("--help", "-h"):
                with self.subTest(command=command, flag=flag):
                    told = self.run_bare(command, flag)
                    self.assertEqual((told.returncode, told.stderr), (0, ""))
                    self.assertTrue(told.stdout.startswith(f"usage: tools/{command} [-h]"), told.stdout)

    def test_help_tells_every_option(self):
        for command in ("demo", "bench"):
            told = self.run_bare(command, "--help").stdout
            for action in load(command).argument_parser()._actions:
                for flag in action.option_strings:
                    self.assertIn(f" {flag}", told)
                for choice in () if action.option_strings else action.choices or ():
                    self.assertIn(f"tools/{command} {choice}", told)


class BenchRatios(unittest.TestCase):
    """Machines drift within seconds: what ran in the same round is compared, not what ran minutes apart."""

    def runs(self, name, costs):
        return [{"cpu_us": cost} for cost in costs]

    def test_are_of_the_same_round(self):
        comparison = load("comparison")
        drift = [1, 1.1, 1.3, 0.9, 2]
        runs = {"fairlead": self.runs("fairlead", [7 * factor for factor in drift]),
                "haproxy": self.runs("haproxy", [10 * factor for factor in drift])}
        self.assertEqual(comparison.ratios(runs), {"cpu_vs_haproxy": 0.7, "cpu_vs_haproxy_quartiles": [0.7, 0.7]})

    def test_have_their_quartiles(self):
        comparison = load("comparison")
        runs = {"fairlead": self.runs("fairlead", [5, 6, 7, 8, 9]), "haproxy": self.runs("haproxy", [10] * 5),
                "nginx": self.runs("nginx", [20] * 5)}
        self.assertEqual(comparison.ratios(runs), {"cpu_vs_haproxy": 0.7, "cpu_vs_haproxy_quartiles": [0.6, 0.8],
                                                   "cpu_vs_nginx": 0.35, "cpu_vs_nginx_quartiles": [0.3, 0.4]})

    def test_of_one_round_have_them_too(self):
        comparison = load("comparison")
        runs = {"fairlead": self.runs("fairlead", [7]), "haproxy": self.runs("haproxy", [10])}
        self.assertEqual(comparison.ratios(runs), {"cpu_vs_haproxy": 0.7, "cpu_vs_haproxy_quartiles": [0.7, 0.7]})

    def test_of_several_cases_stand_by_other_and_case(self):
        comparison = load("comparison")
        runs = {case: {"fairlead": self.runs("fairlead", [ours] * 3), "haproxy": self.runs("haproxy", [10] * 3),
                       "nginx": self.runs("nginx", [20] * 3)} for case, ours in (("get_10k", 5), ("put_1m", 8))}
        result = comparison.by_case(runs)
        self.assertEqual(result["vs_haproxy"], {"get_10k": 0.5, "put_1m": 0.8})
        self.assertEqual(result["vs_nginx"], {"get_10k": 0.25, "put_1m": 0.4})
        self.assertEqual(result["proxies"]["nginx"]["put_1m"], {"cpu_us": 20})


class DemoView(unittest.TestCase):
    """A line that is wider than the terminal takes two, and the panel would no longer be drawn over itself."""

    def test_fits_every_terminal(self):
        demo, terminal, story = load("demo"), load("terminal"), load("story")
        told = story.Story()
        told.start = 0
        for number in range(12):
            told.on_event_line(f'{{"time": {number}, "event": "server_added", "server": "app/s{number}", "desired": 12}}')
        for number in range(100):
            told.on_load_line('{"type": "interval", "seconds": %d, "rate": 1234567, "in_flight": 123456, "p50_ms": 1234.5, '
                              '"p99_ms": 23456.7, "failed": 0, "failed_total": 12345, "requests_total": 123456789}' % number)
        view = terminal.LiveView(told, demo.curves.day_curve(), 100, 4, output=io.StringIO())
        for columns in (20, 40, 60, 80, 100, 140, 300):
            for line in view.panel(50, columns):
                self.assertLess(len(terminal.strip_colors(line)), columns, line)
                self.assertEqual(line.count("\033["), 2 * line.count("\033[0m"), "each colour ends")
        self.assertIn("50 s left", terminal.strip_colors(view.panel(50, 80)[1]))


if __name__ == "__main__":
    main()
