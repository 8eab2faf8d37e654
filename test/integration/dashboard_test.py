#!/usr/bin/env python3
"""The dashboard in a real browser, beside a real cluster: it shows what is, and says when it cannot."""

import json
import time

from support import expect, main, test
from support.browser import Browser, find_browser
from support.cluster import Port
from support.story import ROOT

REGIONS = ("jnb", "lhr", "ord", "sin", "fra")

# A page that is not reloaded keeps what a test has put there.
MARK = "window.isTheSamePage = true"
IS_MARKED = "window.isTheSamePage === true"

IS_LIVE = "!document.body.classList.contains('is-stale')"


def start(story, size):
    """A cluster in the regions of the manual, the debug ports kept over restarts."""
    find_browser()  # before the effort
    cluster = story.cluster(size)
    for node, region in zip(cluster, REGIONS):
        port = Port()
        story.at_end(port.end)
        node.settings.update(NODE_REGION=region, DEBUG_ADDR=f"127.0.0.1:{port.number}")
    return cluster.start()


def look_at(story, node):
    expect(node.is_serving(), node.name, "does not serve")
    browser = Browser(story)
    browser.resize(1440)
    browser.open(f"http://127.0.0.1:{node.debug_port}/")
    browser.wait(IS_LIVE, "that the page is live")
    browser.evaluate(MARK)
    return browser


def link_of(name):
    return f"document.querySelector('#peers tr[data-node={name}]')?.dataset.link"


def wait_for_link(browser, name, link):
    browser.wait(f"{link_of(name)} === '{link}'", f"that the row of {name} says {link}")


def wait_for_text(browser, selector, text):
    browser.wait(f"document.querySelector({selector!r})?.textContent === {text!r}",
                 f"that {selector} says {text}")


def count(browser, selector):
    return browser.evaluate(f"document.querySelectorAll({selector!r}).length")


def expect_quiet(browser):
    browser.evaluate("1")  # takes in what the browser has told until now
    expect(browser.complaints == [], browser.complaints)


PAINTED = """(() => {
    const canvas = document.querySelector('#charts canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value) => value !== 0);
})()"""


@test
def every_panel_is_filled(story):
    cluster = start(story, 5)
    leader = cluster.wait_until_all_follow()
    viewed = cluster.others(leader)[0]
    for i in range(50):
        leader.client().put(f"key-{i}", b"value")
    browser = look_at(story, viewed)
    wait_for_text(browser, "#leader", leader.name)
    wait_for_text(browser, "#health-word", "Healthy")
    wait_for_text(browser, "#failures", "2")
    wait_for_text(browser, "#figure-keys", "50")
    expect(browser.text("#viewer") == f"{viewed.name} ({viewed.settings['NODE_REGION']})")
    expect("5 of 5 voters" in browser.text("#quorum"), browser.text("#quorum"))
    for node in cluster:
        wait_for_link(browser, node.name, "self" if node is viewed else "ok")
    browser.wait("document.querySelectorAll('#topology .edge.is-ok').length === 10", "ten connections")
    browser.wait("[...document.querySelectorAll('#matrix tbody td')].filter((cell) =>"
                 " Number(cell.textContent) >= 0).length === 20", "twenty round trips")
    expect(count(browser, "#topology .node") == 5)
    expect(count(browser, "#topology .node.is-leader") == 1)
    expect(count(browser, "#topology .land[visibility=visible]") == 1)
    expect(count(browser, "#logs .log rect.applied") == 5)
    expect(count(browser, "#charts .chart") == 6)
    browser.wait(PAINTED, "that the charts are drawn")
    browser.wait("document.querySelectorAll('#timeline li').length > 0", "that the timeline has begun")
    expect_quiet(browser)


@test
def a_leader_shows_how_far_the_others_are(story):
    leader = start(story, 3).wait_until_all_follow()
    for i in range(10):
        leader.client().put(f"key-{i}", b"value")
    browser = look_at(story, leader)
    browser.wait("[...document.querySelectorAll('#peers td[data-name=match]')]"
                 ".filter((cell) => Number(cell.innerText) >= 10).length === 2", "both have ten entries")
    browser.wait("[...document.querySelectorAll('#peers td[data-name=lag]')]"
                 ".every((cell) => cell.innerText === '0')", "nobody lags")
    expect(not browser.evaluate("document.getElementById('peers-note').checkVisibility()"))
    expect_quiet(browser)


@test
def it_fits_a_small_screen(story):
    browser = look_at(story, start(story, 3).leader())
    for width in (360, 768, 1440):
        browser.resize(width)
        browser.wait(f"document.documentElement.scrollWidth <= {width} && innerWidth === {width}",
                     f"that it fits {width} pixels")
    expect_quiet(browser)


def example():
    with open(ROOT / "test/debug/status_example.json", encoding="utf-8") as file:
        return json.load(file)


