"""The lab: what a notebook says.  Deployments, clients, runs, receipts, sweeps.

Reading order: `deployments`, `routing` and `client` (who finds the primary, and what it was told), `run` with `verbs`
and `deeds` (what one asks for, and what that does to the room), `playback` and `recording` (how a run is played and
kept), `histories` and `ledger` (where the bytes are, on every node), `receipt` and `explain` (what became of them, and
what decided it), `failover` (who took over, and how), `availability` and `latency` (what that costs), `sweep`,
`scenarios`, `workload` and `schedules` (work and faults drawn at random).
"""
