"""Plots as SVG text: several, one above the other, over one time axis. Colours are CSS variables, so they follow the page."""

import math

WIDTH = 1120
LEFT = 64
RIGHT = 18
PLOT_HEIGHT = 128
PLOT_GAP = 62
TOP = 40
HEADING = 19  # above the plot: the marks of events stand between


def nice_ceiling(value):
    """The next of 1, 1.2, 1.6, 2, 4, 6, 8 times a power of ten: ends an axis whose middle is a round number too."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    for factor in (1, 1.2, 1.6, 2, 4, 6, 8, 10):
        if value <= factor * power * 1.0001:
            return factor * power
    return 10 * power


def number(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


class TimeAxis:
    def __init__(self, seconds):
        self.seconds = seconds

    def x(self, at):
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(at / self.seconds, 0), 1)


class Plot:
    """One plot: its place, its scale, and what is drawn in it."""

    def __init__(self, axis, index, title, unit, highest):
        self.axis = axis
        self.top = TOP + index * (PLOT_HEIGHT + PLOT_GAP)
        self.bottom = self.top + PLOT_HEIGHT
        self.highest = nice_ceiling(highest * 1.02)
        self.parts = [self.heading(title, unit), *self.grid()]

    def y(self, value):
        return self.bottom - PLOT_HEIGHT * min(max(value / self.highest, 0), 1)

    def heading(self, title, unit):
        return (f'<text x="{LEFT}" y="{self.top - HEADING}" class="title">{title}</text>'
                f'<text x="{LEFT - 8}" y="{self.top - HEADING}" class="unit" text-anchor="end">{unit}</text>')

    def grid(self):
        for step in range(0, 3):
            value = self.highest * step / 2
            y = self.y(value)
            yield (f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                   f'class="{"base" if step == 0 else "grid"}"/>'
                   f'<text x="{LEFT - 8}" y="{y + 4:.1f}" class="tick" text-anchor="end">{number(value)}</text>')

    def path(self, points, steps):
        """SVG path commands through (time, value) points."""
        commands = []
        for at, value in points:
            x, y = self.axis.x(at), self.y(value)
            if steps and commands:
                commands.append(f"H{x:.1f}V{y:.1f}")
            else:
                commands.append(f"{'L' if commands else 'M'}{x:.1f},{y:.1f}")
        return "".join(commands)

    def line(self, points, color, dashed=False, steps=False, width=1.8):
        if points:
            dash = ' stroke-dasharray="4 4"' if dashed else ""
            self.parts.append(f'<path d="{self.path(points, steps)}" fill="none" stroke="var(--{color})" '
                              f'stroke-width="{width}" stroke-linejoin="round"{dash}/>')

    def area(self, points, color, steps=False, opacity=0.18):
        if points:
            first, last = self.axis.x(points[0][0]), self.axis.x(points[-1][0])
            self.parts.append(f'<path d="{self.path(points, steps)}L{last:.1f},{self.bottom}L{first:.1f},{self.bottom}Z" '
                              f'fill="var(--{color})" fill-opacity="{opacity}"/>')

    def band(self, lower, upper, color, opacity=0.85):
        """Between two rows of steps with the same times."""
        if lower:
            # Backwards a step's edge stands at the same time as forwards.
            corners = [(at, value) for (at, _), (_, value) in zip(lower[1:], lower)]
            back = "".join(f"H{self.axis.x(at):.1f}V{self.y(value):.1f}" for at, value in reversed(corners))
            first = f"L{self.axis.x(lower[-1][0]):.1f},{self.y(lower[-1][1]):.1f}"
            self.parts.append(f'<path d="{self.path(upper, True)}{first}{back}H{self.axis.x(lower[0][0]):.1f}Z" '
                              f'fill="var(--{color})" '
                              f'fill-opacity="{opacity}"/>')

    def legend(self, entries):
        """(text, colour, dashed), flush right whatever the font: so the samples of the lines are letters, too."""
        spans = "".join(f'<tspan class="sample" fill="var(--{color})" dx="{20 if number else 0}">{"╍╍" if dashed else "━━"}'
                        f'</tspan><tspan dx="6">{text}</tspan>' for number, (text, color, dashed) in enumerate(entries))
        self.parts.append(f'<text x="{WIDTH - RIGHT}" y="{self.top - HEADING}" class="legend" text-anchor="end">{spans}</text>')


def event_marks(axis, plot, events):
    """Triangles over a plot, upwards where a server came, downwards where one went."""
    for event in events:
        x, came = axis.x(event["at"]), event["event"] in ("server_added", "server_resumed")
        y = plot.top - 3
        shape = f"M{x - 3.6:.1f},{y}h7.2l-3.6,-6.4z" if came else f"M{x - 3.6:.1f},{y - 6.4}h7.2l-3.6,6.4z"
        yield (f'<path d="{shape}" fill="var(--{"green" if came else "amber"})"><title>{event["name"]} '
               f'{"added" if came else "deleted"}</title></path>')


def time_ticks(axis, bottom, length_seconds, clock):
    """Hours of the day below the last plot; days where there are several."""
    hours = length_seconds / 3600
    yield from (f'<text x="{LEFT - 30}" y="{bottom + y}" class="faint" text-anchor="end">{name}</text>'
                for name, y in (("time", 20), ("run", 35)))
    step = next((step for step in (1, 2, 3, 6, 12, 24, 48) if hours / step <= 10), 96)
    for tick in range(0, int(hours) + 1, step):
        x = axis.x(tick / hours * axis.seconds)
        yield (f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}" class="base"/>'
               f'<text x="{x:.1f}" y="{bottom + 20}" class="tick" text-anchor="middle">{clock(tick / hours)}</text>'
               f'<text x="{x:.1f}" y="{bottom + 35}" class="faint" text-anchor="middle">'
               f'{round(tick / hours * axis.seconds, 1):g} s</text>')
