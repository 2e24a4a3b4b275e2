"""A run's log as a picture: loss, in-batch accuracy and learning rate over the steps."""

import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

WIDTH, HEIGHT, DPI = 9.0, 4.0, 110  # inches, inches, dots an inch
SMOOTHING = 15  # steps of the moving mean


def draw_curves(log: Path, picture: Path) -> None:
    """Read `log.csv`, write a PNG."""
    with log.open() as file:
        rows = list(csv.DictReader(file))
    steps = [int(row["step"]) for row in rows]
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    for axis, name in zip(axes, ("loss", "accuracy", "rate"), strict=True):
        values = [float(row[name]) for row in rows]
        axis.plot(steps, values, color="#bbbbbb", linewidth=0.7)
        axis.plot(steps, _smooth(values), color="#1f5fa8")
        axis.set_title(name)
        axis.set_xlabel("step")
    figure.savefig(picture)
    plt.close(figure)


def _smooth(values: list[float]) -> list[float]:
    means = []
    for end in range(1, len(values) + 1):
        recent = values[max(0, end - SMOOTHING) : end]
        means.append(sum(recent) / len(recent))
    return means
