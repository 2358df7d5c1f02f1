"""The load of a day, compressed: from a curve or a trace to what fairlead-load follows."""

import csv
import math

from processes import Failed

DAY = 86400


def builtin_day(hour):
    """Requests by the hour of a working day, 0 to 1: a night, a morning rush, a lunch dip, an evening peak."""
    def bump(center, width, height):
        distance = min(abs(hour - center), 24 - abs(hour - center))
        return height * math.exp(-((distance / width) ** 2))
    return 0.05 + bump(9.5, 2.2, 0.62) + bump(13.8, 2.6, 0.36) + bump(19.6, 2.6, 0.86)


class Curve:
    """`rate(share)` of the run, 0 to 1, and the clock of the day that it stands for."""

    def __init__(self, points, start_seconds, length_seconds, title):
        self.points = points  # (seconds since the curve's start, value), both ascending from 0
        self.start_seconds = start_seconds
        self.length_seconds = length_seconds
        self.title = title
        self.highest = max(value for _, value in points)

    def clock(self, share):
        """Time of day, "14:32"."""
        minutes = int((self.start_seconds + share * self.length_seconds) // 60) % 1440
        return f"{minutes // 60:02}:{minutes % 60:02}"

    def write_schedule(self, path, run_seconds, peak_rate):
        """As fairlead-load reads it."""
        factor = run_seconds / self.length_seconds
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["seconds", "requests_per_second"])
            for seconds, value in self.points:
                writer.writerow([f"{seconds * factor:.4f}", f"{value / self.highest * peak_rate:.3f}"])


def day_curve():
    """From four in the morning to four in the morning."""
    start = 4 * 3600
    points = [(seconds, builtin_day((start + seconds) / 3600 % 24)) for seconds in range(0, DAY + 1, 300)]
    return Curve(points, start, DAY, "a day of load")


def read_trace(path):
    points = []
    try:
        with open(path, newline="") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if not row or (number == 1 and row[0].strip() == "seconds"):
                    continue
                try:
                    seconds, value = (float(field) for field in row)
                except ValueError:
                    raise Failed(f"{path}:{number}: '{','.join(row)}' is not 'seconds,requests_per_second'") from None
                if value < 0 or not math.isfinite(value) or (points and seconds <= points[-1][0]):
                    raise Failed(f"{path}:{number}: seconds must grow and rates be 0 or more")
                points.append((seconds, value))
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    if len(points) < 3:
        raise Failed(f"{path}: has {len(points)} points; a trace needs at least 3")
    if max(value for _, value in points) <= 0:
        raise Failed(f"{path}: all rates are 0")
    return points


def trace_curve(path, days):
    """`days` of the trace, from the quietest moment of its first day, so that it begins and ends at night."""
    points = read_trace(path)
    first = [point for point in points if point[0] <= points[0][0] + DAY]
    start = min(first, key=lambda point: point[1])[0]
    if points[-1][0] - start < days * DAY:
        start = points[0][0]
    end = min(start + days * DAY, points[-1][0])
    part = [(seconds - start, value) for seconds, value in points if start <= seconds <= end]
    if len(part) < 3 or max(value for _, value in part) <= 0:
        raise Failed(f"{path}: its first {days} days have no load to follow")
    length = part[-1][0]
    name = str(path).rsplit("/", maxsplit=1)[-1]
    return Curve(part, start % DAY, length, f"a day of {name}" if length == DAY else f"{length / DAY:.3g} days of {name}")
