#!/usr/bin/env python3
"""A backup of one cluster becomes another one."""

import hashlib
import pathlib
import subprocess

from support import expect, main, test
from support.membership import admit
from support.shell import Shell
from support.story import SERVER

LOAD = str(pathlib.Path(SERVER).parent / "phalanx-load")
KEYS = 100_000


def fill(cluster):
    """Some keys are written twice, so that versions and revisions differ."""
    for keys in (KEYS, 1000):
        subprocess.run([LOAD, "-addr", cluster.leader().address, "-op", "fill", "-keys", str(keys),
                        "-value-bytes", "100", "-inflight", "64"], check=True, capture_output=True,
                       timeout=120)


def digest(node):
    """Of all that a reader can see: how many keys, and a hash over them with their revisions."""
    seen = hashlib.sha256()
    count = 0
    for item in node.client().scan_all(timeout=30):
        seen.update(item.SerializeToString(deterministic=True))
        count += 1
    return count, seen.hexdigest()


def restored(story, path):
    """Five nodes: one has the backup, the others are blank and come to join it."""
    cluster = story.cluster(5)
    first = cluster["a"]
    told = Shell("").json("snapshot", "restore", path, "-data-dir", str(first.data_dir),
                          "-node-id", first.name)
    first.start()
    for node in cluster.others(first):
        node.launch()
        node.wait_for_log("msg=serving")
        admit(node, lambda: first)
    return cluster, told


@test
def a_fresh_cluster_of_five_holds_what_was_saved(story):
    old = story.cluster(3).start()
    fill(old)
    was = old.wait_level()
    path = str(story.directory / "backup.snap")
    saved = Shell(old["b"].address).json("snapshot", "save", path)
    expect(saved["state_hash"] == f"{was.state_hash:016x}", saved, was)
    expect(Shell("").json("snapshot", "inspect", path) == saved)
    seen = digest(old["a"])
    expect(seen[0] == KEYS == saved["key_count"], seen, saved)
    old_id = was.cluster_id
    old.end()

    new, told = restored(story, path)
    expect(told == saved, told, saved)
    state = new.wait_level()  # all five hash to the same
    expect((state.key_count, state.revision) == (KEYS, was.revision), state)
    expect(state.cluster_id not in (0, old_id), "it would be taken for the old one")
    for node in new:
        expect(digest(node) == seen, node.name, "differs from what was saved")
    answer = new["e"].client().put("key", "value")
    expect(answer.revision == was.revision + 1, "revisions go on:", answer)


if __name__ == "__main__":
    main()
