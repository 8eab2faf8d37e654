"""The long run: a cluster of five under load, and everything that can happen to it.

    python3 test/integration/soak.py [--seed N] [--seconds N] [--runs N]

The seed decides what happens to whom, and in which order; how it comes out depends on the machine's
timing too. Each further run takes the next seed. soak_test.py is the short version."""

import argparse
import random
import signal
import sys
import threading
import time

from support import expect, membership
from support.client import CallFailed, Client
from support.history import OK, Clients, History
from support.proto import cluster as messages
from support.story import run

SIZE = 5
SETTINGS = {"STATE_FLUSH_MS": 200, "LOG_KEEP_ENTRIES": 300, "LOG_KEEP_MB": 1}

# Operations of one key are judged together; this many seconds bound them.
EPOCH_S = 6


class Watcher(threading.Thread):
    """Looks at all nodes all the time: one leader a term, and one state at an index."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.nodes = list(cluster)
        self.leaders = {}  # term: name
        self.states = {}  # applied index: hash
        self.is_stopping = False
        self.errors = []

    def run(self):
        clients = [Client(node.address) for node in self.nodes]
        try:
            while not self.is_stopping:
                for client in clients:
                    self.look(client)
                time.sleep(0.05)
        except AssertionError as error:
            self.errors.append(error)
        finally:
            for client in clients:
                client.close()

    def look(self, client):
        try:
            status = client.status(timeout=0.3)
        except CallFailed:
            return
        if status.role == messages.ROLE_LEADER:
            leader = self.leaders.setdefault(status.term, status.node_id)
            expect(leader == status.node_id, "two leaders in term", status.term, ":", leader, "and",
                   status.node_id)
        state = self.states.setdefault(status.applied_index, status.state_hash)
        expect(state == status.state_hash, status.node_id, "differs at index",
               status.applied_index)

    def stop(self):
        self.is_stopping = True
        self.join()
        if self.errors:
            raise self.errors[0]


class Soak:
    def __init__(self, story, seconds):
        self.story = story
        self.chance = random.Random(story.random.random())
        self.cluster = story.cluster(SIZE, **SETTINGS).start()
        self.history = History(story)
        self.clients = Clients(self.history, self.cluster, timeout=1.0, pause_s=0.004)
        self.watcher = Watcher(self.cluster)
        self.end = time.monotonic() + seconds
        self.epoch_end = time.monotonic() + EPOCH_S
        self.counts = {}

    # ---- Who

    def some(self, least, most):
        return self.chance.sample(list(self.cluster), self.chance.randint(least, most))

    def leader(self):
        """Or whoever; what happens should often happen to it."""
        if self.chance.random() < 0.3:
            return self.chance.choice(list(self.cluster))
        statuses = self.cluster.statuses()
        leader = self.cluster.find_leader(statuses)
        return self.cluster[leader] if leader else self.chance.choice(list(self.cluster))

    def a_while(self, least=0.3, most=3.0):
        time.sleep(self.chance.uniform(least, most))

    # ---- What happens: to those that still run, as not everybody is back after each

    def kill_one(self):
        self.leader().kill()
        self.a_while()

    def kill_several(self):
        for node in self.some(2, SIZE):
            node.kill()
        self.a_while(0, 1)

    def terminate(self):
        node = self.leader()
        if node.is_running():
            expect(node.terminate() == 0, node.log())
        self.a_while(0, 1)

    def pause(self):
        node = self.leader()
        if node.is_running():
            node.pause()
            self.a_while()
            node.resume()

    def pause_several(self):
        nodes = [node for node in self.some(2, 3) if node.is_running()]
        for node in nodes:
            node.pause()
        self.a_while(0.3, 1.5)
        for node in nodes:
            node.resume()

    def isolate_the_leader(self):
        self.cluster.isolate(self.leader())
        self.a_while()

    def cut_a_minority_off(self):
        nodes = self.some(1, 2)
        breaks = self.chance.choice([self.cluster.separate, self.cluster.cut])
        breaks(nodes, self.cluster.others(*nodes))
        self.a_while()

    def split_in_three(self):
        """Nobody has a majority."""
        nodes = self.some(SIZE, SIZE)
        self.cluster.separate(nodes[:2], nodes[2:])
        self.cluster.separate(nodes[2:4], nodes[4:])
        self.a_while(0.3, 1.5)

    def cut_some_links(self):
        """Partial, and of no shape."""
        for _ in range(self.chance.randint(1, 4)):
            one, other = self.some(2, 2)
            self.chance.choice([self.cluster.separate, self.cluster.cut])([one], [other])
        self.a_while()

    def break_one_way(self):
        for _ in range(self.chance.randint(1, 3)):
            one, other = self.some(2, 2)
            self.cluster.hole([one], [other])
        leader = self.leader()
        if self.chance.random() < 0.5:
            self.cluster.hole([leader], self.cluster.others(leader))
        self.a_while()

    def slow_down(self):
        self.cluster.slow(self.chance.choice([20, 60, 150]), self.some(1, 3))
        self.a_while()

    def two_at_once(self):
        for one in self.chance.sample([self.kill_one, self.cut_some_links, self.break_one_way,
                                       self.slow_down, self.pause], 2):
            one()

    def wipe(self):
        """One whose data is gone for good comes back as a new one, while the others are well."""
        self.recover()
        node = self.chance.choice(list(self.cluster))
        former = node.client().status().identity
        node.kill()
        node.wipe()
        node.launch()
        node.wait_for_log("msg=serving")
        membership.readmit(self.cluster, node, former)

    # ---- The course of it

    def recover(self):
        """Everybody is back, and it goes on."""
        self.cluster.expect_sound()
        self.cluster.heal()
        for node in self.cluster:
            if not node.is_running():
                node.launch()
        self.cluster.wait_until_all_follow()
        self.clients.wait_for(written=10)

    def step(self):
        happens = self.chance.choices(
            [self.kill_one, self.kill_several, self.terminate, self.pause, self.pause_several,
             self.isolate_the_leader, self.cut_a_minority_off, self.split_in_three,
             self.cut_some_links, self.break_one_way, self.slow_down, self.two_at_once, self.wipe],
            [4, 2, 2, 4, 2, 4, 3, 2, 4, 4, 2, 5, 2])[0]
        self.counts[happens.__name__] = self.counts.get(happens.__name__, 0) + 1
        happens()
        if self.chance.random() < 0.7:
            self.recover()

    def tend(self):
        self.cluster.expect_sound()
        expect(not self.watcher.errors, *self.watcher.errors)
        expect(not self.clients.errors, *self.clients.errors)
        if time.monotonic() > self.epoch_end:
            self.clients.epoch += 1
            self.epoch_end = time.monotonic() + EPOCH_S

    def run(self):
        self.clients.start()
        self.watcher.start()
        while time.monotonic() < self.end:
            self.step()
            self.tend()
        self.recover()
        self.clients.stop()
        self.watcher.stop()
        self.story.say(self.counts)
        self.story.say(self.history, self.clients.failures)
        self.history.expect_all_well(self.cluster)
        expect(self.history.count(OK) > 0)


def soak(story, seconds):
    Soak(story, seconds).run()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--runs", type=int, default=1)
    return parser.parse_args()


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the story is ended
    for seed in range(given.seed, given.seed + given.runs):
        replay = f"python3 {sys.argv[0]} --seed {seed} --seconds {given.seconds:g}"
        print(f"seed {seed}; replay: {replay}", flush=True)

        def everything(story):
            soak(story, given.seconds)
        told = run(everything, seed)
        print(f"seed {seed}: {told}", flush=True)
        if not told.startswith("ok"):
            sys.exit(f"replay: {replay}")


if __name__ == "__main__":
    main()
