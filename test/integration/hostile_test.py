#!/usr/bin/env python3
"""Clients that mean no good, or know no better. After each, the server answers a normal client
within two seconds, and gives the memory back."""
import contextlib
import http.client
import re
import resource
import selectors
import socket
import time

from support import Skip, expect, main, test
from support.client import Client
from support.proto import kv
from support.story import SERVER, wait_until

ANSWER_SECONDS = 2
BACK_SECONDS = 15
SLACK_MB = 48  # what malloc keeps for later


# A sanitizer's memory tells nothing of ours.
with open(SERVER, "rb") as binary:
    IS_INSTRUMENTED = re.search(rb"__[at]san_init", binary.read()) is not None


# ---- The victim ---------------------------------------------------------------------------------

class Victim:
    """A server whose memory and answers are watched."""

    def __init__(self, story, under=()):
        self.story = story
        self.server = story.server(SCRUB_PER_SECOND=0).start(under=under)
        self.host, port = self.server.address.split(":")
        self.port = int(port)
        self.at_rest()
        self.before_mb = self.rss_mb()

    def at_rest(self):
        client = self.server.client()
        for number in range(200):
            client.put(f"warm/{number}", "up")

    def rss_mb(self):
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))

    def connect(self):
        return socket.create_connection((self.host, self.port), timeout=10)

    def answers(self, seconds=ANSWER_SECONDS):
        """A new client is served in time."""
        began = time.monotonic()
        client = Client(self.server.address)
        try:
            client.put("normal", "client", timeout=seconds)
            expect(client.get("normal", timeout=seconds).value == b"client")
        finally:
            client.close()
        expect(time.monotonic() - began < seconds, "it took", time.monotonic() - began, "s")

    @contextlib.contextmanager
    def under(self, what, peak_mb=None, answer_seconds=ANSWER_SECONDS):
        """Runs an attack; then all must be well again."""
        began = time.monotonic()
        yield
        peak = self.rss_mb()
        took = time.monotonic() - began
        expect(self.server.is_running(), what, "ended it")
        self.answers(answer_seconds)
        limit = self.before_mb + SLACK_MB
        end = time.monotonic() + BACK_SECONDS
        while self.rss_mb() > limit and not IS_INSTRUMENTED and time.monotonic() < end:
            time.sleep(0.05)
        self.story.say(f"{what}: {took:.1f} s, from {self.before_mb:.0f} MB to {peak:.0f} MB, and "
                       f"back to {self.rss_mb():.0f} MB")
        if not IS_INSTRUMENTED:
            expect(self.rss_mb() <= limit, what, "keeps", self.rss_mb() - self.before_mb, "MB")
            expect(peak_mb is None or peak <= self.before_mb + peak_mb, what, "took", peak, "MB")


# ---- HTTP/2 by hand -----------------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = \
    range(10)
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + \
        payload


def text(data):
    return bytes([len(data)]) + data


def request_headers(path=b"/phalanx.v1.KVService/Put"):
    """HPACK without tables: POST, http, and literals."""
    return (b"\x83\x86" + b"\x04" + text(path) + b"\x01" + text(b"localhost") +
            b"\x0f\x10" + text(b"application/grpc") + b"\x00" + text(b"te") + text(b"trailers"))


def message(request):
    body = request.SerializeToString()
    return b"\0" + len(body).to_bytes(4, "big") + body


HELLO = PREFACE + frame(SETTINGS)


def pour(connection, data, seconds, limit_bytes=None):
    """Sends `data` again and again, reading nothing, until the time is up, the other side closes,
    or it takes no more. Returns how often."""
    connection.setblocking(False)
    end = time.monotonic() + seconds
    sent = 0
    view = memoryview(data)
    at = 0
    while time.monotonic() < end and (limit_bytes is None or sent < limit_bytes):
        try:
            count = connection.send(view[at:])
            sent += count
            at = (at + count) % len(data)
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            break
    return sent // len(data)


def drain(connection):
    """Throws away what has arrived; False: the other side has closed."""
    connection.setblocking(False)
    try:
        while data := connection.recv(1 << 16):
            pass
        return data != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def send_and_listen(victim, greetings, seconds=0.5):
    """Each on a connection of its own, which stays open for a while."""
    connections = []
    for greeting in greetings:
        connections.append(victim.connect())
        with contextlib.suppress(OSError):
            connections[-1].sendall(greeting)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for connection in connections:
            drain(connection)
        time.sleep(0.02)
    for connection in connections:
        connection.close()


# ---- No HTTP/2 at all ---------------------------------------------------------------------------

