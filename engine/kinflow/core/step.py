"""A damped Gauss-Newton step: latent and own blocks eliminated, shared ones by Schur complement."""

from dataclasses import dataclass

from .arrays import Array, Namespace, add_diagonal, per_person, solve_spd, spread_sum


@dataclass(frozen=True)
class Linearisation:
    """A problem about a state. energy (S,) nats, residual (S, M), by_latent (S, M, D), by_rest (S,
    M, R): all unknowns but the latent, shared blocks last.

    The quadratic terms: latent_weight (S, 1) and latent_gradient (S, D), rest_weight and
    rest_gradient (S, R). rest_damping (S, R): what damping is in proportion to; None: diag(G'G).
    """

    energy: Array = per_person()
    residual: Array = per_person()
    by_latent: Array = per_person()
    by_rest: Array = per_person()
    latent_weight: Array = per_person()
    latent_gradient: Array = per_person()
    rest_weight: Array = per_person()
    rest_gradient: Array = per_person()
    rest_damping: Array | None = per_person(default=None)


def damped_step(
    xp: Namespace, linear: Linearisation, damping: Array, shared: int, group: Array | None
) -> tuple[Array, Array]:
    """-> steps of the latent (S, D) and of the rest (S, R), of which the last `shared` are a
    group's.

    Minimises |r + A dz + G dg|^2 + w |dz|^2 + 2 p'dz + damping |dz|^2 + the same of the rest,
    damped by damping rest_damping / 10. The latent's quadratic is a multiple of the identity, so z
    goes first: with mu = w + damping, C = I + A A' / mu and r' = r - A p / mu, the others solve
    (G' C^-1 G + P) dg = -(G' C^-1 r' + q). damping (S,), group (S,).
    """
    a, g = linear.by_latent, linear.by_rest
    mu = linear.latent_weight + damping[:, None]
    back = linear.latent_gradient / mu
    right = linear.residual - (a @ back[..., None])[..., 0]
    solved = _apply_inverse(xp, a, mu, xp.concat((g, right[..., None]), axis=-1))
    system = g.swapaxes(1, 2) @ solved
    scale = xp.sum(g * g, axis=1) if linear.rest_damping is None else linear.rest_damping
    added = scale * damping[:, None] * 0.1 + 1e-4 + linear.rest_weight
    normal = add_diagonal(xp, system[..., :-1], added)
    gradient = system[..., -1] + linear.rest_gradient
    rest = -_solve_rest(xp, normal, gradient, shared, group)
    moved = solved[..., -1:] + solved[..., :-1] @ rest[..., None]
    return -back - (a.swapaxes(1, 2) @ moved)[..., 0] / mu, rest


def shared_information(xp: Namespace, linear: Linearisation, shared: int) -> Array:
    """What each person tells of the last `shared` unknowns, all others eliminated: the Schur
    complement of the undamped system. The inverse of a group's sum is the covariance of Laplace's
    approximation. -> (S, shared, shared).
    """
    g, mu = linear.by_rest, linear.latent_weight
    normal = g.swapaxes(1, 2) @ _apply_inverse(xp, linear.by_latent, mu, g)
    normal = add_diagonal(xp, normal, 1e-4 + linear.rest_weight)
    own = normal.shape[1] - shared
    coupling = normal[:, :own, own:]
    solved, ok = solve_spd(xp, normal[:, :own, :own], coupling)
    known = normal[:, own:, own:] - coupling.swapaxes(1, 2) @ solved
    return xp.where(ok[:, None, None] & xp.isfinite(known), known, xp.zeros_like(known))


def _apply_inverse(xp: Namespace, a: Array, mu: Array, right: Array) -> Array:
    """(I + A A' / mu)^-1 right, by the smaller of A A' and A'A (Woodbury). NaN where singular."""
    rows, dim = a.shape[1:]
    transposed, ones = a.swapaxes(1, 2), xp.ones_like(a[:, :, 0])
    if rows <= dim:
        solved, ok = solve_spd(xp, add_diagonal(xp, a @ transposed / mu[..., None], ones), right)
    else:
        inner = add_diagonal(xp, transposed @ a, mu * xp.ones_like(a[:, 0]))
        inside, ok = solve_spd(xp, inner, transposed @ right)
        solved = right - a @ inside
    return xp.where(ok[:, None, None], solved, xp.nan)


def _solve_rest(
    xp: Namespace, normal: Array, gradient: Array, shared: int, group: Array | None
) -> Array:
    """normal (S, R, R), gradient (S, R) -> (S, R), the shared part alike within a group."""
    if not shared or group is None:
        solved, ok = solve_spd(xp, normal, gradient[..., None])
        return xp.where(ok[:, None], solved[..., 0], xp.nan)
    own = normal.shape[1] - shared
    coupling, corner = normal[:, :own, own:], normal[:, own:, own:]
    right = xp.concat((coupling, gradient[:, :own, None]), axis=-1)
    solved, ok = solve_spd(xp, normal[:, :own, :own], right)
    reduced = coupling.swapaxes(1, 2) @ solved
    schur = xp.concat((corner, gradient[:, own:, None]), axis=-1) - reduced
    # a person whose own system is singular has no say in what is shared
    schur = xp.where(ok[:, None, None] & xp.isfinite(schur), schur, xp.zeros_like(schur))
    schur = spread_sum(xp, schur, group)
    together, _ = solve_spd(xp, schur[..., :-1], schur[..., -1:])
    mine = solved[..., -1] - (solved[..., :-1] @ together)[..., 0]
    mine = xp.where(ok[:, None], mine, xp.nan)
    return xp.concat((mine, together[..., 0]), axis=-1)
