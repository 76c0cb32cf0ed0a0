"""What `orchestrator doctor` looks at, a file for each part of an installation; each gives findings, and never raises.

finding       one thing that is well, doubtful or wrong, and how to mend it
settings      the environment, the definitions, the key
ledger        the database, its tables, its clock
broker        Redis, and whether messages are safe in it
workers       who is there to work
"""
