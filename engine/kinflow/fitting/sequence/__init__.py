"""Frames of one person: tracked, led by keyframes, solved together with their contacts."""

from .config import SequenceConfig as SequenceConfig
from .joint_fit import fit_sequence as fit_sequence
from .joint_fit import fit_windows as fit_windows
from .refit_span import Pin as Pin
from .refit_span import refit_span as refit_span
from .tracking import Track as Track
from .tracking import track as track
