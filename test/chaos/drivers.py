"""How machines are taken down and brought back: on Fly.io, on the emulated mesh, on this machine.

A driver has `group` (group.py), `take_down(nodes)`, `bring_back(nodes)` and `place(node)`."""

import subprocess

from support import membership
from support.client import insist
from support.group import Group
from support.mesh import Mesh, region_of
from support.remote import RemoteNode
from support.story import expect, wait_until

COMMAND_LIMIT_S = 120


class Local:
    """Five processes on loopback, of our own, with short ticks."""

    def __init__(self, story, app, address):
        self.chance = story.random
        self.group = story.cluster(5).start()

    def take_down(self, nodes):
        for node in nodes:
            if self.chance.random() < 0.5:
                node.kill()
            else:
                expect(node.terminate() == 0, node.name, "did not stop well:", node.log()[-2000:])

    def bring_back(self, nodes):
        for node in nodes:
            node.launch()

    def place(self, node):
        return node.name


class Emulated:
    """Five regions in network namespaces (scripts/mesh.sh), of our own."""

    def __init__(self, story, app, address):
        self.chance = story.random
        self.group = Mesh(story)

    def take_down(self, nodes):
        for node in nodes:
            self.chance.choice([self.group.kill, self.group.stop])(node)

    def bring_back(self, nodes):
        self.group.launch(*nodes)

    def place(self, node):
        return region_of(node)


class Fly:
    """The machines of an app. Their ids are the nodes' names (deploy/start.sh), and the nodes know
    each other's addresses, so ADDR is all that is needed, from inside the private network."""

    def __init__(self, story, app, address):
        self.chance = story.random
        self.app = app
        entrance = RemoteNode("entrance", address)
        story.at_end(entrance.close)
        nodes = wait_until(lambda: self._voters(entrance), 30, "an address of every voter")
        self.group = Group({node.name: node for node in nodes})
        story.at_end(lambda: [node.close() for node in nodes])

    def _voters(self, entrance):
        """None while an address is not known, as soon after a start."""
        voters = [member for member in insist(lambda: membership.members(entrance))
                  if member.is_voter]
        if all(member.address for member in voters):
            return [RemoteNode(member.name, member.address) for member in voters]
        return None

    def _command(self, *words):
        done = subprocess.run(["fly", "machine", *words, "--app", self.app], capture_output=True,
                              text=True, timeout=COMMAND_LIMIT_S)
        expect(done.returncode == 0, "fly machine", *words, ":", done.stderr)

    def take_down(self, nodes):
        for node in nodes:
            node.is_down = True
            self._command(self.chance.choice(["stop", "kill"]), node.name)

    def bring_back(self, nodes):
        for node in nodes:
            self._command("start", node.name)
            node.is_down = False

    def place(self, node):
        return node.name


DRIVERS = {"fly": Fly, "local": Local, "mesh": Emulated}
