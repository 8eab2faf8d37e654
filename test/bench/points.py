"""What was measured at points: an operation, how much of it, and who; a line of figures a round."""

from statistics import median

OURS, OURS_BY_FOLLOWER, ETCD, ECHO = "phalanx", "phalanx, by a follower", "etcd", "echo"


class Points:
    """`at` is how much: calls in flight, or calls a second."""

    def __init__(self):
        self.lines = {}  # (op, at, name): a line each round

    def add(self, op, at, name, line):
        self.lines.setdefault((op, at, name), []).append(line)

    def has(self, op, at, name):
        return (op, at, name) in self.lines

    def names(self):
        return [name for name in (OURS, OURS_BY_FOLLOWER, ETCD, ECHO)
                if any(name == key[2] for key in self.lines)]

    def values(self, op, at, name, field="ops_per_second"):
        return [line[field] for line in self.lines[op, at, name]]

    def median(self, op, at, name, field="ops_per_second"):
        return median(self.values(op, at, name, field))

    def ratio(self, op, at, name, field="ops_per_second"):
        """Ours to theirs: the median of the rounds' ratios."""
        return median(ours / theirs for ours, theirs in
                      zip(self.values(op, at, OURS, field), self.values(op, at, name, field)))
