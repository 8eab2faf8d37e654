"""A power cut: what was synced stays, the rest is gone. On an ext4 of its own (support/disk.py)."""

import shutil

from support import expect, main, test

# Flushes and cuts every few writes, so that cuts of the power fall into them too.
BUSY = {"LOG_KEEP_ENTRIES": 100, "LOG_KEEP_MB": 1, "STATE_RESERVE_MB": 8, "STATE_DIRTY_MB": 4,
        "LOG_RESERVE_MB": 4}


def write_for_a_while(story, server, ledger):
    server.settings["STATE_FLUSH_MS"] = story.random.choice([1, 20, 100, 5000])
    server.start()
    load = story.load(server, ledger).start()
    load.wait_for(acknowledged=story.random.randrange(1, 600))
    return load


def lose_power(disk, server, load):
    disk.cut_power()
    server.kill()
    load.stop()
    disk.restore_power()


def check_restart(server, ledger):
    server.start()
    status = ledger.verify(server)
    expect(status.applied_index == status.last_index == status.commit_index, status)
    server.kill()
    return status


@test
def keeps_what_it_acknowledged_when_the_power_goes(story):
    disk = story.disk(megabytes=256)
    server = story.server(disk.path / "node" / "data", **BUSY)
    ledger = story.ledger()
    for number in range(story.rounds(4)):
        load = write_for_a_while(story, server, ledger)
        if number % 2 == 1:
            # What a restart reads from the page cache may not be on the disk yet.
            server.kill()
            load.stop()
            load = write_for_a_while(story, server, ledger)
        lose_power(disk, server, load)
        before = check_restart(server, ledger)
        lose_power(disk, server, load)
        after = check_restart(server, ledger)
        expect(after.state_hash == before.state_hash, "verified, then lost:", before, after)
        if number % 10 == 0:
            story.say(f"round {number + 1}:", ledger)
    story.say(ledger)


@test
def keeps_a_directory_made_just_before_the_power_goes(story):
    """Its name, and those of its parents, are synced before the first answer."""
    disk = story.disk(megabytes=256)
    for number in range(story.rounds(4)):
        server = story.server(disk.path / f"a-{number}" / "b" / "data", **BUSY)
        ledger = story.ledger()
        load = write_for_a_while(story, server, ledger)
        lose_power(disk, server, load)
        check_restart(server, ledger)
        expect(ledger.count("acknowledged") > 0)
        shutil.rmtree(disk.path / f"a-{number}")


if __name__ == "__main__":
    main()
