#!/usr/bin/python3
"""Each lesson of lessons.txt names tests, and these are there."""

import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent


def lessons():
    """(what happened, promise, names of tests)"""
    for line in (HERE / "lessons.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            happened, promise, tests = line.split(" | ")
            yield happened, promise, tests.split(", ")


def tests_in_cpp():
    found = set()
    for path in TESTS.rglob("*.cc"):
        found.update(f"{suite}.{name}" for suite, name in
                     re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", path.read_text(encoding="utf-8"), re.MULTILINE))
    return found


def tests_in_python():
    found = set()
    for path in (TESTS / "e2e").glob("*_test.py"):
        case = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := re.match(r"class (\w+)", line):
                case = match[1]
            elif match := re.match(r"    def (test_\w+)", line):
                found.add(f"{path.name}:{case}.{match[1]}")
    return found


class Lessons(unittest.TestCase):
    def test_each_is_kept_by_tests_that_are_there(self):
        there = tests_in_cpp() | tests_in_python()
        told = list(lessons())
        self.assertEqual(len(told), 25)
        for happened, promise, tests in told:
            with self.subTest(happened):
                self.assertTrue(promise and tests)
                self.assertEqual([test for test in tests if test not in there], [])


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
