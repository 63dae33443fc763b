"""Effectors -> pose: inverse kinematics in a prior's latent space. Numpy is enough."""

from .effectors import Effector, Floor
from .problem import Weights
from .pull import Pull
from .rig import feet_on_floor, limb_joints
from .solve import solve_ik, standing
from .states import IKResult, Pose

__all__ = [
    "Effector",
    "Floor",
    "IKResult",
    "Pose",
    "Pull",
    "Weights",
    "feet_on_floor",
    "limb_joints",
    "solve_ik",
    "standing",
]
