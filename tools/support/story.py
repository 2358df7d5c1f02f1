"""What happened in a run of the demo: samples and events on one time axis, as they come."""

import json
import time


class Story:
    """Collects the lines of fairlead-load and of the autoscaler's event log. Times are seconds since the load began."""

    def __init__(self):
        self.start = time.time()
        self.samples = []   # of fairlead-load, each with the servers of that moment
        self.events = []    # of the autoscaler
        self.summary = None
        self.servers = {}   # name -> starting, ready, draining
        self.desired = 0
        self.moments = [{"at": 0.0, "ready": 0, "draining": 0, "starting": 0, "desired": 0}]  # after each event

    def begin_load(self):
        """What was before is now at negative times."""
        now = time.time()
        for entry in self.events + self.moments:
            entry["at"] -= now - self.start
        self.start = now

    def on_load_line(self, line):
        data = json.loads(line)
        if data["type"] == "summary":
            self.summary = data
            return
        data["at"] = data["seconds"]
        data["desired"] = self.desired
        for state in ("starting", "ready", "draining"):
            data[state] = self.count(state)
        self.samples.append(data)

    # What an event makes of its server.
    STATES = {"server_started": "starting", "server_added": "ready", "server_resumed": "ready", "server_adopted": "ready",
              "server_draining": "draining", "server_drained": "draining"}
    ENDS = ("server_deleted", "server_stopped", "server_exited", "server_failed")

    def on_event_line(self, line):
        event = json.loads(line)
        event["at"] = event["time"] - self.start
        event["name"] = event.get("server", "").rsplit("/", maxsplit=1)[-1]
        self.events.append(event)
        self.desired = event["desired"]
        if event["event"] in self.STATES:
            self.servers[event["name"]] = self.STATES[event["event"]]
        if event["event"] in self.ENDS:
            self.servers.pop(event["name"], None)
        self.moments.append({"at": event["at"], "desired": self.desired,
                             **{state: self.count(state) for state in ("starting", "ready", "draining")}})

    def count(self, state):
        return sum(1 for known in self.servers.values() if known == state)

    def moments_between(self, start, end):
        """How many servers there were, from `start` to `end`, each moment until the next."""
        before = [moment for moment in self.moments if moment["at"] <= start] or self.moments[:1]
        within = [moment for moment in self.moments if start < moment["at"] <= end]
        after = (within or before)[-1]
        return [{**before[-1], "at": start}, *within, {**after, "at": end}]

    def number_of(self, name):
        return sum(1 for event in self.events if event["event"] == name)

    def ready_over_time(self):
        end = self.samples[-1]["at"] if self.samples else 0
        return [moment["ready"] for moment in self.moments_between(0, end)]

    def scaled_out_and_in(self):
        """At some moment there were at least twice as many servers as once before and once after."""
        ready = self.ready_over_time()
        return any(most >= 2 * max(1, min(ready[:at + 1])) and most >= 2 * min(ready[at:])
                   for at, most in enumerate(ready))


class Follower:
    """The whole lines that were appended to a file since the last look."""

    def __init__(self, path):
        self.path = path
        self.file = None
        self.rest = ""

    def lines(self):
        if self.file is None:
            try:
                self.file = open(self.path)
            except FileNotFoundError:
                return []
        self.rest += self.file.read()
        *whole, self.rest = self.rest.split("\n")
        return [line for line in whole if line]
