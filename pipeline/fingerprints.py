"""Digests of our own source code, so that a changed module runs its nodes again; its commit."""

import hashlib
import importlib.util
import subprocess
from collections.abc import Iterable
from pathlib import Path

_SUFFIXES = (".py", ".j2")  # code, and the templates of pages


def of_bytes(content: bytes) -> str:
    """A short digest of some bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def of_code(modules: Iterable[str]) -> str:
    """A short digest of the sources of modules and packages (with all they hold).

    Args:
      modules: dotted names; they are found, not imported.

    Raises:
      ModuleNotFoundError: when there is no such module.
    """
    digest = hashlib.sha256()
    for module in sorted(modules):
        for name, path in _sources(module):
            digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def of_checkout() -> str:
    """The commit of our code, with "-dirty" behind it when it was changed since.

    Empty where that is not known: without git, or for code that was installed.
    """
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return ""
    describe = ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    try:
        said = subprocess.run(describe, cwd=root, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""


def _sources(module: str) -> list[tuple[str, Path]]:
    """The names and paths of a module's sources, in order."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source for {module}")
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        return [(module, origin)]
    root = origin.parent
    sources = sorted(path for path in root.rglob("*") if path.suffix in _SUFFIXES)
    return [(f"{module}/{path.relative_to(root).as_posix()}", path) for path in sources]
