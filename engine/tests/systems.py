"""Marks of tests that ask for what only some systems have."""

from __future__ import annotations

import os
import sys

import pytest

posix = pytest.mark.skipif(os.name == "nt", reason="pipes, forks and groups of processes are POSIX")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded as Linux does")
