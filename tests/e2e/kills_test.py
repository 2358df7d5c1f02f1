"""A server of two dies of kill -9 and comes back, again and again, while GETs go to both. (tools/bench kill has the figures.)"""

import json
import threading

from harness import Case, Connection, Process, get, main, plane, program, wait_until

KILLS = 5
CLIENTS = 8


class Kills(Case):
    def start_server(self, address="127.0.0.1:0"):
        ready_file = self.folder / "server.json"
        ready_file.unlink(missing_ok=True)
        server = Process("server", [program("fairlead-origin"), f"--ready-file={ready_file}", f"--listen={address}",
                                    "--latency=3ms", "--name=dies"])
        self.addCleanup(server.kill)
        wait_until(lambda: ready_file.exists() or not server.is_running(), "the server")
        self.assertTrue(server.is_running(), server.all_text())
        return server

    def test_no_get_fails(self):
        server = self.start_server()
        dies = json.loads((self.folder / "server.json").read_text())["listen"]
        stays = self.origin("stays")
        fairlead = self.start(plane([dies, stays.address], backend={
            "retry": {"conditions": ["CONNECT_FAILURE", "RESET", "EMPTY_RESPONSE"]}}))
        ended = threading.Event()
        asked = [0] * CLIENTS
        by_dying = [0] * CLIENTS
        failed = []

        def ask(index):
            connection = Connection(fairlead.address())
            while not ended.is_set():
                answer = connection.request(get(f"/{index}"))
                asked[index] += 1
                by_dying[index] += answer.get("x-origin") == "dies"
                if answer.status != 200 or not answer.is_whole:
                    failed.append(answer)
            connection.close()

        clients = [threading.Thread(target=ask, args=(index,)) for index in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            for _ in range(KILLS):
                # It dies amid requests of its own.
                served = sum(by_dying)
                wait_until(lambda: sum(by_dying) >= served + 50, "requests at the server that dies")  # pylint: disable=cell-var-from-loop
                server.kill()
                done = sum(asked)
                wait_until(lambda: sum(asked) >= done + 50, "requests without it")  # pylint: disable=cell-var-from-loop
                server = self.start_server(dies)
        finally:
            ended.set()
            for client in clients:
                client.join()
        self.assertEqual(failed, [])


if __name__ == "__main__":
    main()
