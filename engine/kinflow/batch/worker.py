"""A worker process's life. Nothing heavy is imported before it watches its parent."""

import contextlib
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection


def serve(connection: Connection) -> None:
    """Settings first, then units: answers each with the source of every photo that was looked at,
    and then with what is finished, or with a KinflowError.

    It ends when the other end closes, and in the middle of whatever it does when its parent is
    gone, however that ended. Ctrl-C is the parent's business.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from .work import process_alone

    with contextlib.suppress(EOFError, OSError):
        settings = connection.recv()
        while True:
            connection.send(process_alone(connection.recv(), settings, connection.send))


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
