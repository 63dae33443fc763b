"""The command line `kinflow ...`; light, because every worker process imports its main module."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command. -> 0 only if all that was asked for succeeded.

    1: something failed, 2: wrong arguments, 130: Ctrl-C; each with a sentence.
    """
    try:
        from .commands.table import call

        return call(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr, flush=True)
        return 130


if __name__ == "__main__":
    sys.exit(main())