# The beginning of what a TLS client says first.
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(32)) + bytes.fromhex(
    "00001ec02bc02fc02cc030cca9cca8c013c014009c009d002f0035c012000a010000")


@test
def survives_what_is_not_http2(story):
    victim = Victim(story)
    greetings = [b"", b"\0" * 1000, b"\xff" * 100000, CLIENT_HELLO + b"\0" * 200,
                 b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"POST /phalanx.v1.KVService/Put HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
                 b"GET / HTTP/1.0\r\n\r\n", PREFACE[:10], PREFACE, PREFACE + b"\xff" * 5000,
                 HELLO + frame(HEADERS, END_HEADERS, 1, b"\xff" * 200),
                 HELLO + frame(HEADERS, END_HEADERS, 2, request_headers()),
                 HELLO + frame(DATA, 0, 7, b"no such stream"), HELLO + frame(77, 0, 0, b"unknown"),
                 HELLO + frame(SETTINGS, 0, 0, b"odd"), HELLO + frame(PING, 0, 0, b"short"),
                 HELLO + frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"),
                 HELLO + frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
                 HELLO + b"\xff\xff\xff" + bytes([DATA, 0]) + b"\0\0\0\1",
                 HELLO + frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff"),
                 HELLO + frame(GOAWAY, 0, 0, b"\0" * 8)]
    greetings += [story.random.randbytes(story.random.randrange(20000)) for _ in range(40)]
    greetings += [HELLO + story.random.randbytes(2000) for _ in range(40)]
    with victim.under("garbage"):
        send_and_listen(victim, greetings)


@test
def survives_streams_cut_anywhere(story):
    """A whole call, ended after every few bytes, by a close or by a reset."""
    victim = Victim(story)
    whole = HELLO + frame(HEADERS, END_HEADERS, 1, request_headers()) + \
        frame(DATA, END_STREAM, 1, message(kv.PutRequest(key=b"cut", value=b"v" * 200)))
    with victim.under("cuts"):
        for at in range(len(PREFACE), len(whole), 3):
            connection = victim.connect()
            connection.sendall(whole[:at])
            if at % 2:  # a reset instead of an orderly end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()


@test
def survives_messages_that_are_none(story):
    victim = Victim(story)
    put = kv.PutRequest(key=b"k", value=b"v").SerializeToString()
    bodies = [b"\0\xff\xff\xff\xff", b"\0\x7f\xff\xff\xff" + b"x" * 10000, b"\1" + b"\0\0\0\4" + b"gzip",
              b"\2\0\0\0\0", b"\0\0\0\0", b"\0\0\0\0\x05ab", b"", message(kv.PutRequest()) * 3,
              b"\0\0\0\0\x02" + put]
    with victim.under("bad messages"):
        opening = HELLO + frame(HEADERS, END_HEADERS, 1, request_headers())
        send_and_listen(victim, [opening + frame(DATA, END_STREAM, 1, body) for body in bodies * 5])
    expect(victim.server.client().get("k").value in (b"", b"v"))


@test
def survives_an_oversized_message(story):
    victim = Victim(story)
    with victim.under("an endless message", peak_mb=100):
        connection = victim.connect()
        connection.sendall(HELLO + frame(HEADERS, END_HEADERS, 1, request_headers()) +
                           frame(DATA, 0, 1, b"\0\x3f\xff\xff\xff"))
        pour(connection, frame(DATA, 0, 1, b"x" * 16384), 1.5, 50 << 20)
        connection.close()
    with victim.under("endless headers", peak_mb=100):
        connection = victim.connect()
        connection.sendall(HELLO)
        header = b"\0" + text(b"x-filler") + text(b"y" * 100)
        pour(connection, frame(HEADERS, 0, 1, request_headers() + header * 100) +
             frame(CONTINUATION, END_HEADERS, 1, header * 100), 1, 50 << 20)
        connection.close()


# ---- Floods -------------------------------------------------------------------------------------

