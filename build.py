#!/usr/bin/env python3
"""One front door, standard library only.

    python3 build.py demo [PHOTO...]     photo -> posed, rigged body in Blender; leaves out/demo/
    python3 build.py test [--slow] [--all-blenders] [PYTEST ARGUMENTS]
    python3 build.py addon               dist/: the Blender extension, its index.json, the wheel
    python3 build.py docs                site/: the pages, from the guides and the docstrings
    python3 build.py lines               every command line of the pages, in an empty folder
    python3 build.py bench NAME ...      benchmarks (NAME --help)
    python3 build.py fuzz --minutes N    damaged files and frames against every reader
    python3 build.py prior ...           kinflow prior ...
    python3 build.py gallery             the pictures of the README, into engine/gallery/
    python3 build.py lock                engine/locks/: versions and hashes of what the engine needs

Makes .venv/ at the root at the first call, with everything pinned.
"""

import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 14)  # what engine/locks/ has wheels for
ENGINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "engine")


def another_python():
    """A Python that fits, for whoever starts this with one that is too old or too new."""
    names = [f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    for found in filter(None, map(shutil.which, names)):
        # a name on the PATH may be a stub that starts nothing
        if subprocess.call([found, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            return found
    return None


def main():
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        sys.path.insert(0, ENGINE)
        from building.commands import main as run

        return run(__doc__)
    python = another_python()
    if python is None:
        fit = f"Python 3.{OLDEST[1]} to 3.{NEWEST[1]}"
        here = sys.version.split()[0]
        print(
            f"kinflow needs {fit}; this is Python {here} and no other was found.", file=sys.stderr
        )
        return 1
    return subprocess.call([python, *sys.argv])


if __name__ == "__main__":
    sys.exit(main())
