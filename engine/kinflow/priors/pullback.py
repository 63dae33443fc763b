"""Rows of a Jacobian pulled back through representation and flow, without ever forming the D x D Jacobian.

A row is the derivative of one residual: by local rotations on entry, by the latent on leaving.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..rotations import skew
from . import layers
from .architectures import Coupling, Flow, PReLU
from .representations import Representation

Trace = list[tuple[Tensor, ...]]


def forward_with_trace(flow: Flow, z: Tensor) -> tuple[Tensor, Trace]:
    """`to_pose` that remembers what the way back needs. z (B, D) -> x (B, D), trace."""
    trace: Trace = []
    h = layers.dense_to_pose(z, flow.dense[0].weight, flow.dense[0].bias)
    for i, step in enumerate(flow.steps):
        if isinstance(step, PReLU):
            trace.append((torch.where(h > 0, torch.ones_like(h), step.slope),))
            h = step.to_pose(h)
        else:
            h, state = _coupling_forward(step, h)
            trace.append(state)
        dense = flow.dense[i + 1]
        h = layers.dense_to_pose(h, dense.weight, dense.bias)
    return h, trace


def pull_back(flow: Flow, trace: Trace, rows: Tensor) -> Tensor:
    """Rows by x -> rows by z. rows (B, M, D) -> (B, M, D)."""
    rows = rows @ flow.dense[-1].weight
    for i in range(len(flow.steps) - 1, -1, -1):
        step = flow.steps[i]
        if isinstance(step, PReLU):
            rows = rows * trace[i][0][:, None]
        else:
            rows = _coupling_back(step, trace[i], rows)
        rows = rows @ flow.dense[i].weight
    return rows


def _coupling_forward(step: Coupling, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    a, b = layers.split_halves(h, step.first_half)
    state = []
    outputs = []
    for net in ("scale", "shift"):
        hidden0 = torch.nn.functional.linear(
            a, getattr(step, f"{net}_weight0"), getattr(step, f"{net}_bias0")
        ).tanh()
        hidden1 = torch.nn.functional.linear(
            hidden0, getattr(step, f"{net}_weight1"), getattr(step, f"{net}_bias1")
        ).tanh()
        outputs.append(
            torch.nn.functional.linear(
                hidden1, getattr(step, f"{net}_weight2"), getattr(step, f"{net}_bias2")
            )
        )
        state += [1 - hidden0 * hidden0, 1 - hidden1 * hidden1]
    scale = layers.bound_scale(outputs[0])
    gain = scale.exp()
    state += [gain, b * gain * (1 - (scale / layers.SCALE_BOUND) ** 2)]
    return layers.join_halves(a, b * gain + outputs[1], step.first_half), tuple(state)


def _coupling_back(step: Coupling, state: tuple[Tensor, ...], rows: Tensor) -> Tensor:
    scale0, scale1, shift0, shift1, gain, by_raw = state
    half = rows.shape[-1] // 2
    row_a, row_b = (
        (rows[..., :half], rows[..., half:])
        if step.first_half
        else (rows[..., half:], rows[..., :half])
    )

    def through(net: str, upstream: Tensor, slope0: Tensor, slope1: Tensor) -> Tensor:
        upstream = (upstream @ getattr(step, f"{net}_weight2")) * slope1[:, None]
        return ((upstream @ getattr(step, f"{net}_weight1")) * slope0[:, None]) @ getattr(
            step, f"{net}_weight0"
        )

    row_a = (
        row_a
        + through("scale", row_b * by_raw[:, None], scale0, scale1)
        + through("shift", row_b, shift0, shift1)
    )
    row_b = row_b * gain[:, None]
    return torch.cat((row_a, row_b) if step.first_half else (row_b, row_a), -1)


def rotation_rows_to_vector(
    representation: Representation, x: Tensor, rotations: Tensor, rows: Tensor
) -> Tensor:
    """Rows by local left perturbations of 23 joints -> rows by the representation's vector.

    x (B, D), rotations (B, 23, 3, 3) = to_matrix(x), rows (B, M, 23, 3) -> (B, M, D).
    """
    if representation.name == "6d":
        return _sixd_rows(x, rotations, rows).flatten(-2)
    if representation.name == "axis_angle":
        return torch.einsum(
            "bmjx,bjxy->bmjy", rows, left_jacobian(x.unflatten(-1, (-1, 3)))
        ).flatten(-2)
    return _matrix_rows(x, rotations, rows).flatten(-3)


def _sixd_rows(x: Tensor, rotations: Tensor, rows: Tensor) -> Tensor:
    """Gram-Schmidt: w = b3 (b2.da1)/|a1| - b2 (b3.da1)/|a1| + b1 (b3.da2 - (b1.a2)(b3.da1)/|a1|)/|u2|."""
    a1, a2 = x.unflatten(-1, (-1, 6)).split(3, -1)
    b1, b2, b3 = rotations.unbind(-1)
    inverse_a1 = 1 / a1.norm(dim=-1, keepdim=True)
    along = (b1 * a2).sum(-1, keepdim=True)
    inverse_u2 = 1 / (b2 * a2).sum(-1, keepdim=True)
    g1, g2, g3 = torch.einsum("bmjx,bjxk->bmjk", rows, rotations).unbind(-1)
    by_a2 = (g1 * inverse_u2[:, None, :, 0])[..., None] * b3[:, None]
    side = -(g2 + g1 * (along * inverse_u2)[:, None, :, 0])
    by_a1 = (g3[..., None] * b2[:, None] + side[..., None] * b3[:, None]) * inverse_a1[:, None]
    return torch.cat((by_a1, by_a2), -1)


def left_jacobian(vector: Tensor) -> Tensor:
    """SO(3) left Jacobian: exp(v + dv) = exp(J dv) exp(v). (..., 3) -> (..., 3, 3)."""
    squared = (vector * vector).sum(-1)[..., None, None]
    small = squared < 1e-6
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    first = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / safe)
    second = torch.where(small, 1 / 6 - squared / 120, (angle - angle.sin()) / (safe * angle))
    cross = skew(vector)
    return (
        torch.eye(3, dtype=vector.dtype, device=vector.device)
        + first * cross
        + second * (cross @ cross)
    )


def _matrix_rows(x: Tensor, rotations: Tensor, rows: Tensor) -> Tensor:
    """Procrustes M = R S: w = R (tr(S) I - S)^-1 vee(R^T dM - dM^T R)."""
    matrix = x.unflatten(-1, (-1, 3, 3))
    stretch = rotations.transpose(-1, -2) @ matrix
    stretch = 0.5 * (stretch + stretch.transpose(-1, -2))
    trace = stretch.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    eye = torch.eye(3, dtype=x.dtype, device=x.device)
    solve = torch.linalg.inv(trace * eye - stretch)
    local = torch.einsum("bmjx,bjxy->bmjy", rows, rotations @ solve)
    # vee(A - A^T) . g = <A, [g]_x> for A = R^T dM, so the row by dM is R [g]_x
    return torch.einsum("bjxy,bmjyz->bmjxz", rotations, skew(local))
