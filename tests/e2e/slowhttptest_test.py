"""slowhttptest against minimum rates: its clients are cut off, and good ones do not notice them."""

import re
import subprocess
import threading

from harness import Case, Connection, fetch, get, main, plane, proves, response, wait_until
from harness.processes import distribution_program

CONNECTIONS = 200
SECONDS = 6
BIG = 4 << 20

# Of each attack: its flags, and whether minimum rates are what ends it.
ATTACKS = {
    "slow heads": (["-H", "-i", "1", "-x", "24"], True),
    "slow bodies": (["-B", "-i", "1", "-s", "8192", "-x", "10"], True),
    "slow reading": (["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "1"], True),
    "ranges": (["-R", "-a", "10", "-b", "3000"], False),
}


def answer(request):
    """A large body for those who read slowly, who ask for that path."""
    return response(body=b"x" * BIG if request.target == "/big" else b"good")


class SlowHttpTest(Case):
    def setUp(self):
        super().setUp()
        self.live = self.origin("live", answer=answer)
        self.fairlead = self.start(plane([self.live.address], listener={
            "minimum_rates": {"head": 1000, "body": 1000, "send": 50_000, "grace": "1s"}}))

    def metric(self, name):
        page = fetch(self.fairlead.ready["observation"], "/metrics").body.decode()
        return sum(int(number) for number in re.findall(rf"^{name}{{.*}} (\d+)$", page, re.MULTILINE))

    def attack(self, flags, path):
        """What it says at its end."""
        run = subprocess.run(
            [distribution_program("slowhttptest", "slowhttptest"), *flags, "-c", str(CONNECTIONS), "-r", "100", "-p", "5",
             "-l", str(SECONDS), "-v", "1", "-u", f"http://{self.fairlead.address()}{path}"],
            cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False)
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", run.stdout + run.stderr)

    def good_clients(self, ended):
        """Requests on a connection that stays, and on new ones, until the attack is over: all that were not answered well."""
        failed, asked = [], 0
        with Connection(self.fairlead.address()) as connection:
            while not ended.is_set():
                for one in (connection.request(get("/good")), fetch(self.fairlead.address(), "/good")):
                    asked += 1
                    if (one.status, one.body, one.is_whole) != (200, b"good", True):
                        failed.append(one)
        return asked, failed

    @proves("C1", "156")
    def test_its_clients_are_cut_off_and_good_ones_served(self):
        for name, (flags, ends_by_rates) in ATTACKS.items():
            with self.subTest(name):
                before = self.metric("fairlead_listener_too_slow_total")
                said = []
                ended = threading.Event()

                def attack():
                    try:
                        said.append(self.attack(flags, "/big" if "-X" in flags else "/"))  # pylint: disable=cell-var-from-loop
                    finally:
                        ended.set()  # pylint: disable=cell-var-from-loop

                attacker = threading.Thread(target=attack)
                attacker.start()
                asked, failed = self.good_clients(ended)
                attacker.join()
                self.assertEqual(failed, [], said)
                self.assertGreater(asked, 20)
                # Its own probes were served, and it gave up because nobody was left. (Who reads slowly learns it late.)
                self.assertEqual(set(re.findall(r"service available:\s+(\w+)", said[0])), {"YES"}, said)
                if "-X" not in flags:
                    self.assertIn("No open connections left", said[0])
                if ends_by_rates:
                    self.assertGreaterEqual(self.metric("fairlead_listener_too_slow_total") - before, CONNECTIONS // 2)
                wait_until(lambda: self.metric("fairlead_listener_connections") == 0, "the end of its connections")
                wait_until(lambda: self.metric("fairlead_backend_in_flight") == 0, "the end of its requests")


if __name__ == "__main__":
    main()
