"""Five nodes are restarted one by one while clients write: nobody notices."""

import random
import threading
import time

from support import expect, main, test
from support.client import CallFailed, Client


class Writer(threading.Thread):
    """Named puts through any node; one that fails is tried once more, through another. Where there
    is no connection nothing is sent, and another node is taken."""

    def __init__(self, cluster, number, seed):
        super().__init__(daemon=True)
        self.nodes = list(cluster)
        self.chance = random.Random(seed)
        self.client_id = self.chance.getrandbits(63) + 1
        self.key = f"writer-{number}"
        self.written = self.retried = 0
        self.failed = []
        self.is_stopping = False

    def run(self):
        clients = [Client(node.address) for node in self.nodes]
        while not self.is_stopping and not self.failed:
            self.chance.shuffle(clients)
            self.put(iter(clients))
            time.sleep(0.003)
        for client in clients:
            client.close()

    def put(self, clients):
        """Each of `clients` is tried at most once."""
        failures = []
        while len(failures) < 2:
            try:
                next(clients).put(self.key, str(self.written + 1),
                                  request_id=(self.client_id, self.written + 1))
            except CallFailed as failed:
                if not failed.was_not_sent:
                    failures.append(str(failed))
            else:
                self.written += 1
                self.retried += len(failures)
                return
        self.failed = failures


def wait_until_ready(cluster, node):
    """As an operator would, before going on to the next."""
    node.wait_for_log("msg=serving")
    end = time.monotonic() + 60
    while node.http("/ready")[0] != 200:
        expect(time.monotonic() < end, node.name, "is not ready:", node.http("/ready"))
        time.sleep(0.05)
    cluster.wait_until_all_follow()


@test
def a_rolling_restart_fails_no_write(story):
    cluster = story.cluster(5).start()
    writers = [Writer(cluster, number, story.random.random()) for number in range(4)]
    for writer in writers:
        writer.start()
    for _ in range(story.rounds(1)):
        for node in story.random.sample(list(cluster), 5):
            expect(node.terminate() == 0, node.log())
            node.launch()
            wait_until_ready(cluster, node)
    for writer in writers:
        writer.is_stopping = True
        writer.join()
    story.say(sum(writer.written for writer in writers), "written,",
              sum(writer.retried for writer in writers), "tried twice")
    expect(not any(writer.failed for writer in writers), [writer.failed for writer in writers])
    cluster.wait_level()
    for writer in writers:
        got = cluster["a"].client().get(writer.key)
        expect((got.value, got.version) == (str(writer.written).encode(), writer.written), got)


@test
def a_stopping_leader_hands_over(story):
    """It has a successor before it ends; an election would have moved the term further, or later."""
    cluster = story.cluster(3, ELECTION=40).start()  # two seconds
    cluster.wait_level()
    leader = cluster.wait_until_all_follow()
    term = leader.client().status().term
    expect(leader.terminate() == 0, leader.log())
    expect("leads no more" in leader.log() or "follows a leader" in leader.log(), leader.log())
    successor = cluster.leader()
    expect(successor.client().status().term == term + 1)
    successor.client().put("key", "value")


if __name__ == "__main__":
    main()
