#!/usr/bin/env python3
"""TLS: nodes and clients know each other by certificates of one authority, and nobody else gets
in."""
import os
import pty
import re
import socket
import ssl
import subprocess

from support import expect, main, test

from support.client import CallFailed, Client
from support.cluster import Port
from support.story import CLI, wait_until
from support.tls import Authority

import grpc

NAME = "phalanx.test"
QUICK = {"TICK_MS": 50, "ELECTION": 12, "HEARTBEAT": 3}


def serve(story, ports, name, certificate, **settings):
    """One node of those that the ports name."""
    peers = ",".join(f"{other}=127.0.0.1:{port.number}" for other, port in ports.items())
    server = story.server(NODE_ID=name, PEERS=peers, GRPC_ADDR=f"127.0.0.1:{ports[name].number}",
                          **{**certificate.settings(TLS_NAME=NAME), **QUICK, **settings})
    server.launch()
    wait_until(server.is_serving, 20, f"that {name} listens")
    return server


def ports_of(story, names):
    ports = {name: Port() for name in names}
    for port in ports.values():
        story.at_end(port.end)
    return ports


def ask(story, server, certificate, *words):
    return story.cli(*words, "-addr", server.address, "-tls-name", NAME, *certificate.flags())


def until_answered(story, server, certificate):
    wait_until(lambda: ask(story, server, certificate, "put", "k", "v").status == 0, 30,
               "a put that is answered")


def serial_at(server, certificate):
    """Of the certificate that the server shows to a new connection."""
    context = ssl.create_default_context(cafile=str(certificate.ca))
    context.load_cert_chain(certificate.cert, certificate.key)
    context.set_alpn_protocols(["h2"])
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=5) as plain:
        with context.wrap_socket(plain, server_hostname=NAME) as secured:
            return secured.getpeercert()["serialNumber"]


@test
def three_nodes_and_their_clients_speak_tls(story):
    authority = Authority(story.directory, "ours")
    node, client = authority.issue("node", f"DNS:{NAME}"), authority.issue("client", "DNS:client")
    ports = ports_of(story, "abc")
    servers = [serve(story, ports, name, node) for name in ports]
    until_answered(story, servers[0], client)
    for server in servers:  # two of them ask the third
        expect(ask(story, server, client, "get", "k").out == "v")
    credentials = grpc.ssl_channel_credentials(client.ca.read_bytes(), client.key.read_bytes(),
                                               client.cert.read_bytes())
    foreign = Client(servers[1].address, credentials, NAME)
    expect(foreign.get("k").value == b"v", "another implementation's client")
    foreign.close()


@test
def who_has_no_certificate_of_the_authority_is_turned_away(story):
    authority, others = (Authority(story.directory, name) for name in ("ours", "theirs"))
    node, client = authority.issue("node", f"DNS:{NAME}"), authority.issue("client", "DNS:client")
    stranger = others.issue("client", "DNS:client", f"DNS:{NAME}")
    server = serve(story, ports_of(story, "a"), "a", node)
    until_answered(story, server, client)
    expect(story.cli("get", "k", "-addr", server.address, "-timeout", "1s").status != 0,
           "in the clear")
    expect(ask(story, server, stranger, "get", "k", "-timeout", "1s").status != 0,
           "signed by somebody else")
    stranger.ca = authority.ca  # believes the server, but is not believed
    expect(ask(story, server, stranger, "get", "k", "-timeout", "1s").status != 0,
           "a client of somebody else's")
    anonymous = Client(server.address, grpc.ssl_channel_credentials(client.ca.read_bytes()), NAME)
    try:
        anonymous.get("k", timeout=2)
        expect(False, "answered without a certificate")
    except CallFailed as failed:
        expect(failed.code == grpc.StatusCode.UNAVAILABLE, failed)
    anonymous.close()
    expect(ask(story, server, client, "get", "k").out == "v", "and it still serves")


@test
def a_client_does_not_talk_to_a_server_of_another_name(story):
    authority = Authority(story.directory, "ours")
    node, client = authority.issue("node", f"DNS:{NAME}"), authority.issue("client", "DNS:client")
    server = serve(story, ports_of(story, "a"), "a", node)
    until_answered(story, server, client)
    asked = story.cli("get", "k", "-addr", server.address, "-timeout", "1s", *client.flags())
    expect(asked.status != 0, "its certificate names no address:", asked)


