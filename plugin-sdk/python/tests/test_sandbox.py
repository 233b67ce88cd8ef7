"""What the standard library does in a component, tried in a process of its own:
it is changed there for good."""

import json
import subprocess
import sys
import textwrap
import unittest
from pathlib import Path
from typing import Any

SDK = Path(__file__).parent.parent

BEFORE = """
import json, sys
sys.platform = "wasi"
from relata_plugin import _host, _sandbox
from tests.stand_in import Host
import asyncio, datetime, logging, os, random, socket, tempfile, time, traceback, uuid, warnings
host = Host().install()
out = sys.stdout
"""

AFTER = """
_sandbox.end()
out.write(json.dumps([result, host.logged]))
out.flush()
"""


def in_component(code: str, *, calling: bool = True) -> tuple[Any, list[list[str]]]:
    """The variable `result` after some lines, and what was logged."""
    begin = "_sandbox.begin()" if calling else "_host._calling = False"
    text = "\n".join([BEFORE, begin, "result = None", textwrap.dedent(code), AFTER])
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=SDK, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    result, logged = json.loads(done.stdout)
    return result, logged


class Sandbox(unittest.TestCase):
    def test_the_clock_is_the_hosts(self) -> None:
        result, _ = in_component("""
            result = [
                time.time(), time.monotonic_ns(), time.localtime().tm_hour, time.ctime(),
                time.strftime("%F"), str(datetime.datetime.now()),
                str(datetime.datetime.now(datetime.UTC)), str(datetime.date.today()),
                str(datetime.datetime.strptime("2026-12-24", "%Y-%m-%d")),
            ]
        """)
        self.assertEqual(
            result,
            [
                1_797_242_400.0,
                1_797_242_400_000_000_000,
                10,
                "Mon Dec 14 10:00:00 2026",
                "2026-12-14",
                "2026-12-14 10:00:00",
                "2026-12-14 10:00:00+00:00",
                "2026-12-14",
                "2026-12-24 00:00:00",
            ],
        )

    def test_chance_is_the_hosts(self) -> None:
        code = """
            result = [
                random.random(), random.Random().random(), random.SystemRandom().random(),
                os.urandom(4).hex(), str(uuid.uuid4()), random.Random(7).random(),
            ]
        """
        first, _ = in_component(code)
        again, _ = in_component(code)
        self.assertEqual(first, again)
        self.assertEqual(first[3], "00010203")

    def test_what_is_printed_is_logged(self) -> None:
        _, logged = in_component("""
            print("one")
            print("two", end="")
            print("three", file=sys.stderr)
            warnings.warn("careful")
        """)
        self.assertEqual(logged[0], ["INFO", "one", "{}"])
        self.assertEqual(logged[1], ["WARN", "three", "{}"])
        self.assertIn("UserWarning: careful", logged[2][1])
        self.assertEqual(logged[-1], ["INFO", "two", "{}"])

    def test_logging_is_logged(self) -> None:
        _, logged = in_component("""
            logging.info("open: %s", 3, extra={"team": "team/dach"})
            logging.getLogger("deep").warning("look")
            logging.debug("not by default")
            try:
                1 / 0
            except ZeroDivisionError:
                logging.exception("oops")
        """)
        self.assertEqual(
            logged[:2], [["INFO", "open: 3", '{"team": "team/dach"}'], ["WARN", "look", "{}"]]
        )
        self.assertRegex(logged[2][1], r"(?s)^oops\nTraceback .*ZeroDivisionError")
        self.assertEqual(len(logged), 3)

    def test_what_there_is_not_says_so(self) -> None:
        cases = [
            ("open('/x')", "OSError", "no operating system and no files"),
            ("os.listdir('/')", "OSError", "no operating system and no files"),
            ("tempfile.TemporaryFile()", "FileNotFoundError", ""),
            ("socket.socket()", "OSError", "call web services with relata_plugin.http"),
            ("socket.gethostname()", "OSError", "call web services with relata_plugin.http"),
            ("time.sleep(1)", "RuntimeError", "return retry"),
            ("import wave", "ModuleNotFoundError", "import it at the top of a file"),
            ("input()", "EOFError", ""),
        ]
        for code, kind, why in cases:
            with self.subTest(code=code):
                (name, message), _ = in_component(f"""
                    try:
                        {code}
                    except Exception as error:
                        result = [type(error).__name__, str(error)]
                """)
                self.assertEqual(name, kind)
                self.assertIn(why, message)

    def test_a_generator_that_was_made_with_a_module_is_seeded_in_the_call(self) -> None:
        result, _ = in_component(
            """
            early, fixed = random.Random(), random.Random(7)
            before = early.getstate()
            _sandbox.begin()
            result = [early.getstate() != before, fixed.random() == random.Random(7).random()]
            """,
            calling=False,
        )
        self.assertEqual(result, [True, True])

    def test_there_are_files_while_it_is_built_and_no_clock(self) -> None:
        (size, why), _ = in_component(
            """
            size = len(open("pyproject.toml").read())
            try:
                time.time()
            except RuntimeError as error:
                result = [size, str(error)]
            """,
            calling=False,
        )
        self.assertGreater(size, 0)
        self.assertIn("not when the plugin is built and the lines of a module run", why)
