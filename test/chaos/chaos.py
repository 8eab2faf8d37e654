"""Restarts machines under load and judges what clients saw. See scripts/chaos.sh."""

import argparse
import pathlib
import random
import signal
import sys
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "integration")]

from drivers import DRIVERS
from support import expect
from support.client import CallFailed, insist
from support.history import NOT_APPLIED, OK, PRECONDITION, UNKNOWN, Clients, History
from support.story import run

# Writes that have to be acknowledged while machines are away, and afterwards.
WRITES_AWAY = 20
WRITES_BACK = 10

# In which a write has to succeed again, elections over the longest links included.
PATIENCE_S = 60


class Pulse(threading.Thread):
    """The longest time in which no write was acknowledged."""

    def __init__(self, clients):
        super().__init__(daemon=True)
        self.clients = clients
        self.longest_s = 0.0
        self.is_stopping = False

    def run(self):
        seen, since = self.clients.written, time.monotonic()
        while not self.is_stopping:
            time.sleep(0.01)
            now = time.monotonic()
            self.longest_s = max(self.longest_s, now - since)
            if self.clients.written != seen:
                seen, since = self.clients.written, now

    def stop(self):
        self.is_stopping = True
        self.join()
        return self.longest_s


class Chaos:
    def __init__(self, story, driver, clients):
        self.story = story
        self.driver = driver
        self.client_count = clients
        self.group = driver.group
        self.totals = dict.fromkeys((OK, PRECONDITION, NOT_APPLIED, UNKNOWN), 0)
        self.longest_s = 0.0
        self.restarts = 0

    # ---- A round: one machine away, then two, then everything is compared

    def round(self, number):
        history = History(self.story)
        clients = Clients(history, self.group, count=self.client_count, timeout=5.0, pause_s=0.01)
        clients.epoch = f"chaos-{self.story.random.getrandbits(32):08x}-{number}"
        pulse = Pulse(clients)
        clients.start()
        clients.wait_for(WRITES_BACK, PATIENCE_S)
        pulse.start()
        away = [self.restart(clients, count) for count in (1, 2)]
        longest_s = pulse.stop()
        clients.stop()
        self.read_after_write(clients.epoch)
        self.judge(history)
        self.count(history, longest_s)
        print(f"round {number}: restarted {', then '.join(map(' and '.join, away))}: "
              f"{history.count(OK, PRECONDITION)} operations answered, "
              f"{history.count(NOT_APPLIED)} refused, {history.count(UNKNOWN)} unknown; longest "
              f"without a write {longest_s:.1f} s; reads after writes and history are right",
              flush=True)

    def restart(self, clients, count):
        nodes = self.story.random.sample(list(self.group), count)
        self.driver.take_down(nodes)
        clients.wait_for(WRITES_AWAY, PATIENCE_S)
        self.driver.bring_back(nodes)
        self.group.wait_until_all_follow(seconds=PATIENCE_S)
        clients.wait_for(WRITES_BACK, PATIENCE_S)
        self.restarts += count
        return [self.driver.place(node) for node in nodes]

    def read_after_write(self, name):
        """What one node acknowledged, every node shows at once."""
        for writer in self.group:
            key, value = f"{name}/after-{writer.name}", name.encode()
            insist(lambda: writer.client().put(key, value, timeout=10))
            for reader in self.group:
                answer = insist(lambda: reader.client().get(key, timeout=10))
                expect(answer.value == value, f"written through {writer.name}, not read through",
                       reader.name)
            insist(lambda: writer.client().delete(key, timeout=10))

    def judge(self, history):
        """All nodes hold the same, and everything that was seen fits one order."""
        self.group.wait_level(seconds=PATIENCE_S)
        for node in self.group:
            history.read_everything(node.client())
        history.check()
        self.clean(history)

    def clean(self, history):
        """It was somebody's cluster before, and is again."""
        client = next(iter(self.group)).client()
        for key in history.keys:
            try:
                client.delete(key, timeout=10)
            except CallFailed as failed:
                print(f"a key of ours stays, {key}: {failed}", flush=True)

    def count(self, history, longest_s):
        for outcome in self.totals:
            self.totals[outcome] += history.count(outcome)
        self.longest_s = max(self.longest_s, longest_s)

    # ---- All of them

    def run(self, rounds):
        self.group.wait_until_all_follow(seconds=PATIENCE_S)
        for number in range(1, rounds + 1):
            self.round(number)
        answered = self.totals[OK] + self.totals[PRECONDITION]
        attempted = sum(self.totals.values())
        print(f"{rounds} rounds, {self.restarts} restarts, 0 violations: {answered} of {attempted} "
              f"operations answered ({100 * answered / attempted:.2f} %), "
              f"{self.totals[NOT_APPLIED]} refused, {self.totals[UNKNOWN]} unknown; longest "
              f"without a write {self.longest_s:.1f} s", flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/chaos.sh")
    parser.add_argument("app", nargs="?", help="the Fly.io app")
    parser.add_argument("address", nargs="?", help="host:port of one of its nodes")
    parser.add_argument("--driver", choices=sorted(DRIVERS), default="fly")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    given = parser.parse_args()
    if given.driver == "fly" and not given.address:
        parser.error("which APP, and the ADDR of one of its nodes?")
    if given.rounds < 1 or given.clients < 1:
        parser.error("at least one round and one client")
    return given


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the story is ended
    print(f"seed {given.seed}, {given.rounds} rounds, driver {given.driver}", flush=True)

    def chaos(story):
        driver = DRIVERS[given.driver](story, given.app, given.address)
        Chaos(story, driver, given.clients).run(given.rounds)
    told = run(chaos, given.seed)
    print(told, flush=True)
    sys.exit(0 if told.startswith("ok") else 77 if told.startswith("skipped") else 1)


if __name__ == "__main__":
    main()
