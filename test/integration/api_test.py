#!/usr/bin/env python3
"""The gRPC services as a client in another language meets them: what each call means, what bad
input is told, and that it changes nothing."""
import queue
import signal
import socket
import threading
import time

from support import expect, main, test

from support.client import CallFailed, Client
from support.proto import cluster, kv

import grpc
from google.protobuf import descriptor_pb2

KEY_BYTES_MAX = 480
VALUE_BYTES_MAX = 1 << 20
SESSION_WINDOW = 256

CODE = grpc.StatusCode
KV = "/phalanx.v1.KVService/"


def fails(code, is_marked, *pieces, of):
    """Runs `of`, which must fail so; every piece is in what it says."""
    try:
        answer = of()
    except CallFailed as failed:
        expect(failed.code == code, f"wanted {code.name}:", failed)
        expect(failed.is_not_applied == is_marked, f"wanted the mark {is_marked}:", failed)
        for piece in pieces:
            expect(piece in failed.detail, f"wanted {piece!r}:", failed)
        return failed
    raise AssertionError(f"wanted {code.name}, got {answer}")


def raw(client, path, body, timeout=5):
    """A unary call with any bytes as its body: the answer's bytes."""
    call = client.channel.unary_unary(path)
    try:
        return call(body, timeout=timeout)
    except grpc.RpcError as error:
        raise CallFailed(path, error) from None


class Unchanged:
    """That nothing changes inside the block: neither a key nor a counter. A session may be used: it
    remembers when, which is in the state's hash."""

    def __init__(self, client, but_use_of_a_session=False):
        self.client = client
        self.has_hash = not but_use_of_a_session

    def _look(self):
        time.sleep(0.05)  # the status is published every 20 ms
        status = self.client.status()
        return [(item.key, item.value, item.mod_revision, item.version)
                for item in self.client.scan_all()], status.revision, status.key_count, \
            status.state_hash * self.has_hash, status.session_count

    def __enter__(self):
        self.before = self._look()

    def __exit__(self, kind, *_):
        if kind is None:
            after = self._look()
            expect(after == self.before, "changed from", self.before, "to", after)


# ---- What the calls mean ------------------------------------------------------------------------

@test
def counts_revisions_and_versions(story):
    client = story.server().start().client()
    first = client.put("a", "1").revision
    expect(first > 0)
    expect(client.put("b", "2").revision == first + 1, "one revision for each change")
    expect(client.put("a", "3").revision == first + 2)
    got = client.get("a")
    expect((got.found, got.value, got.mod_revision, got.create_revision, got.version)
           == (True, b"3", first + 2, first, 2), got)
    gone = client.delete("a")
    expect((gone.deleted, gone.revision) == (True, first + 3), gone)
    gone = client.delete("a")
    expect((gone.deleted, gone.revision) == (False, first + 3), "nothing changed:", gone)
    got = client.get("a")
    expect(got == kv.GetResponse(), "a missing key has nothing but found = false:", got)
    created = client.put("a", "4").revision
    got = client.get("a")
    expect((got.create_revision, got.mod_revision, got.version) == (created, created, 1),
           "a new life:", got)
    expect(client.put("a", "4").revision == created + 1, "the same value is a change too")


@test
def compares_and_sets(story):
    client = story.server().start().client()
    first = client.put("k", "1", prev_revision=0).revision
    second = client.put("k", "2", prev_revision=first).revision
    with Unchanged(client):
        for prev_revision in (0, first, second + 1, 2**63 - 1):
            fails(CODE.FAILED_PRECONDITION, True,
                  of=lambda: client.put("k", "no", prev_revision=prev_revision))
            fails(CODE.FAILED_PRECONDITION, True,
                  of=lambda: client.delete("k", prev_revision=prev_revision))
        fails(CODE.FAILED_PRECONDITION, True,
              of=lambda: client.put("missing", "no", prev_revision=second))
        fails(CODE.FAILED_PRECONDITION, True,
              of=lambda: client.delete("missing", prev_revision=second))
        expect(not client.delete("missing", prev_revision=0).deleted, "absent, as wished")
    expect(client.delete("k", prev_revision=second).deleted)
    expect(not client.get("k").found)


