"""A picture of the rates: a panel for each operation, a line for each server. Plain SVG."""

from cluster_rates import INFLIGHT, OPS

WIDTH, HEIGHT, MARGIN = 360, 260, 50
COLOURS = {"phalanx": "#0b6e4f", "phalanx, by a follower": "#6bbf59", "etcd": "#d1495b",
           "echo": "#888888"}
TITLES = {"put": "puts a second", "get": "linearizable gets a second", "mixed": "half and half"}


def write(path, rates):
    panels = [panel(rates, op, at * (WIDTH + MARGIN) + MARGIN) for at, op in enumerate(OPS)]
    width = len(OPS) * (WIDTH + MARGIN) + MARGIN
    height = HEIGHT + 2 * MARGIN + 20
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                    'font-family="sans-serif" font-size="11">\n'
                    f'<rect width="{width}" height="{height}" fill="white"/>\n'
                    + "".join(panels) + legend(rates, height - 12) + "</svg>\n")


def panel(rates, op, left):
    lines = {name: [rates.median(op, inflight, name) for inflight in INFLIGHT]
             for name in rates.names() if (op, INFLIGHT[0], name) in rates.lines}
    top = max(max(values) for values in lines.values())
    parts = [text(left, MARGIN - 14, f"{TITLES[op]}, {rates.size} nodes"), frame(left)]
    for share in (0.5, 1):
        parts.append(text(left - 4, y_of(share), f"{top * share:.0f}", "end"))
    for at, inflight in enumerate(INFLIGHT):
        parts.append(text(x_of(left, at), MARGIN + HEIGHT + 14, inflight, "middle"))
    for name, values in lines.items():
        points = " ".join(f"{x_of(left, at):.1f},{y_of(value / top):.1f}"
                          for at, value in enumerate(values))
        parts.append(f'<polyline fill="none" stroke="{COLOURS[name]}" stroke-width="2" '
                     f'points="{points}"/>\n')
    return "".join(parts)


def x_of(left, at):
    return left + WIDTH * at / (len(INFLIGHT) - 1)


def y_of(share):
    return MARGIN + HEIGHT * (1 - share)


def text(x, y, words, anchor="start", colour="black"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>\n'


def frame(left):
    return (f'<rect x="{left}" y="{MARGIN}" width="{WIDTH}" height="{HEIGHT}" fill="none" '
            'stroke="#cccccc"/>\n')


def legend(rates, y):
    return "".join(text(MARGIN + at * 180, y, name, colour=COLOURS[name])
                   for at, name in enumerate(rates.names())) + text(
                       MARGIN + 4 * 180, y, "across: calls in flight")
