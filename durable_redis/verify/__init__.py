"""The judges: what must hold of a run, and whether it does.

They read what is left when a run is over: the journal, the clients' own records, the keyspaces of the servers.  They
never ask a server what it believes: the judge of a promise must not be the one who gave it.

Reading order: `history` and `models` (what the clients saw, and what one key may answer), `linearizability` (is there
an order in which it all makes sense?), `counterexample` and `chart` (if there is none, the few calls that show it);
`evidence` (what is left of a run), `streams` and `reference` (what every server should have held at every moment),
`invariants` (the laws) with `epochs`, `leases`, `promises`, `onereplica` and `convergence`; `fuzz` (random faults, and
the smallest schedule that breaks a law).
"""
