"""Motion in and out, numpy only: SMPL's names, AMASS, BVH, glTF, and what other tools write."""

from .files import read_motion, write_motion
from .motion import Motion

__all__ = ["Motion", "read_motion", "write_motion"]
