"""The console: a run that one can see and click, and its static twin.

Reading order: `story` (journal steps as sentences), `film` (everything that a branch has to show), `model` (a still of
it), `layout`, `twin` (the still as a picture and a text), `shipment` (the film for the browser), `acts` (what can be
done), `shelf` (branches and loaded runs), `panels` and `comparing` (what is behind the tabs), `scene` and `browser/`
(the live picture), `console`.
"""

from collections.abc import Iterable

from durable_redis.console.console import Console
from durable_redis.console.film import Film
from durable_redis.console.twin import Picture
from durable_redis.lab.run import Run
from durable_redis.lab.tasks import Task

__all__ = ["Console", "Picture"]


def open_console(run: Run, tasks: Iterable[Task] = ()) -> Console:
    """The console of a run: a widget to click, with a picture and a text for pages that have no kernel.

    With tasks it has a tab for them, where they are ticked as soon as the run satisfies them."""
    return Console(run, tasks)


def take_picture(run: Run, step: int | None = None) -> Picture:
    """A still of the room after a step, as a picture and in words; without a step, where the run stands."""
    return Picture(Film(run.playback), run.step if step is None else step)


# The lab is a floor below and imports nothing from here: its runs are given these two methods.
Run.console = open_console
Run.picture = take_picture
