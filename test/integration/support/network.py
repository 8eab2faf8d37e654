"""A network of machines, each with an address of its own, on this one: network namespaces that hang
on a bridge, and a name server among them. The test itself is on the bridge too, so that its clients
reach every machine.

Everything ends with the test's process: the namespaces have no names and leave nothing behind."""

import ctypes
import itertools
import os
import shutil
import signal
import subprocess

from support.server import DIE_WITH_THE_TEST, Server
from support.story import Skip, expect, wait_until

CLONE_NEWNET = 0x40000000

BRIDGE = "br0"
TEST_ADDRESS = "fdaa::1"
NAME_SERVER = "fdaa::3"

_libc = ctypes.CDLL(None, use_errno=True)
_is_inside = False

# Of the whole process: the kernel takes a namespace apart some time after its end.
_cable_numbers = itertools.count(1)


def _ip(*arguments, under=()):
    subprocess.run([*under, "ip", *map(str, arguments)], check=True, capture_output=True)


def enter():
    """From here on the test has a network to itself: a loopback where every port is free. To be
    called before the first client is made."""
    global _is_inside
    if _is_inside:
        return
    for tool in ("ip", "nsenter", "unshare"):
        if not shutil.which(tool):
            raise Skip(f"there is no {tool}")
    hosts = subprocess.run(["unshare", "--net", "--uts", "--mount", "true"], capture_output=True,
                           text=True)
    if hosts.returncode != 0:
        raise Skip("no namespaces for hosts: " + hosts.stderr.strip())
    if os.geteuid() != 0 or _libc.unshare(CLONE_NEWNET) != 0:
        raise Skip("network namespaces need root")
    _ip("link", "set", "lo", "up")
    _is_inside = True


class Machine(Server):
    """A server on a host of its own; `name` is the host's."""

    def __init__(self, network, name, ip, settings):
        self.name = name
        self.ip = ip
        self._network = network
        self._resolver = network.story.directory / f"resolv-{name}.conf"
        self._resolver.write_text(f"nameserver {NAME_SERVER}\n")
        super().__init__(network.story, network.story.directory / f"data-{name}", {})
        self.settings = dict(settings)  # and none of the usual ones
        self._plug_in()

    def _plug_in(self):
        """A namespace, which lives as long as its first process."""
        script = f"hostname {self.name} && mount --bind {self._resolver} /etc/resolv.conf && exec sleep 1000000"
        self._host = subprocess.Popen(
            [*DIE_WITH_THE_TEST, "unshare", "--net", "--uts", "--mount", "sh", "-c", script])
        self._network.story.at_end(self._unplug)
        wait_until(lambda: b"sleep" in self._command(), 10, f"the host {self.name}")
        self._cable = f"cable{next(_cable_numbers)}"
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns",
            self._host.pid)
        _ip("link", "set", self._cable, "master", BRIDGE, "up")
        _ip("link", "set", "lo", "up", under=self.inside())
        _ip("link", "set", "eth0", "up", under=self.inside())
        self._take_address()

    def _command(self):
        with open(f"/proc/{self._host.pid}/cmdline", "rb") as command:
            return command.read().split(b"\0")[0]

    def _take_address(self):
        _ip("addr", "flush", "dev", "eth0", "scope", "global", under=self.inside())
        _ip("addr", "add", f"{self.ip}/64", "dev", "eth0", "nodad", under=self.inside())
        self.address = f"[{self.ip}]:9000"

    def _unplug(self):
        self.end()
        subprocess.run(["ip", "link", "del", self._cable], capture_output=True)  # if it was made
        self._host.send_signal(signal.SIGKILL)
        self._host.wait()

    def inside(self):
        """A command's prefix: it runs on this host."""
        return ["nsenter", "--target", str(self._host.pid), "--net", "--uts", "--mount"]

    def move_to(self, ip):
        """The same machine, with another address."""
        self.ip = ip
        self._take_address()

    def launch(self, *arguments, under=()):
        return super().launch(*arguments, under=[*self.inside(), *under])

    def is_serving(self):
        """Clients call where the host is, whatever it tells of itself."""
        is_so = super().is_serving()
        self.address = f"[{self.ip}]:9000"
        return is_so


class Network:
    def __init__(self, story):
        enter()
        self.story = story
        self._name_server = None
        self._names = story.directory / "names"
        done = subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Skip("bridges are not permitted: " + done.stderr.strip())
        story.at_end(lambda: _ip("link", "del", BRIDGE))
        _ip("link", "set", BRIDGE, "up")
        for ip in (TEST_ADDRESS, NAME_SERVER):
            _ip("addr", "add", f"{ip}/64", "dev", BRIDGE, "nodad")

    def machine(self, name, ip, **settings):
        machine = Machine(self, name, ip, settings)
        self.story.servers.append(machine)
        return machine

    def machines(self, count, **settings):
        """m1, m2, ... at fdaa::11, fdaa::12, ..."""
        return [self.machine(f"m{i + 1}", f"fdaa::{i + 11}", **settings) for i in range(count)]

    # ---- The name server

    def tell(self, name, machines):
        """From now on the name stands for these."""
        self._names.write_text("".join(f"{machine.ip} {name}\n" for machine in machines))
        if self._name_server:
            self._name_server.send_signal(signal.SIGHUP)

    def start_name_server(self):
        if not shutil.which("dnsmasq"):
            raise Skip("there is no dnsmasq")
        self._names.touch()
        self._name_server = subprocess.Popen(
            [*DIE_WITH_THE_TEST, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
             "--no-resolv", "--no-hosts", "--bind-interfaces", f"--listen-address={NAME_SERVER}",
             f"--addn-hosts={self._names}", "--user=root", "--pid-file=", "--local-ttl=0"],
            stderr=subprocess.DEVNULL)
        self.story.at_end(self._stop_name_server)

    def _stop_name_server(self):
        self._name_server.kill()
        self._name_server.wait()

