"""The demo's live view: a panel that is drawn over itself on a terminal, a line a second anywhere else."""

import os
import shutil
import sys

BLOCKS = " ▁▂▃▄▅▆▇█"

EVENT_TEXTS = {
    "server_started": ("·", "dim", "started"),
    "server_added": ("▲", "green", "added, takes requests"),
    "server_adopted": ("▲", "green", "adopted"),
    "server_resumed": ("▲", "green", "wanted again"),
    "server_draining": ("▽", "yellow", "draining, takes nothing new"),
    "server_drained": ("▽", "yellow", "drained"),
    "server_deleted": ("▼", "blue", "deleted"),
    "server_stopped": ("·", "dim", "stopped"),
    "server_failed": ("!", "red", "could not be started"),
    "server_exited": ("!", "red", "ended by itself"),
    "starts_delayed": ("!", "red", "servers fail: the next start waits"),
    "change_refused": ("!", "red", "change refused"),
    "session_lost": ("!", "red", "control plane lost the data plane"),
}
# Those that stand for the others where there is little room.
SHOWN_EVENTS = ("server_added", "server_resumed", "server_draining", "server_deleted", "server_failed", "server_exited",
                "starts_delayed", "change_refused", "session_lost")

COLORS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36",
          "magenta": "35"}


def sparkline(values, width, highest=None):
    """The newest on the right; each column the highest of its share of the values."""
    if not values:
        return " " * width
    columns = min(width, len(values))
    chunks = [values[len(values) * i // columns:len(values) * (i + 1) // columns] for i in range(columns)]
    top = highest or max(values) or 1
    text = "".join(BLOCKS[min(8, max(0, round(8 * max(chunk) / top)))] for chunk in chunks)
    return text.ljust(width)


class LiveView:
    """Draws the panel over itself; `close` leaves the last one on the screen."""

    def __init__(self, story, curve, run_seconds, target_in_flight, output=sys.stdout):
        self.story = story
        self.curve = curve
        self.run_seconds = run_seconds
        self.target = target_in_flight
        self.output = output
        self.lines_drawn = 0
        self.output.write("\033[?25l")

    @staticmethod
    def paint(text, color):
        return f"\033[{COLORS[color]}m{text}\033[0m"

    def draw(self, now):
        lines = self.panel(now, shutil.get_terminal_size().columns)
        up = f"\033[{self.lines_drawn}A" if self.lines_drawn else ""
        self.output.write(up + "".join(f"\r{line}\033[K\n" for line in lines))
        self.output.flush()
        self.lines_drawn = len(lines)

    def close(self):
        self.output.write("\033[?25h")
        self.output.flush()

    def panel(self, now, columns):
        width = max(16, min(columns - 58, 60))
        samples = self.story.samples
        last = samples[-1] if samples else dict.fromkeys(
            ("rate", "in_flight", "p50_ms", "p99_ms", "failed_total", "requests_total"), 0)
        lines = ["", self.headline(now, width), "", *self.rows(last, width), "", *self.event_lines(6), ""]
        return [clip(line, columns - 1) for line in lines]

    def headline(self, now, width):
        share = min(1.0, max(0.0, now / self.run_seconds))
        left = f" {max(0, self.run_seconds - now):.0f} s left"
        width -= len(left)
        done = round(share * width)
        bar = self.paint("━" * done, "cyan") + self.paint("─" * (width - done), "dim")
        clock = self.paint(self.curve.clock(share), "bold")
        title = f"  {self.paint('Fairlead', 'bold')} serves {self.curve.title}  {clock}"
        room = " " * max(1, 56 - len(f"  Fairlead serves {self.curve.title}  00:00"))
        return f"{title}{room}{bar}{left}"

    def rows(self, last, width):
        samples = self.story.samples
        ready, draining, starting = (self.story.count(state) for state in ("ready", "draining", "starting"))
        servers = self.paint(f"{ready:>2} ready", "green")
        servers += self.paint(f"  {draining} draining", "yellow" if draining else "dim")
        servers += self.paint(f"  {starting} starting", "blue" if starting else "dim")
        servers += self.paint(f"  {self.story.desired} wanted", "dim")
        failed = last["failed_total"]
        verdict = self.paint("0 failed", "green") if failed == 0 else self.paint(f"{failed:,} failed", "red")
        per_server = last["in_flight"] / ready if ready else 0
        return [
            self.row("requests", f"{last['rate']:>7,.0f} /s", sparkline([s["rate"] for s in samples], width), "cyan"),
            self.row("servers", servers, sparkline([s["ready"] for s in samples], width), "green"),
            self.row("in flight", f"{last['in_flight']:>7,} " +
                     self.paint(f"  {per_server:.1f} a server, target {self.target:g}", "dim"),
                     sparkline([s["in_flight"] for s in samples], width), "magenta"),
            self.row("latency", f"{last['p50_ms']:>7.1f} ms p50  {last['p99_ms']:.1f} ms p99",
                     sparkline([s["p99_ms"] for s in samples], width), "yellow"),
            self.row("outcome", f"{last['requests_total']:>7,} requests  {verdict}", "", "dim"),
        ]

    def row(self, label, value, line, color):
        visible = len(strip_colors(value))
        return f"  {self.paint(label.ljust(10), 'dim')}{value}{' ' * max(1, 44 - visible)}{self.paint(line, color)}"

    def event_lines(self, count):
        shown = [event for event in self.story.events if event["event"] in SHOWN_EVENTS][-count:]
        lines = []
        for event in shown:
            mark, color, text = EVENT_TEXTS[event["event"]]
            clock = self.curve.clock(min(1.0, max(0.0, event["at"] / self.run_seconds)))
            lines.append(f"  {self.paint(clock, 'dim')}  {self.paint(mark, color)} {event['name']:<4} {text}")
        return lines + [""] * (count - len(lines))


def clip(text, columns):
    """The first columns of it; colours end all the same."""
    result, column, inside = [], 0, False
    for character in text:
        inside = inside or character == "\033"
        if inside or column < columns:
            result.append(character)
        column += not inside
        inside = inside and character != "m"
    return "".join(result)


def strip_colors(text):
    result, inside = [], False
    for character in text:
        if character == "\033":
            inside = True
        elif inside:
            inside = character != "m"
        else:
            result.append(character)
    return "".join(result)


class PlainView:
    """For pipes and logs: every second a line, every event a line."""

    def __init__(self, story, curve, run_seconds, target_in_flight):
        self.story = story
        self.curve = curve
        self.run_seconds = run_seconds
        self.target = target_in_flight
        self.next_line = 0.0
        self.events_told = 0

    def draw(self, now):
        for event in self.story.events[self.events_told:]:
            if event["event"] in SHOWN_EVENTS:
                print(f"{max(0, event['at']):6.1f} s  {event['name']} {EVENT_TEXTS[event['event']][2]}", flush=True)
        self.events_told = len(self.story.events)
        if now < self.next_line or not self.story.samples:
            return
        self.next_line = now + 1
        last = self.story.samples[-1]
        print(f"{now:6.1f} s  {self.curve.clock(min(1.0, now / self.run_seconds))}  rate={last['rate']:.0f}/s "
              f"ready={self.story.count('ready')} draining={self.story.count('draining')} "
              f"starting={self.story.count('starting')} wanted={self.story.desired} in_flight={last['in_flight']} "
              f"p50_ms={last['p50_ms']:.1f} p99_ms={last['p99_ms']:.1f} failed={last['failed_total']}", flush=True)

    def close(self):
        pass


def view_for_output():
    can_draw = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return LiveView if can_draw else PlainView
