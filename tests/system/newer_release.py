"""A worker of an imaginary next release: it knows a field of steps, and a kind of waiting, that this one does not.

`python -m tests.system.newer_release -l WARNING` is as `celery -A tasks worker -l WARNING`.
"""

import sys
from enum import Enum

FIELD, WORD = "news", "tide"


def learn() -> None:
    """From now on this process knows both. A step that waits for the tide is called again when its time has come."""
    from orchestrator.reading.fields import STEP
    from orchestrator.reading.kinds import Field, Text
    from orchestrator.states import Waiting

    assert isinstance(STEP.fields, dict)
    STEP.fields[FIELD] = Field("What no release knows yet.", Text("a text"))
    _add(Waiting, WORD)


def _add(words: type[Enum], word: str) -> None:
    """Python knows no way to add a member to an enumeration: what it does for each, done once more."""
    member = str.__new__(words, word)  # type: ignore[type-var]  # it is one of texts
    member._name_, member._value_ = word.upper(), word
    words._member_map_[word.upper()] = words._value2member_map_[word] = member


if __name__ == "__main__":
    learn()
    from orchestrator.cli.celery_worker import main

    main(sys.argv[1:])
