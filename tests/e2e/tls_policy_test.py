"""What testssl.sh finds in the default policy for TLS: nothing of medium severity or worse."""

import json
import os
import subprocess

from harness import Case, main, plane
from harness.certificates import Authority
from harness.processes import distribution_program

# Protocols, the ciphers' categories, the order, forward secrecy, and all attacks that it knows. What it says of the
# certificate and of headers is the operator's.
CHECKS = ("--protocols", "--std", "--server-preference", "--fs", "--vulnerable")
# What a scan says of itself.
ABOUT_THE_SCAN = {"WARN"}
HARMLESS = {"OK", "INFO", "DEBUG", "LOW"}


class DefaultPolicy(Case):
    def scan(self, kind):
        authority = Authority(self.folder)
        configuration = plane([self.origin("live").address], listener={"tls": {"certificates": ["example"]}})
        configuration["resources"]["certificates"] = [authority.issue("example.com", kind=kind).fields("example")]
        port = self.start(configuration).address().rsplit(":", 1)[1]
        findings = self.folder / "findings.json"
        scan = subprocess.run(
            [distribution_program("testssl", "testssl.sh"), "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none",
             "--ip", "127.0.0.1", *CHECKS, "--jsonfile", str(findings), f"example.com:{port}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=220, check=False)
        self.assertTrue(findings.exists(), scan.stdout + scan.stderr)
        return {found["id"]: (found["severity"], found["finding"]) for found in json.loads(findings.read_text())}, scan.stdout

    def test_testssl_finds_nothing(self):
        if os.environ.get("FAIRLEAD_SANITIZE"):
            self.skipTest("it takes too long")
        found, output = self.scan("rsa")
        # It has looked.
        for check in ("SSLv2", "TLS1_2", "TLS1_3", "cipherlist_NULL", "PFS", "heartbleed", "ROBOT", "secure_client_renego"):
            self.assertIn(check, found, output)
        self.assertEqual({name: what for name, what in found.items() if what[0] not in HARMLESS | ABOUT_THE_SCAN}, {}, output)


if __name__ == "__main__":
    main()
