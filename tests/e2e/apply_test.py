"""Configurations that are larger than a transaction."""

from harness import Case, main
from harness.cases import plane

SERVERS = 25_000


def document(servers, listener="web"):
    rows = "\n".join(f"      - {{name: s{number}, address: '127.{number >> 16}.{number >> 8 & 255}.{number & 255}:80'}}"
                     for number in servers)
    return (f"listeners: [{{name: {listener}, bind: ['127.0.0.1:0'], protocol: HTTP, default_backend: app}}]\n"
            f"backends:\n  - name: app\n    servers:\n{rows}\n")


class Large(Case):
    def count(self, fairlead):
        return len(self.ctl(fairlead, "server", "list", "app").splitlines()) - 1

    def test_go_in_several_transactions(self):
        fairlead = self.start(plane([]))
        file = self.folder / "large.yaml"
        file.write_text(document(range(1, SERVERS + 1)))
        told = self.ctl(fairlead, "apply", "-f", str(file))
        self.assertRegex(told, rf"applied: {SERVERS} added.* in 3 transactions \(version \d+\)")
        self.assertEqual(self.count(fairlead), SERVERS)

        # What was exported is what there is, so nothing needs to go, and one transaction is enough.
        exported = self.ctl(fairlead, "export")
        self.assertRegex(self.ctl(fairlead, "apply", "-f", "-", "--prune", stdin=exported),
                         r"^applied: nothing to change \(version \d+\)")

        # Back to a few: deletes are split like all others.
        file.write_text(document(range(SERVERS - 9, SERVERS + 1), listener="other"))
        told = self.ctl(fairlead, "apply", "-f", str(file), "--prune")
        self.assertRegex(told, rf"applied: 1 added, {SERVERS - 9} removed in 3 transactions \(version \d+\)")
        self.assertEqual(self.count(fairlead), 10)
        self.assertEqual(self.ctl(fairlead, "listener", "list").splitlines()[1].split()[0], "other")

    def test_say_what_holds_where_one_is_refused(self):
        fairlead = self.start(plane([]))
        file = self.folder / "large.yaml"
        file.write_text(document(range(1, SERVERS + 1)).replace(":80'", ":99999'").replace(":99999'", ":80'", 15_000))
        told = self.refused(fairlead, "apply", "-f", str(file))
        self.assertIn("large.yaml:15005:", told)
        self.assertIn("transaction 1 of 3 holds", told)
        self.assertEqual(self.count(fairlead), 10_000)


if __name__ == "__main__":
    main()