@test
def a_clients_certificate_makes_nobody_a_node(story):
    authority = Authority(story.directory, "ours")
    node, client = authority.issue("node", f"DNS:{NAME}"), authority.issue("client", "DNS:client")
    ports = ports_of(story, "abc")
    a, b = (serve(story, ports, name, node) for name in "ab")
    pretender = serve(story, ports, "c", client)
    wait_until(lambda: "its certificate does not name a node" in pretender.log(), 20,
               "that it is told why")
    expect(ask(story, a, client, "put", "k", "v", "-timeout", "2s").status != 0,
           "founded with a node that is none")
    pretender.terminate()
    serve(story, ports, "c", node)
    until_answered(story, a, client)
    until_answered(story, b, client)


@test
def a_name_elsewhere_in_a_certificate_makes_nobody_a_node(story):
    """gRPC takes a server by its subject, too, and by a wildcard."""
    authority = Authority(story.directory, "ours")
    node, client = authority.issue("node", f"DNS:{NAME}"), authority.issue("client", "DNS:client")
    subject, wildcard = authority.issue(NAME), authority.issue("wildcard", "DNS:*.test")
    ports = ports_of(story, "abcd")
    a = serve(story, ports, "a", node)
    pretenders = [serve(story, ports, "b", subject), serve(story, ports, "c", wildcard)]
    for pretender in pretenders:
        wait_until(lambda: re.search(f"{pretender.address}.*the certificate there does not name",
                                     a.log()), 20, "that the one who dials it tells why")
        expect("peer found" not in pretender.log(), pretender.log())
        expect(ask(story, pretender, client, "status").status == 0, "clients are less strict")
    expect("peer found" not in a.log(), a.log())


@test
def a_nodes_name_is_the_same_in_capitals(story):
    authority = Authority(story.directory, "ours")
    node, client = authority.issue("node", f"DNS:{NAME}"), authority.issue("client", "DNS:client")
    ports = ports_of(story, "ab")
    servers = [serve(story, ports, name, node, TLS_NAME=NAME.upper()) for name in ports]
    until_answered(story, servers[0], client)


@test
def renewed_certificates_are_used_without_a_restart(story):
    authority = Authority(story.directory, "ours")
    node, client = authority.issue("node", f"DNS:{NAME}"), authority.issue("client", "DNS:client")
    server = serve(story, ports_of(story, "a"), "a", node)
    until_answered(story, server, client)
    before = serial_at(server, client)
    authority.issue("node", f"DNS:{NAME}")
    wait_until(lambda: serial_at(server, client) != before, 20, "that it shows the new one")
    expect(ask(story, server, client, "get", "k").out == "v")


@test
def a_file_that_is_of_no_use_is_named_at_the_start(story):
    authority = Authority(story.directory, "ours")
    node = authority.issue("node", f"DNS:{NAME}")
    for name, text in (("TLS_CERT", "no PEM"), ("TLS_KEY", "no PEM"), ("TLS_CA", "")):
        wrong = story.directory / "wrong.pem"
        wrong.write_text(text)
        server = story.server(**{**node.settings(), name: wrong})
        server.launch()
        expect(server.exit_status() == 1, "it started:", server.log())
        expect(f"{wrong} holds no" in server.log(), server.log())
    others = authority.issue("other", f"DNS:{NAME}")
    server = story.server(**node.settings(TLS_KEY=others.key))
    server.launch()
    expect(server.exit_status() == 1, "it started:", server.log())
    expect("belongs to the certificate" in server.log(), server.log())
    locked = authority.issue("locked", f"DNS:{NAME}")
    locked.lock_key("secret")
    server = story.server(**locked.settings())
    server.launch()
    expect(server.exit_status() == 1, "it started:", server.log())
    expect(f"{locked.key} holds no" in server.log(), server.log())
    server = story.server(TLS_CERT=node.cert)
    server.launch()
    expect(server.exit_status() == 2, "it started:", server.log())
    expect("TLS_KEY" in server.log(), server.log())


@test
def nobody_is_asked_for_a_passphrase(story):
    locked = Authority(story.directory, "ours").issue("client", "DNS:client")
    locked.lock_key("secret")
    master, terminal = pty.openpty()
    story.at_end(lambda: (os.close(master), os.close(terminal)))
    words = ["setsid", "--ctty", "--wait", CLI, "get", "k", "-addr", "127.0.0.1:1", *locked.flags()]
    asked = subprocess.run(words, stdin=terminal, stdout=terminal, stderr=subprocess.PIPE,
                           timeout=20)
    expect(asked.returncode == 2 and b"holds no private key" in asked.stderr, asked)


main()
