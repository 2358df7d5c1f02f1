#!/usr/bin/python3
"""The catalogue of bad input as a table: row, input, our answer, the tests that prove it, and how they went.

usage: tests/conformance/report.py [--bin FOLDER] [--json]

Nothing in it is written by hand but the catalogue's own columns (catalogue.txt): the tests say which rows they prove
(in C++ a row of a table is called "row_53_..." or a test records the property "rows"; in Python harness/rows.py), they
are run, and their results are gathered. A row passes where all its tests do and at least one of them is end to end or in
the simulation. Exit status 1 where a row does not pass or has no test.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]


def read_catalogue():
    """(section, row, input, answer), in order; an answer of None is not offered yet."""
    section, rows = None, []
    for line in (HERE / "catalogue.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line and not line.startswith("#"):
            row, what, answer = line.split(" | ")
            rows.append((section, row, what, None if answer == "-" else answer))
    return rows


class Results:
    def __init__(self):
        # By row, by test: whether it passed.
        self.by_row = collections.defaultdict(dict)

    def add(self, row, test, passed):
        self.by_row[row][test] = self.by_row[row].get(test, True) and passed


def simulation_filter():
    """Those tests of the simulation that name rows."""
    tests = []
    for path in sorted((REPOSITORY / "tests/sim").glob("*_test.cc")):
        for kind, suite, name in re.findall(r'TEST(_[FP])?\((\w+), (\w+)\) \{\s*RecordProperty\("rows"', path.read_text()):
            tests.append(f"*{suite}.{name}/*" if kind == "_P" else f"{suite}.{name}")
    return ":".join(tests)


def run_program(binaries, name, chosen, folder, results):
    output = folder / f"{name}.json"
    run = subprocess.run([binaries / name, f"--gtest_output=json:{output}", f"--gtest_filter={chosen}"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if not output.exists():
        sys.exit(f"report.py: {name} gave no results:\n{run.stdout.decode(errors='replace')[-2000:]}")
    for suite in json.loads(output.read_text())["testsuites"]:
        for test in suite["testsuite"]:
            rows = test.get("rows", "").split()
            named = re.match(r".*/row_(\d+|[A-Z]\d+)_", test["name"])
            rows += [named[1]] if named else []
            for row in rows:
                results.add(row, f"{name}: {suite['name']}.{test['name']}", "failures" not in test)


def run_script(binaries, script, folder, results):
    path = folder / "results.jsonl"
    path.unlink(missing_ok=True)
    environment = {**os.environ, "FAIRLEAD_BIN": str(binaries), "FAIRLEAD_RESULTS": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(["/usr/bin/python3", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         stdin=subprocess.DEVNULL, check=False)
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if not found:
        sys.exit(f"report.py: {script.name} gave no results:\n{run.stdout.decode(errors='replace')[-2000:]}")
    for result in found:
        name = result["test"] + (f" [{result['part']}]" if result["part"] else "")
        results.add(result["row"], f"e2e: {name}", result["passed"])


def gather(binaries):
    results = Results()
    scripts = [path for path in sorted((REPOSITORY / "tests/e2e").glob("*_test.py"))
               if re.search(r"@proves\(|self\.row\(|def test_row_", path.read_text(encoding="utf-8"))]
    with tempfile.TemporaryDirectory(prefix="fairlead-report-") as folder:
        folder = pathlib.Path(folder)
        run_program(binaries, "conformance", "*", folder, results)
        run_program(binaries, "sim", simulation_filter(), folder, results)
        for script in scripts:
            run_script(binaries, script, folder, results)
    return results


def judge(answer, tests):
    if not tests:
        return "no test" if answer else "not offered yet"
    if not all(tests.values()):
        return "FAIL"
    if all(test.startswith("conformance:") for test in tests):
        return "no test with a connection"
    return "pass"


def shown(tests):
    """The test that says most, and how many there are."""
    if not tests:
        return ""
    failed = [test for test, passed in tests.items() if not passed]
    best = failed[0] if failed else max(tests, key=lambda test: (test.startswith("e2e:"), test.startswith("sim:"), len(test)))
    return best + (f" and {len(tests) - 1} more" if len(tests) > 1 else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=REPOSITORY / "build/release/bin", type=pathlib.Path, help="where the programs are")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    arguments = parser.parse_args()
    catalogue = read_catalogue()
    results = gather(arguments.bin.resolve())
    unknown = set(results.by_row) - {row for _, row, _, _ in catalogue}
    lines = [{"section": section, "row": row, "input": what, "answer": answer, "tests": sorted(results.by_row[row]),
              "shown": shown(results.by_row[row]), "verdict": judge(answer, results.by_row[row])}
             for section, row, what, answer in catalogue]
    verdicts = collections.Counter(line["verdict"] for line in lines)
    if arguments.json:
        print(json.dumps({"rows": [{key: value for key, value in line.items() if key != "shown"} for line in lines],
                          "verdicts": verdicts}))
    else:
        section = None
        for line in lines:
            if line["section"] != section:
                section = line["section"]
                print(f"\n{section}")
            print(f"{line['row']:>4}  {line['verdict']:<15}  {line['input'][:60]:<60}  {(line['answer'] or '')[:48]:<48}  {line['shown']}")
        print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))
    if unknown:
        print(f"report.py: no such rows: {sorted(unknown)}", file=sys.stderr)
    sys.exit(1 if unknown or set(verdicts) - {"pass", "not offered yet"} else 0)


if __name__ == "__main__":
    main()