@test
def applies_a_named_request_once(story):
    client = story.server().start().client()
    name = (0xfedcba9876543210, 1)
    first = client.put("k", "once", request_id=name)
    client.put("k", "by another")
    with Unchanged(client, but_use_of_a_session=True):
        expect(client.put("k", "once", request_id=name) == first, "the same answer")
        expect(client.get("k").value == b"by another", "and no second effect")
    gone = client.delete("k", request_id=(name[0], 2))
    client.put("k", "again")
    expect(client.delete("k", request_id=(name[0], 2)) == gone, "the same answer")
    expect(client.get("k").value == b"again")
    # An answer that refused is an answer as well.
    for _ in range(2):
        fails(CODE.FAILED_PRECONDITION, True,
              of=lambda: client.put("other", "x", prev_revision=77, request_id=(name[0], 3)))
    expect(client.put("k", "by a second client", request_id=(5, 1)).revision > first.revision,
           "sequences belong to their client")


@test
def keeps_a_window_of_answers(story):
    client = story.server().start().client()
    me = 42
    top = SESSION_WINDOW + 100
    client.put("k", "1", request_id=(me, 1))
    client.put("k", "last of the first window", request_id=(me, SESSION_WINDOW))
    client.put("k", "top", request_id=(me, top))
    late = client.put("late", "unseen", request_id=(me, top - 10)).revision
    expect(client.put("late", "unseen", request_id=(me, top - 10)).revision == late)
    lowest = top - SESSION_WINDOW + 1
    client.put("lowest", "inside", request_id=(me, lowest))
    with Unchanged(client):
        for below in (1, lowest - 1):  # seen or not, nobody knows any more
            fails(CODE.ABORTED, False, of=lambda: client.put("k", "no", request_id=(me, below)))
        fails(CODE.ABORTED, False,
              of=lambda: client.put("k", "no", request_id=(me + 1, SESSION_WINDOW + 1)))
    client.put("k", "yes", request_id=(me + 1, SESSION_WINDOW))


@test
def remembers_names_and_revisions_over_a_restart(story):
    server = story.server().start()
    first = server.client().put("k", "once", request_id=(7, 1))
    with_two = server.client().put("k", "twice").revision
    server.kill()
    client = server.start().client()
    expect(client.put("k", "once", request_id=(7, 1)) == first)
    got = client.get("k")
    expect((got.value, got.mod_revision, got.version) == (b"twice", with_two, 2), got)


@test
def reads_stale_when_asked(story):
    client = story.server().start().client()
    revision = client.put("k", "v").revision
    got = client.get("k", stale=True)
    expect((got.found, got.value, got.mod_revision) == (True, b"v", revision), got)
    expect(not client.get("missing", stale=True).found)
    expect([item.key for item in client.scan(stale=True).items] == [b"k"])
    request = kv.GetRequest(key=b"k", consistency=kv.CONSISTENCY_LINEARIZABLE)
    got = client.call("phalanx.v1.KVService/Get", request, kv.GetResponse)
    expect(got.value == b"v")


@test
def names_the_leader_in_every_answer(story):
    server = story.server().start()
    client = server.client()

    def leader(call):
        try:
            call()
        except CallFailed:
            pass
        return client.metadata.get("phalanx-leader")

    for call in (lambda: client.put("k", "v"), lambda: client.get("k"), lambda: client.scan(),
                 lambda: client.delete("k"), lambda: client.status(), lambda: client.put("", "v"),
                 lambda: client.put("k", "v", prev_revision=999),
                 lambda: client.call("phalanx.v1.KVService/Nothing", kv.GetRequest(),
                                     kv.GetResponse)):
        expect(leader(call) == server.address, client.metadata)
    client.put("k", "v")
    expect("phalanx-outcome" not in client.metadata, "an applied write has no mark")


@test
def advertises_another_address_when_told(story):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    story.server(GRPC_ADDR=f"127.0.0.1:{port}", ADVERTISE_ADDR="phalanx.example.org:1234").launch()
    client = Client(f"127.0.0.1:{port}")
    story.at_end(client.close)
    client.get("k", wait=True)
    expect(client.metadata["phalanx-leader"] == "phalanx.example.org:1234", client.metadata)


