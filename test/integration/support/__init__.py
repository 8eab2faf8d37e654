"""What the tests against the real binaries share. A test is a script:

    from support import expect, main, test

    @test
    def keeps_what_it_acknowledged(story):
        server = story.server(STATE_FLUSH_MS=50).start()   # free ports, a directory of its own
        server.client().put("key", b"value")
        server.kill()                                      # kill -9
        server.start()                                     # the same directory, other ports
        expect(server.client().get("key").value == b"value")
        expect(story.cli("get", "key", "-addr", server.address).out == "value\n")
        expect(server.terminate() == 0)                    # SIGTERM, and its exit status

    if __name__ == "__main__":
        main()

`main()` runs the tests of the script, or those named as arguments. Each gets a `Story`, which ends
every process it started and unmounts what it mounted, also when the test fails; a failure shows
the end of the servers' logs. Chance comes from `story.random` only: the seed is printed with the
command that replays it (PHALANX_SEED). `story.rounds(n)` is n, or PHALANX_ROUNDS for the long run.

    story.server(NAME=value, ...)  not yet started; settings as in its environment
    server.start(), .kill(), .terminate(), .exit_status(), .log(), .address, .http(path)
    server.client()                calls by grpcio; a failed one raises CallFailed (client.py)
    story.load(server, ledger)     writers in the background that note each write's fate (load.py)
    ledger.verify(server)          every acknowledged write is there, no refused one is
    story.cluster(5, NAME=value)   that many nodes, and the links between them (cluster.py, links.py)
    Clients(History(story), it)    record what they do; history.check() judges it (history.py)
    story.disk(megabytes)          a filesystem of its own, which can lose its power (disk.py)
    raise Skip("why")              exit status 77 when nothing else ran

PHALANX_SERVER and PHALANX_CLI name the binaries; the default is build/bin. Start servers from the
script's main thread: they die with it. Everything listens on loopback.
"""

from support.story import Skip, Story, expect, main, test

__all__ = ["Skip", "Story", "expect", "main", "test"]
