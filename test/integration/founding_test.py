"""Blank nodes become one cluster, and never two, whatever happens meanwhile."""

from support import expect, main, test
from support.client import CallFailed

# Long enough to hit the middle of it: when a node logs one of these.
SLOW_MS = 60
STAGES = ["peer found", "waiting for the start", "founded a cluster"]


def expect_one_cluster(cluster, members):
    """They are founded, follow one leader, and take a write; nobody belongs to another cluster."""
    cluster.wait_until_all_follow(members)
    identities = cluster.identities()
    clusters = {cluster_id for cluster_id, _ in identities.values()} - {0}
    expect(len(clusters) == 1, "several clusters:", identities)
    expect(len({identity for _, identity in identities.values()}) == len(identities), identities)
    members[0].client().put("key", "value")
    for node in members:
        expect(node.client().get("key").value == b"value")
    return clusters.pop()


@test
def in_any_order_of_start(story):
    cluster = story.cluster(3)
    nodes = list(cluster)
    story.random.shuffle(nodes)
    for node in nodes:
        node.launch()
        node.wait_for_log("msg=serving")
    expect_one_cluster(cluster, nodes)


@test
def five_at_once(story):
    cluster = story.cluster(5).launch()
    expect_one_cluster(cluster, list(cluster))


@test
def waits_for_the_last_one_and_says_so(story):
    cluster = story.cluster(3)
    early = story.random.sample(list(cluster), 2)
    late, = cluster.others(*early)
    for node in early:
        node.launch()
    for node in early:
        node.wait_for_log(f'waiting="waiting for 1 of 3: {late.name} has not been seen"')
        status, text = node.http("/health")
        expect(status == 200 and late.name in text, text)
        expect(node.client().status().cluster_id == 0)
    try:
        early[0].client().put("key", "too early", timeout=20)
        raise AssertionError("a put to no cluster")
    except CallFailed as failed:
        expect(failed.code.name == "UNAVAILABLE" and failed.is_not_applied, failed)
    late.launch()
    expect_one_cluster(cluster, list(cluster))


@test
def a_put_that_waits_is_taken_once_there_is_a_cluster(story):
    cluster = story.cluster(3).launch()
    for node in cluster:
        node.client().put(node.name, "early", timeout=20, wait=True)
    expect_one_cluster(cluster, list(cluster))


def disturbed(story, disturb):
    """Clusters of three, side by side, with something done to one of each, in each stage."""
    stages = STAGES * story.rounds(1)
    clusters = [story.cluster(3) for _ in stages]
    for cluster, stage in zip(clusters, stages):
        cluster.slow(SLOW_MS)
        cluster.launch()
        node = story.random.choice(list(cluster))
        node.wait_for_log(stage)
        node.kill()
        disturb(node)
        node.launch()
    return clusters


@test
def one_is_restarted_in_the_middle(story):
    for cluster in disturbed(story, lambda node: None):
        expect_one_cluster(cluster, list(cluster))
        cluster.end()


def revive(node):
    """As its log tells the operator."""
    if node.is_running() or node.exit_status() == 0:
        return
    expect("--rejoin" in node.log(), node.log())
    node.launch("--rejoin")


def wait_for_one_cluster(cluster):
    """The one that was wiped may have to wait for its admission."""
    def is_one(statuses):
        for node in cluster:
            revive(node)
        known = {status.cluster_id for status in statuses.values() if status} - {0}
        return len(known) == 1 and cluster.find_leader(statuses)
    return cluster[cluster.wait(is_one, "one cluster", seconds=120)]


@test
def one_is_wiped_in_the_middle(story):
    """What it promised is forgotten; the others must not wait for it for ever, nor be two."""
    for cluster in disturbed(story, lambda node: node.wipe()):
        leader = wait_for_one_cluster(cluster)
        leader.client().put("key", "value")
        expect(leader.client().get("key").value == b"value")
        cluster.end()


if __name__ == "__main__":
    main()
