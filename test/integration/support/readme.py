"""README.md as a test: its blocks run in order, as a newcomer would do it.

    ```console            commands after "$ ", and what they print; "..." stands for anything, on
                          a line of its own for any lines. All run in one shell.
    ```console grpcurl    likewise, where the program grpcurl is at hand
    ```sh server          starts a server, which runs until the end
    ```sh servers 1 2     starts some, with $i as each of these
    ```python hello.py    is saved under that name; so are others with a name

Other blocks are not run. The ports (90xx, 91xx and 80xx, 81xx) are replaced by free ones."""

import os
import re
import signal
import socket
import subprocess
import time

from support.story import CLI, ROOT, SANITIZERS, SERVER, expect, wait_until

README = ROOT / "README.md"
NEEDS = {"python": "/usr/bin/python3"}  # of a block: the program, if it has another name
PORTS = ("9000", "8080", *(f"{first}{i}" for first in (910, 818) for i in (1, 2, 3, 4)))
LAGS = re.compile(r"build/bin/phalanx (status|members)\b")  # they tell of an instant ago
FENCE = re.compile(r"^```(\S*) ?(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)


def blocks():
    """(language, word after it, text) of each."""
    return FENCE.findall(README.read_text())


def matches(wanted, got):
    pattern = "".join(r"(?:.*\n)*" if line == "..." else
                      ".*".join(re.escape(part) for part in line.split("...")) + r"\n"
                      for line in wanted.rstrip("\n").split("\n"))
    return re.fullmatch(pattern, got.rstrip("\n") + "\n")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Session:
    """A clone of the repository as far as the README needs it, and a shell there. `programs`: where
    to find clients, by their block's word; None: leave it out."""

    def __init__(self, story, programs, environment=()):
        self.story = story
        self.programs = programs
        self.directory = story.directory / "clone"
        self.clone()
        self.ports = {port: str(free_port()) for port in PORTS}
        path = [os.path.dirname(program) for program in programs.values() if program]
        self.environment = {
            "HOME": str(story.directory), "LC_ALL": "C.UTF-8",
            "PATH": ":".join([*path, os.environ["PATH"]]),
            "PHALANX_ADDR": "127.0.0.1:" + self.ports["9000"], **SANITIZERS, **dict(environment)}
        self.shell = None

    def clone(self):
        (self.directory / "build/bin").mkdir(parents=True)
        for binary in (SERVER, CLI):
            (self.directory / "build/bin" / os.path.basename(binary)).symlink_to(binary)
        (self.directory / "proto").symlink_to(ROOT / "proto")
        (self.directory / "scripts").mkdir()
        for name in ("run.sh", "cluster.sh"):
            script = self.directory / "scripts" / name
            script.write_bytes((ROOT / "scripts" / name).read_bytes())
            script.chmod(0o755)

    def here(self, text):
        return re.sub(rf"(?<=:)({'|'.join(PORTS)})\b", lambda port: self.ports[port[0]], text)

    def as_printed(self, text):
        for printed, port in self.ports.items():
            text = text.replace(":" + port, ":" + printed)
        return text

    # ---- Blocks

    def run(self):
        """All of them; returns how many commands ran."""
        count = 0
        for language, word, text in blocks():
            if language == "console" and self.is_at_hand(word):
                count += self.run_console(text)
            elif (language, word) == ("sh", "server"):
                self.start_server(text, "9000")
            elif language == "sh" and word.startswith("servers "):
                for number in word.split()[1:]:
                    self.start_server(text.replace("$i", number), "910" + number)
            elif re.fullmatch(r"[a-z]+\.[a-z]+", word):
                (self.directory / word).write_text(self.here(text))
        return count

    def is_at_hand(self, word):
        if not word:
            return True
        if self.programs.get(word):
            return True
        self.story.say(f"skipped the commands that need {word}")
        return False

    def start_server(self, text, grpc_port):
        log = open(self.story.directory / f"server-{grpc_port}.log", "wb")
        server = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "bash", "-c", "exec env " +
                                   self.here(text)], cwd=self.directory, env=self.environment,
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()

        def end():
            server.send_signal(signal.SIGTERM)  # if it has not stopped by itself
            expect(server.wait(timeout=20) == 0, "the server ended with", server.returncode)

        self.story.at_end(end)
        port = int(self.ports[grpc_port])

        def is_listening():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_until(is_listening, 20, "that the server listens")

    def run_console(self, text):
        steps = re.findall(r"^\$ (.*\n)((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
        expect(steps and text.startswith("$ "), "a block without a command:", text)
        for command, wanted in steps:
            self.run_step(command, wanted)
        return len(steps)

    def run_step(self, command, wanted):
        end = time.monotonic() + 20
        while True:
            got = self.as_printed(self.command(self.here(command)))
            if matches(wanted, got):
                return
            may_change = LAGS.match(command) and time.monotonic() < end
            expect(may_change, f"README: $ {command}wanted:\n{wanted}got:\n{got}")

    def command(self, text, seconds=60):
        """In the one shell, whose working directory and variables last; what it prints."""
        if self.shell is None:
            self.shell = subprocess.Popen(["bash", "--norc"], cwd=self.directory,
                                          env=self.environment, stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            os.set_blocking(self.shell.stdout.fileno(), False)
            self.story.at_end(self.end_shell)
        mark = b"\n-- that was it --\n"
        self.shell.stdin.write(text.encode() + b"printf '\\n-- that was it --\\n'\n")
        self.shell.stdin.flush()
        output = b""
        end = time.monotonic() + seconds
        while not output.endswith(mark):
            expect(time.monotonic() < end, f"$ {text}: no end after {seconds} s; it said", output)
            expect(self.shell.poll() is None, "the shell ended:", output)
            output += self.shell.stdout.read() or b""
            time.sleep(0.005)
        return output[:-len(mark)].decode(errors="replace")

    def end_shell(self):
        self.shell.stdin.close()
        self.shell.kill()
        self.shell.wait()
        self.shell.stdout.close()
