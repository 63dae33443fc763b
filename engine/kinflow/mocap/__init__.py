"""Motion capture files -> SMPL joint rotations; the fixed split; augmentation."""

from .asf_amc import read_amc
from .bvh import read_bvh
from .clip import Clip, mirror_pose

__all__ = ["Clip", "mirror_pose", "read_amc", "read_bvh"]
