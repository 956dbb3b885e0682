"""The console: a run that one can see and click, and its static twin.

Reading order: `story` (journal steps as sentences), `film` (everything that a branch has to show), `model` (a still of
it), `layout`, `twin` (the still as a picture and a text), `shipment` (the film for the browser), `acts` (what can be
done), `panels` (what is behind the tabs), `scene` and `browser/` (the live picture), `controls`, `console`.
"""

from durable_redis.console.console import Console
from durable_redis.console.film import Film
from durable_redis.console.twin import Picture
from durable_redis.lab.run import Run

__all__ = ["Console", "Picture"]


def open_console(run: Run) -> Console:
    """The console of a run: a widget to click, with a picture and a text for pages that have no kernel."""
    return Console(run)


def take_picture(run: Run, step: int | None = None) -> Picture:
    """A still of the room after a step, as a picture and in words; without a step, where the run stands."""
    return Picture(Film(run.playback), run.step if step is None else step)


# The lab is a floor below and imports nothing from here: its runs are given these two methods.
Run.console = open_console
Run.picture = take_picture
