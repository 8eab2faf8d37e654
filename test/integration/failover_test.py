"""The leader dies, again and again, while clients write and read through all nodes."""

from support import expect, main, test
from support.history import OK, Clients, History
from support.story import wait_until


@test
def nothing_acknowledged_is_lost_when_the_leader_is_killed(story):
    cluster = story.cluster(3, STATE_FLUSH_MS=100, LOG_KEEP_ENTRIES=200).start()
    history = History(story)
    clients = Clients(history, cluster).start()
    for number in range(story.rounds(5)):
        clients.wait_for(written=50)
        leader = cluster.leader()
        leader.kill()
        cluster.leader(among=cluster.others(leader))
        clients.wait_for(written=30)
        leader.launch()
        cluster.wait_until_all_follow()
        clients.epoch += 1  # other keys: short histories are judged quickly
    clients.stop()
    story.say(history, clients.failures)
    history.expect_all_well(cluster)


@test
def nothing_acknowledged_is_lost_when_all_are_killed_at_once(story):
    cluster = story.cluster(3, STATE_FLUSH_MS=200).start()
    history = History(story)
    for _ in range(story.rounds(3)):
        clients = Clients(history, cluster, timeout=0.5).start()
        clients.wait_for(written=80)
        for node in cluster:
            node.kill()
        clients.stop()
        cluster.start()
    story.say(history)
    expect(history.count(OK) > 200, history)
    history.expect_all_well(cluster)


# The 40th sync of any one thread fails, as a dying disk would make it.
FAILING_DISK = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
                "-e", "inject=fdatasync:error=EIO:when=40"]


@test
def a_sync_that_fails_ends_the_node_and_costs_nothing(story):
    cluster = story.cluster(3).start()
    history = History(story)
    clients = Clients(history, cluster).start()
    node = cluster.leader()
    node.kill()
    node.launch(under=FAILING_DISK)
    clients.wait_for(written=60)
    wait_until(lambda: not node.is_running(), 60, "the node's end")
    expect(node.exit_status() > 0 and "level=error" in node.log(), node.log())
    clients.wait_for(written=30)
    node.launch()
    cluster.wait_until_all_follow()
    clients.stop()
    history.expect_all_well(cluster)


if __name__ == "__main__":
    main()
