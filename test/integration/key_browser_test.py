#!/usr/bin/env python3
"""The key browser of the debug port: off unless it is switched on, read-only, page by page."""

import json
import urllib.parse

from support import expect, main, test


def page(node, **query):
    text = urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
    code, answer = node.http(f"/debug/keys?{text}")
    expect(code == 200, code, answer)
    return json.loads(answer)


@test
def is_not_there_unless_it_is_switched_on(story):
    node = story.server().start()
    node.client().put("key", b"value")
    expect(node.http("/debug/keys")[0] == 404)
    expect(json.loads(node.http("/debug/status")[1])["key_browser"] is False)


@test
def shows_keys_with_the_beginning_of_their_values(story):
    node = story.server(DEBUG_KEYS="on").start()
    client = node.client()
    client.put("a", b"first")
    client.put("b", b"x" * 1000)
    client.put("b", b"y" * 1000)
    client.put(b"\xff\x00", b"\x00")
    client.put('quote"', b"<b>&")
    expect(json.loads(node.http("/debug/status")[1])["key_browser"] is True)
    shown = page(node)
    expect(shown["more"] is False)
    expect([item["key_hex"] for item in shown["items"]] ==
           [key.hex() for key in (b"a", b"b", b'quote"', b"\xff\x00")], shown)
    first, second, third, last = shown["items"]
    expect((first["key"], first["value"], first["value_bytes"]) == ("a", "first", 5), first)
    expect((second["value"], second["value_bytes"], second["version"]) == ("y" * 256, 1000, 2), second)
    expect((third["key"], third["value"]) == ('quote"', "<b>&"), third)
    expect(last["key"] == "\\xff\x00", last)


@test
def goes_through_a_prefix_page_by_page(story):
    node = story.server(DEBUG_KEYS="on").start()
    client = node.client()
    keys = [f"in/{number:04}" for number in range(150)]
    for key in [*keys, "a", "in", "io", "z"]:
        client.put(key, b"v")
    seen, after = [], ""
    while True:
        shown = page(node, prefix="in/", after=after)
        seen += [item["key"] for item in shown["items"]]
        expect(len(shown["items"]) <= 64)
        if not shown["more"]:
            break
        after = seen[-1]
    expect(seen == keys, seen)
    expect(page(node, prefix="in/", after="a")["items"][0]["key"] == keys[0])
    expect(page(node, prefix="in/", after="x") == {"items": [], "more": False})
    expect(page(node, prefix=b"\xff")["items"] == [])


@test
def refuses_what_is_no_key_and_writes_nothing(story):
    node = story.server(DEBUG_KEYS="on").start()
    client = node.client()
    revision = client.put("k" * 480, b"v").revision
    expect(len(page(node, prefix="k" * 480)["items"]) == 1)
    expect(page(node, after="k" * 480)["items"] == [])
    expect(page(node, after=b"\xff" * 480)["items"] == [])
    expect(node.http("/debug/keys?prefix=" + "k" * 481)[0] == 400)
    expect(client.put("key", b"v").revision == revision + 1, "something was written")


if __name__ == "__main__":
    main()