# ---- Bytes and sizes ----------------------------------------------------------------------------

@test
def keeps_any_bytes(story):
    server = story.server().start()
    client = server.client()
    keys = [b"\0", b"\0\0", b"\0\xff", b"a\0b", b"\xff", b"\xff" * KEY_BYTES_MAX,
            bytes(range(256)), b"\xc3\x28", "schlüssel".encode(), b" ", b"\n"]
    for number, key in enumerate(keys):
        client.put(key, key[::-1] + bytes([number]))
    server.kill()
    client = server.start().client()
    for number, key in enumerate(keys):
        expect(client.get(key).value == key[::-1] + bytes([number]), key)
    expect([item.key for item in client.scan().items] == sorted(keys), "in byte order")


@test
def takes_the_largest_and_the_smallest(story):
    client = story.server().start().client()
    large = story.random.randbytes(VALUE_BYTES_MAX)
    key = b"k" * KEY_BYTES_MAX
    client.put(key, large)
    got = client.get(key)
    expect(got.found and got.value == large)
    client.put("empty", "")
    got = client.get("empty")
    expect(got.found and got.value == b"", "an empty value is a value")
    page = client.scan()
    expect([item.key for item in page.items] == [b"empty"] and page.more,
           "a page ends before it is too large:", len(page.items), page.more)
    page = client.scan(b"empty\0")
    expect(len(page.items) == 1 and page.items[0].value == large and not page.more,
           "but has one item at least")


@test
def scans_a_half_open_range(story):
    client = story.server().start().client()
    revisions = {key: client.put(key, key.upper()).revision for key in "abcde"}

    def keys(*arguments, **options):
        page = client.scan(*arguments, **options)
        return "".join(item.key.decode() for item in page.items), page.more

    expect(keys() == ("abcde", False))
    expect(keys("b", "d") == ("bc", False), "the start is in, the end is not")
    expect(keys("b\0", "d\0") == ("cd", False))
    expect(keys("c") == ("cde", False))
    expect(keys("", "c") == ("ab", False))
    expect(keys("c", "c") == ("", False), "an empty range")
    expect(keys("x") == ("", False))
    expect(keys(limit=2) == ("ab", True))
    expect(keys("d", limit=2) == ("de", False), "no more than there are")
    expect(keys("a", "c", limit=2) == ("ab", False), "`more` is about the range")
    expect(keys(limit=2**63 - 1) == ("abcde", False))
    client.delete("c")
    client.put("d", "D2")
    item = client.scan("c", limit=1).items[0]
    expect((item.key, item.value, item.create_revision, item.version)
           == (b"d", b"D2", revisions["d"], 2), item)
    expect(item.mod_revision > item.create_revision)


@test
def pages_through_what_is_too_much_for_one_answer(story):
    server = story.server(STATE_FLUSH_MS=50).start()
    client = server.client()
    wanted = {}
    for number in range(300):
        key = b"%05d" % number
        wanted[key] = story.random.randbytes(story.random.randrange(20000))
        client.put(key, wanted[key])
    pages = []
    start = b""
    while True:
        page = client.scan(start)
        pages.append(page)
        expect(page.ByteSize() <= 4 << 20, "what gRPC clients take by default")
        expect(sum(len(item.key) + len(item.value) for item in page.items) <= 1 << 20)
        if not page.more:
            break
        start = page.items[-1].key + b"\0"
    expect(len(pages) > 2, len(pages))
    expect({item.key: item.value for page in pages for item in page.items} == wanted)


@test
def pages_past_the_longest_keys(story):
    server = story.server(STATE_FLUSH_MS=50).start()
    client = server.client()
    keys = [b"k" * (KEY_BYTES_MAX - 1), b"k" * (KEY_BYTES_MAX - 1) + b"a",
            b"k" * (KEY_BYTES_MAX - 1) + b"b", b"l", b"\xff" * KEY_BYTES_MAX]
    for key in keys:
        client.put(key, "v")
    for _ in range(2):
        expect([item.key for item in client.scan_all(limit=1)] == keys)
        server.wait_for_status(lambda status: status.flushed_index == status.applied_index)


