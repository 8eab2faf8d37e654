"""The programs that are measured or that measure: started, watched, stopped by their process."""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import time
import urllib.request

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 30
STOP_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def busy_us():
    """Of all processors, by everybody, since the machine's start."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) * 1e6 / TICKS_PER_SECOND


class Server:
    """A running server: what it is called, where it listens, what it uses."""

    def __init__(self, name, process, port, debug_port=None):
        self.name = name
        self.process = process
        self.port = port
        self.debug_port = debug_port

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _read(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_text()

    def cpu_us(self):
        fields = self._read("stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / TICKS_PER_SECOND

    own_cpu_us = cpu_us  # it is alone; what a cluster uses is more than its member does

    def _value(self, file, name):
        for line in self._read(file).splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        raise KeyError(name)

    def memory_mb(self):
        """Beyond mapped files: RssAnon and RssShmem; RssFile is what the kernel can drop."""
        return (self._value("status", "RssAnon") + self._value("status", "RssShmem")) / 1024

    def resident_mb(self):
        return self._value("status", "VmRSS") / 1024

    def peak_resident_mb(self):
        """The most that VmRSS ever was."""
        return self._value("status", "VmHWM") / 1024

    def mapped_mb(self):
        return self._value("status", "RssFile") / 1024

    def written_bytes(self):
        """To files. What goes to sockets is not counted there."""
        return self._value("io", "wchar")

    def dirtied_bytes(self):
        """Page cache made dirty: whole folios, which may be larger than what is written of them."""
        return self._value("io", "write_bytes")

    def status(self):
        url = f"http://127.0.0.1:{self.debug_port}/debug/status"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    def wait_until_open(self):
        deadline = time.monotonic() + START_SECONDS
        while not is_open(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start")
            time.sleep(0.01)

    def wait_until_idle(self, share=0.05, seconds=30):
        """Until it uses little of a processor: flushes, compactions and collections are done."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            before = self.cpu_us()
            time.sleep(0.5)
            if self.cpu_us() - before < share * 0.5e6:
                return

    def wait_until_flushed(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.status()
            if status["store"]["flushed_index"] == status["applied_index"]:
                return
            time.sleep(0.1)
        raise RuntimeError("no flush came to its end")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Cost:
    """What the processors do from now on that is not ours: a busy machine spoils figures."""

    def __init__(self):
        self._seconds = time.monotonic()
        self._busy_us = busy_us()
        self._client_us = self._children_us()

    @staticmethod
    def _children_us():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (usage.ru_utime + usage.ru_stime) * 1e6

    def others_share(self, served_us):
        ours_us = served_us + self._children_us() - self._client_us
        whole_us = (time.monotonic() - self._seconds) * os.cpu_count() * 1e6
        return max(0, (busy_us() - self._busy_us - ours_us) / whole_us)


class Programs:
    """Where the programs are, and a folder for what they write."""

    def __init__(self, bin_folder, folder):
        self.bin = bin_folder
        self.folder = folder

    @contextlib.contextmanager
    def running(self, name, command, port, environment=None, debug_port=None, stderr=None):
        process = subprocess.Popen([str(word) for word in command], env=environment,
                                   stdin=subprocess.DEVNULL, stderr=stderr)
        server = Server(name, process, port, debug_port)
        try:
            yield server
        finally:
            server.stop()

    def phalanx(self, data_dir, port=None):
        """Starts at once; not yet open when it is there."""
        port, debug_port = port or free_port(), free_port()
        environment = {"PATH": os.environ.get("PATH", ""), "DATA_DIR": str(self.folder / data_dir),
                       "GRPC_ADDR": f"127.0.0.1:{port}", "DEBUG_ADDR": f"127.0.0.1:{debug_port}",
                       "LOG_LEVEL": "warn"}
        return self.running("phalanx", [self.bin / "phalanx-server"], port, environment,
                             debug_port)

    def echo(self):
        port = free_port()
        return self.running("echo", [self.bin / "echo_server", f"127.0.0.1:{port}"], port)

    def has_etcd(self):
        return shutil.which("etcd") is not None

    def etcd(self, data_dir):
        port = free_port()
        clients, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
        command = ["etcd", "--data-dir", self.folder / data_dir, "--listen-client-urls", clients,
                   "--advertise-client-urls", clients, "--listen-peer-urls", peers,
                   "--initial-advertise-peer-urls", peers, "--initial-cluster",
                   f"default={peers}", "--quota-backend-bytes", 8 << 30]
        return self.running("etcd", command, port, stderr=subprocess.DEVNULL)

    def load(self, server, op, inflight, **options):
        """One run of phalanx-load; its line, with the server's time on a processor per call."""
        command = [self.bin / "phalanx-load", "-addr", server.address, "-target", server.name,
                   "-op", op, "-inflight", inflight, "-value-bytes", 256]
        for name, value in options.items():
            command += ["-" + name, value]
        before, cost = server.cpu_us(), Cost()
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
        line = json.loads(done.stdout)
        served_us = server.cpu_us() - before
        line["server_cpu_us_per_op"] = served_us / line["calls"]
        line["others_share"] = cost.others_share(served_us)
        if line["errors"]:
            print(f"bench: {server.name} answered with errors: {line['errors']}", flush=True)
        return line

    def log_commit(self, seconds, earlier):
        """Synced commits of the log, one put each, with nothing around them."""
        folder = self.folder / "log-commit"
        command = [self.bin / "log_commit", folder, seconds, earlier]
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
        shutil.rmtree(folder)
        return {"earlier": earlier, **json.loads(done.stdout)}

    def consensus(self):
        """Rounds of three engines, with nothing around them."""
        done = subprocess.run([str(self.bin / "consensus")], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def start_first_answer(self, op, port, target="phalanx"):
        command = [self.bin / "first_answer", op, "127.0.0.1", port, target]
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE)

    @contextlib.contextmanager
    def first_answer(self, op, port, target):
        asking = self.start_first_answer(op, port, target)
        try:
            yield asking
        finally:
            asking.kill()
            asking.wait()
