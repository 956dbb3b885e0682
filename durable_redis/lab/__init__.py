"""The lab: what a notebook says.  Deployments, clients, runs, receipts, sweeps.

Reading order: `deployments`, `client`, `run` (the verbs), `playback` and `recording` (how a run is played and kept),
`ledger` (where the bytes are), `receipt` and `explain` (what became of them), `sweep`.
"""
