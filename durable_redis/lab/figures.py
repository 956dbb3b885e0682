"""Figures of the book that are drawn by matplotlib: colours that everybody can tell apart, and shapes beside them.

On a dark page such a figure stays a light card: its colours were chosen on white.  A picture that is SVG knows a night.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from durable_redis.lab.matrix import Matrix
from durable_redis.lab.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008).
BLUE, ORANGE, GREEN, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#CC79A7"
INK = "#1f2933"
NIGHT = "<style>@media (prefers-color-scheme:dark){svg:root{filter:invert(.9) hue-rotate(180deg)}}</style>"
"""What an SVG of this book begins with.  On a dark page it is turned over: light ink on dark paper, and each hue stays.

"Dark" is what the page around says of itself, and else the reader's system.  Where pages strip styles, it stays a light
card; where it is no picture of its own, but a part of the page (`:root` is the page then), too."""
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


Curve = tuple[Sequence[float], Sequence[float]]
"""The points of a curve: to the right, and upwards."""
CURVES = ((GREEN, "o"), (SKY, "^"), (BLUE, "s"), (ORANGE, "D"), (PURPLE, "v"))


def curves(*panels: Mapping[str, Curve], titles: Sequence[str], across: Sequence[str], upwards: str) -> Figure:
    """Up to five named curves, which have one scale upwards; in every panel a name has the same colour and shape.

    The names stand beside the panels, where no curve can run."""
    from matplotlib import pyplot

    size = 4.2 * max(len(panels), 2) + 1, 3.2
    figure, axes = pyplot.subplots(1, len(panels), sharey=True, squeeze=False, figsize=size, layout="constrained")
    pyplot.close(figure)
    styles = dict(zip(dict.fromkeys(name for drawn in panels for name in drawn), CURVES, strict=False))
    for panel, drawn, title, words in zip(axes[0], panels, titles, across, strict=True):
        for name, (right, up) in drawn.items():
            colour, marker = styles[name]
            panel.plot(right, up, color=colour, marker=marker, markersize=5, linewidth=1.6, label=name)
        panel.set_title(title, loc="left", fontsize=11, color=INK)
        panel.set_xlabel(words)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes[0][0].set_ylabel(upwards)
    lines = {line.get_label(): line for panel in axes[0] for line in panel.get_lines()}
    figure.legend(lines.values(), lines.keys(), loc="outside right upper", frameon=False, fontsize=9)
    return figure


def dilemma(costs: Matrix) -> Figure:
    """Every configuration, numbered, by the worst that any fault does to it: writes lost up, silence to the right."""
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(8.4, 4.0), layout="constrained")
    pyplot.close(figure)
    worst = {row: costs.worst(row) for row in costs.rows}
    places: dict[tuple[float, int], list[int]] = {}
    for number, (lost, silent_us) in enumerate(worst.values(), start=1):
        places.setdefault((round(silent_us / 1e6, 1), lost), []).append(number)
    for (silent_s, lost), numbers in places.items():
        panel.plot(silent_s, lost, "o" if lost else "s", color=ORANGE if lost else GREEN, markersize=9)
        words = ", ".join(map(str, numbers))
        aside = {"xytext": (-9, 0), "ha": "right"} if len(numbers) > 1 else {"xytext": (9, 0)}
        panel.annotate(words, (silent_s, lost), textcoords="offset points", va="center", weight="bold", **aside)
    panel.plot(0, 0, "*", color=INK, markersize=15, fillstyle="none")
    panel.annotate("what one would like", (0, 0), (-4, 13), textcoords="offset points", va="center", fontsize=9)
    panel.set_xlim(-1, panel.get_xlim()[1] * 1.1)
    panel.set_ylim(-9, panel.get_ylim()[1] * 1.05)
    panel.set_xlabel("the longest silence that any of the faults causes (s)")
    panel.set_ylabel("the most writes that any of them erases")
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color="#e4e7eb", linewidth=0.8)
    names = "\n".join(f"{number:2}  {row}" for number, row in enumerate(worst, start=1))
    panel.text(1.03, 1, names, transform=panel.transAxes, va="top", fontsize=9, linespacing=1.7, color=INK)
    return figure
