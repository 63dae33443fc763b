"""A request from the client's side."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import KinflowError

Progress = Callable[[float, str], bool | None]


@dataclass
class Job:
    """A request under way. `fraction` and `message` say how far it is.

    done: it has ended, as a value, an error, or (with a CancelledError) cancelled.
    """

    id: int
    method: str
    done: bool = False
    fraction: float = 0.0
    message: str = ""
    value: Any = None
    error: KinflowError | None = None
    on_progress: Progress | None = field(default=None, repr=False)
    give_up: float = field(default=math.inf, repr=False)

    def result(self) -> Any:
        """The reply's value. Raises the typed error that the engine sent."""
        if self.error is not None:
            raise self.error
        return self.value

    def end(self, value: Any = None, error: KinflowError | None = None) -> None:
        """Called once, when the job has ended."""
        self.value, self.error, self.fraction, self.done = value, error, 1.0, True
