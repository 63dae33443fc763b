"""The regressor's training: full supervision on drawn people (FS), then photos without 3D (WS)."""

from .stages import TrainRegressor as TrainRegressor
from .stages import train_regressor as train_regressor
