"""Message classes made from proto/ when the tests run: proto.kv.PutRequest, proto.cluster..."""

import atexit
import importlib
import os
import shutil
import subprocess
import sys
import tempfile

from support.story import ROOT


def _make():
    folder = tempfile.mkdtemp(prefix="phalanx-proto-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    files = sorted(str(path.relative_to(ROOT / "proto"))
                   for path in (ROOT / "proto/phalanx/v1").glob("*.proto"))
    subprocess.run(["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={folder}", *files],
                   check=True)
    sys.path.insert(0, folder)


os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # its fork handlers can hang

# A channel without a call under way looks this often whether its connection has come about.
os.environ.setdefault("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "50")

try:
    import google.protobuf  # noqa: F401
    import grpc  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing} for {sys.executable}; scripts/setup.sh test installs it for "
          "Debian's python3")
    sys.exit(77)

_make()
kv = importlib.import_module("phalanx.v1.kv_pb2")
cluster = importlib.import_module("phalanx.v1.cluster_pb2")
