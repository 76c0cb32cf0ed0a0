"""The chaos proof: real processes, faults from a seeded schedule, and a checker that trusts books and ledger alone.

In reading order:

drawing      random definitions
load         what clients do: starts, orders, again and again until they are answered
services     the services, in a process of their own, with books
points       a worker or web process that dies or freezes at a named point
processes    a process that is kept running, as a supervisor keeps it
clocks       a process whose clock can be set
disk         a disk for the database that can be full
hosts        two hosts and the network between them
stage        all processes of one run
faults       everything that is done to them
messages     messages that nobody should send
record       what is known at the end: the ledger, the books, what clients were told, when which fault was
replaying    a workflow's audit log told again, each entry held against the rules
checking     the findings, all of which must be none: lost, stuck, doubled, wrongly ordered, not undone
recovery     how long each kind of fault held work up
conducting   one run from its first process to its record
report       what is printed

Run it with `python -m tests.chaos` (see `__main__`).
"""
