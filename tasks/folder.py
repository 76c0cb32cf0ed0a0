"""The definitions' folder as a worker knows it, for children: read when one is wanted, and again after a while."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path

from orchestrator.definition import Definition
from orchestrator.reading import read_folder

KEPT = 10.0
"""Seconds."""


class Folder:
    """Safe to ask from any thread. Raises DefinitionError where the folder has faults, as the web does at its start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._read: Mapping[str, Definition] = {}
        self._until = 0.0

    def __call__(self) -> Mapping[str, Definition]:
        """The definitions by type."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._read = read_folder(self._path)
                self._until = time.monotonic() + KEPT
            return self._read
