"""A node that somebody else started, known by its name and address only."""

from support.client import CallFailed, Client


class RemoteNode:
    def __init__(self, name, address):
        self.name = name
        self.address = address
        self.is_down = False  # taken down by us
        self._standing = None
        self._clients = []

    def is_up(self):
        return not self.is_down

    def client(self):
        """A new connection."""
        self._clients.append(Client(self.address))
        return self._clients[-1]

    def standing_client(self):
        """One connection for many small questions."""
        if not self._standing:
            self._standing = self.client()
        return self._standing

    def ask_status(self, timeout=2):
        """None: it does not answer."""
        if self.is_down:
            return None
        try:
            return self.standing_client().status(timeout=timeout)
        except CallFailed:
            return None

    def close(self):
        while self._clients:
            self._clients.pop().close()
        self._standing = None
