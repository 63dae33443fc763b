"""From nothing to a fitted photo inside a real Blender, without a hand.

    python3 build.py addon
    python3 blender_tests/from_scratch.py BLENDER --python /usr/bin/python3.11 [--folder DIR]

Installs the zip, sets up the engine, fits and saves. BLENDER's user folder, the engine and all
caches are made new below DIR. --python: what the engine is made with.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "blender_tests" / "samples" / "punch.png"
INSTALL_FILE = ["--command", "extension", "install-file", "-r", "user_default", "-e"]
INSTALL = """
import bpy, sys
name = next(n for n in bpy.context.preferences.addons.keys() if n.split(".")[-1] == "kinflow")
preferences = bpy.context.preferences.addons[name].preferences
preferences.base_python, preferences.install_folder = sys.argv[-2:]
try:
    result = bpy.ops.kinflow.install_engine("EXEC_DEFAULT")
except RuntimeError as error:
    sys.exit(f"install: {error}")
print("install:", result)
sys.exit(0 if "FINISHED" in result else 1)
"""


def steps_of(folder: Path, archive: Path, python: str) -> dict[str, list[str | Path]]:
    """Blender's arguments, step by step."""
    script = folder / "install.py"
    script.write_text(INSTALL)
    install = ["--background", "--online-mode", "--python-exit-code", "1", "--python", script]
    fit = ["--command", "kinflow", "fit", SAMPLE, "--output", folder / "out", "--no-render"]
    return {
        "install the zip": [*INSTALL_FILE, archive],
        "set up the engine": [*install, "--", python, folder / "engine"],
        "fit the sample": fit,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("blender")
    parser.add_argument("--python", default="")
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kinflow-"))
    folder.mkdir(parents=True, exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KINFLOW")}
    environment |= {
        "BLENDER_USER_RESOURCES": str(folder / "blender"),
        "KINFLOW_CACHE": str(folder / "cache"),
    }
    zips = sorted((ROOT / "dist").glob("kinflow-*.zip"))
    if not zips:
        sys.exit("Build the add-on first: python3 build.py addon")
    for name, arguments in steps_of(folder, zips[-1], options.python).items():
        started = time.perf_counter()
        command = [options.blender, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        print(f"{name}: exit code {done.returncode}, {seconds:.1f} s", flush=True)
        if done.returncode:
            print(done.stdout[-3000:], done.stderr[-3000:], sep="\n")
            return 1
    report = json.loads((folder / "out" / "fit.json").read_text())
    print(f"{folder / 'out' / 'scene.blend'}: {len(report)} person, status {report[0]['status']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
