"""A leader that slept past its lease wakes up believing that it leads."""

import threading

from support import expect, main, test
from support.client import CallFailed

# Short, so that there is time for many tries.
FAST = {"TICK_MS": 20, "ELECTION": 15, "HEARTBEAT": 3}


class Read(threading.Thread):
    """Sent at once; waits for its answer beside the test."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.value = None
        self.start()

    def run(self):
        try:
            self.value = self.client.get("key", timeout=3).value
        except CallFailed:
            pass


@test
def a_woken_leader_answers_no_stale_read(story):
    cluster = story.cluster(3, **FAST).start()
    answered = 0
    for number in range(story.rounds(20)):
        leader = cluster.wait_until_all_follow()
        clients = [leader.client() for _ in range(3)]
        for client in clients:  # connected, and the lease is fresh
            client.put("key", f"old-{number}", timeout=30)
        leader.pause()
        cluster.leader(among=cluster.others(leader)).client().put("key", f"new-{number}",
                                                                  timeout=30)
        reads = [Read(client) for client in clients]  # into its sockets, while it sleeps
        leader.resume()
        reads += [Read(client) for client in clients]
        for read in reads:
            read.join()
            expect(read.value in (None, f"new-{number}".encode()), "read", read.value, "in try",
                   number)
            answered += read.value is not None
        for client in clients:
            client.close()
    story.say(answered, "reads answered, none of them stale")
    expect(answered > 0)


if __name__ == "__main__":
    main()
