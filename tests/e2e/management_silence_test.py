"""A client of the management API that is gone without a word."""

import time

from harness import main, plane, wait_until
from harness.api import ApiCase, management
from harness.http2_frames import Http2Connection, message


class Silence(ApiCase):
    def test_62_a_peer_that_answers_nothing_any_more_is_let_go_within_45_seconds(self):
        """Row 62. It has a session, which ends with its connection: what it held is free again."""
        fairlead = self.start(plane([]))
        with Http2Connection(fairlead.management) as silent:
            silent.socket.settimeout(60)
            opening = management.StreamUpdatesRequest(open=management.Open(client_name="silent"))
            silent.call(1, "/fairlead.v1.ManagementService/StreamUpdates", message(opening.SerializeToString()),
                        flags=0)
            began = time.monotonic()
            wait_until(lambda: fairlead.management_connections() == 1, "the connection")
            while silent.receive():
                pass
            self.assertLess(time.monotonic() - began, 45)
        wait_until(lambda: fairlead.management_connections() == 0, "the closing of its connection")


if __name__ == "__main__":
    main()
