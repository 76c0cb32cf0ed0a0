"""What the orchestrator costs and bears in the long run: measured on real processes, by counts, CPU seconds and memory.

In reading order:

watched      a worker that counts its own statements, by thread
place        all processes of one measurement
filling      a ledger with tens of thousands of workflows, copied inside the database
idle         what a worker asks of the database while there is nothing to do
parked       what steps cost that wait
backlog      more workflows than the workers can take, and Redis emptied in the middle of it
slow_host    one host that hangs, and the others
soak         whether memory, threads and files stay flat

Run one with `python -m tests.endurance NAME` (see `__main__`).
"""
