import re
import tempfile
import tomllib
import unittest
from pathlib import Path

from relata_plugin import build


class Interfaces(unittest.TestCase):
    def test_only_what_the_permissions_call_for(self) -> None:
        cases = [
            ("", []),
            ("state = false\nmessages = []\nevents = []", []),
            (
                'messages = ["mail"]\nevents = ["a.b"]\nstate = true',
                ["messages", "events", "state"],
            ),
            ("[permissions.records.lead]", []),
            ("[permissions.records.lead]\nread = []\ncreate = false", []),
            ('[permissions.records.lead]\nread = ["name"]', ["records"]),
            ("[permissions.records.lead]\ndelete = true", ["records"]),
            ('[[permissions.http]]\nhost = "a.example"\nmethods = ["GET"]', ["http"]),
            ('[permissions.secrets]\ntoken = ["a.example"]', ["secrets"]),
            ("[permissions.secrets]\ntoken = []", []),
        ]
        for text, asked in cases:
            with self.subTest(text=text):
                manifest = tomllib.loads(f"[permissions]\n{text}")
                self.assertEqual(build.interfaces(manifest), ["log", "env", *asked])
        self.assertEqual(build.interfaces({}, pure=True), ["log"])

    def test_the_world(self) -> None:
        self.assertEqual(
            build.world(["log", "state"]),
            "world relata-plugin-build {\n"
            "    import log;\n    import state;\n    export actions;\n}\n",
        )

    def test_the_contract_lies_beside_the_sdk(self) -> None:
        self.assertTrue((build.contract("0.1.0") / "host.wit").is_file())
        with self.assertRaisesRegex(build.Failed, "the contract 9.9.9 is not there"):
            build.contract("9.9.9")


class Explanations(unittest.TestCase):
    OUTPUT = """\
Traceback (most recent call last):
  File "/home/anna/.venv/bin/componentize-py", line 8, in <module>
    sys.exit(script())
AssertionError: Traceback (most recent call last):
  File "/1/relata_entry.py", line 2, in <module>
    import app
  File "/0/app.py", line 40, in <module>
    @plugin.action(title="A")
     ~~~~~~~~~~~~~^^^^^^^^^^^
  File "/2/relata_plugin/_plugin.py", line 120, in declare
    raise TypeError(f"the action `{name}`: {wrong}") from None
TypeError: the action `a`: its input should be a dataclass


Caused by:
    TypeError: the action `a`: its input should be a dataclass

Stack backtrace:
   0: anyhow::error
"""

    def test_a_traceback_shows_the_authors_files(self) -> None:
        self.assertEqual(
            build.explained(self.OUTPUT, source="src/"),
            "the component cannot be made\n"
            "Traceback (most recent call last):\n"
            '  File "src/app.py", line 40, in <module>\n'
            '    @plugin.action(title="A")\n'
            "     ~~~~~~~~~~~~~^^^^^^^^^^^\n"
            "TypeError: the action `a`: its input should be a dataclass",
        )

    def test_what_the_sdk_says_by_itself(self) -> None:
        output = re.sub(r'  File "/0.*\n.*\n.*\n', "", self.OUTPUT)
        self.assertEqual(
            build.explained(output, source="src/"),
            "the component cannot be made\n"
            "TypeError: the action `a`: its input should be a dataclass",
        )

    def test_anything_else_is_told_as_it_is(self) -> None:
        self.assertEqual(
            build.explained("no such world\n\nCaused by:\n    a typo\n", source="src/"),
            "the component cannot be made\nno such world",
        )


class Manifests(unittest.TestCase):
    def test_what_is_missing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            manifest = Path(folder, "plugin.toml")
            with self.assertRaisesRegex(build.Failed, "there is no plugin.toml here"):
                build._manifest(manifest)
            manifest.write_text("name =\n")
            with self.assertRaisesRegex(build.Failed, "plugin.toml cannot be read: .*line 1"):
                build._manifest(manifest)
