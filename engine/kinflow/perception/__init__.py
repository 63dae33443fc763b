"""Photo -> what is seen of each person in it."""

from .observe import observe

__all__ = ["observe"]
