"""A limit of memory for whatever is tried here."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = 2 * 2**30  # bytes, beyond what the process had before


@pytest.fixture(autouse=True)
def memory_limit() -> Iterator[None]:
    """What asks for more than MEMORY gets a MemoryError, which no outcome may hide."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