def changed(**changes):
    """The example with fields changed: cluster__voters=1 is that of its object."""
    status = example()
    for name, value in changes.items():
        *folders, field = name.split("__")
        place = status
        for folder in folders:
            place = place[folder]
        expect(field in place, name)
        place[field] = value
    return status


def all_are_well():
    status = changed(cluster__voters_in_reach=3, cluster__failures_left=1)
    for peer in status["raft"]["peers"]:
        peer["connected"] = True
    status["mesh"][2] = {**status["mesh"][1], "id": "node-2", "identity": "00000000000000a2"}
    return status


VERDICTS = [
    ("Healthy", all_are_well()),
    ("At the edge", example()),
    ("Degraded", changed(cluster__failures_left=1)),
    ("No quorum", changed(cluster__voters_in_reach=1, leader_id="")),
    ("No leader", changed(leader_id="")),
    ("Waiting", changed(cluster__voters=0, cluster__quorum=0, leader_id="")),
    ("Stalled", changed(node__sound=False)),
    ("Catching up", {**all_are_well(), "node": {**example()["node"], "ready": False}}),
]


@test
def it_judges_health_in_words(story):
    browser = look_at(story, story.cluster(1).start()["a"])
    for word, status in VERDICTS:
        judged = browser.evaluate("import('/model.js').then(({ modelOf }) =>"
                                  f" modelOf({json.dumps(status)}).health.word)")
        expect(judged == word, judged, "instead of", word)
    expect_quiet(browser)


SHOW_ALL = """Promise.all(['model', 'glance', 'topology', 'matrix', 'peers', 'logs', 'timeline'].map(
        (name) => import(`/${name}.js`)))
    .then(([{ modelOf }, { showGlance }, ...panels]) => {
        const model = modelOf(STATUS);
        showGlance(model);
        panels.slice(0, 4).forEach((panel) => Object.values(panel)[0]()(model));
        panels[4].createTimeline()(ENTRY);
    })"""


@test
def what_operators_name_is_only_text(story):
    evil = '<img src="x" onerror="document.title=1"><b class="evil">'
    status = json.loads(json.dumps(example()).replace("node-0", "EVIL").replace("jnb", "EVIL"))
    entry = {"id": "1-1", "at_ms": 0, "level": "EVIL", "kind": "EVIL", "text": "EVIL"}
    script = SHOW_ALL.replace("STATUS", json.dumps(status)).replace("ENTRY", json.dumps(entry))
    browser = look_at(story, story.cluster(1).start()["a"])
    shown = "document.body.textContent.split('onerror').length - 1"
    script = script.replace("EVIL", json.dumps(evil)[1:-1])
    browser.evaluate(f"{script}.then(() => {{ window.shown = {shown} }})")
    expect(browser.evaluate("window.shown") > 10, "it is not shown at all")
    expect(count(browser, ".evil, img[src=x]") == 0, "a name became a part of the page")
    expect_quiet(browser)


# When the page first named another leader, by the clock of the timeline.
WATCH = """(() => {
    const node = document.getElementById('leader');
    window.leaders = [];
    new MutationObserver(() => window.leaders.push([node.textContent, Date.now()]))
        .observe(node, { childList: true, characterData: true, subtree: true });
})()"""


def seconds_to_show(browser, cluster, old):
    """Kills the leader; how long after its election the page shows the new one."""
    old.kill()
    new = cluster.leader(among=cluster.others(old))
    elected = time.time()
    wait_for_text(browser, "#leader", new.name)
    shown = browser.evaluate(f"window.leaders.findLast(([name]) => name === '{new.name}')[1]")
    return shown / 1000 - elected


@test
def a_new_leader_shows_within_two_seconds(story):
    cluster = start(story, 5)
    leader = cluster.wait_until_all_follow()
    viewed = cluster.others(leader)[0]
    browser = look_at(story, viewed)
    wait_for_text(browser, "#leader", leader.name)
    browser.evaluate(WATCH)
    delays = []
    while len(delays) < 3 and leader is not viewed:  # a busy machine gets another chance
        delays.append(seconds_to_show(browser, cluster, leader))
        wait_for_link(browser, leader.name, "lost")
        if delays[-1] < 2:
            break
        leader.launch()
        leader = cluster.wait_until_all_follow()
    story.say("shown", delays, "s after the election")
    expect(min(delays) < 2, delays)
    expect(browser.evaluate(IS_MARKED), "it was loaded again")
    expect_quiet(browser)


