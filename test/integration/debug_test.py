#!/usr/bin/env python3
"""The debug server over real sockets: status codes, headers, both address families, bad clients."""
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SERVER = os.environ.get("PHALANX_SERVER", "build/bin/phalanx-server")
PATHS = ("/", "/health", "/ready", "/debug/status", "/metrics")


def start(folder, debug_addr="[::]:0"):
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_ID": "node-1",
        "NODE_REGION": "jnb",
        "DATA_DIR": folder,
        "GRPC_ADDR": "127.0.0.1:0",
        "DEBUG_ADDR": debug_addr,
        "TICK_MS": "10",
        "STATE_RESERVE_MB": "1",
        "LOG_RESERVE_MB": "1",
    }
    return subprocess.Popen([SERVER], env=environment, stderr=subprocess.PIPE, text=True)


class DebugTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = start(cls.folder.name)
        for line in cls.server.stderr:
            found = re.search(r"\bdebug_port=(\d+)", line)
            if found:
                break
        cls.port = int(found.group(1))
        deadline = time.monotonic() + 10
        while cls.get("/ready")[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.02)

    @classmethod
    def tearDownClass(cls):
        cls.server.send_signal(signal.SIGTERM)
        cls.server.communicate(timeout=20)
        cls.folder.cleanup()

    @classmethod
    def get(cls, path, method="GET", host="127.0.0.1", body=None):
        code, headers, content = cls.ask(path, method, host, body)
        return code, headers, content.decode()

    @classmethod
    def ask(cls, path, method="GET", host="127.0.0.1", body=None, headers=None):
        connection = http.client.HTTPConnection(host, cls.port, timeout=10)
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def raw(self, request):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer

    def test_answers_on_both_address_families(self):
        for host in ("127.0.0.1", "::1"):
            for path in PATHS:
                self.assertEqual(self.get(path, host=host)[0], 200, (host, path))

    def test_shows_the_status_as_json(self):
        status = json.loads(self.get("/debug/status")[2])
        self.assertEqual(status["node_id"], "node-1")
        self.assertEqual(status["state"], "LEADER")
        self.assertEqual(status["leader_id"], "node-1")
        self.assertGreaterEqual(status["commit_index"], status["applied_index"])
        self.assertEqual(status["peers"], [])
        self.assertGreaterEqual(status["metrics"]["election_count"], 1)
        self.assertTrue(status["node"]["ready"])

    def test_sends_each_type_and_the_security_headers(self):
        types = {"/health": "application/json", "/ready": "application/json",
                 "/debug/status": "application/json", "/metrics": "text/plain; version=0.0.4"}
        for path, wanted in types.items():
            headers = self.get(path)[1]
            self.assertTrue(headers["Content-Type"].startswith(wanted))
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertIsNone(headers["Access-Control-Allow-Origin"])

    def test_sends_the_dashboard_to_those_who_accept_gzip(self):
        types = {"/": "text/html", "/dashboard.css": "text/css", "/dashboard.js": "text/javascript",
                 "/icon.svg": "image/svg+xml", "/uplot.js": "text/javascript"}
        for path, wanted in types.items():
            code, headers, content = self.ask(path, headers={"Accept-Encoding": "br, gzip"})
            self.assertEqual(code, 200, path)
            self.assertTrue(headers["Content-Type"].startswith(wanted), path)
            self.assertEqual(headers["Content-Encoding"], "gzip")
            self.assertIn("default-src 'self'", headers["Content-Security-Policy"])
            self.assertGreater(len(gzip.decompress(content)), 100)
        self.assertEqual(self.ask("/dashboard.js")[0], 406)

    def test_an_unchanged_asset_is_not_sent_again(self):
        asked = {"Accept-Encoding": "gzip"}
        tag = self.ask("/", headers=asked)[1]["ETag"]
        self.assertRegex(tag, '^"[0-9a-f]{16}"$')
        self.assertEqual(self.ask("/", headers={**asked, "If-None-Match": tag})[0::2], (304, b""))
        self.assertEqual(self.ask("/", headers={**asked, "If-None-Match": '"other"'})[0], 200)

    @unittest.skipUnless(shutil.which("promtool"), "no promtool: scripts/setup.sh test brings it")
    def test_shows_metrics_that_prometheus_finds_no_fault_with(self):
        text = self.get("/metrics")[2]
        check = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                               capture_output=True, timeout=60)
        self.assertEqual((check.returncode, check.stdout, check.stderr), (0, "", ""))

    def test_answers_head_without_a_body(self):
        code, headers, body = self.get("/health", method="HEAD")
        self.assertEqual(code, 200)
        self.assertGreater(int(headers["Content-Length"]), 0)
        self.assertEqual(body, "")

    def test_refuses_other_methods_and_paths(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            code, headers, _ = self.get("/health", method=method, body="x" * 100000)
            self.assertEqual(code, 405, method)
            self.assertEqual(headers["Allow"], "GET, HEAD")
        for path in ("/nope", "/health/", "/debug", "/..%2fetc/passwd", "/favicon.ico"):
            self.assertEqual(self.get(path)[0], 404, path)

    def test_survives_requests_that_are_none(self):
        for request in (b"BREW / HTTP/1.1\r\n\r\n", b"\x00\xff\r\n\r\n",
                        b"GET /" + b"a" * 30000 + b" HTTP/1.1\r\n\r\n"):
            answer = self.raw(request)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer[:80])
            self.assertIn(b"nosniff", answer)
        self.assertEqual(self.get("/health")[0], 200)

    def test_cuts_off_who_sends_no_request(self):
        for begun in (b"", b"GET /hea"):
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                connection.sendall(begun)
                while connection.recv(65536):
                    pass

    # ---- Streams ---------------------------------------------------------------------------------

    def ask_for_stream(self, last_id=None):
        """The head of the answer, and what follows as a file of lines."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        last = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        connection.sendall(f"GET /debug/events HTTP/1.1\r\nHost: x\r\n{last}\r\n".encode())
        lines = connection.makefile("r", encoding="utf-8", newline="\n")
        connection.close()  # the file keeps it open
        self.addCleanup(lines.close)
        return list(iter(lambda: lines.readline().strip(), "")), lines

    def stream(self, last_id=None):
        """An open one. Those that were closed count until something is sent to them."""
        deadline = time.monotonic() + 30
        while True:
            head, lines = self.ask_for_stream(last_id)
            if head[0].startswith("HTTP/1.1 200 "):
                return head, lines
            self.assertTrue(head[0].startswith("HTTP/1.1 503 "), head)
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    @staticmethod
    def event(lines):
        """The next one, as a dictionary of its fields."""
        fields = iter(lambda: lines.readline().rstrip("\n"), "")
        return dict(line.split(": ", 1) for line in fields)

    def events_until_status(self, lines):
        """Those of the timeline before the next status."""
        events = []
        while (event := self.event(lines))["event"] == "timeline":
            events.append(event)
        return events, json.loads(event["data"])

    def test_streams_the_timeline_and_the_status_once_a_second(self):
        head, lines = self.stream()
        self.assertIn("Content-Type: text/event-stream; charset=utf-8", head)
        events, status = self.events_until_status(lines)
        told = [json.loads(event["data"]) for event in events]
        self.assertEqual([event["id"] for event in events], [event["id"] for event in told])
        self.assertEqual(told[0]["kind"], "start")
        self.assertIn({"kind": "leader", "level": "info"},
                      [{"kind": event["kind"], "level": event["level"]} for event in told])
        self.assertEqual(status["node_id"], "node-1")
        self.assertGreater(self.ms_between_statuses(lines), 900)

    def ms_between_statuses(self, lines):
        """Of two that follow each other, by the server's clock, with nothing told in between, which
        would hurry them."""
        uptime_ms = None
        while True:
            event = self.event(lines)
            if event["event"] == "timeline":
                uptime_ms = None
                continue
            was_ms, uptime_ms = uptime_ms, json.loads(event["data"])["node"]["uptime_ms"]
            if was_ms is not None:
                return uptime_ms - was_ms

    def test_resumes_after_the_last_event(self):
        _, lines = self.stream()
        events, _ = self.events_until_status(lines)
        self.assertGreater(len(events), 1)
        for last, wanted in ((events[0]["id"], events[1:]), (events[-1]["id"], []),
                             ("1-1", events)):
            _, lines = self.stream(last)
            resumed = self.events_until_status(lines)[0]
            self.assertEqual(resumed[:len(wanted)], wanted)  # more may have come since
            self.assertNotIn(events[0], resumed[len(wanted):])

    def test_opens_so_many_streams_and_no_more(self):
        streams = [self.stream()[1] for _ in range(64)]
        for _ in range(3):
            self.assertTrue(self.ask_for_stream()[0][0].startswith("HTTP/1.1 503 "))
        streams[0].close()
        self.stream()
        for lines in streams:
            lines.close()

    def health_seconds(self):
        began = time.monotonic()
        self.assertEqual(self.get("/health")[0], 200)
        return time.monotonic() - began

    def test_answers_a_probe_beside_streams_and_stuck_clients(self):
        streams = [self.stream()[1] for _ in range(50)]
        stuck = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(10)]
        for connection in stuck:
            connection.sendall(b"GET /hea")
        seconds = sorted(self.health_seconds() for _ in range(11))
        for connection in stuck + streams:
            connection.close()
        self.assertLess(seconds[0], 0.05)
        self.assertLess(seconds[-1], 1)  # on a machine that is busy

    def test_does_not_share_its_port(self):
        with tempfile.TemporaryDirectory() as folder:
            other = start(folder, f"127.0.0.1:{self.port}")
            _, text = other.communicate(timeout=20)
            self.assertNotEqual(other.returncode, 0)
            self.assertIn("Address already in use", text)


if __name__ == "__main__":
    if not os.access(SERVER, os.X_OK):
        print(f"no server at {SERVER}")
        sys.exit(77)
    unittest.main()
