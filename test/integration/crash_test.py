"""kill -9 at any moment: what was acknowledged is there after the restart."""

from support import expect, main, test
from support.story import wait_until

# Flushes and cuts every few writes, so that kills fall into them too.
BUSY = {"STATE_FLUSH_MS": 20, "LOG_KEEP_ENTRIES": 100, "LOG_KEEP_MB": 1}


def check_restart(story, server, ledger):
    """Restart and verify; then once more with nothing written, which must change nothing."""
    server.start()
    status = ledger.verify(server)
    expect(status.applied_index == status.last_index == status.commit_index, status)
    shown = server.cli_status()
    expect(shown["state_hash"] == f"{status.state_hash:016x}", shown, status)
    expect(shown["key_count"] == status.key_count, shown, status)
    server.kill()
    server.start()
    again = ledger.verify(server)
    expect(again.state_hash == status.state_hash, "the state's hash differs after another replay")
    expect(again.revision == status.revision, "the revision moved:", status, again)
    return again


@test
def keeps_what_it_acknowledged_when_killed_under_load(story):
    server = story.server(**BUSY).start()
    ledger = story.ledger()
    for number in range(story.rounds(15)):
        server.settings["STATE_FLUSH_MS"] = story.random.choice([1, 20, 100, 5000])
        load = story.load(server, ledger).start()
        load.wait_for(acknowledged=story.random.randrange(1, 600))
        server.kill()
        load.stop()
        check_restart(story, server, ledger)
        if number % 10 == 0:
            story.say(f"round {number + 1}:", ledger)
    story.say(ledger)
    expect(ledger.count("acknowledged") > 0)


def kill_at(story, server, ledger, system_call, number, **load_options):
    """One run that strace ends at the number-th such call of any one thread."""
    under = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={system_call}",
             "-e", f"inject={system_call}:signal=KILL:when={number}"]
    server.launch(under=under)
    wait_until(lambda: server.is_serving() or not server.is_running(), 20, "a start or an end")
    if server.is_running():
        options = {"writers": 3, "keys": 20, **load_options}
        load = story.load(server, ledger, **options).start()
        wait_until(lambda: not server.is_running(), 30, f"its end at {system_call} {number}")
        load.stop()
    expect(server.exit_status() == -9, server.log())


def kill_at_each(story, system_call):
    """From an empty directory and from one in use, each time further on."""
    used = story.server(STATE_FLUSH_MS=1, LOG_KEEP_ENTRIES=10)
    ledger_of_used = story.ledger()
    for number in range(1, story.rounds(40) + 1):
        fresh = story.server(STATE_FLUSH_MS=1)
        ledger = story.ledger()
        kill_at(story, fresh, ledger, system_call, number)
        fresh.start()
        ledger.verify(fresh)
        fresh.end()
        kill_at(story, used, ledger_of_used, system_call, number)
        used.start()
        ledger_of_used.verify(used)
        used.kill()
    story.say(ledger_of_used, "on the directory in use")


@test
def starts_again_when_killed_at_any_sync(story):
    kill_at_each(story, "fdatasync")


@test
def starts_again_when_killed_at_any_write_of_a_file(story):
    kill_at_each(story, "pwrite64")


@test
def starts_again_when_killed_between_the_parts_of_a_flush(story):
    """LMDB alone calls writev: for the pages of a flush, of which each takes several parts."""
    server = story.server(STATE_OVERLAY_MB=4, STATE_DIRTY_MB=1, STATE_RESERVE_MB=16,
                          STATE_FLUSH_MS=3600000)
    ledger = story.ledger()
    for number in range(1, story.rounds(6) + 1):
        kill_at(story, server, ledger, "writev", 3 * number, writers=8, keys=2000,
                value_bytes=(2000, 3000))
        check_restart(story, server, ledger)
        server.kill()
    story.say(ledger)


if __name__ == "__main__":
    main()