# ---- Bad input ----------------------------------------------------------------------------------

@test
def refuses_bad_input_by_field_and_limit(story):
    client = story.server().start().client()
    client.put("k", "v")
    long_key = b"k" * (KEY_BYTES_MAX + 1)
    key_limit = (CODE.INVALID_ARGUMENT, True, "key", "480 bytes")
    with Unchanged(client):
        for empty_key in (lambda: client.put("", "v"), lambda: client.get(""),
                          lambda: client.delete(""), lambda: client.get("", stale=True)):
            fails(CODE.INVALID_ARGUMENT, True, "key", "empty", of=empty_key)
        for too_long in (lambda: client.put(long_key, "v"), lambda: client.get(long_key),
                         lambda: client.delete(long_key)):
            fails(*key_limit, of=too_long)
        for size in (VALUE_BYTES_MAX + 1, 2 * VALUE_BYTES_MAX, 4 * VALUE_BYTES_MAX - 1024):
            fails(CODE.INVALID_ARGUMENT, True, "value", "1 MiB", "1048576",
                  of=lambda: client.put("k", b"v" * size))
        for stale in (False, True):
            fails(CODE.INVALID_ARGUMENT, True, "end", "before start",
                  of=lambda: client.scan("b", "a", stale=stale))
            fails(CODE.INVALID_ARGUMENT, True, "limit", "negative",
                  of=lambda: client.scan(limit=-1, stale=stale))
        fails(CODE.INVALID_ARGUMENT, True, "start", "480 bytes", of=lambda: client.scan(long_key))
        fails(CODE.INVALID_ARGUMENT, True, "end", "480 bytes",
              of=lambda: client.scan("a", long_key))
        for write in (client.put, client.delete):
            rest = ("v",) if write == client.put else ()
            fails(CODE.INVALID_ARGUMENT, True, "prev_revision", "negative",
                  of=lambda: write("k", *rest, prev_revision=-1))
            fails(CODE.INVALID_ARGUMENT, True, "request_id.client_id",
                  of=lambda: write("k", *rest, request_id=(0, 1)))
            fails(CODE.INVALID_ARGUMENT, True, "request_id.sequence", "1",
                  of=lambda: write("k", *rest, request_id=(1, 0)))


@test
def refuses_a_message_that_is_far_too_large(story):
    client = story.server().start().client()
    with Unchanged(client):
        for megabytes in (4, 20):  # gRPC's own refusal, before it is received
            fails(CODE.RESOURCE_EXHAUSTED, False, "larger than max",
                  of=lambda: client.put("k", b"v" * (megabytes << 20)))
    client.put("k", "the connection still works")


@test
def refuses_a_body_that_is_no_message(story):
    client = story.server().start().client()
    client.put("k", "v")
    garbage = [b"\xff", b"\x0a\xff", b"\x0a\x05ab", b"\x07", b"\x0a" + b"\xff" * 11,
               story.random.randbytes(1000) + b"\xff"]
    with Unchanged(client):
        for body in garbage:
            for method in ("Put", "Get", "Delete", "Scan"):
                fails(CODE.INVALID_ARGUMENT, True, "body", of=lambda: raw(client, KV + method, body))
            fails(CODE.INVALID_ARGUMENT, True, "body",
                  of=lambda: raw(client, "/grpc.health.v1.Health/Check", body))
        for method in ("Put", "Get", "Delete"):
            fails(CODE.INVALID_ARGUMENT, True, "key", of=lambda: raw(client, KV + method, b""))
        # The right message with a field of the wrong type, and a nested one that is broken.
        fails(CODE.INVALID_ARGUMENT, True, of=lambda: raw(client, KV + "Put", b"\x0a\x01k\x2a\x01\xff"))
    expect(kv.ScanResponse.FromString(raw(client, KV + "Scan", b"")).items[0].key == b"k",
           "an empty body is a scan of everything")
    known = kv.GetRequest(key=b"k").SerializeToString()
    later = known + b"\xfa\x3f\x03new"  # field 1023, of a later version
    expect(kv.GetResponse.FromString(raw(client, KV + "Get", later)).value == b"v",
           "what a later version adds is passed over")


