"""A headless Chromium and the page it shows, driven by the DevTools protocol over a pipe: messages
of JSON, each with a zero byte at its end, on the browser's file descriptors 3 (in) and 4 (out)."""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time

from support.server import DIE_WITH_THE_TEST, group_is_gone
from support.story import Skip, expect, wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome")

# No sandbox: containers forbid what it needs, and the only page is ours. No zygote and no crash
# handler: then every process ends with the first one.
FLAGS = ["--headless=new", "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-breakpad", "--disable-crash-reporter", "--disable-background-networking",
         "--disable-component-update", "--no-first-run", "--mute-audio", "--hide-scrollbars",
         "--force-color-profile=srgb", "--remote-debugging-pipe"]

ANSWER_S = 30


def find_browser():
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    raise Skip("there is no chromium (scripts/setup.sh browser installs it)")


class Browser:
    """One page in a browser of its own. `complaints`: errors on its console, exceptions, requests
    that failed or went to another host."""

    def __init__(self, story):
        home = story.directory / "browser"
        home.mkdir(exist_ok=True)
        self.complaints = []
        self._next_id = 0
        self._rest = b""
        self._loaded = set()
        self._launch(find_browser(), home)
        story.at_end(self.end)
        self._session = self._open_page()

    def _launch(self, program, home):
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        # bash puts the pipes where they belong: only a command can, see DIE_WITH_THE_TEST.
        command = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash",
                   program, *FLAGS, f"--user-data-dir={home}/profile", "about:blank"]
        with open(home / "log", "wb") as log:
            self.process = subprocess.Popen(
                [*DIE_WITH_THE_TEST, *command], pass_fds=(to_read, to_write), start_new_session=True,
                env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home),
                     "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(to_read)
        os.close(to_write)

    def _open_page(self):
        target = self._call("Target.createTarget", {"url": "about:blank"}, session=None)["targetId"]
        session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True},
                             session=None)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable", session=session)
        self._call("Page.setLifecycleEventsEnabled", {"enabled": True}, session=session)
        return session

    # ---- The protocol

    def _read(self, seconds):
        """The next message, or None when none came in time."""
        end = time.monotonic() + seconds
        while b"\0" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                return None
            piece = os.read(self._from, 1 << 20)
            expect(piece, "the browser has ended")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _call(self, method, parameters=None, session=""):
        self._next_id += 1
        message = {"id": self._next_id, "method": method, "params": parameters or {}}
        session = self._session if session == "" else session
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read(ANSWER_S)
            expect(answer is not None, "the browser does not answer to", method)
            if answer.get("id") == self._next_id:
                expect("error" not in answer, method, answer.get("error"))
                return answer["result"]
            self._note(answer)

    def _note(self, event):
        method, told = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
            self.complaints.append(str([value.get("value") for value in told["args"]]))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self._note_request(told["request"]["url"])
        elif method == "Page.lifecycleEvent" and told["name"] == "load":
            self._loaded.add(told["loaderId"])

    def _note_request(self, url):
        if not url.startswith((self.origin, "data:", "about:")):
            self.complaints.append(f"it asked another host: {url}")

    # ---- The page

    origin = "about:"

    def open(self, url):
        """Until all that it is made of is loaded."""
        self.origin = url
        loader = self._call("Page.navigate", {"url": url})["loaderId"]
        while loader not in self._loaded:
            event = self._read(ANSWER_S)
            expect(event is not None, "the page does not load:", url, self.complaints)
            self._note(event)

    def evaluate(self, expression):
        """The value of a JavaScript expression, of what JSON can hold."""
        answer = self._call("Runtime.evaluate", {"expression": expression, "returnByValue": True,
                                                 "awaitPromise": True})
        expect("exceptionDetails" not in answer, expression, answer.get("exceptionDetails"))
        return answer["result"].get("value")

    def text(self, selector):
        """What is written there; None: there is no such element."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? null")

    def wait(self, expression, what, seconds=30):
        """Until the expression is true, which is returned."""
        end = time.monotonic() + seconds
        while True:
            value = self.evaluate(expression)
            if value:
                return value
            expect(time.monotonic() < end, f"not within {seconds} s: {what}: the page says:",
                   self.text("body"), "complaints:", self.complaints)
            time.sleep(0.02)

    def resize(self, width, height=900):
        self._call("Emulation.setDeviceMetricsOverride",
                   {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def prefer(self, feature, value):
        """What the reader has told the system, such as prefers-reduced-motion."""
        self._call("Emulation.setEmulatedMedia", {"features": [{"name": feature, "value": value}]})

    def press(self, key, code, number):
        """A key, as from a keyboard."""
        told = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        typed = {"text": "\r"} if key == "Enter" else {}
        self._call("Input.dispatchKeyEvent", {"type": "keyDown", **told, **typed})
        self._call("Input.dispatchKeyEvent", {"type": "keyUp", **told})

    def screenshot(self, path, whole=True):
        """As PNG. `whole`: down to the page's end."""
        data = self._call("Page.captureScreenshot", {"captureBeyondViewport": whole})["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        wait_until(lambda: group_is_gone(self.process.pid), 20, "the end of the browser's processes")
        os.close(self._to)
        os.close(self._from)