@test
def survives_floods(story):
    victim = Victim(story)
    opened = frame(HEADERS, END_HEADERS, 1, request_headers())
    header = b"\0" + text(b"x-filler") + text(b"y" * 20)
    floods = {
        "PING": (b"", frame(PING, 0, 0, b"12345678") * 500),
        "SETTINGS": (b"", frame(SETTINGS) * 500),
        "SETTINGS with values": (b"", frame(SETTINGS, 0, 0, b"\0\4\0\1\0\0" * 10) * 100),
        "CONTINUATION": (frame(HEADERS, 0, 1, request_headers()),
                         frame(CONTINUATION, 0, 1, header * 10) * 100),
        "empty CONTINUATION": (frame(HEADERS, 0, 1, request_headers()),
                               frame(CONTINUATION, 0, 1) * 500),
        "empty DATA": (opened, frame(DATA, 0, 1) * 500),
        "PRIORITY": (b"", frame(PRIORITY, 0, 3, b"\0\0\0\0\1") * 500),
        "WINDOW_UPDATE": (opened, frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1") * 500),
        "RST_STREAM": (b"", frame(RST_STREAM, 0, 1, b"\0\0\0\0") * 500),
        "unknown frames": (b"", frame(99, 0, 0, b"z" * 50) * 500),
    }
    for name, (first, again) in floods.items():
        with victim.under(name, peak_mb=300):
            connections = [victim.connect() for _ in range(2)]
            for connection in connections:
                connection.sendall(HELLO + first)
            for connection in connections:
                pour(connection, again, 0.5, 30 << 20)
            for connection in connections:
                connection.close()


class Resetter:
    """HEADERS and RST_STREAM, again and again."""

    def __init__(self, victim, path):
        self.connection = victim.connect()
        self.connection.sendall(HELLO)
        self.headers = request_headers(path)
        self.stream = 1

    def send(self, count):
        data = bytearray()
        for _ in range(count):
            data += frame(HEADERS, END_HEADERS | END_STREAM, self.stream, self.headers)
            data += frame(RST_STREAM, 0, self.stream, b"\0\0\0\x08")
            self.stream += 2
        self.connection.setblocking(True)
        self.connection.settimeout(5)
        self.connection.sendall(data)
        return drain(self.connection)


def reset_rapidly(victim, total, path=b"/phalanx.v1.KVService/Put"):
    """Returns (streams sent, peak of the RSS in MB)."""
    peak = victim.rss_mb()
    sent = 0
    end = time.monotonic() + 6
    while sent < total and time.monotonic() < end:
        resetter = Resetter(victim, path)
        with contextlib.suppress(OSError):
            while sent < total and time.monotonic() < end and resetter.send(1000):
                sent += 1000
                peak = max(peak, victim.rss_mb())
        resetter.connection.close()
    return sent, max(peak, victim.rss_mb())


@test
def survives_rapid_resets(story):
    victim = Victim(story)
    # What was read before the connection was closed is still worked off: a second or two.
    with victim.under("rapid resets", answer_seconds=20 if IS_INSTRUMENTED else 5):
        sent, peak = reset_rapidly(victim, 10_000 if IS_INSTRUMENTED else 100_000)
        story.say(f"{sent} streams reset, at most {peak:.0f} MB")
        expect(peak < 500 or IS_INSTRUMENTED, "nobody closed them; without that it is 1.3 GB")


# ---- Many, idle, slow ---------------------------------------------------------------------------

def allow_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise Skip(f"only {hard} files may be open")
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


@test
def carries_two_thousand_idle_connections(story):
    allow_files(4096)
    victim = Victim(story)
    with victim.under("2000 idle connections"):
        connections = []
        for _ in range(2000):
            connection = victim.connect()
            connection.sendall(HELLO)
            connections.append(connection)
        victim.answers()
        story.say(f"with 2000 of them: {victim.rss_mb():.0f} MB")
        for connection in connections:
            connection.close()


@test
def closes_half_open_connections(story):
    allow_files(4096)
    victim = Victim(story)
    with victim.under("half-open connections"):
        connections = [victim.connect() for _ in range(300)]
        for number, connection in enumerate(connections):
            connection.sendall(HELLO[:number % len(PREFACE)])
        victim.answers()
        selector = selectors.DefaultSelector()
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        end = time.monotonic() + 15  # they have 10 s to say who they are
        while selector.get_map() and time.monotonic() < end:
            for key, _ in selector.select(timeout=0.5):
                if not drain(key.fileobj):
                    selector.unregister(key.fileobj)
        expect(not selector.get_map(), len(selector.get_map() or ()), "were not closed")
        for connection in connections:
            connection.close()


@test
def goes_on_when_out_of_file_descriptors(story):
    allow_files(4096)
    victim = Victim(story, under=("bash", "-c", 'ulimit -n 96; exec "$0" "$@"'))
    early = victim.server.client()
    early.put("early", "bird")
    with victim.under("no file descriptors"):
        connections = []
        for _ in range(400):
            with contextlib.suppress(OSError):
                connections.append(victim.connect())
                connections[-1].sendall(HELLO)
        time.sleep(0.2)
        alive = [connection for connection in connections if drain(connection)]
        story.say(f"of {len(connections)} connections {len(alive)} stay")
        expect(20 < len(alive) < 96, "the rest is refused, and not left waiting")
        for number in range(20):
            early.put("early", str(number), timeout=ANSWER_SECONDS)
        expect(early.get("early", timeout=ANSWER_SECONDS).value == b"19",
               "who is connected is served")
        for connection in connections:
            connection.close()
        time.sleep(0.1)
    expect(victim.server.http("/health")[0] == 200)
    expect(victim.server.terminate() == 0)


@test
def serves_others_beside_slow_clients(story):
    victim = Victim(story)
    victim.server.client().put("large", story.random.randbytes(1 << 20))
    get = frame(HEADERS, END_HEADERS, 1, request_headers(b"/phalanx.v1.KVService/Get")) + \
        frame(DATA, END_STREAM, 1, message(kv.GetRequest(key=b"large")))
    with victim.under("slow senders and readers"):
        connections = [victim.connect() for _ in range(50)]
        for connection in connections:
            connection.sendall(HELLO[:30])
        rest = HELLO[30:] + get
        for at in range(0, len(rest), 8):  # a few bytes at a time, and never read the answer
            for connection in connections:
                connection.sendall(rest[at:at + 8])
            time.sleep(0.02)
        victim.answers()
        for connection in connections:
            connection.close()


def ask_and_never_read(victim, count, streams_each):
    """`count` gets of a large value, whose answers nobody takes; returns the connections."""
    connections = []
    for _ in range(count // streams_each):
        connection = victim.connect()
        data = HELLO
        for stream in range(1, 2 * streams_each, 2):
            data += frame(HEADERS, END_HEADERS, stream,
                          request_headers(b"/phalanx.v1.KVService/Get"))
            data += frame(DATA, END_STREAM, stream, message(kv.GetRequest(key=b"large")))
        connection.sendall(data)
        connections.append(connection)
    return connections


@test
def bounds_answers_that_nobody_takes(story):
    victim = Victim(story)
    victim.server.client().put("large", story.random.randbytes(1 << 20))
    with victim.under("answers that nobody takes", peak_mb=400):
        connections = ask_and_never_read(victim, 1200, 300)
        time.sleep(1)
        victim.answers()
        story.say(f"with 1200 answers of 1 MiB under way: {victim.rss_mb():.0f} MB")
        for connection in connections:
            connection.close()


# ---- The HTTP page ------------------------------------------------------------------------------

@test
def http_page_survives_the_same(story):
    victim = Victim(story)
    server = victim.server

    def page():
        return socket.create_connection(("127.0.0.1", server.debug_port), timeout=10)

    def is_answered():
        began = time.monotonic()
        expect(server.http("/health", timeout=10)[0] == 200)
        return time.monotonic() - began

    with victim.under("bad requests on the HTTP page"):
        for request in (b"GET /health HTTP/1.1\r\n" + b"X-Filler: " + b"y" * 100000 + b"\r\n\r\n",
                        b"GET /health HTTP/1.1\r\n" + b"X-Filler: yyyy\r\n" * 10000 + b"\r\n",
                        b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n\r\n", b"\0" * 100000, HELLO,
                        CLIENT_HELLO, b"GET /health HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
                        b"GET /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n"):
            for _ in range(5):
                with contextlib.suppress(OSError), page() as connection:
                    connection.settimeout(3)
                    connection.sendall(request)
                    connection.recv(65536)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"):
            connection = http.client.HTTPConnection("127.0.0.1", server.debug_port, timeout=5)
            connection.request(method, "/health")
            expect(connection.getresponse().status in (400, 405), method)
            connection.close()
        expect(is_answered() < ANSWER_SECONDS)
    with victim.under("a slow loris on the HTTP page"):
        connections = [page() for _ in range(10)]
        took = []
        for number, letter in enumerate(b"GET /health HTTP/1.1\r\nX-Slow: " + b"y" * 30):
            for index, connection in enumerate(connections):
                try:
                    connection.send(bytes([letter]))
                except OSError:  # closed: it comes back
                    connections[index] = page()
            if number % 20 == 10:
                took.append(is_answered())
            time.sleep(0.05)
        story.say("beside ten slow ones it took", *(f"{seconds:.1f}" for seconds in took), "s")
        expect(max(took) < 5, took)
        for connection in connections:
            connection.close()
        expect(is_answered() < ANSWER_SECONDS)
    wait_until(lambda: server.http("/ready")[0] == 200, 5, "that it is ready")


if __name__ == "__main__":
    main()
