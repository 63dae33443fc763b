"""How many threads numpy's products take."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager:
    """For products that are too small to be shared: their threads would wait for each other."""
    return _controller().limit(limits=1, user_api="blas")
