"""The chaos proof: real processes, faults from a seeded schedule, and a checker that trusts books and ledger alone.

In reading order:

drawing      random definitions
forms        what a step of them may be: a call, an order, a question, a person, a time, a list, a workflow, a task
load         what clients do: starts, orders, again and again until they are answered
person       who decides what waits for a person
services     the services, in a process of their own, with books
foreign      the Celery worker of a team, with books too
hooks        who is told how workflows end
calling_back what services say later of the orders that they took, and what others say of them
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
forms_held   whether each form of a step, and of a start, keeps its promise
checking     the findings, all of which must be none: lost, stuck, doubled, wrongly ordered, not undone
recovery     how long each kind of fault held work up
conducting   one run from its first process to its record
report       what is printed

Run it with `python -m tests.chaos` (see `__main__`).
"""
