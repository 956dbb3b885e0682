"""Figures of the book that are drawn by matplotlib: colours that everybody can tell apart, and shapes beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.lab.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008).
BLUE, ORANGE, GREEN, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#CC79A7"
INK = "#1f2933"
STYLES = {
    "process kill": (GREEN, "-", "o"),
    "power loss": (ORANGE, "-", "s"),
    "disk loss": (INK, ":", "^"),
}


def losses(*sweeps: Sweep, titles: tuple[str, ...] = ()) -> Figure:
    """How many acknowledged writes a crash erases, by the instant of the crash: one panel a sweep."""
    from matplotlib import pyplot

    size = 4.2 * max(len(sweeps), 2), 3.2
    figure, axes = pyplot.subplots(1, len(sweeps), sharey=True, squeeze=False, figsize=size, layout="constrained")
    pyplot.close(figure)  # the notebook shows what a cell returns; left open, it would be shown twice
    panels = axes[0]
    for panel, sweep in zip(panels, sweeps, strict=True):
        for crash in dict.fromkeys(point.crash for point in sweep):
            colour, line, marker = STYLES[crash]
            points = sweep.of(crash)
            panel.plot(
                [point.at_us / 1e6 for point in points],
                [point.lost for point in points],
                line,
                color=colour,
                marker=marker,
                markevery=max(1, len(points) // 10),
                markersize=5,
                linewidth=1.6,
                label=crash,
            )
            if crash == "power loss":
                at_risk = [point.at_risk for point in points]
                panel.plot(
                    [point.at_us / 1e6 for point in points],
                    at_risk,
                    "--",
                    color=colour,
                    linewidth=1,
                    label="at risk from it",
                )
        panel.set_xlabel("instant of the crash (s)")
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    for panel, title in zip(panels, titles, strict=False):
        panel.set_title(title, loc="left", fontsize=11, color=INK)
    panels[0].set_ylabel("acknowledged writes lost")
    panels[0].legend(frameon=False)
    return figure
