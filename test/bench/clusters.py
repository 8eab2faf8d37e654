"""Clusters on this machine, ours and etcd's alike: started, asked who leads, killed, restarted."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.request

from servers import free_port

WAIT_SECONDS = 60


class Member:
    """A node, through its starts. `launch` makes the context that runs it."""

    def __init__(self, name, port, folder, launch):
        self.name = name
        self.port = port
        self._folder = folder
        self._launch = launch
        self._stack = contextlib.ExitStack()
        self.server = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def disk_mb(self):
        """What its files take there, whatever their lengths say."""
        return sum(path.stat().st_blocks for path in self._folder.rglob("*")) * 512 / 2 ** 20

    def start(self):
        self.server = self._stack.enter_context(self._launch())

    def kill(self):
        self.server.kill()
        self.stop()

    def stop(self):
        self._stack.close()
        self.server = None


class Cluster:
    """Use it as a context. `who_leads(member)`: a name, or None."""

    def __init__(self, kind, members, who_leads):
        self.kind = kind
        self.members = members
        self._who_leads = who_leads

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for member in self.members:
                stack.callback(member.stop)
                member.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def wait_for_leader(self):
        """Until all that run name the same one."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            running = [member for member in self.members if member.server]
            told = {self._who_leads(member) for member in running}
            if len(told) == 1 and None not in told:
                leader = told.pop()
                return next(member for member in self.members if member.name == leader)
            time.sleep(0.05)
        raise RuntimeError(f"{self.kind}: nobody leads")


# ---- Ours ----------------------------------------------------------------------------------------

def phalanx(programs, size, timings):
    """`timings`: TICK_MS, ELECTION, HEARTBEAT."""
    names = [f"node-{number}" for number in range(1, size + 1)]
    ports = [free_port() for _ in names]
    peers = ",".join(f"{name}=127.0.0.1:{port}" for name, port in zip(names, ports))
    debug_ports = {}
    folder = pathlib.Path(programs.folder) / f"phalanx-{ports[0]}"
    tick_ms, election, heartbeat = timings

    def launch(name, port):
        debug_ports[name] = free_port()
        environment = {"PATH": os.environ.get("PATH", ""), "NODE_ID": name, "PEERS": peers,
                       "DATA_DIR": str(folder / name), "GRPC_ADDR": f"127.0.0.1:{port}",
                       "DEBUG_ADDR": f"127.0.0.1:{debug_ports[name]}", "LOG_LEVEL": "warn",
                       "TICK_MS": str(tick_ms), "ELECTION": str(election),
                       "HEARTBEAT": str(heartbeat)}
        return programs.running(name, [programs.bin / "phalanx-server"], port, environment,
                                debug_ports[name])

    def who_leads(member):
        url = f"http://127.0.0.1:{debug_ports[member.name]}/debug/status"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return json.load(answer)["leader_id"] or None
        except OSError:
            return None

    members = [Member(name, port, folder / name,
                      lambda name=name, port=port: launch(name, port))
               for name, port in zip(names, ports)]
    return Cluster("phalanx", members, who_leads)


# ---- Theirs --------------------------------------------------------------------------------------

def etcd(programs, size, timings):
    """It wants at least five heartbeats in an election timeout, and gets no fewer."""
    names = [f"node-{number}" for number in range(1, size + 1)]
    ports = [free_port() for _ in names]
    peers = {name: f"http://127.0.0.1:{free_port()}" for name in names}
    folder = pathlib.Path(programs.folder) / f"etcd-{ports[0]}"
    folder.mkdir()
    tick_ms, election, heartbeat = timings

    def launch(name, port):
        clients = f"http://127.0.0.1:{port}"
        command = ["etcd", "--name", name, "--data-dir", folder / name, "--listen-client-urls",
                   clients, "--advertise-client-urls", clients, "--listen-peer-urls", peers[name],
                   "--initial-advertise-peer-urls", peers[name], "--initial-cluster",
                   ",".join(f"{other}={url}" for other, url in peers.items()),
                   "--election-timeout", tick_ms * election,
                   "--heartbeat-interval", tick_ms * min(heartbeat, election // 5),
                   "--quota-backend-bytes", 8 << 30]
        return programs.running(name, command, port, stderr=subprocess.DEVNULL)

    def who_leads(member):
        command = ["etcdctl", "--endpoints", member.address, "endpoint", "status", "-w", "json"]
        done = subprocess.run(command, capture_output=True, text=True,
                              env={**os.environ, "ETCDCTL_API": "3"})
        if done.returncode != 0:
            return None
        status = json.loads(done.stdout)[0]["Status"]
        known[status["header"]["member_id"]] = member.name
        return known.get(status.get("leader"))

    known = {}  # member id: name
    members = [Member(name, port, folder / name,
                      lambda name=name, port=port: launch(name, port))
               for name, port in zip(names, ports)]
    return Cluster("etcd", members, who_leads)


def has_etcd():
    return shutil.which("etcd") is not None and shutil.which("etcdctl") is not None
