"""The five things that can become of a write, as a receipt names them."""

KEPT = "kept"
BROKEN = "lost though acknowledged"
UNPROMISED = "lost, never acknowledged"
LUCKY = "kept, never acknowledged"
RESURRECTED = "resurrected"
"""The client was told that the write had failed, and there it is."""

VERDICTS = (KEPT, BROKEN, UNPROMISED, LUCKY, RESURRECTED)
