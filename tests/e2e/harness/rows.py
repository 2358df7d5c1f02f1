"""Which rows of the catalogue of bad input (tests/conformance/catalogue.txt) a test proves, and how it went.

    @proves("66", "86")            a whole test
    def test_row_169_plain_http    a whole test of one row
    with self.row("53 both ..."):  one part of it, which begins with the row's number

Where FAIRLEAD_RESULTS names a file, each result is a line of JSON there; tests/conformance/report.py makes a table of it.
"""

import json
import os
import pathlib
import re
import sys
import unittest

CATALOGUE = pathlib.Path(__file__).resolve().parents[2] / "conformance/catalogue.txt"
_numbers = {line.split(" | ")[0] for line in CATALOGUE.read_text().splitlines() if " | " in line}


def check(number):
    assert number in _numbers, f"the catalogue has no row {number!r}"
    return number


def proves(*numbers):
    """A decorator of tests."""
    def mark(test):
        test.rows = [check(number) for number in numbers]
        return test
    return mark


def row_of(name):
    """The row that a part's name begins with."""
    return check(name.split(" ", 1)[0])


class RecordingResult(unittest.TextTestResult):
    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        row = subtest.params.get("row")
        if row:
            self._record([row], test, str(subtest.params["name"]), err is None)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._record_test(test, True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._record_test(test, False)

    def addError(self, test, err):
        super().addError(test, err)
        self._record_test(test, False)

    def stopTest(self, test):
        # A failed part is no failure of the test to unittest, and it is one to a row that the test proves.
        failed = any(getattr(part, "test_case", part) is test for part, _ in self.failures + self.errors)
        if failed:
            self._record_test(test, False)
        super().stopTest(test)

    def _record_test(self, test, passed):
        name = getattr(test, "_testMethodName", "")
        named = re.match(r"test_row_([A-Z]?[0-9]+)_", name)
        rows = getattr(getattr(test, name, None), "rows", []) + ([check(named[1])] if named else [])
        self._record(rows, test, "", passed)

    def _record(self, rows, test, part, passed):
        path = os.environ.get("FAIRLEAD_RESULTS")
        if not path or not rows:
            return
        name = f"{pathlib.Path(sys.argv[0]).stem}.{type(test).__name__}.{test._testMethodName}"  # pylint: disable=protected-access
        with open(path, "a", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps({"row": row, "test": name, "part": part, "passed": passed}) + "\n")


class RecordingRunner(unittest.TextTestRunner):
    resultclass = RecordingResult
