"""A cluster of real servers on loopback, and what can happen to it.

Every node has a port of its own, kept over its restarts, where tests call it; nodes reach each other
through the proxy of links.py only. Names are a, b, c, ..."""

import collections
import shutil
import signal
import socket
import string

from support.client import CallFailed
from support.group import Group, names_of
from support.links import Links
from support.server import Server
from support.story import expect

# The election timeout, one to two times 600 ms, leaves a loaded machine some room.
TIMINGS = {"TICK_MS": 50, "ELECTION": 12, "HEARTBEAT": 3}


class Port:
    """Nobody else gets it: bound here as well, but not listening."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number = self._socket.getsockname()[1]

    def end(self):
        self._socket.close()


class Node(Server):
    """A Server (server.py) with a name, of a cluster."""

    def __init__(self, cluster, name, settings):
        self.cluster = cluster
        self.name = name
        self.port = Port()
        self.front = cluster.links.lead_to(name, self.port.number)
        self.is_paused = False
        self.is_ended = False  # by the test
        data_dir = cluster.story.directory / f"data-{name}-{self.port.number}"
        super().__init__(cluster.story, data_dir,
                         {"NODE_ID": name, "GRPC_ADDR": f"127.0.0.1:{self.port.number}",
                          "ADVERTISE_ADDR": f"127.0.0.1:{self.front}", **settings})
        self.address = f"127.0.0.1:{self.port.number}"
        cluster.story.servers.append(self)
        cluster.story.at_end(self.end)

    def is_serving(self):
        """Clients call it directly, whatever it tells the others."""
        is_so = super().is_serving()
        self.address = f"127.0.0.1:{self.port.number}"
        return is_so

    def http(self, path, timeout=5):
        expect(self.is_serving(), self.name, "does not serve")
        return super().http(path, timeout)

    def is_up(self):
        return self.is_running() and not self.is_paused

    def launch(self, *arguments, under=()):
        self.is_ended = False
        return super().launch(*arguments, under=under)

    def send_signal(self, number):
        self.is_ended = self.is_ended or number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
        super().send_signal(number)

    def pause(self):
        self.send_signal(signal.SIGSTOP)
        self.is_paused = True

    def resume(self):
        self.send_signal(signal.SIGCONT)
        self.is_paused = False

    def kill(self):
        self.is_paused = False
        return super().kill()

    def wipe(self):
        """Its directory is gone; it does not run."""
        expect(not self.is_running(), self.name, "runs")
        shutil.rmtree(self.data_dir)

    def ask_status(self, timeout=1):
        """None: it does not answer."""
        if not self.is_up():
            return None
        client = self.standing_client()
        try:
            return client.status(timeout=timeout)
        except CallFailed:
            return None

    def standing_client(self):
        """One connection for many small questions."""
        if not self._clients:
            self.client()
        return self._clients[0]

    def end(self):
        super().end()
        self.port.end()


class Cluster(Group):
    """`size` nodes, none started yet; settings as in their environment."""

    def __init__(self, story, size, **settings):
        self.story = story
        self.links = Links()
        story.at_end(self.links.end)
        super().__init__(collections.OrderedDict())
        settings = {**TIMINGS, **settings}
        for name in string.ascii_lowercase[:size]:
            self.nodes[name] = Node(self, name, dict(settings))
        self._introduce()

    def _introduce(self):
        """PEERS: each node knows the others by ports of its own, so that each pair is a link."""
        label = f"test-{self.nodes['a'].port.number}"
        for node in self:
            addresses = [f"{other.name}=127.0.0.1:{self._way(node, other)}" for other in self]
            node.settings.update(PEERS=",".join(addresses), CLUSTER=label)

    def _way(self, node, other):
        if node is other:
            return other.front
        return self.links.lead_to(other.name, other.port.number, source=node.name)

    def end(self):
        """Before the story does."""
        for node in self:
            node.end()
        self.links.end()

    def expect_sound(self):
        """Nobody ended of itself."""
        for node in self:
            has_ended = node.process is not None and not node.is_running() and not node.is_ended
            expect(not has_ended, node.name, "ended by itself:", node.log()[-2000:])

    # ---- Starting

    def launch(self):
        for node in self:
            node.launch()
        return self

    def start(self):
        """Until it has a leader that all follow."""
        self.launch()
        self.wait_until_all_follow()
        return self

    # ---- The network

    def cut(self, some, others):
        self.links.cut(names_of(some), names_of(others))

    def separate(self, some, others):
        self.links.separate(names_of(some), names_of(others))

    def hole(self, sources, targets):
        self.links.hole(names_of(sources), names_of(targets))

    def isolate(self, *nodes):
        self.separate(nodes, self.others(*nodes))

    def slow(self, milliseconds, nodes=None):
        """Whatever goes between these and others."""
        nodes = nodes or list(self)
        self.links.slow(names_of(nodes), list(self.nodes), milliseconds)

    def heal(self):
        self.links.heal(list(self.nodes), list(self.nodes))
