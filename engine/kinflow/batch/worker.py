"""A worker process's life. Nothing heavy is imported before it watches its parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from typing import Any


def serve(connection: Connection) -> None:
    """Settings first, then units: answers each with what is finished, or with a KinflowError.

    It ends when the other end closes, and in the middle of whatever it does when its parent is
    gone, however that ended. Ctrl-C is the parent's business.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2
    import torch

    from ..errors import KinflowError
    from .work import process

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with contextlib.suppress(EOFError, OSError):
        settings = connection.recv()
        while True:
            unit = connection.recv()
            try:
                answer: Any = process(unit, settings)
            except KinflowError as error:
                answer = error
            connection.send(answer)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        # on Linux the system does it: loading a large library keeps threads waiting for seconds
        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    parent.join()
    os._exit(1)
