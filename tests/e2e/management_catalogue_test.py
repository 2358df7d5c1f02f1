"""Where each row of the catalogue of what clients of the management API get wrong is tried, or why it waits."""

import pathlib
import re
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
TABLE = "unit/management/bad_input_test.cc"

# Why it is not tried, and for what it waits.
WAITS = {
    18: "2,000,000 servers of weight 256, the most that there can be, are 5.2e8",
    19: "no field of a resource is a floating-point number",
}

# What of a row's answer is not ours to give: gRPC 1.51 looks at no content type (54), and gives up the connection where
# what should be base64 is not (55). Before the state is loaded nobody listens (67): clients are told UNAVAILABLE by
# their own library, with nothing in it.

# Tried elsewhere than under its number: the file and the test.
ELSEWHERE = {
    9: (TABLE, "InvalidUtf8IsNeverStored"),
    29: (TABLE, "OneBadOfTenThousandRefusesAllAndIsNamed"),
    28: (TABLE, "OneBadOfTenThousandRefusesAllAndIsNamed"),
    43: ("e2e/acknowledgement_test.py", "test_a_drain_is_told_from_its_beginning_to_its_end"),
    44: ("e2e/acknowledgement_test.py", "test_a_name_that_drains_can_be_added_again_beside_it"),
    49: ("e2e/tls_certificates_test.py", "test_a_private_key_outlives_the_process_and_is_shown_nowhere"),
    53: ("e2e/unary_test.py", "test_health_and_reflection"),
    66: ("unit/journal/durable_store_test.cc", "AfterAFailedFlushItTakesNothingUntilANewFileStands"),
}


class Catalogue(unittest.TestCase):
    def test_every_row_is_tried_or_says_what_it_waits_for(self):
        table = "".join(path.read_text() for path in (TESTS / TABLE).parent.glob("bad_*.cc"))
        tried = {int(number) for number in re.findall(r'^    \{(\d+), "', table, re.MULTILINE)}
        tried |= {int(number) for names in re.findall(r"TEST_F\(\w+, Row(\d+(?:And\d+)*)", table)
                  for number in re.findall(r"\d+", names)}
        for path in (TESTS / "e2e").glob("management_*_test.py"):
            for name in re.findall(r"def test_([\d_]+)_|def test_\d+_\w*?and_(\d+)", path.read_text()):
                tried |= {int(number) for part in name for number in part.split("_") if number}
            for name in re.findall(r"def (test_\w+)", path.read_text()):
                tried |= {int(number) for number in re.findall(r"_(\d\d)(?=_)", name)}
        for number, (path, name) in ELSEWHERE.items():
            place = TESTS / path
            texts = [place.read_text()] if place.is_file() else [file.read_text() for file in place.rglob("*.cc")]
            self.assertTrue(any(name in text for text in texts), f"row {number}: {name} is not in {path}")
            tried.add(number)
        self.assertEqual(set(range(1, 69)) - tried - set(WAITS), set(), "rows that nothing tries")


if __name__ == "__main__":
    unittest.main(verbosity=2)
