"""The network breaks: whoever still has a majority goes on, nobody reads what is old, and it heals."""

from support import expect, main, test
from support.client import CallFailed


def expect_no_stale_read(node, key, value, tries=4):
    """It may fail to answer."""
    client = node.client()
    for _ in range(tries):
        try:
            got = client.get(key, timeout=0.25)
        except CallFailed:
            continue
        expect(got.value == value, node.name, "answers with", got.value, "after", value)


def write_through(nodes, key, value):
    for node in nodes:
        node.client().put(key, value, timeout=30)


@test
def a_leader_cut_off_serves_no_stale_read(story):
    cluster = story.cluster(3).start()
    for breaks in (cluster.separate, cluster.cut) * story.rounds(1):
        leader = cluster.wait_until_all_follow()
        leader.client().put("key", b"old")
        breaks([leader], cluster.others(leader))
        write_through([cluster.leader(among=cluster.others(leader))], "key", b"new")
        expect_no_stale_read(leader, "key", b"new")
        try:
            leader.client().put("key", b"lost?", timeout=0.5)
            raise AssertionError("a write passed without a majority")
        except CallFailed:
            pass
        for node in cluster.others(leader):
            expect(node.client().get("key").value == b"new")
        cluster.heal()
        cluster.wait_until_all_follow()
        cluster.wait_level()


@test
def a_link_that_works_one_way_only_stops_nobody_for_long(story):
    cluster = story.cluster(3).start()
    for is_deaf in (True, False) * story.rounds(1):
        leader = cluster.wait_until_all_follow()
        others = cluster.others(leader)
        leader.client().put("key", b"old")
        if is_deaf:
            cluster.hole(others, [leader])
        else:
            cluster.hole([leader], others)
        write_through([cluster.leader(among=others)], "key", b"new")
        expect_no_stale_read(leader, "key", b"new")
        cluster.heal()
        cluster.wait_until_all_follow()
        expect(leader.client().get("key").value == b"new")


@test
def a_follower_that_was_away_disturbs_nobody(story):
    """Its term has not moved, so that the leader stays."""
    cluster = story.cluster(3).start()
    leader = cluster.wait_until_all_follow()
    away, stays = cluster.others(leader)
    term = leader.client().status().term
    cluster.isolate(away)
    away.wait_for_status(lambda status: not status.leader_id, 20, "that it misses the leader")
    for number in range(300):
        stays.client().put(f"key-{number}", "value", timeout=30)
    cluster.heal()
    expect(cluster.wait_level().term == term, "the term moved; it was", term)
    expect(cluster.leader() is leader)


@test
def a_follower_that_hears_another_follower_only_disturbs_nobody(story):
    cluster = story.cluster(3).start()
    leader = cluster.wait_until_all_follow()
    away, between = cluster.others(leader)
    term = leader.client().status().term
    cluster.separate([leader], [away])
    away.wait_for_status(lambda status: not status.leader_id, 20, "that it misses the leader")
    for number in range(100):
        between.client().put(f"key-{number}", "value", timeout=30)
    try:
        away.client().put("key", "value", timeout=0.3)
    except CallFailed:
        pass  # nobody takes it to the leader
    cluster.heal()
    expect(cluster.wait_level().term == term, "the term moved; it was", term)


if __name__ == "__main__":
    main()
