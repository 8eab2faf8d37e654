"""One phalanx-server and its directory, through any number of starts."""

import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

from support.client import CallFailed, Client
from support.story import SANITIZERS, SERVER, expect, wait_until

PR_SET_CHILD_SUBREAPER = 36

# What detaches itself from a server, such as its tracer, becomes our child.
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)

# The server dies with the test. By a command, since Python calls what is to be done in the child
# after a real fork only, and gRPC's fork handlers can hang.
DIE_WITH_THE_TEST = ["setpriv", "--pdeathsig", "KILL"]


def group_is_gone(leader):
    """Whether all processes of a group that we started have ended; takes in those that have."""
    try:
        while os.waitpid(-leader, os.WNOHANG) != (0, 0):
            pass
        return False
    except ChildProcessError:
        return True


class Server:
    def __init__(self, story, data_dir, settings):
        self.story = story
        self.data_dir = pathlib.Path(data_dir)
        self.settings = {"NODE_ID": "node-1", "GRPC_ADDR": "127.0.0.1:0",
                         "DEBUG_ADDR": "127.0.0.1:0", **settings}
        self.process = None
        self.address = None  # where clients call, of the newest start
        self.debug_port = None
        self._log_path = story.directory / f"server-{len(story.servers) + 1}.log"
        self._log_start = 0  # of the newest start
        self._clients = []

    # ---- Starting

    def environment(self):
        """Only the settings of this test, whatever the caller's environment holds."""
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        return {**kept, **SANITIZERS, "DATA_DIR": str(self.data_dir),
                **{name: str(value) for name, value in self.settings.items()}}

    def launch(self, *arguments, under=()):
        """Runs it without waiting. `under`: a command to put before it, such as strace -D."""
        expect(not self.is_running(), "it runs already")
        with open(self._log_path, "ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                [*DIE_WITH_THE_TEST, *under, SERVER, *arguments], env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        return self

    def start(self, *arguments, under=(), seconds=20):
        self.launch(*arguments, under=under)
        return self.wait_until_ready(seconds)

    def wait_until_ready(self, seconds=20):
        """Until it answers a linearizable read."""
        wait_until(lambda: self.is_serving() or not self.is_running(), seconds, "that it serves")
        expect(self.is_serving(), "it ended at its start:", self.log())
        self.client().get("is it ready", timeout=seconds, wait=True)
        return self

    def is_serving(self):
        """Whether it said where it can be reached, which this notes."""
        line = re.search(r" msg=serving .* address=(\S+) debug_port=(\d+)", self.log())
        if not line:
            return False
        self.address, self.debug_port = line.group(1), int(line.group(2))
        return True

    # ---- Ending

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def exit_status(self, seconds=20):
        """Waits for its end; negative: minus the signal that killed it."""
        status = self.process.wait(timeout=seconds)
        wait_until(lambda: group_is_gone(self.process.pid), seconds, "the end of what traces it")
        self._close_clients()
        return status

    def send_signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        """kill -9, and wait until it is gone."""
        if self.is_running():
            self.send_signal(signal.SIGKILL)
        return self.exit_status()

    def terminate(self, number=signal.SIGTERM, seconds=20):
        """Asks it to stop; returns the exit status."""
        self.send_signal(number)
        return self.exit_status(seconds)

    def end(self):
        self._close_clients()
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # with whatever traces it
        except ProcessLookupError:
            pass
        self.process.wait()
        wait_until(lambda: group_is_gone(self.process.pid), 20, "the end of what traces it")

    # ---- Talking

    def client(self):
        """A new connection; closed when the server ends."""
        client = Client(self.address)
        self._clients.append(client)
        return client

    def _close_clients(self):
        while self._clients:
            self._clients.pop().close()

    def status(self):
        """At most 20 ms old."""
        return self.client().status()

    def cli_status(self):
        """What `phalanx status -o json` prints."""
        result = self.story.cli("status", "-o", "json", "-addr", self.address)
        expect(result.status == 0, result)
        return json.loads(result.out)

    def http(self, path, timeout=5):
        """GET on the debug port: (status, text)."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.debug_port}{path}",
                                        timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def log(self, everything=False):
        """What it logged since its newest start."""
        if not self._log_path.exists():
            return ""
        data = self._log_path.read_bytes()
        return data[0 if everything else self._log_start:].decode(errors="replace")

    def wait_for_log(self, pattern, seconds=20):
        return wait_until(lambda: re.search(pattern, self.log()), seconds, f"a log line {pattern!r}")

    def wait_for_status(self, condition, seconds=20, what="the status"):
        """Until condition(status) is true; returns that status."""
        client = self.client()
        end = time.monotonic() + seconds
        while True:
            try:
                status = client.status()
                if condition(status):
                    return status
            except CallFailed as failed:
                status = failed
            expect(time.monotonic() < end, f"not within {seconds} s: {what}:", status)
            time.sleep(0.02)
