"""Tables for people: text to the left, figures to the right."""


def spread(values, how):
    return f"[{min(values):{how}}-{max(values):{how}}]"


def _is_figure(text):
    return text[:1].isdigit() or text[:1] == "["


class Table:
    def __init__(self, *titles):
        self._rows = [titles]

    def add(self, *cells):
        self._rows.append([str(cell) for cell in cells])

    def print(self):
        widths = [max(map(len, column)) for column in zip(*self._rows)]
        for row in self._rows:
            cells = (cell.rjust(width) if _is_figure(cell) or row is self._rows[0] and at > 0
                     else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths)))
            print("  ".join(cells).rstrip())
