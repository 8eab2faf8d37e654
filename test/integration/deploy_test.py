#!/usr/bin/env python3
"""What deploys the server agrees with the server, and with itself."""

import configparser
import os
import re
import subprocess
import tomllib

from support import Skip, expect, main, test
from support.story import ROOT, SERVER

START = str(ROOT / "deploy/start.sh")
FLY = {"FLY_APP_NAME": "phalanx", "FLY_MACHINE_ID": "d8917e1c", "FLY_REGION": "jnb",
       "FLY_PRIVATE_IP": "fdaa:0:1::7"}


def text(name):
    return (ROOT / name).read_text()


def defaults():
    """As the server prints them when nothing is set: those are the manual's."""
    told = subprocess.run([SERVER, "--check-config"], env={"PATH": os.environ["PATH"]},
                          capture_output=True, text=True, check=True, timeout=10).stdout
    return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)


def port_of(address):
    return int(address.rpartition(":")[2])


# ---- Fly.io

@test
def fly_toml_says_what_matters(story):
    fly = tomllib.loads(text("fly.toml"))
    known = {"app", "primary_region", "kill_signal", "kill_timeout", "build", "deploy", "env",
             "mounts", "vm", "restart", "checks", "metrics"}
    expect(set(fly) == known, set(fly) ^ known)
    expect((fly["app"], fly["primary_region"]) == ("phalanx", "ord"))
    expect((fly["kill_signal"], fly["kill_timeout"]) == ("SIGTERM", 30), "fly's own are too short")
    deploy = fly["deploy"]
    expect((deploy["strategy"], deploy["max_unavailable"]) == ("rolling", 1),
           "two of five at once would be one failure from losing the quorum")
    expect("services" not in fly and "http_service" not in fly, "nothing is public")
    expect(fly["restart"] == [{"policy": "always"}])


@test
def fly_toml_agrees_with_the_server_and_the_image(story):
    fly = tomllib.loads(text("fly.toml"))
    usual = defaults()
    for name, value in fly["env"].items():
        expect(name in usual or name == "BOOTSTRAP_EXPECT", name, "is no setting of the server")
        expect(name == "BOOTSTRAP_EXPECT" or usual[name] == value, name, "is not its default:",
               usual.get(name))
    expect(fly["env"]["BOOTSTRAP_EXPECT"] == "5")
    mount = fly["mounts"][0]
    expect((mount["source"], mount["destination"]) == ("phalanx_data", usual["DATA_DIR"]))
    http, grpc = port_of(usual["DEBUG_ADDR"]), port_of(usual["GRPC_ADDR"])
    health = fly["checks"]["health"]
    expect((health["type"], health["port"], health["path"]) == ("http", http, "/health"))
    expect((fly["checks"]["grpc"]["type"], fly["checks"]["grpc"]["port"]) == ("tcp", grpc))
    expect(fly["metrics"] == [{"port": http, "path": "/metrics"}])
    expect(fly["build"]["dockerfile"] == "Dockerfile" and (ROOT / "Dockerfile").is_file())


# ---- The image

