"""What is left when everything bad has been thrown at one process: nothing. (tools/bench aftermath has the figures.)"""

import random
import re

from harness import Case, fetch, get, main, wait_until
from harness.certificates import Authority, TlsConnection, client_context
from harness.throwing import BadServer, Thrower, listeners


class Aftermath(Case):
    def test_nothing_is_left_of_the_catalogue_and_the_corpora(self):
        authority = Authority(self.folder)
        origin, bad = self.origin("live"), BadServer()
        self.addCleanup(bad.close)
        fairlead = self.start({
            "resources": {
                "certificates": [authority.issue("example.com").fields("example")],
                "listeners": listeners("example"),
                "backends": [{"name": name, "connection_pool": {"idle_timeout": "0.5s"},
                              "servers": [{"name": "s1", "address": address}]}
                             for name, address in (("app", origin.address), ("bad", bad.address))]}})
        observation = fairlead.ready["observation"]

        def sums(*metrics):
            page = fetch(observation, "/metrics").body.decode()
            return [sum(int(number) for number in re.findall(rf"^{metric}{{.*}} (\d+)$", page, re.MULTILINE))
                    for metric in metrics]

        def is_quiet():
            try:
                return sums("fairlead_listener_connections", "fairlead_backend_in_flight") == [0, 0]
            except (EOFError, ConnectionError):
                # Those that were thrown at the metrics' own door have just left, and count until that is noticed.
                return False

        self.assertEqual(fetch(fairlead.address()).body, b"live")
        wait_until(lambda: is_quiet() and origin.open_connections() == 0, "silence")
        before = fairlead.open_descriptors()

        seed = random.SystemRandom().randrange(1 << 32)
        addresses = {name: fairlead.address(name) for name in ("web", "tls", "proxy", "bad")}
        thrower = Thrower(addresses | {"observation": observation, "management": fairlead.management}, seed)
        with self.subTest(seed=seed):
            thrower.throw_rows()
            thrower.throw_corpora()
            thrower.ask_the_bad_server(50)
            self.assertEqual(fetch(fairlead.address()).body, b"live")
            thrower.finish()
            self.assertGreater(thrower.connections, 900)
            wait_until(lambda: is_quiet() and origin.open_connections() == 0, "the end of all connections")
            wait_until(lambda: fairlead.open_descriptors() <= before, "the end of all descriptors")
            self.assertTrue(fairlead.is_running())
        # All listeners still serve.
        with TlsConnection(fairlead.address("tls"), context=client_context(authority)) as connection:
            self.assertEqual(connection.request(get(host="example.com")).body, b"live")
        self.assertEqual(fetch(fairlead.address()).body, b"live")


if __name__ == "__main__":
    main()
