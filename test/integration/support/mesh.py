"""The five regions of scripts/mesh.sh, and their nodes, from the place `ops` (see there).

This process enters the namespace of `ops`, for good: so it comes before any thread."""

import ctypes
import os
import shutil
import subprocess

from support.group import Group
from support.remote import RemoteNode
from support.story import ROOT, SERVER, Skip, expect

CLONE_NEWNET = 0x40000000
SCRIPT = str(ROOT / "scripts/mesh.sh")

ADDRESSES = {"jnb": "fdaa::11", "lhr": "fdaa::12", "ord": "fdaa::13", "sin": "fdaa::14",
             "fra": "fdaa::15"}

# Round trips in milliseconds, as the script has them.
ROUND_TRIPS = {("jnb", "lhr"): 160, ("jnb", "ord"): 235, ("jnb", "sin"): 300, ("jnb", "fra"): 165,
               ("lhr", "ord"): 88, ("lhr", "sin"): 170, ("lhr", "fra"): 14, ("ord", "sin"): 215,
               ("ord", "fra"): 100, ("sin", "fra"): 160}

_libc = ctypes.CDLL(None, use_errno=True)


def round_trip(one, other):
    return ROUND_TRIPS.get((one, other)) or ROUND_TRIPS[other, one]


def quorum_trip(region):
    """To the second-nearest of the others: with two of them, three of five have it."""
    return sorted(round_trip(region, other) for other in ADDRESSES if other != region)[1]


def machine(region):
    return f"machine-{region}"


def region_of(node):
    return node.name.removeprefix("machine-")


def _require():
    if os.geteuid() != 0:
        raise Skip("network namespaces need root")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise Skip("there is no /dev/net/tun")
    for program in ("ip", "dnsmasq"):
        if not shutil.which(program):
            raise Skip(f"there is no {program}; scripts/setup.sh test installs it")
    if subprocess.run(["ip", "netns", "add", f"probe-{os.getpid()}"],
                      capture_output=True).returncode != 0:
        raise Skip("network namespaces are not permitted")
    subprocess.run(["ip", "netns", "del", f"probe-{os.getpid()}"], check=True)


class Mesh(Group):
    """Made anew, and gone with the story. Settings as in the servers' environment."""

    def __init__(self, story, **settings):
        _require()
        super().__init__({machine(region): RemoteNode(machine(region), f"[{address}]:9000")
                          for region, address in ADDRESSES.items()})
        self.name = f"m{os.getpid()}"
        self.directory = story.directory / "mesh"
        self.environment = {**os.environ, "MESH": self.name, "MESH_DIR": str(self.directory),
                            "PHALANX_BIN": os.path.dirname(SERVER),
                            **{name: str(value) for name, value in settings.items()}}
        self.keeper = self._keep()
        story.at_end(self.end)
        self.run("up")
        self._enter()

    def _keep(self):
        """Takes it down when our end of the pipe is closed: by us, or by our death."""
        return subprocess.Popen(["setsid", "sh", "-c", 'read -r line; exec "$0" down', SCRIPT],
                                env=self.environment, stdin=subprocess.PIPE)

    def _enter(self):
        """Whatever this process starts is in `ops` from now on."""
        with open(f"/run/netns/{self.name}-ops") as namespace:
            result = _libc.setns(namespace.fileno(), CLONE_NEWNET)
        expect(result == 0, "setns:", os.strerror(ctypes.get_errno()))

    def run(self, *words, timeout=60):
        """A command of the script; its output."""
        done = subprocess.run([SCRIPT, *words], env=self.environment, capture_output=True,
                              text=True, timeout=timeout)
        expect(done.returncode == 0, *words, ":", done.stderr)
        return done.stdout

    def end(self):
        for node in self:
            node.close()
        self.keeper.stdin.close()
        expect(self.keeper.wait(timeout=60) == 0, "the mesh was not taken down")

    def kill(self, *nodes):
        self._end("kill", nodes)

    def stop(self, *nodes):
        self._end("stop", nodes)

    def _end(self, how, nodes):
        for node in nodes:
            node.is_down = True
        self.run(how, *map(region_of, nodes))

    def launch(self, *nodes):
        self.run("start", *map(region_of, nodes))
        for node in nodes:
            node.is_down = False

    def cut_off(self, node):
        self.run("cut", region_of(node))

    def heal(self):
        self.run("heal")

    def log(self, node):
        return (self.directory / f"{region_of(node)}.log").read_text()

    def elections(self):
        """How often a node became leader, so far."""
        return sum(self.log(node).count('msg="became leader"') for node in self)
