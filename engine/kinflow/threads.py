"""How many threads numpy's products take."""

import contextlib
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _controller() -> Any:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:  # inside Blender
        return None
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """For products that are too small to be shared: two threads gain nothing on an idle machine and
    starve each other on a busy one."""
    controller = _controller()
    if controller is None:
        return contextlib.nullcontext()
    return controller.limit(limits=1, user_api="blas")
