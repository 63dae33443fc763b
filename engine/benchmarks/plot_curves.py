"""python -m benchmarks.plot_curves: the shipped priors' training, curves/*.csv to curves.png."""

from __future__ import annotations

import csv
from pathlib import Path

FOLDER = Path(__file__).parent / "curves"


def main() -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    files = sorted(FOLDER.glob("*.csv"))
    figure, axes = pyplot.subplots(
        1, len(files), figsize=(4 * len(files), 3), constrained_layout=True
    )
    for axis, path in zip(axes, files, strict=True):
        with open(path, newline="") as stream:
            rows = list(csv.DictReader(stream))
        axis.plot([int(r["step"]) for r in rows], [float(r["validation_log_prob"]) for r in rows])
        axis.set_title(path.stem)
        axis.set_xlabel("step")
    axes[0].set_ylabel("validation log-likelihood (nats)")
    figure.savefig(FOLDER / "curves.png", dpi=80)


if __name__ == "__main__":
    main()
