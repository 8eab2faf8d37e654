"""The links between the nodes of a cluster, as a test uses them; proxy.py does the work."""

import os
import subprocess
import sys

from support.server import DIE_WITH_THE_TEST

PROXY = os.path.join(os.path.dirname(__file__), "proxy.py")


class Links:
    """Directions are told apart: cut() alone takes both. Names are those of nodes."""

    def __init__(self):
        self.names = []
        self.process = subprocess.Popen([*DIE_WITH_THE_TEST, sys.executable, "-I", PROXY], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _ask(self, *words):
        """Done when this returns."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError("the proxy has ended")
        return answer.strip()

    def lead_to(self, name, port, source="-"):
        """The port to dial for `name`, which itself listens at `port`."""
        return int(self._ask("listen", source, name, port))

    def _pairs(self, sources, targets):
        return ((source, target) for source in sources for target in targets if source != target)

    def hole(self, sources, targets):
        """What goes from these to those is held up, one way, until it is healed."""
        for source, target in self._pairs(sources, targets):
            self._ask("link", source, target, "hole")

    def separate(self, some, others):
        """Neither hears the other any more."""
        self.hole(some, others)
        self.hole(others, some)

    def cut(self, some, others):
        """Connections between them are reset, and cannot be made."""
        for source, target in self._pairs(some, others):
            self._ask("link", source, target, "cut")

    def slow(self, sources, targets, milliseconds):
        for source, target in self._pairs(sources, targets):
            self._ask("delay", source, target, milliseconds)

    def heal(self, sources, targets):
        """Between these and those, both ways: open and as fast as can be."""
        for source, target in self._pairs(sources, targets):
            for way in ((source, target), (target, source)):
                self._ask("link", *way, "open")
                self._ask("delay", *way, 0)

    def end(self):
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