@test
def the_row_of_a_node_cut_off_says_so(story):
    cluster = start(story, 5)
    leader = cluster.wait_until_all_follow()
    viewed, lost = cluster.others(leader)[:2]
    browser = look_at(story, viewed)
    wait_for_link(browser, lost.name, "ok")
    cluster.cut([lost], cluster.others(lost))
    wait_for_link(browser, lost.name, "lost")
    row = f"document.querySelector('#peers tr[data-node={lost.name}]')"
    browser.wait(f"{row}.innerText.includes('no connection')", "that it says so in words")
    wait_for_text(browser, "#health-word", "Degraded")
    wait_for_text(browser, "#failures", "1")
    browser.wait("document.querySelectorAll('#topology .edge.is-lost').length >= 4", "four lost edges")
    cluster.heal()
    wait_for_link(browser, lost.name, "ok")
    wait_for_text(browser, "#health-word", "Healthy")
    expect(browser.evaluate(IS_MARKED), "it was loaded again")
    expect_quiet(browser)


@test
def it_goes_grey_without_its_node_and_recovers(story):
    cluster = start(story, 3)
    leader = cluster.wait_until_all_follow()
    viewed = cluster.others(leader)[0]
    browser = look_at(story, viewed)
    viewed.pause()
    browser.wait(f"!({IS_LIVE})", "that a silent node makes it grey")
    expect("stale since" in browser.text("#stream"), browser.text("#stream"))
    viewed.resume()
    browser.wait(IS_LIVE, "that it is live again")
    viewed.kill()
    browser.wait(f"!({IS_LIVE})", "that a dead node makes it grey")
    wait_for_text(browser, "#health-word", "Unknown")
    viewed.launch()
    browser.wait(IS_LIVE, "that it is live again")
    wait_for_text(browser, "#health-word", "Healthy")
    expect(browser.evaluate(IS_MARKED), "it was loaded again")


@test
def it_can_be_used_from_the_keyboard(story):
    browser = look_at(story, story.cluster(1).start()["a"])
    focused = "document.activeElement"
    browser.press("Tab", "Tab", 9)
    expect(browser.evaluate(f"{focused}.className") == "skip")
    browser.evaluate("document.getElementById('pulses').focus()")
    before = browser.text("#pulses")
    browser.press(" ", "Space", 32)
    expect(browser.text("#pulses") != before, "the space bar does not press the button")
    browser.evaluate("document.getElementById('timeline-level').value = 'error';"
                     "document.getElementById('timeline-level').dispatchEvent(new Event('change'))")
    expect(count(browser, "#timeline li:not([hidden]):not([data-level=error])") == 0)
    expect(count(browser, "[aria-live]") == 1, "one thing is read out, not each tick")
    expect_quiet(browser)


def rows_of_keys(browser):
    return browser.evaluate("[...document.querySelectorAll('#keys-table tbody th')]"
                            ".map((cell) => cell.innerText)")


def wait_for_rows(browser, names):
    browser.wait(f"document.querySelectorAll('#keys-table tbody tr').length === {len(names)} &&"
                 f" document.querySelector('#keys-table tbody th').innerText === {names[0]!r}",
                 f"keys from {names[0]} on")
    expect(rows_of_keys(browser) == names, rows_of_keys(browser))


@test
def keys_are_shown_page_by_page_where_switched_on(story):
    node = story.cluster(1, DEBUG_KEYS="on").start()["a"]
    names = [f"key-{i:03}" for i in range(100)]
    for name in names:
        node.client().put(name, b"v" * 300)
    browser = look_at(story, node)
    wait_for_rows(browser, names[:64])
    browser.evaluate("document.getElementById('keys-more').click()")
    wait_for_rows(browser, names[64:])
    expect(not browser.evaluate("document.getElementById('keys-more').checkVisibility()"))
    browser.evaluate("document.getElementById('keys-prefix').value = 'key-09';"
                     "document.getElementById('keys-prefix').focus()")
    browser.press("Enter", "Enter", 13)
    wait_for_rows(browser, names[90:])
    expect("300 B" in browser.text("#keys-table"), browser.text("#keys-table"))
    node.client().put(b"raw\x00\xff", b"")
    browser.evaluate("document.getElementById('keys-prefix').value = 'raw';"
                     "document.querySelector('#keys-form button').click()")
    wait_for_rows(browser, [r"raw\x00\xff"])
    expect_quiet(browser)


@test
def keys_are_not_shown_unless_asked_for(story):
    browser = look_at(story, story.cluster(1).start()["a"])
    wait_for_text(browser, "#health-word", "Healthy")
    expect(not browser.evaluate("document.getElementById('keys').checkVisibility()"))


@test
def it_stands_still_for_those_who_prefer_that(story):
    browser = look_at(story, story.cluster(1).start()["a"])
    expect(browser.text("#pulses") == "Pulses: on", browser.text("#pulses"))
    browser.prefer("prefers-reduced-motion", "reduce")
    browser.open(browser.origin)
    browser.wait(IS_LIVE, "that it is live")
    expect(browser.text("#pulses") == "Pulses: off", browser.text("#pulses"))


if __name__ == "__main__":
    main()
