"""Frames of one person: tracked, led along one path of hypotheses, solved together, smoothly."""

from .joint_fit import SequenceConfig as SequenceConfig
from .joint_fit import fit_sequence as fit_sequence
from .tracking import Track as Track
from .tracking import track as track
