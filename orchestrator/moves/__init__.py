"""Everything that can happen to a workflow, one module a kind of move. Pure: a `Workflow` and the time go in.

advancing     a settled step tells its successors; branches not taken are skipped; the last one completes the workflow
claiming      a worker takes a step for one attempt
timing        how long a step may go on trying
limiting      a step that may not be called yet is held back
settling      the outcome of an attempt is recorded, and what follows from it
answering     somebody says what became of an attempt: the service that accepted it, a person, a child, a task
waiting       the time of a parked step has come
fanning_out   a step with `forEach`: its items are sent, so many at a time, and counted
items         what is counted of them, and how their sending is stopped
replacing     a failed step's fallback, or what goes on without it; what it may have done is undone before
ending        a step ends the workflow, as its definition says
failing       the workflow stops starting steps and waits for those in flight
undoing       what took effect is undone, against the order of the graph
controlling   what a person asks for: cancel, pause, resume, retry
taking_over   a fresh copy keeps what the original had done
looking       what the reconciler does with a row that is due
"""
