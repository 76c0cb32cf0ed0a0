"""The only SQL. A caller hands in moves; the ledger locks, loads, lets them decide, and records, in one transaction.

tables        the tables
engine        opening the database; what a transaction is
rows          between rows and the moves' `Workflow`
definitions   each version of a definition, kept for as long as a workflow uses it
book          `Ledger`: moves applied in one transaction
starting      a new workflow, once for each start key
at_once       new workflows with one statement
starter       starts of many threads in one transaction
clerk         the moves of many threads in one transaction
slots         who has a slot of a limit, who waits for one
limiting      claiming a step that needs one
allowances    what a person says of a limit
children      the workflows that steps of others started
materials     what a claimed step's request is made of
collecting    what a completed step with `forEach` gives
outputs       what a completed workflow puts out
ready         the ready steps of one workflow, as they should be sent
due           what the reconciler has to look at
presence      which workers are alive
notices       what ops are to be told, taken by one worker at a time
stuck         workflows to which nothing has happened for long
retention     finished workflows deleted, a little at a time
fixed         queries whose text is made once
views         what people and programs read
"""

from orchestrator.ledger.book import Ledger, Made

__all__ = ["Ledger", "Made"]
