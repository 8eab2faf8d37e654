#!/usr/bin/env python3
"""The server's settings as an operator meets them: exit status, output, and nothing touched."""
import os
import subprocess
import sys
import tempfile
import unittest

SERVER = os.environ.get("PHALANX_SERVER", "build/bin/phalanx-server")


def run(*flags, **variables):
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run([SERVER, *flags], env=environment, capture_output=True, text=True,
                          timeout=20, check=False)


class SettingsTest(unittest.TestCase):
    def assert_refused(self, result, *pieces):
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stdout, "")
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        for piece in pieces:
            self.assertIn(piece, lines[0])

    def test_prints_help_within_100_columns(self):
        result = run("--help", TICK_MS="nonsense")
        self.assertEqual(result.returncode, 0)
        self.assertIn("DATA_DIR", result.stdout)
        self.assertLessEqual(max(map(len, result.stdout.splitlines())), 100)

    def test_prints_its_version(self):
        result = run("-version")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"^phalanx-server \d+\.\d+\.\d+ \(\w+\)\n$")

    def test_checks_settings_and_prints_them(self):
        result = run("--check-config", "--node-id=a", TICK_MS="50", ELECTION="10", HEARTBEAT="3")
        self.assertEqual(result.returncode, 0)
        self.assertIn("NODE_ID=a\n", result.stdout)
        self.assertIn("TICK_MS=50\n", result.stdout)
        self.assertIn("four times", result.stderr)

    def test_refuses_a_bad_value_before_it_touches_anything(self):
        with tempfile.TemporaryDirectory() as folder:
            data_dir = os.path.join(folder, "data")
            result = run(DATA_DIR=data_dir, GRPC_ADDR="localhost")
            self.assert_refused(result, 'GRPC_ADDR="localhost"', "host:port")
            self.assertFalse(os.path.exists(data_dir))

    def test_refuses_what_it_does_not_know(self):
        self.assert_refused(run("--bogus"), '"--bogus"', "--help")
        self.assert_refused(run("data"), '"data"', "--help")

    def test_refuses_to_run_alone_when_told_of_others(self):
        self.assert_refused(run(PEERS="node-1,node-2=h:1"), 'PEERS="node-1,node-2=h:1"', "NODE_ID")
        self.assert_refused(run(SEEDS="[fdaa::1]:7946"), "BOOTSTRAP_EXPECT=", "how many")

    def test_takes_one_way_out_of_a_wrong_name(self):
        self.assert_refused(run("--adopt", "--rejoin", NODE_ID="a"), '"--adopt"', "--rejoin")

    def test_keeps_a_value_of_many_lines_on_one(self):
        self.assert_refused(run(LOG_LEVEL="in\nfo\x1b[31m"), 'LOG_LEVEL="in\\nfo\\u001b[31m"')


if __name__ == "__main__":
    if not os.access(SERVER, os.X_OK):
        print(f"no server at {SERVER}")
        sys.exit(77)
    unittest.main()
