"""Symmetric systems that couple each block with its next two, and all of them with a few shared unknowns."""

from __future__ import annotations

import torch
from torch import Tensor


def solve_arrow(
    diagonal: Tensor,
    first: Tensor,
    second: Tensor,
    border: Tensor,
    corner: Tensor,
    right: Tensor,
    right_shared: Tensor,
) -> tuple[Tensor, Tensor]:
    """Solves [[A, B], [B', C]] [x, s] = [right, right_shared].

    A is block-pentadiagonal: diagonal (T, n, n), first (T - 1, n, n) with A[t + 1, t], second (T - 2, n, n) with A[t + 2, t];
    border B (T, n, m), corner C (m, m), right (T, n), right_shared (m,). -> x (T, n), s (m,). By block Cholesky on pairs of
    blocks and the Schur complement of A; raises torch.linalg.LinAlgError where A is not positive definite.
    """
    count, size = diagonal.shape[:2]
    solved = _solve_banded(
        *_pair_up(diagonal, first, second),
        _pad(torch.cat((right[..., None], border), -1)).flatten(0, 1).unflatten(0, (-1, 2 * size)),
    )
    flat = solved.flatten(0, 1)[: count * size].unflatten(0, (count, size))
    x, by_shared = flat[..., 0], flat[..., 1:]
    schur = corner - torch.einsum("tnm,tnk->mk", border, by_shared)
    shared = torch.linalg.solve(schur, right_shared - torch.einsum("tnm,tn->m", border, x))
    return x - by_shared @ shared, shared


def _pad(blocks: Tensor) -> Tensor:
    return blocks if len(blocks) % 2 == 0 else torch.cat((blocks, torch.zeros_like(blocks[:1])))


def _pair_up(diagonal: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Pentadiagonal blocks of n -> tridiagonal ones of 2 n: diagonal (T / 2, 2n, 2n), below (T / 2 - 1, 2n, 2n)."""
    count, size = diagonal.shape[:2]
    pairs = (count + 1) // 2
    joined = diagonal.new_zeros(pairs, 2, size, 2, size)
    joined[:, 0, :, 0] = diagonal[0::2]
    joined[: count // 2, 1, :, 1] = diagonal[1::2]
    if count % 2:
        joined[-1, 1, :, 1] = torch.eye(size, dtype=diagonal.dtype, device=diagonal.device)
    inner = first[0::2]
    joined[: len(inner), 1, :, 0] = inner
    joined[: len(inner), 0, :, 1] = inner.transpose(-1, -2)
    below = diagonal.new_zeros(max(0, pairs - 1), 2, size, 2, size)
    across = first[1::2]
    below[: len(across), 0, :, 1] = across
    even, odd = second[0::2], second[1::2]
    below[: len(even), 0, :, 0] = even
    below[: len(odd), 1, :, 1] = odd
    return joined.flatten(3).flatten(1, 2), below.flatten(3).flatten(1, 2)


def _solve_banded(diagonal: Tensor, below: Tensor, right: Tensor) -> Tensor:
    """Block-tridiagonal Cholesky: (P, N, N), (P - 1, N, N), (P, N, k) -> (P, N, k)."""
    factors: list[Tensor] = []
    links: list[Tensor] = []
    forward: list[Tensor] = []
    for p in range(len(diagonal)):
        block, b = diagonal[p], right[p]
        if p:
            link = torch.linalg.solve_triangular(
                factors[-1], below[p - 1].T, upper=False
            )  # L^-1 E'
            block = block - link.T @ link
            b = b - link.T @ forward[-1]
            links.append(link)
        factors.append(torch.linalg.cholesky(block))
        forward.append(torch.linalg.solve_triangular(factors[-1], b, upper=False))
    result = [torch.linalg.solve_triangular(factors[-1].T, forward[-1], upper=True)]
    for p in range(len(diagonal) - 2, -1, -1):
        result.append(
            torch.linalg.solve_triangular(
                factors[p].T, forward[p] - links[p] @ result[-1], upper=True
            )
        )
    return torch.stack(result[::-1])
