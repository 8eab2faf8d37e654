"""A picture: what everybody does at most, above how long calls take at equal rates. A panel for
each operation, a line for each server. Plain SVG."""

import math

import cluster_latency
import cluster_rates

WIDTH, HEIGHT, MARGIN = 360, 260, 50
ROW = HEIGHT + 2 * MARGIN
COLOURS = {"phalanx": "#0b6e4f", "phalanx, by a follower": "#6bbf59", "etcd": "#d1495b",
           "echo": "#888888"}
TITLES = {"put": "puts", "get": "linearizable gets", "mixed": "half and half"}


class Linear:
    """From 0 to the greatest. `marks`: the figures that stand beside a panel."""

    def __init__(self, values):
        self._top = max(values)
        self.marks = (round(self._top / 2), round(self._top))

    def share(self, value):
        return value / self._top


class Decades:
    """From a power of ten to a power of ten: what differs a thousandfold is seen in one panel."""

    def __init__(self, values):
        self._low = math.floor(math.log10(min(values)))
        self._high = max(math.ceil(math.log10(max(values))), self._low + 1)
        self.marks = [10.0 ** power for power in range(self._low, self._high + 1)]

    def share(self, value):
        return (math.log10(value) - self._low) / (self._high - self._low)


def write(path, rates, latency):
    width = len(cluster_rates.OPS) * (WIDTH + MARGIN) + MARGIN
    height = 2 * ROW + 20
    panels = rates_row(rates, MARGIN) + latency_row(latency, ROW + MARGIN)
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                    'font-family="sans-serif" font-size="11">\n'
                    f'<rect width="{width}" height="{height}" fill="white"/>\n'
                    + panels + legend(rates, height - 12) + "</svg>\n")


def left_of(at):
    return at * (WIDTH + MARGIN) + MARGIN


def rates_row(rates, top):
    def at(place, op):
        title = f"{TITLES[op]} a second, by calls in flight, {rates.size} nodes"
        return panel(left_of(place), top, title, Linear, cluster_rates.INFLIGHT,
                     lines_of(rates, op, cluster_rates.INFLIGHT, "ops_per_second"))

    return "".join(at(place, op) for place, op in enumerate(cluster_rates.OPS))


def latency_row(latency, top):
    def at(place, op):
        title = f"{TITLES[op]}: p99, ms, by calls a second, {latency.size} nodes"
        ticks = cluster_latency.RATES[op]
        return panel(left_of(place), top, title, Decades, ticks,
                     lines_of(latency, op, ticks, "p99_us", 1000))

    return "".join(at(place, op) for place, op in enumerate(cluster_latency.RATES))


def lines_of(points, op, ticks, field, unit=1):
    """Of each name: the places of those ticks at which it was measured, and its medians there."""
    lines = {name: [(place, points.median(op, tick, name, field) / unit)
                    for place, tick in enumerate(ticks) if points.has(op, tick, name)]
             for name in points.names()}
    return {name: line for name, line in lines.items() if line}


def panel(left, top, title, scale_of, ticks, lines):
    parts = [text(left, top - 14, title), frame(left, top)]
    parts += [text(x_of(left, place, ticks), top + HEIGHT + 14, tick, "middle")
              for place, tick in enumerate(ticks)]
    if not lines:
        return "".join(parts)  # nobody could be asked that much
    scale = scale_of([value for line in lines.values() for _, value in line])
    parts += [text(left - 4, y_of(top, scale.share(mark)), f"{mark:,.9g}", "end")
              for mark in scale.marks]
    for name, line in lines.items():
        spots = [(x_of(left, place, ticks), y_of(top, scale.share(value)))
                 for place, value in line]
        parts.append(drawn(spots, COLOURS[name]))
    return "".join(parts)


def drawn(spots, colour):
    """A line, and a dot at each measured point: one that stands alone has no line."""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    line = f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{corners}"/>\n'
    return line + "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>\n'
                          for x, y in spots)


def x_of(left, place, ticks):
    return left + WIDTH * place / (len(ticks) - 1)


def y_of(top, share):
    return top + HEIGHT * (1 - share)


def text(x, y, words, anchor="start", colour="black"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>\n'


def frame(left, top):
    return (f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" '
            'stroke="#cccccc"/>\n')


def legend(rates, y):
    return "".join(text(left_of(0) + at * 180, y, name, colour=COLOURS[name])
                   for at, name in enumerate(rates.names()))
