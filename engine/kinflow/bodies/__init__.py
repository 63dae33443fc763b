"""SMPL-layout bodies."""
