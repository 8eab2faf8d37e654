#!/usr/bin/env python3
"""Clients that others wrote: grpcurl by reflection, grpc-js and grpcio by the proto files. grpcurl
is built by Go and grpc-js fetched by npm, into the test's own directory, where these are at hand."""
import base64
import json
import os
import shutil
import subprocess

from support import Skip, expect, main, test
from support.readme import NEEDS, Session
from support.story import ROOT

FETCH_SECONDS = 150
BINARY = bytes(range(256))


# ---- Getting them -------------------------------------------------------------------------------

def has(program):
    path = shutil.which(program)
    if not path:
        raise Skip(f"{program} is not installed")
    return path


def fetched(story, name, command, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS,
                              check=False, **options)
    except subprocess.TimeoutExpired:
        raise Skip(f"{name} did not arrive within {FETCH_SECONDS} s") from None
    if done.returncode != 0:
        story.say(done.stderr[-1000:])
        raise Skip(f"{name} cannot be fetched")


def grpcurl(story):
    """Its path."""
    if shutil.which("grpcurl"):
        return shutil.which("grpcurl")
    go = has("go")
    folder = story.directory / "go"
    fetched(story, "grpcurl", [go, "install", "github.com/fullstorydev/grpcurl/cmd/grpcurl@latest"],
            cwd=story.directory, env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-modcacherw"})
    return str(folder / "grpcurl")


def grpc_js(story):
    """The folder that holds its node_modules, for NODE_PATH."""
    has("node")
    npm = has("npm")
    folder = story.directory / "npm"
    folder.mkdir()
    fetched(story, "grpc-js", [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts",
                               "--prefix", str(folder), "@grpc/grpc-js", "@grpc/proto-loader"],
            cwd=folder)
    return str(folder / "node_modules")


def readme_works(story, programs, **environment):
    """What the README says of this client."""
    expect(Session(story, programs, environment.items()).run() > 15)


def text64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


# ---- grpcurl ------------------------------------------------------------------------------------

@test
def grpcurl_works_by_reflection(story):
    program = grpcurl(story)
    server = story.server().start()

    def call(method, **request):
        done = subprocess.run([program, "-plaintext", "-emit-defaults", "-max-time", "10", "-d",
                               json.dumps(request), server.address, "phalanx.v1." + method],
                              capture_output=True, text=True, timeout=20, check=False)
        expect(done.returncode == 0, done.stderr)
        return json.loads(done.stdout)

    revision = call("KVService/Put", key=text64("go"), value=text64(BINARY))["revision"]
    got = call("KVService/Get", key=text64("go"))
    expect((got["found"], got["value"], got["modRevision"]) == (True, text64(BINARY), revision), got)
    (item,) = call("KVService/Scan", start=text64("g"), end=text64("h"))["items"]
    expect((item["key"], item["value"]) == (text64("go"), text64(BINARY)), item)
    expect(call("KVService/Delete", key=text64("go"), prev_revision=int(revision))["deleted"])
    expect(not call("KVService/Get", key=text64("go"))["found"])
    expect(call("ClusterService/Status")["role"] == "ROLE_LEADER")

    def run(*arguments):
        return subprocess.run([program, "-plaintext", "-max-time", "10", *arguments],
                              capture_output=True, text=True, timeout=20, check=False)

    services = run(server.address, "list").stdout.split()
    expect({"phalanx.v1.KVService", "phalanx.v1.ClusterService", "grpc.health.v1.Health"}
           <= set(services), services)
    for service in services:
        described = run(server.address, "describe", service)
        expect(described.returncode == 0 and "rpc " in described.stdout, described)
    described = run(server.address, "describe", ".phalanx.v1.PutRequest").stdout
    expect("optional int64 prev_revision = 4" in described, described)
    health = run(server.address, "grpc.health.v1.Health/Check")
    expect("SERVING" in health.stdout, health)
    files = ["-import-path", str(ROOT / "proto"), "-proto", "phalanx/v1/kv.proto"]
    by_files = run(*files, "-d", json.dumps({"key": text64("x")}), server.address,
                   "phalanx.v1.KVService/Get")
    expect(by_files.returncode == 0, by_files.stderr)
    refused = run("-v", "-d", "{}", server.address, "phalanx.v1.KVService/Put")
    expect("InvalidArgument" in refused.stderr and "key: must not be empty" in refused.stderr,
           refused.stderr)
    expect("phalanx-outcome: not-applied" in refused.stdout + refused.stderr, refused)
    readme_works(story, {"grpcurl": program})


# ---- grpc-js ------------------------------------------------------------------------------------

NODE_SCRIPT = """
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const assert = require('assert');

const [address, proto] = process.argv.slice(2);
const options = { keepCase: true, includeDirs: [proto], longs: String, defaults: true };
const { KVService } = grpc.loadPackageDefinition(
  loader.loadSync('phalanx/v1/kv.proto', options)).phalanx.v1;
const kv = new KVService(address, grpc.credentials.createInsecure());

const call = (method, request) => new Promise((resolve, reject) => {
  const deadline = new Date(Date.now() + 10000);
  kv[method](request, { deadline }, (error, answer) => error ? reject(error) : resolve(answer));
});

(async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const key = Buffer.from('node\\0key');
  const { revision } = await call('put', { key, value: bytes });
  const got = await call('get', { key });
  assert(got.found && got.value.equals(bytes) && got.mod_revision === revision);
  await Promise.all(Array.from({ length: 500 }, (_, i) =>
    call('put', { key: Buffer.from('many/' + i), value: bytes })));
  const page = await call('scan', { start: Buffer.from('many/'), end: Buffer.from('many0') });
  assert.strictEqual(page.items.length, 500);
  await assert.rejects(call('put', { key, value: bytes, prev_revision: '0' }), (error) =>
    error.code === grpc.status.FAILED_PRECONDITION &&
    error.metadata.get('phalanx-outcome')[0] === 'not-applied');
  await assert.rejects(call('get', {}), { code: grpc.status.INVALID_ARGUMENT });
  const name = { client_id: '18446744073709551615', sequence: '1' };
  const first = await call('put', { key, value: bytes, request_id: name });
  const again = await call('put', { key, value: bytes, request_id: name });
  assert.strictEqual(first.revision, again.revision);
  assert((await call('delete', { key })).deleted);
  assert(!(await call('get', { key })).found);
  kv.close();
  console.log('all is well');
})().catch((error) => { console.error(error); process.exit(1); });
"""


@test
def grpc_js_works_by_the_proto_files(story):
    modules = grpc_js(story)
    server = story.server().start()
    script = story.directory / "client.js"
    script.write_text(NODE_SCRIPT)
    done = subprocess.run(["node", str(script), server.address, str(ROOT / "proto")], text=True,
                          env={**os.environ, "NODE_PATH": modules}, capture_output=True,
                          timeout=60, check=False)
    expect(done.returncode == 0 and done.stdout == "all is well\n", done.stderr)
    readme_works(story, {"node": shutil.which("node")}, NODE_PATH=modules)


# ---- grpcio -------------------------------------------------------------------------------------

@test
def grpcio_works_by_the_proto_files(story):
    try:
        from support.client import Client
    except SystemExit:
        raise Skip("grpcio is not installed") from None
    server = story.server().start()
    client = Client(server.address)
    story.at_end(client.close)
    revision = client.put("python", BINARY).revision
    got = client.get("python")
    expect((got.found, got.value, got.mod_revision) == (True, BINARY, revision), got)
    expect([item.key for item in client.scan("p", "q").items] == [b"python"])
    expect(client.delete("python", prev_revision=revision).deleted)
    expect(not client.get("python").found)
    readme_works(story, {"python": NEEDS["python"]})


if __name__ == "__main__":
    main()
