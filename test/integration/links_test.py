"""The network that clusters are tested in, tested: what comes through it, and what does not."""

import socket
import time

from support import expect, main, test
from support.links import Links

SOON_S = 20
A_WHILE_S = 0.1  # nothing can be seen not to come without waiting for it


class Line:
    """A connection from a to b, both ends in our hands."""

    def __init__(self, story):
        self.links = Links()
        story.at_end(self.links.end)
        self.server = socket.create_server(("127.0.0.1", 0))
        story.at_end(self.server.close)
        self.port = self.links.lead_to("b", self.server.getsockname()[1], source="a")
        self.a = self.dial()
        self.b = self.accept()

    def dial(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=SOON_S)

    def accept(self, seconds=SOON_S):
        self.server.settimeout(seconds)
        connection = self.server.accept()[0]
        connection.settimeout(SOON_S)
        return connection


def expect_heard(listener, data):
    got = b""
    while len(got) < len(data):
        part = listener.recv(len(data) - len(got))
        expect(part, "the end after", len(got), "bytes")
        got += part
    expect(got == data, "other bytes arrived")


def expect_silent(listener):
    listener.settimeout(A_WHILE_S)
    try:
        raise AssertionError(f"it came through: {listener.recv(100)}")
    except TimeoutError:
        listener.settimeout(SOON_S)


def expect_reset(end):
    try:
        expect(end.recv(1) == b"", "it came through")
    except ConnectionError:
        pass


@test
def carries_both_ways_and_tells_the_end(story):
    line = Line(story)
    much = story.random.randbytes(3 << 20)
    line.a.sendall(b"to b")
    expect_heard(line.b, b"to b")
    line.a.settimeout(None)
    line.b.sendall(much[:100])
    expect_heard(line.a, much[:100])
    line.a.close()
    expect(line.b.recv(1) == b"")


@test
def carries_more_than_fits_into_buffers(story):
    line = Line(story)
    much = story.random.randbytes(200 << 10)
    for _ in range(50):
        line.a.sendall(much)
        expect_heard(line.b, much)


@test
def holds_one_way_up_and_delivers_it_when_healed(story):
    line = Line(story)
    line.links.hole(["a"], ["b"])
    line.a.sendall(b"to b")
    line.b.sendall(b"to a")
    expect_heard(line.a, b"to a")
    expect_silent(line.b)
    line.links.heal(["a"], ["b"])
    expect_heard(line.b, b"to b")


@test
def holds_an_end_up_as_it_does_bytes(story):
    line = Line(story)
    line.links.hole(["a"], ["b"])
    line.a.sendall(b"the last")
    line.a.close()
    expect_silent(line.b)
    line.links.heal(["a"], ["b"])
    expect_heard(line.b, b"the last")
    expect_reset(line.b)


@test
def accepts_and_stays_silent_while_there_is_a_hole(story):
    line = Line(story)
    line.links.hole(["b"], ["a"])
    late = line.dial()
    late.sendall(b"hello")
    try:
        raise AssertionError(f"it came through: {line.accept(A_WHILE_S)}")
    except TimeoutError:
        pass
    line.links.heal(["a"], ["b"])
    expect_heard(line.accept(), b"hello")


@test
def a_cut_resets_what_there_is_and_what_is_dialled(story):
    line = Line(story)
    line.links.cut(["a"], ["b"])
    expect_reset(line.a)
    expect_reset(line.b)
    expect_reset(line.dial())
    line.links.heal(["a"], ["b"])
    again = line.dial()
    again.sendall(b"again")
    expect_heard(line.accept(), b"again")


@test
def takes_its_time_and_keeps_the_order(story):
    line = Line(story)
    line.links.slow(["a"], ["b"], 200)
    began = time.monotonic()
    line.a.sendall(b"first")
    line.b.sendall(b"at once")
    expect_heard(line.a, b"at once")
    line.a.sendall(b"second")
    expect_heard(line.b, b"firstsecond")
    expect(time.monotonic() - began >= 0.2, "it came at once")


@test
def knows_a_node_by_the_process_that_dials(story):
    cluster = story.cluster(2)
    listener = socket.create_server(("127.0.0.1", 0))
    front = cluster.links.lead_to("b", listener.getsockname()[1])  # whoever dials
    cluster["a"].settings["PEERS"] = f"a,b=127.0.0.1:{front}"
    cluster.links.hole(["a"], ["b"])
    cluster["a"].launch()
    cluster["a"].wait_for_log("msg=serving")
    listener.settimeout(SOON_S)
    ours = socket.create_connection(("127.0.0.1", front), timeout=SOON_S)
    ours.sendall(b"a client")
    expect_heard(listener.accept()[0], b"a client")
    cluster.links.heal(["a"], ["b"])
    expect_heard(listener.accept()[0], b"PRI * HTTP/2.0")


if __name__ == "__main__":
    main()
