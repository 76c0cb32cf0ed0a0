"""The domain of the orchestrator: definitions, plans, the workflow's moves, the ledger, the call.

`docs/architecture.md` is the map, in reading order.
"""