def instructions():
    """Of the Dockerfile: (word, rest), lines joined."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", text("Dockerfile")))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


@test
def the_image_agrees_with_the_server(story):
    usual = defaults()
    said = instructions()
    stages = [rest.split(" AS ")[1] for word, rest in said if word == "FROM"]
    expect(stages == ["build", "test", "runtime"], stages)
    last = dict(said[[word for word, _ in said].index("FROM"):])  # the last of each
    ports = f"{port_of(usual['GRPC_ADDR'])} {port_of(usual['DEBUG_ADDR'])} {usual['BIND_PORT']}/udp"
    expect(last["EXPOSE"] == ports, last["EXPOSE"])
    expect(last["VOLUME"] == usual["DATA_DIR"], last["VOLUME"])
    expect(last["STOPSIGNAL"] == "SIGTERM")
    expect('"/usr/bin/tini"' in last["ENTRYPOINT"] and "start.sh" in last["ENTRYPOINT"])
    expect("health.sh" in last["HEALTHCHECK"])
    version = subprocess.run([SERVER, "--version"], capture_output=True, text=True).stdout.split()[1]
    expect(f'image.version="{version}"' in last["LABEL"], version, last["LABEL"])


@test
def whatever_the_image_copies_is_there(story):
    for word, rest in instructions():
        if word != "COPY" or rest.startswith("--from"):
            continue
        for name in rest.split()[:-1]:
            expect((ROOT / name).exists(), name)
            ignored = [line for line in text(".dockerignore").splitlines() if line == name]
            expect(not ignored, name, "is not in the context")


@test
def health_follows_the_server(story):
    server = story.server().start()
    debug = {**os.environ, "DEBUG_ADDR": f"127.0.0.1:{server.debug_port}"}
    health = str(ROOT / "deploy/health.sh")
    expect(subprocess.run([health], env=debug, timeout=10).returncode == 0)
    server.kill()
    expect(subprocess.run([health], env=debug, timeout=10, capture_output=True).returncode != 0)


@test
def alerts_ask_for_what_is_measured_and_are_explained(story):
    alerts = text("deploy/alerts.yaml")
    names = set(re.findall(r"(?m)^ +- alert: (\w+)$", alerts))
    expect(len(names) >= 5, names)
    guide = text("deploy/README.md")
    explained = set(re.findall(r"(?m)^\| `(Phalanx\w+)` \|", guide))
    expect(explained == names, explained ^ names)
    metrics = story.server().start().http("/metrics")[1]
    measured = set(re.findall(r"(?m)^(phalanx_\w+)", metrics))
    asked = set(re.findall(r"phalanx_[a-z_]+", alerts))
    expect(asked <= measured, asked - measured)


@test
def the_guide_has_the_servers_timings_and_settings(story):
    usual = defaults()
    guide = text("deploy/README.md")
    tick = int(usual["TICK_MS"])
    for name in ("HEARTBEAT", "ELECTION"):
        row = re.search(rf"(?m)^\| `{name}` \| (\d+) \| (\d+)", guide)
        expect(row[1] == usual[name], name, row[0])
        expect(int(row[2]) * 1000 == tick * int(usual[name]), name, row[0])
    for name in set(re.findall(r"`([A-Z]+_[A-Z_]+)`?=?", guide)):
        known = name in usual or name.startswith(("FLY_", "START_")) or name == "PHALANX_ADDR"
        expect(known, name, "is no setting")


# ---- start.sh, before a stand-in that shows what it was given

def start(story, *arguments, **environment):
    """(environment, arguments, what it said)"""
    stand_in = story.directory / "stand-in"
    stand_in.write_text('#!/bin/sh\nenv\necho "arguments: $*"\n')
    stand_in.chmod(0o755)
    done = subprocess.run([START, *arguments], capture_output=True, text=True, timeout=10, env={
        "PATH": os.environ["PATH"], "PHALANX_SERVER": str(stand_in),
        "PHALANX_USER": "nobody-of-this-name", "DATA_DIR": str(story.directory), **environment})
    expect(done.returncode == 0, done.stderr)
    given = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    words = re.search("(?m)^arguments: (.*)$", done.stdout).group(1).split()
    return given, words, done.stderr


@test
def on_fly_a_machine_knows_who_and_where_it_is(story):
    given, words, said = start(story, **FLY)
    expect(given["NODE_ID"] == "d8917e1c" and given["NODE_REGION"] == "jnb", given)
    expect(given["DISCOVERY_DNS"] == "phalanx.internal", given)
    expect(given["BOOTSTRAP_EXPECT"] == "5", given)
    expect(given["ADVERTISE_ADDR"] == "[fdaa:0:1::7]:9000", given)
    expect(words == [], words)
    for piece in ("d8917e1c", "jnb", "phalanx.internal", "every 1000 ms", "4000 to 8000 ms"):
        expect(piece in said, piece, "is not in", said)


@test
def what_is_set_stays(story):
    given, words, said = start(
        story, "--rejoin", **FLY, NODE_ID="mine", NODE_REGION="here", DISCOVERY_DNS="other.name",
        BOOTSTRAP_EXPECT="3", GRPC_ADDR="[::]:7000", TICK_MS="50", HEARTBEAT="2", ELECTION="10",
        START_FLAGS="--adopt --log-level debug")
    expect((given["NODE_ID"], given["NODE_REGION"]) == ("mine", "here"), given)
    expect((given["DISCOVERY_DNS"], given["BOOTSTRAP_EXPECT"]) == ("other.name", "3"), given)
    expect(given["ADVERTISE_ADDR"] == "[fdaa:0:1::7]:7000", given)
    expect(words == ["--adopt", "--log-level", "debug", "--rejoin"], words)
    expect("every 100 ms" in said and "500 to 1000 ms" in said, said)
    given, _, _ = start(story, **FLY, PEERS="a=a:1,b=b:1")
    expect("DISCOVERY_DNS" not in given and "BOOTSTRAP_EXPECT" not in given, given)


@test
def elsewhere_nothing_is_assumed(story):
    given, _, said = start(story)
    for name in ("NODE_ID", "PEERS", "DISCOVERY_DNS", "BOOTSTRAP_EXPECT", "ADVERTISE_ADDR"):
        expect(name not in given, name, given)
    expect("a cluster of one" in said, said)
    _, _, said = start(story, HEARTBEAT="3", ELECTION="10")
    expect("below four heartbeats" in said, said)


@test
def the_volume_is_taken_over(story):
    if os.geteuid() != 0:
        raise Skip("changing owners needs root")
    volume = story.directory / "volume"
    (volume / "lost+found").mkdir(parents=True)
    (volume / "log").mkdir()
    story.directory.chmod(0o755)  # the other user has to reach it
    _, _, said = start(story, PHALANX_USER="nobody", DATA_DIR=str(volume))
    owners = {path.name: path.owner() for path in [volume, *volume.iterdir()]}
    expect(owners == {"volume": "nobody", "lost+found": "root", "log": "nobody"}, owners, said)


@test
def the_servers_own_rights_are_the_users(story):
    if os.geteuid() != 0:
        raise Skip("becoming another user needs root")
    stand_in = story.directory / "who"
    stand_in.write_text("#!/bin/sh\nid -un\ngrep NoNewPrivs /proc/self/status\n")
    stand_in.chmod(0o755)
    story.directory.chmod(0o755)
    done = subprocess.run([START], capture_output=True, text=True, timeout=10, env={
        "PATH": os.environ["PATH"], "PHALANX_SERVER": str(stand_in), "PHALANX_USER": "nobody",
        "DATA_DIR": str(story.directory / "new")})
    expect(done.stdout.split() == ["nobody", "NoNewPrivs:", "1"], done.stdout, done.stderr)


# ---- Others

@test
def the_unit_runs_the_server_as_nobody_else(story):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(text("deploy/phalanx.service"))
    service = unit["Service"]
    expect(service["ExecStart"] == "/usr/local/bin/phalanx-server")
    expect((service["KillSignal"], service["TimeoutStopSec"]) == ("SIGTERM", "30"))
    expect(service["DynamicUser"] == "yes" and service["RestartPreventExitStatus"] == "2")
    expect(service["Environment"] == "DATA_DIR=/var/lib/" + service["StateDirectory"])


@test
def the_compose_file_has_five_nodes_of_one_cluster(story):
    try:
        import yaml
    except ImportError:
        raise Skip("python3-yaml is not there; scripts/setup.sh test installs it") from None
    compose = yaml.safe_load(text("deploy/compose.yaml"))
    services = compose["services"]
    expect(sorted(services) == [f"node-{i}" for i in range(5)], sorted(services))
    volumes = [service["volumes"][0].split(":")[0] for service in services.values()]
    expect(sorted(volumes) == sorted(compose["volumes"]), "each has a volume of its own:", volumes)
    for name, service in services.items():
        environment = service["environment"]
        expect(environment["NODE_ID"] == name)
        checked = subprocess.run([SERVER, "--check-config"], capture_output=True, text=True,
                                 timeout=10, env={"PATH": os.environ["PATH"], **environment})
        expect(checked.returncode == 0, name, checked.stderr)
        peers = dict(peer.split("=") for peer in environment["PEERS"].split(","))
        expect(sorted(peers) == sorted(services) and
               peers[name] == environment["ADVERTISE_ADDR"], peers)


if __name__ == "__main__":
    main()
