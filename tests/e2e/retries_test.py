"""Further tries on other servers, as the backend's policy says, over real connections."""

import socket
import threading

from harness import Case, fetch, main, plane
from harness.origins import response


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % probe.getsockname()[1]


class Retries(Case):
    def start_with(self, servers, **retry):
        return self.start(plane(servers, workers=1, backend={"retry": retry}))

    def failing(self, answer):
        def script(peer, _):
            peer.read_request()
            if answer:
                peer.send(answer)

        return self.scripted(script)

    def bodies(self, fairlead, count=6, **options):
        return [(answer.status, answer.body) for answer in (fetch(fairlead.address(), **options) for _ in range(count))]

    def test_a_status_that_is_listed_never_reaches_a_client_while_another_server_has_a_better_one(self):
        busy, good = self.failing(response(503, b"busy")), self.origin("good")
        fairlead = self.start_with([busy.address, good.address], statuses=[503])
        self.assertEqual(set(self.bodies(fairlead)), {(200, b"good")})
        fairlead.wait_for_access("retries=1", "status=200")
        self.assertIn("fairlead_backend_retried_total", fetch(fairlead.ready["observation"], "/metrics").body.decode())
        self.ctl(fairlead, "backend", "set", "app", "--retry-status", "500")
        self.assertIn((503, b"busy"), self.bodies(fairlead))

    def test_what_is_not_chosen_is_not_tried_again(self):
        good = self.origin("good")
        fairlead = self.start_with([closed_port(), good.address], conditions=["TIMEOUT"])
        statuses = [status for status, _ in self.bodies(fairlead)]
        self.assertIn(503, statuses)
        self.assertIn(200, statuses)
        self.ctl(fairlead, "backend", "set", "app", "--retry-on", "refused")
        self.assertEqual(set(self.bodies(fairlead)), {(200, b"good")})

    def test_a_post_is_sent_twice_only_where_that_is_said(self):
        silent, good = self.failing(b""), self.origin("good")
        fairlead = self.start_with([silent.address, good.address], conditions=["EMPTY_RESPONSE"])
        self.assertEqual(set(self.bodies(fairlead)), {(200, b"good")})
        self.assertIn(502, [status for status, _ in self.bodies(fairlead, method="POST", body=b"once")])
        self.ctl(fairlead, "backend", "set", "app", "--retry-non-idempotent", "true")
        self.assertEqual(set(self.bodies(fairlead, method="POST", body=b"twice")), {(200, b"good")})

    def test_retries_stay_within_their_budget(self):
        """Three are always allowed at a time; with 0 % no more than these, however many wait."""
        all_at_once = threading.Barrier(10)

        def script(peer, number):
            peer.read_request()
            if number < 10:
                all_at_once.wait(60)

        origin = self.scripted(script)
        fairlead = self.start_with([origin.address], attempts=1, conditions=["EMPTY_RESPONSE"], budgetPercent=0,
                                   backOff={"base": "5s"})
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(fetch(fairlead.address()).status)) for _ in range(10)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual(answers, [502] * 10)
        text = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        self.assertIn('fairlead_backend_retried_total{backend="app"} 3', text)
        self.assertIn('fairlead_backend_retries_refused_total{backend="app"} 7', text)

    def test_a_second_server_is_asked_where_the_first_is_slow(self):
        silent, good = self.scripted(lambda peer, _: peer.read_to_end()), self.origin("good")
        fairlead = self.start_with([silent.address, good.address])
        self.ctl(fairlead, "backend", "set", "app", "--hedge-after", "50ms")
        self.assertEqual(set(self.bodies(fairlead)), {(200, b"good")})
        fairlead.wait_for_access("retries=1", "status=200")
        # Nothing is left open at the one that was too slow.
        silent.wait_for(lambda: silent.connections > 0 and silent.open_connections() == 0, "the ends of its connections")
        text = fetch(fairlead.ready["observation"], "/metrics").body.decode()
        self.assertIn(f'fairlead_backend_hedges_won_total{{backend="app"}} {silent.connections}\n', text)


if __name__ == "__main__":
    main()
