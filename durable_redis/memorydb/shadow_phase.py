"""The phases of a shadow, and the legal ways between them.  What is done in each, `shadow` tells.

From every phase in which a snapshot is being made, the way back is SWEEPING: what was begun is thrown away.
"""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """What a shadow is doing."""

    LEARNING = "learning"  # has just started: which snapshot is released?
    WATCHING = "watching"  # how far has the log gone on?
    FETCHING = "fetching"
    REPLAYING = "replaying"
    UPLOADING = "uploading"
    REHEARSING = "rehearsing"
    RELEASING = "releasing"
    TRIMMING = "trimming"
    SWEEPING = "sweeping"


TRANSITIONS = {
    Phase.LEARNING: (Phase.TRIMMING, Phase.SWEEPING),  # a crash may have come before either
    Phase.WATCHING: (Phase.FETCHING, Phase.LEARNING),
    Phase.FETCHING: (Phase.REPLAYING, Phase.SWEEPING),
    Phase.REPLAYING: (Phase.UPLOADING, Phase.SWEEPING),
    Phase.UPLOADING: (Phase.REHEARSING, Phase.SWEEPING),
    Phase.REHEARSING: (Phase.RELEASING, Phase.SWEEPING),
    Phase.RELEASING: (Phase.TRIMMING, Phase.LEARNING),  # the store could not say whether it is released: look
    Phase.TRIMMING: (Phase.SWEEPING,),
    Phase.SWEEPING: (Phase.WATCHING,),
}
