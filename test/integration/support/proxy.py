"""The network between the nodes of a cluster, as a program: TCP connections through it can be cut,
held up and slowed down, each direction by itself. links.py runs it and speaks to it.

Commands come on stdin, a line each; each is answered by a line on stdout:

    listen SOURCE TARGET PORT    a port for SOURCE to dial, which leads to TARGET, listening at PORT.
                                 SOURCE is -: whoever dials; among the nodes it is found out by who
                                 owns the other end, and everybody else is "client". Answer: the port
    link SOURCE TARGET STATE     what goes from SOURCE to TARGET: open, hole or cut. Answer: ok
    delay SOURCE TARGET MS       it takes so much longer. Answer: ok

In a hole nothing arrives, and nothing is lost: as by TCP, it arrives when the link is open again,
if both ends still want it. A new connection waits until both directions are open. A cut resets what
there is between the two and whatever is dialled; it has no direction.

The other ends' processes are the children of this one's parent; NODE_ID in their environment is
their name. It ends when stdin does."""

import heapq
import os
import selectors
import socket
import struct
import sys
import time

CHUNK = 256 << 10
QUEUE_BYTES_MAX = 1 << 20
CLIENT = "client"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset


# ---- Who dials -----------------------------------------------------------------------------------

def inode_of(port):
    """Of the socket whose own end is this port on loopback. The kernel's tables are read in pieces,
    and a line may slip through while others come and go: it is looked for again."""
    return next(filter(None, (look_for_inode(port) for _ in range(5))), None)


def look_for_inode(port):
    """In one reading; gRPC's are of the newer family. A connection that has ended, and bore the same
    port, is nobody's any more: it has the inode 0."""
    own_end = f"0100007F:{port:04X}"
    for path in ("/proc/net/tcp6", "/proc/net/tcp"):
        with open(path) as table:
            for line in table:
                fields = line.split()
                if fields[1].endswith(own_end) and fields[9] != "0":
                    return fields[9]
    return None


def children():
    parent = os.getppid()
    for task in os.listdir(f"/proc/{parent}/task"):
        try:
            with open(f"/proc/{parent}/task/{task}/children") as listed:
                yield from listed.read().split()
        except (FileNotFoundError, ProcessLookupError):
            pass  # the thread has just ended


def owns(process, inode):
    folder = f"/proc/{process}/fd"
    for name in os.listdir(folder):
        try:
            if os.readlink(f"{folder}/{name}") == f"socket:[{inode}]":
                return True
        except FileNotFoundError:
            pass  # closed in between
    return False


def name_of(process):
    with open(f"/proc/{process}/environ", "rb") as environment:
        for setting in environment.read().split(b"\0"):
            if setting.startswith(b"NODE_ID="):
                return setting[len(b"NODE_ID="):].decode()
    return CLIENT


def owner_of(port):
    inode = inode_of(port)
    for process in children():
        try:
            if inode and owns(process, inode):
                return name_of(process)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass  # it has just ended
    return CLIENT


# ---- One direction of one connection -------------------------------------------------------------

class Pipe:
    """From one socket to another. `way`: the names it goes from and to."""

    def __init__(self, network, connection, way, source, sink):
        self.network = network
        self.connection = connection
        self.way = way
        self.source = source
        self.sink = sink
        self.queue = []  # (when it is due, bytes); empty bytes: the end
        self.queued = 0
        self.is_ended = False  # the source has said all
        self.is_done = False  # and the sink was told

    def wants_to_read(self):
        return (not self.is_ended and self.queued < QUEUE_BYTES_MAX
                and self.network.is_open(self.way))

    def wants_to_write(self, now):
        return bool(self.queue) and self.queue[0][0] <= now and self.network.is_open(self.way)

    def read(self, now):
        try:
            data = self.source.recv(CHUNK)
        except BlockingIOError:
            return
        self.is_ended = not data
        delay = self.network.delays.get(self.way, 0)
        self.queue.append((now + delay, data))
        self.queued += len(data)
        if delay:
            self.network.wake_at(now + delay, self.connection)
        self.write(now)

    def write(self, now):
        while self.wants_to_write(now):
            due, data = self.queue[0]
            if not data:
                self.is_done = True
                self.sink.shutdown(socket.SHUT_WR)
                self.queue.pop(0)
                return
            try:
                sent = self.sink.send(data)
            except BlockingIOError:
                return
            self.queued -= sent
            if sent == len(data):
                self.queue.pop(0)
            else:
                self.queue[0] = (due, data[sent:])


# ---- One connection ------------------------------------------------------------------------------