@test
def says_unimplemented_at_once(story):
    client = story.server().start().client()
    body = kv.PutRequest(key=b"k", value=b"v").SerializeToString()
    for path in (KV + "Nothing", KV + "put", "/phalanx.v1.Nobody/Put", "/phalanx.v2.KVService/Put",
                 "/etcdserverpb.KV/Put", "/phalanx.v1.RaftService/Append", "/" + "x" * 300 + "/y"):
        began = time.monotonic()
        fails(CODE.UNIMPLEMENTED, True, "unknown method", of=lambda: raw(client, path, body, 10))
        expect(time.monotonic() - began < 1, path, "took", time.monotonic() - began, "s")
    expect(not client.get("k").found)


# ---- Time ---------------------------------------------------------------------------------------

@test
def keeps_deadlines(story):
    server = story.server().start()
    client = server.client()
    client.put("k", "v")
    try:
        client.put("k", "no time", timeout=0)
        raise AssertionError("a call without time was answered")
    except CallFailed as failed:
        expect(failed.code == CODE.DEADLINE_EXCEEDED, failed)
    server.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        client.put("k", "stopped", timeout=0.5)
        raise AssertionError("a stopped server answered")
    except CallFailed as failed:
        expect(failed.code == CODE.DEADLINE_EXCEEDED and not failed.is_not_applied, failed)
    finally:
        server.send_signal(signal.SIGCONT)
    expect(0.4 < time.monotonic() - began < 2, "it took", time.monotonic() - began, "s")
    expect(client.get("k").value in (b"v", b"stopped"), "its fate was open")
    expect(client.put("k", "on time", timeout=5).revision > 0)


@test
def forgets_a_call_that_was_cancelled(story):
    server = story.server().start()
    client = server.client()
    put = client.channel.unary_unary(KV + "Put")
    body = kv.PutRequest(key=b"k", value=b"v" * 1000).SerializeToString()
    for _ in range(300):
        put.future(body).cancel()
    client.put("k", "after them")
    expect(client.get("k").value.startswith((b"after", b"v")))
    expect(server.terminate() == 0)


# ---- Status -------------------------------------------------------------------------------------

@test
def tells_its_status(story):
    server = story.server(NODE_ID="alpha").start()
    client = server.client()
    for number in range(10):
        client.put(f"k{number}", "value")
    client.delete("k0")
    client.put("named", "x", request_id=(1, 1))
    status = server.wait_for_status(lambda s: s.revision >= 12)
    expect((status.node_id, status.leader_id, status.leader_address, status.role)
           == ("alpha", "alpha", server.address, cluster.ROLE_LEADER), status)
    expect(status.identity and status.cluster_id and status.term >= 1 and status.version, status)
    expect((status.key_count, status.session_count) == (10, 1), status)
    expect(status.key_value_bytes == 9 * (2 + 5) + len("named") + 1, status)
    expect(status.first_index <= status.applied_index <= status.commit_index <= status.last_index,
           status)
    expect(not status.disk_is_full and status.damaged_records == 0, status)
    expect(status.log_file_bytes > 0 and status.state_file_bytes > 0, status)


# ---- Health -------------------------------------------------------------------------------------

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


def string_field(number, text):
    data = text if isinstance(text, bytes) else text.encode()
    expect(len(data) < 128)
    return bytes([number << 3 | 2, len(data)]) + data


def health_of(body):
    return body[1] if body else 0


@test
def answers_health_checks(story):
    client = story.server().start().client()
    for service in ("", "phalanx.v1.KVService", "phalanx.v1.ClusterService"):
        body = string_field(1, service) if service else b""
        answer = raw(client, "/grpc.health.v1.Health/Check", body)
        expect(health_of(answer) == SERVING, service, answer)
    fails(CODE.NOT_FOUND, True,
          of=lambda: raw(client, "/grpc.health.v1.Health/Check", string_field(1, "nobody")))


