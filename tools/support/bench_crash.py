"""tools/bench crash: a data plane that is killed again and again in the middle of a stream of transactions."""

import json
import os
import random
import sys
import threading
import time

from processes import Failed, Process, ROOT, program

# fairlead-faulty is fairlead over files that lose what was not flushed when the process is killed: a power cut.
PROGRAMS = ("fairlead", "fairlead-faulty")

UNANSWERED = 64
SERVERS_EACH = 3
# Transaction n takes away the servers of transaction n - KEPT, so that the state stays small.
KEPT = 40
START_SECONDS = 20


def client():
    sys.path.insert(0, str(ROOT / "tests" / "e2e"))
    from harness import api  # pylint: disable=import-outside-toplevel
    return api


def names_of(number):
    return [f"t{number}-{place}" for place in range(SERVERS_EACH)]


class Crash:
    """One state directory and all the lives that it goes through.

    Transactions are numbered from 1 on over all lives, and each says what the whole state is when it was the last one:
    its own servers, those of the KEPT - 1 before it, and the mark of its number. So after a start there is one number
    that the state must belong to (else one is torn), and it must not be below the last acknowledged one (else some are
    lost, or out of order).
    """

    def __init__(self, workshop, faults, seed):
        self.api = client()
        self.random = random.Random(seed)
        self.workshop = workshop
        self.faults = faults
        self.state = workshop.folder / "state"
        self.socket = workshop.folder / "management.sock"
        self.ready = workshop.folder / "ready.json"
        self.configuration = workshop.folder / "fairlead.yaml"
        self.configuration.write_text(json.dumps({
            "workers": 1, "management": {"listen": [f"unix:{self.socket}"]}, "state_directory": str(self.state),
            "resources": {"backends": [{"name": "app"}]}}))
        self.acknowledged = 0
        self.lost = self.torn = self.failed_starts = self.kills = self.transactions = 0
        self.start_seconds = []
        self.problems = []
        self.life = 0

    def note(self, problem):
        if len(self.problems) < 20:
            self.problems.append(problem)

    def start(self, power_cut):
        self.life += 1
        self.ready.unlink(missing_ok=True)
        environment = {"FAIRLEAD_FAULTS": self.faults} if self.faults else {"FAIRLEAD_FAULTS": "power_cut"}
        os.environ.pop("FAIRLEAD_FAULTS", None)
        if power_cut:
            os.environ.update(environment)
        log = self.workshop.folder / "fairlead.log"
        log.unlink(missing_ok=True)
        begin = time.monotonic()
        process = Process("fairlead", [program("fairlead-faulty" if power_cut else "fairlead"), "--config",
                                       self.configuration, "--ready-file", self.ready], log)
        self.workshop.processes.append(process)
        os.environ.pop("FAIRLEAD_FAULTS", None)
        while not self.ready.exists():
            if not process.is_running() or time.monotonic() > begin + START_SECONDS:
                self.note(f"life {self.life} did not start:\n{process.log_tail()}")
                self.end(process)
                return None
            time.sleep(0.002)
        self.start_seconds.append(time.monotonic() - begin)
        return process

    def end(self, process):
        process.child.kill()
        process.child.wait()
        self.workshop.processes.remove(process)

    def begin_anew(self):
        """After a failed start, so that the others are tried as well."""
        for file in self.state.iterdir():
            file.unlink()
        self.acknowledged = 0

    def check(self, api):
        """The number of the transaction that the state belongs to."""
        whole, version = api.export()
        servers = {server.name: server for server in whole.servers}
        mark = servers.pop("mark", None)
        number = int(mark.labels["n"]) if mark else 0
        wanted = {name for n in range(max(1, number - KEPT + 1), number + 1) for name in names_of(n)}
        if set(servers) != wanted or any(server.labels["n"] != name[1:].split("-")[0]
                                         for name, server in servers.items()) or version != number + 1:
            self.torn += 1
            self.note(f"life {self.life}: version {version} with mark {number} has, too much or too little: "
                      f"{sorted(set(servers) ^ wanted)[:6]}")
        if number < self.acknowledged:
            self.lost += self.acknowledged - number
            self.note(f"life {self.life}: {self.acknowledged} was acknowledged, {number} is the last that is there")
        return number

    def operations(self, number):
        added = self.api.upsert(*(self.api.server(name, "127.0.0.1:9", labels={"n": str(number)})
                                  for name in names_of(number)),
                                self.api.server("mark", "127.0.0.1:9", labels={"n": str(number)}))
        return added + (self.api.delete(*names_of(number - KEPT)) if number > KEPT else [])

    def stream(self, api, number, process):
        """Sends transactions until the process is gone."""
        session = self.api.Session(api, "crash")
        sent = number
        killer = threading.Timer(self.random.uniform(0, 0.08), process.child.kill)
        killer.start()
        try:
            while True:
                while sent - self.acknowledged < UNANSWERED:
                    sent += 1
                    session.transaction(self.operations(sent), id=sent)
                result = session.read_result()
                if result.outcome != self.api.management.OUTCOME_APPLIED:
                    raise Failed(f"transaction {result.id} was not applied: {result}")
                self.acknowledged = result.id
                self.transactions += 1
        except self.api.grpc.RpcError:
            pass
        finally:
            killer.join()
            session.cancel()

    def live(self, power_cut):
        process = self.start(power_cut)
        if not process:
            self.failed_starts += 1
            return self.begin_anew()
        api = self.api.Api(f"unix:{self.socket}")
        try:
            self.acknowledged = number = self.check(api)
            self.stream(api, number, process)
        finally:
            api.close()
            self.end(process)
        self.kills += 1
        return None

    def last_look(self):
        process = self.start(False)
        if not process:
            self.failed_starts += 1
            return
        api = self.api.Api(f"unix:{self.socket}")
        self.check(api)
        api.close()
        self.end(process)


def crash(workshop, arguments, say):
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    say(f"seed {seed}")
    # Of tests: what is wrong with the files in every life, as in tests/support/faulty_vfs.
    faults = os.environ.pop("FAIRLEAD_CRASH_FAULTS", "")
    run = Crash(workshop, faults, seed)
    said = time.monotonic()
    while run.kills + run.failed_starts < arguments.kills:
        run.live(power_cut=bool(faults) or run.life % 2 == 1)
        if time.monotonic() > said + 10:
            said = time.monotonic()
            say(f"{run.kills} kills, {run.transactions} answers, {run.lost} lost, {run.torn} torn, "
                f"{run.failed_starts} failed starts")
    run.last_look()
    starts = sorted(run.start_seconds)
    return {"bench": "crash", "kills": run.kills, "lost": run.lost, "torn": run.torn,
            "failed_starts": run.failed_starts, "answers": run.transactions, "seed": seed,
            "start_ms_p50": round(1000 * starts[len(starts) // 2], 1) if starts else None,
            "problems": run.problems, "failed": run.lost + run.torn + run.failed_starts}


def print_crash(result):
    print(f"\nkills             {result['kills']:,}, half of them as power cuts, over {result['answers']:,} answers; "
          f"a start takes {result['start_ms_p50']} ms")
    print(f"lost              {result['lost']} acknowledged transactions")
    print(f"torn              {result['torn']}")
    print(f"failed starts     {result['failed_starts']}")
    for problem in result["problems"]:
        print(f"                  {problem}")
