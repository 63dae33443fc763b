"""python -m kinflow.service --connect PORT: started by kinflow.client, with a token on standard
input."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import stat
import sys
import threading


def _end_with_parent() -> None:
    """Ends this process when standard input closes, in the middle of whatever it does."""
    try:
        while sys.stdin.buffer.read(4096):
            pass
    finally:
        os._exit(0)


def _end_even_while_loading() -> None:
    """Has the system end this process when standard input, a pipe, closes: loading a large library
    keeps Python's threads waiting for seconds. Elsewhere than on Linux the thread does."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        if stat.S_ISFIFO(os.fstat(0).st_mode):
            fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connect", type=int, required=True, metavar="PORT")
    parser.add_argument("--idle", type=float, default=0.0, metavar="SECONDS")
    arguments = parser.parse_args()
    run(arguments.connect, arguments.idle)


def run(port: int, idle: float) -> None:
    """Serves one client until it goes; never returns."""
    token = sys.stdin.buffer.readline().decode("ascii", "replace").strip()
    _end_even_while_loading()
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the client hears Ctrl+C, and cancels the job
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    status = 1
    try:
        if not token:
            sys.exit("Standard input closed before the token came.")
        import torch

        from .methods import METHODS
        from .server import connect_back

        device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
        connect_back(port, token, METHODS, device, idle).serve()
        status = 0
    except BaseException:
        logging.exception("the engine ends")
    finally:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