@test
def tells_watchers_when_it_stops(story):
    server = story.server().start()
    client = server.client()
    watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")
    stream = watch(b"", timeout=20)
    expect(health_of(next(stream)) == SERVING)
    unknown = watch(string_field(1, "nobody"), timeout=20)
    expect(health_of(next(unknown)) == SERVICE_UNKNOWN)
    unknown.cancel()
    seen = queue.Queue()

    def follow():
        try:
            for answer in stream:
                seen.put(health_of(answer))
        except grpc.RpcError as error:
            seen.put(error.code())

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    expect(server.terminate() == 0)
    expect(seen.get(timeout=10) == NOT_SERVING, "the watcher is told first")
    expect(seen.get(timeout=10) == CODE.UNAVAILABLE, "and then let go")
    follower.join(timeout=10)


@test
def frees_the_places_of_watchers(story):
    server = story.server().start()
    client = server.client()
    watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")
    for _ in range(3):
        streams = [watch(b"", timeout=20) for _ in range(64)]
        for stream in streams:
            expect(health_of(next(stream)) == SERVING)
        one_more = watch(b"", timeout=20)
        try:
            next(one_more)
            raise AssertionError("a 65th watch was taken")
        except grpc.RpcError as error:
            expect(error.code() == CODE.RESOURCE_EXHAUSTED, error)
        for stream in streams:
            stream.cancel()
        time.sleep(0.2)
    client.put("k", "v")


# ---- Reflection ---------------------------------------------------------------------------------

REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
BY_FILENAME, BY_SYMBOL, BY_EXTENSION, EXTENSIONS_OF, LIST_SERVICES = 3, 4, 5, 6, 7
FILES, SERVICES, ERROR = 4, 6, 7


def varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, at


def fields(data):
    """A message's fields as (number, value) pairs."""
    found = []
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        found.append((tag >> 3, value))
    return found


def pick(data, number):
    return [value for field, value in fields(data) if field == number]


def reflect(client, service, *questions):
    ask = client.channel.stream_stream(f"/{service}/ServerReflectionInfo")
    return list(ask(iter(questions), timeout=10))


def file_names(answer):
    (files,) = pick(answer, FILES)
    return {descriptor_pb2.FileDescriptorProto.FromString(data).name for data in pick(files, 1)}


@test
def reflects_its_services(story):
    client = story.server().start().client()
    for service in REFLECTION:
        question = string_field(LIST_SERVICES, "*")
        (answer,) = reflect(client, service, question)
        names = {pick(item, 1)[0].decode() for item in pick(pick(answer, SERVICES)[0], 1)}
        expect({"phalanx.v1.KVService", "phalanx.v1.ClusterService", "grpc.health.v1.Health",
                *REFLECTION} <= names, names)
        expect(pick(answer, 2) == [question], "the question comes back with the answer")


@test
def reflects_its_messages(story):
    client = story.server().start().client()
    for service in REFLECTION:
        symbols = ("phalanx.v1.KVService", "phalanx.v1.KVService.Put", "phalanx.v1.PutRequest",
                   "phalanx.v1.Consistency", "phalanx.v1.RequestId")
        answers = reflect(client, service, *(string_field(BY_SYMBOL, name) for name in symbols))
        expect(len(answers) == len(symbols), "one answer for each question, in order")
        for name, answer in zip(symbols, answers):
            expect("phalanx/v1/kv.proto" in file_names(answer), name, file_names(answer))
        (answer,) = reflect(client, service, string_field(BY_FILENAME, "phalanx/v1/cluster.proto"))
        expect("phalanx/v1/cluster.proto" in file_names(answer))


@test
def reflects_errors(story):
    client = story.server().start().client()
    for service in REFLECTION:
        answers = reflect(client, service, string_field(BY_SYMBOL, "phalanx.v1.Nothing"),
                          string_field(BY_FILENAME, "nothing.proto"),
                          string_field(EXTENSIONS_OF, "phalanx.v1.PutRequest"), b"",
                          string_field(LIST_SERVICES, ""))
        codes = [pick(pick(answer, ERROR)[0], 1)[0] for answer in answers[:-1]]
        expect(codes == [5, 5, 5, 3], codes)
        expect(pick(answers[-1], SERVICES), "the stream goes on after errors")
        try:
            reflect(client, service, b"\xff\xff")
            raise AssertionError("garbage was answered")
        except grpc.RpcError as error:
            expect(error.code() == CODE.INVALID_ARGUMENT, error)


if __name__ == "__main__":
    main()
