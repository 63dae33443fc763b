"""The regressor's training: full supervision on drawn people (FS), then photos without 3D (WS)."""

from .supervised import TrainRegressor as TrainRegressor
from .supervised import train_supervised as train_supervised
from .weak import WeakConfig as WeakConfig
from .weak import refine as refine
