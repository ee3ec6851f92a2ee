"""The ensemble metric: a few metrics, weighted by the Lasso to follow quality (Kasai et al. 2022).

Shapes: N rows (system, instance), K metrics. The procedure: standardise every metric over the rated
rows (population standard deviation), fit the Lasso 1/(2N)·||y − Zw||² + α·||w||₁ with a free
intercept, keep its shrunken weights as they are, and apply them to every row with those means and
deviations. The published boards set α by hand so that three metrics survive (7.65 for WMT20 zh-en,
2.3 for CNN/DM); ``choose_alpha`` has a rule instead, and any α can be given.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

STEPS = 120
"""Alphas tried on the way down, evenly spaced in their logarithm."""
DEEPEST = 1e-4
"""The smallest alpha tried, as a share of the one at which the first metric enters."""

DUST = 1e-8
"""Weights below this share of the deviation of ``y`` are rounding errors of the solver."""


class Ensemble(msgspec.Struct, frozen=True):
    """A fitted ensemble: ``intercept + Σ weight · (value − mean) / deviation`` over all metrics."""

    metrics: list[str]
    weights: list[float]
    means: list[float]
    deviations: list[float]
    intercept: float
    alpha: float

    @property
    def members(self) -> list[str]:
        """The metrics that survived, in the order of the columns."""
        return [m for m, w in zip(self.metrics, self.weights) if w != 0]

    def apply(self, values_NK: np.ndarray) -> np.ndarray:
        """The ensemble's value of each row [N], for columns in the order of ``metrics``."""
        z_NK = (values_NK - np.array(self.means)) / np.array(self.deviations)
        return np.asarray(self.intercept + z_NK @ np.array(self.weights))

    def raw(self) -> dict[str, float]:
        """The same formula in the metrics' own units: ``intercept`` and a factor per member."""
        factors = {
            m: w / d for m, w, d in zip(self.metrics, self.weights, self.deviations) if w != 0
        }
        shift = sum(f * self.means[self.metrics.index(m)] for m, f in factors.items())
        return {"intercept": self.intercept - shift, **factors}


def standardise(values_NK: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns less their mean over their population deviation; returns (z, means, deviations).

    A constant column becomes zeros (its deviation is given as 1).
    """
    means_K, deviations_K = values_NK.mean(axis=0), values_NK.std(axis=0)
    flat_K = np.ptp(values_NK, axis=0) == 0
    deviations_K = np.where(flat_K, 1.0, deviations_K)
    return np.where(flat_K, 0.0, (values_NK - means_K) / deviations_K), means_K, deviations_K


def alpha_of_first(z_NK: np.ndarray, y_N: np.ndarray) -> float:
    """The alpha at which the first metric enters; 0 where nothing varies with ``y``."""
    return float(np.abs(z_NK.T @ (y_N - y_N.mean())).max(initial=0.0) / len(y_N))


def choose_alpha(z_NK: np.ndarray, y_N: np.ndarray, most: int) -> float:
    """The smallest alpha, on the way down from no metrics, before more than ``most`` survive.

    Found on a grid of 120 and then by bisection to a relative 1e-5. Where even the smallest alpha
    of the grid leaves at most ``most``, that one. Raises ValueError where nothing varies with y.
    """
    top = alpha_of_first(z_NK, y_N)
    if top <= 1e-12 * (1 + float(np.abs(y_N).max(initial=0.0))):
        raise ValueError("quality or every metric is constant")
    grid = top * np.geomspace(1, DEEPEST, STEPS)
    counts = survivors(z_NK, y_N, grid)
    over = np.flatnonzero(counts > most)
    if not len(over):
        return float(grid[-1])
    if over[0] == 0:
        raise ValueError(f"more than {most} metrics enter at the same alpha")
    low, high = float(grid[over[0]]), float(grid[over[0] - 1])
    while high / low > 1 + 1e-5:
        middle = float(np.sqrt(low * high))
        crowded = survivors(z_NK, y_N, np.array([middle]))[0] > most
        low, high = (middle, high) if crowded else (low, middle)
    return high


def survivors(z_NK: np.ndarray, y_N: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """How many weights are not zero at each alpha (given from large to small)."""
    return np.asarray((lasso(z_NK, y_N, alphas) != 0).sum(axis=0))


def lasso(z_NK: np.ndarray, y_N: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Lasso weights [K, alphas] of centred ``y`` on standardised columns, no intercept needed.

    Solved more tightly than scikit-learn's default, so that a weight is zero exactly where it
    should be; the published weights, at the default, differ by less than 0.003 points of 100.
    Between columns that are nearly copies the solver leaves dust, which is swept to zero.
    """
    from sklearn.linear_model import lasso_path  # imported here: it takes a second

    centred_N = y_N - y_N.mean()
    _, weights, _ = lasso_path(
        z_NK, centred_N, alphas=alphas, precompute=z_NK.T @ z_NK, Xy=z_NK.T @ centred_N,
        tol=1e-9, max_iter=20_000,
    )  # fmt: skip
    return np.where(np.abs(weights) > DUST * y_N.std(), weights, 0.0)


def fit(
    values_NK: np.ndarray,
    y_N: np.ndarray,
    metrics: Sequence[str],
    *,
    most: int = 3,
    alpha: float | None = None,
) -> Ensemble:
    """Fit the ensemble on rated rows; ``alpha`` None: by ``choose_alpha``.

    Raises ValueError where there is nothing to fit (constant quality or constant metrics).
    """
    z_NK, means_K, deviations_K = standardise(values_NK)
    chosen = choose_alpha(z_NK, y_N, most) if alpha is None else alpha
    weights_K = lasso(z_NK, y_N, np.array([chosen]))[:, 0]
    return Ensemble(
        list(metrics),
        [float(w) for w in weights_K],
        [float(m) for m in means_K],
        [float(d) for d in deviations_K],
        float(y_N.mean()),
        float(chosen),
    )


def held_out(
    values_NK: np.ndarray,
    y_N: np.ndarray,
    fold_N: np.ndarray,
    *,
    most: int = 3,
    alpha: float | None = None,
) -> np.ndarray:
    """Predict each row [N] by an ensemble fitted without its fold (NaN where none could be).

    Everything is refitted in each fold: means and deviations, alpha, survivors, weights. Rows of
    one system as a fold answer "a new system"; rows of some instances, "new instances".
    """
    names = [str(k) for k in range(values_NK.shape[1])]
    predicted_N = np.full(len(y_N), np.nan)
    for fold in np.unique(fold_N):
        out_N = fold_N == fold
        if out_N.all():
            continue
        try:
            fitted = fit(values_NK[~out_N], y_N[~out_N], names, most=most, alpha=alpha)
        except ValueError:
            continue  # the rest of the rows cannot be fitted: these stay without prediction
        predicted_N[out_N] = fitted.apply(values_NK[out_N])
    return predicted_N


def instance_folds(instances: int, folds: int, rng: np.random.Generator) -> np.ndarray:
    """The fold of each instance [I]: as even as can be, in random order."""
    return np.asarray(rng.permutation(np.arange(instances) % min(folds, instances)))
