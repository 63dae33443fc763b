"""Choosing a device: at the edges, never inside the mathematics."""

import torch

from .errors import InvalidInputError


def pick_device(device: str) -> torch.device:
    """ "auto": CUDA where there is one. Raises InvalidInputError where the device is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        sentence = f"There is no device '{device}'."
        raise InvalidInputError(sentence, "Use auto, cpu or cuda.") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InvalidInputError("There is no CUDA device on this machine.", "Use --device cpu.")
    return chosen