class Connection:
    """Waits until its link is open, is dialled on, then carries bytes both ways."""

    def __init__(self, network, near, source, target, port):
        self.network = network
        self.near = near
        self.far = None
        self.is_connected = False
        self.ways = (source, target), (target, source)
        self.port = port
        self.pipes = ()
        self.interests = {}  # socket: what epoll was told
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.setblocking(False)

    def sockets(self):
        return [self.near] + ([self.far] if self.far else [])

    def dial(self):
        self.far = socket.socket()
        self.far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.far.setblocking(False)
        self.far.connect_ex(("127.0.0.1", self.port))
        self.pipes = (Pipe(self.network, self, self.ways[0], self.near, self.far),
                      Pipe(self.network, self, self.ways[1], self.far, self.near))

    def finish_dialling(self):
        error = self.far.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "nobody is there")
        self.is_connected = True

    def tend(self, ready=()):
        """Does what can be done. `ready`: (socket, events)."""
        try:
            self.advance(dict(ready))
        except OSError:
            self.reset()

    def advance(self, ready):
        now = time.monotonic()
        if any(self.network.is_cut(way) for way in self.ways):
            raise OSError("cut")
        if not self.far and all(self.network.is_open(way) for way in self.ways):
            self.dial()
        if self.far and not self.is_connected and ready.get(self.far):
            self.finish_dialling()
        if self.is_connected:
            self.carry(now, ready)
        self.show_interest(now)

    def carry(self, now, ready):
        for pipe in self.pipes:
            if ready.get(pipe.source) and pipe.wants_to_read():
                pipe.read(now)
            pipe.write(now)
        if all(pipe.is_done for pipe in self.pipes):
            raise OSError("all is said")

    def show_interest(self, now):
        """A socket of which nothing is wanted is not watched, or its end would wake us for ever."""
        for sock in self.sockets():
            wanted = 0
            for pipe in self.pipes:
                if not self.is_connected:
                    wanted |= selectors.EVENT_WRITE if sock is self.far else 0
                    continue
                wanted |= selectors.EVENT_READ if pipe.source is sock and pipe.wants_to_read() else 0
                wanted |= (selectors.EVENT_WRITE if pipe.sink is sock and pipe.wants_to_write(now)
                           else 0)
            self.network.watch(sock, wanted, self.interests.get(sock, 0), self)
            self.interests[sock] = wanted

    def reset(self):
        for sock in self.sockets():
            self.network.watch(sock, 0, self.interests.get(sock, 0), self)
            try:
                if not all(pipe.is_done for pipe in self.pipes) or not self.pipes:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            except OSError:
                pass  # gone already
            sock.close()
        self.network.connections.discard(self)


# ---- All of them ---------------------------------------------------------------------------------

class Network:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.states = {}  # (source, target): hole or cut; else open
        self.delays = {}  # (source, target): seconds
        self.connections = set()
        self.timers = []  # (when, a number that orders, connection)
        self.timer_count = 0

    def is_open(self, way):
        return way not in self.states

    def is_cut(self, way):
        return self.states.get(way) == "cut"

    def watch(self, sock, wanted, was, connection):
        if wanted == was:
            return
        if not wanted:
            self.selector.unregister(sock)
        elif not was:
            self.selector.register(sock, wanted, connection)
        else:
            self.selector.modify(sock, wanted, connection)

    def wake_at(self, when, connection):
        self.timer_count += 1
        heapq.heappush(self.timers, (when, self.timer_count, connection))

    def accept(self, listener, source, target, port):
        near, (_, dialled_from) = listener.accept()
        connection = Connection(self, near, source or owner_of(dialled_from), target, port)
        self.connections.add(connection)
        connection.tend()

    # ---- Commands

    def listen(self, source, target, port):
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        source = None if source == "-" else source
        self.selector.register(listener, selectors.EVENT_READ,
                               lambda: self.accept(listener, source, target, int(port)))
        return listener.getsockname()[1]

    def link(self, source, target, state):
        self.states.pop((source, target), None)
        if state != "open":
            self.states[source, target] = state
        self.tend_all()
        return "ok"

    def delay(self, source, target, milliseconds):
        self.delays[source, target] = float(milliseconds) / 1000
        return "ok"

    def tend_all(self):
        for connection in list(self.connections):
            connection.tend()

    def obey(self, line):
        name, *arguments = line.split()
        print({"listen": self.listen, "link": self.link, "delay": self.delay}[name](*arguments),
              flush=True)

    # ---- The loop

    def timeout(self):
        return max(0, self.timers[0][0] - time.monotonic()) if self.timers else None

    def run_timers(self):
        while self.timers and self.timers[0][0] <= time.monotonic():
            connection = heapq.heappop(self.timers)[2]
            if connection in self.connections:
                connection.tend()

    def run_ready(self):
        ready = {}
        for key, events in self.selector.select(self.timeout()):
            if isinstance(key.data, Connection):
                ready.setdefault(key.data, []).append((key.fileobj, events))
            else:
                key.data()
        for connection, sockets in ready.items():
            if connection in self.connections:
                connection.tend(sockets)


def main():
    network = Network()
    os.set_blocking(sys.stdin.fileno(), False)
    waiting = bytearray()

    def take_commands():
        data = os.read(sys.stdin.fileno(), 65536)
        if not data:
            sys.exit(0)
        waiting.extend(data)
        while b"\n" in waiting:
            line, _, rest = waiting.partition(b"\n")
            waiting[:] = rest
            network.obey(line.decode())

    network.selector.register(sys.stdin, selectors.EVENT_READ, take_commands)
    while True:
        network.run_ready()
        network.run_timers()


if __name__ == "__main__":
    main()
