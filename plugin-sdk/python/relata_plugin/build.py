"""Makes the component of a plugin: `python -m relata_plugin.build`, in the
plugin's folder.

It is what `command` under `[build]` in plugin.toml calls. The component imports
the interfaces that the permissions in plugin.toml call for, and no others.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ._host import PERMISSIONS

SDK = Path(__file__).resolve().parent.parent

# The folders are the author's own: nothing is left in them.
_ENTRY = """\
import sys

sys.dont_write_bytecode = True

from relata_plugin._component import export
import {module}

Actions = export({module}, {{"/0/": {folder!r}}})
"""


class Failed(Exception):
    """A component that cannot be made, and why."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m relata_plugin.build", description=__doc__)
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        default=Path("src/app.py"),
        help="the file with `plugin = Plugin()`; src/app.py by default",
    )
    parser.add_argument(
        "--pure",
        action="store_true",
        help="without clock and random numbers, so that the host may keep and replay results",
    )
    arguments = parser.parse_args()
    try:
        build(arguments.source, pure=arguments.pure)
    except Failed as why:
        print(f"error: {why}", file=sys.stderr)
        return 1
    return 0


def build(source: Path, *, pure: bool = False) -> None:
    """Makes the component that plugin.toml in this folder names."""
    manifest = _manifest(Path("plugin.toml"))
    component = manifest.get("build", {}).get("component")
    if not component:
        raise Failed(
            'plugin.toml does not say where the component goes: component = "…" in [build]'
        )
    if not source.is_file() or not source.stem.isidentifier():
        raise Failed(f"there is no {source}, or its name is not one that Python can import")
    with tempfile.TemporaryDirectory(prefix="relata-plugin-") as folder:
        work = Path(folder)
        made = work / "component.wasm"
        entry = work / "entry"
        entry.mkdir()
        text = _ENTRY.format(module=source.stem, folder=_shown(source.parent))
        (entry / "relata_entry.py").write_text(text)
        wit = work / "wit"
        shutil.copytree(contract(str(manifest.get("contract"))), wit)
        (wit / "build.wit").write_text(world(interfaces(manifest, pure=pure)))
        _componentize(wit, [source.parent, entry, SDK], made)
        Path(component).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, component)


def interfaces(manifest: dict[str, Any], *, pure: bool = False) -> list[str]:
    """The interfaces that the permissions of a manifest call for."""
    permissions = manifest.get("permissions", {})
    asked = [name for name in PERMISSIONS if _asks(permissions.get(name))]
    return ["log", *([] if pure else ["env"]), *asked]


def _asks(permission: Any) -> bool:
    """Whether a permission allows anything: `state = false` and an empty table
    ask for nothing, and the host counts them so."""
    if isinstance(permission, dict):
        return any(map(_asks, permission.values()))
    return bool(permission)


def world(imports: Iterable[str]) -> str:
    """A world of the contract with these imports."""
    lines = "".join(f"    import {name};\n" for name in imports)
    return f"world relata-plugin-build {{\n{lines}    export actions;\n}}\n"


def contract(version: str) -> Path:
    """The folder with the contract, beside the SDK: `sdk/wit` in a plugin's
    folder, `wit/VERSION` in Relata's own."""
    for folder in (SDK.parent / "wit", SDK.parent.parent / "wit" / version):
        if (folder / "types.wit").is_file():
            return folder
    raise Failed(f"the contract {version} is not there: it should be in {SDK.parent / 'wit'}")


def _manifest(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise Failed("there is no plugin.toml here: build in the plugin's folder") from None
    except tomllib.TOMLDecodeError as why:
        raise Failed(f"plugin.toml cannot be read: {why}") from None


def _componentize(wit: Path, python_path: list[Path], output: Path) -> None:
    tool = shutil.which("componentize-py", path=str(Path(sys.executable).parent))
    if tool is None:
        raise Failed(
            f"componentize-py is not installed beside {sys.executable}: "
            "remove .venv and run `relata plugin build`, which sets it up anew"
        )
    command = [tool, "--quiet", "--wit-path", str(wit), "--world", "relata-plugin-build"]
    command += ["componentize", "relata_entry", "--stub-wasi", "--output", str(output)]
    # In the component they are `/0/`, `/1/` and `/2/`.
    for folder in python_path:
        command += ["--python-path", str(folder)]
    # Packages that the author installed beside it are found through this.
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(explained(done.stdout + done.stderr, source=_shown(python_path[0])))


def explained(output: str, *, source: str) -> str:
    """Why componentize-py failed: what came out of the component, with the
    author's files by their names, and without the SDK's."""
    text = output.partition("AssertionError: ")[2] or output
    text = re.split(r"\n\s*\n(?:Caused by|Stack backtrace):", text)[0]
    text = re.sub(r'^  File "/[12]/.*\n(?:    .*\n)*', "", text, flags=re.MULTILINE)
    # Without frames there is nothing to trace back.
    text = re.sub(r"^Traceback .*\n(?=\S)", "", text, flags=re.MULTILINE)
    text = text.replace('  File "/0/', f'  File "{source}')
    return f"the component cannot be made\n{text.strip()}"


def _shown(folder: Path) -> str:
    """A folder as it stands before a file's name: `src/`, or nothing."""
    shown = folder.as_posix()
    return "" if shown == "." else f"{shown}/"


if __name__ == "__main__":
    sys.exit(main())
