"""Calls over grpcio. Each is one attempt; a failed one raises CallFailed."""

import time

from support.proto import cluster, kv

import grpc

_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.enable_http_proxy", 0),
]


# How gRPC fails a call that no connection has taken: there was none, or the one there was let go of
# those that waited for a stream, as the server was going.
_NEVER_SENT = ("failed to connect to all addresses", "GOAWAY received")


class CallFailed(Exception):
    """code is a grpc.StatusCode; is_not_applied: the server's mark; was_not_sent: there was no
    connection; metadata: the trailing one."""

    def __init__(self, method, error):
        self.code = error.code()
        self.detail = error.details() or ""
        self.metadata = {key: value for key, value in error.trailing_metadata() or ()}
        self.was_not_sent = self.detail.startswith(_NEVER_SENT)
        self.is_not_applied = self.metadata.get("phalanx-outcome") == "not-applied"
        mark = ", not applied" if self.is_not_applied else ""
        super().__init__(f"{method}: {self.code.name}{mark}: {self.detail}")


# What may pass if it is asked again.
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED)


def insist(call, seconds=60):
    """Repeats what is safe to repeat, until it is answered."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except CallFailed as failed:
            if failed.code not in _PASSING or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _bytes(text):
    return text.encode() if isinstance(text, str) else text


class Client:
    """Keys and values are bytes or str. `metadata` holds the last call's trailing metadata. In the
    clear, or with grpcio's credentials to a server whose certificate carries `name`."""

    def __init__(self, address, credentials=None, name=None):
        if credentials:
            options = [*_OPTIONS, ("grpc.ssl_target_name_override", name)]
            self.channel = grpc.secure_channel(address, credentials, options)
        else:
            self.channel = grpc.insecure_channel(address, _OPTIONS)
        self.metadata = {}

    def close(self):
        self.channel.close()

    def call(self, method, request, response_class, timeout=10, wait=False):
        """Any unary method, by its full name: "phalanx.v1.KVService/Put"."""
        stub = self.channel.unary_unary("/" + method,
                                        request_serializer=lambda message: message.SerializeToString(),
                                        response_deserializer=response_class.FromString)
        try:
            response, call = stub.with_call(request, timeout=timeout, wait_for_ready=wait)
        except grpc.RpcError as error:
            failed = CallFailed(method, error)
            self.metadata = failed.metadata
            raise failed from None
        self.metadata = {key: value for key, value in call.trailing_metadata() or ()}
        return response

    def put(self, key, value, prev_revision=None, request_id=None, **options):
        request = kv.PutRequest(key=_bytes(key), value=_bytes(value))
        self._condition(request, prev_revision, request_id)
        return self.call("phalanx.v1.KVService/Put", request, kv.PutResponse, **options)

    def delete(self, key, prev_revision=None, request_id=None, **options):
        request = kv.DeleteRequest(key=_bytes(key))
        self._condition(request, prev_revision, request_id)
        return self.call("phalanx.v1.KVService/Delete", request, kv.DeleteResponse, **options)

    @staticmethod
    def _condition(request, prev_revision, request_id):
        """request_id: (client_id, sequence)."""
        if prev_revision is not None:
            request.prev_revision = prev_revision
        if request_id is not None:
            request.request_id.client_id, request.request_id.sequence = request_id

    def get(self, key, stale=False, **options):
        request = kv.GetRequest(key=_bytes(key), consistency=self._consistency(stale))
        return self.call("phalanx.v1.KVService/Get", request, kv.GetResponse, **options)

    def scan(self, start="", end="", limit=0, stale=False, **options):
        """One page."""
        request = kv.ScanRequest(start=_bytes(start), end=_bytes(end), limit=limit,
                                 consistency=self._consistency(stale))
        return self.call("phalanx.v1.KVService/Scan", request, kv.ScanResponse, **options)

    def scan_all(self, start="", **options):
        """Every item from `start` on, page by page."""
        start = _bytes(start)
        while True:
            page = self.scan(start, **options)
            yield from page.items
            if not page.more:
                return
            start = page.items[-1].key + b"\0"

    def status(self, **options):
        return self.call("phalanx.v1.ClusterService/Status", cluster.StatusRequest(),
                         cluster.StatusResponse, **options)

    @staticmethod
    def _consistency(stale):
        return kv.CONSISTENCY_STALE if stale else kv.CONSISTENCY_UNSPECIFIED
