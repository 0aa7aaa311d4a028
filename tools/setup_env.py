"""Make `.venv` hold exactly what the lock file says. Run through `make setup` (tools/setup.sh).

Standard library only: it runs before anything is installed. Nothing is done when the stamp in
`.venv` says that nothing changed. A set-up that was cut short leaves an unfinished stamp, and the
next one starts from an empty `.venv`: a half-copied package looks installed to uv.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

LOCKS: Final = {
    "cpu": "requirements.lock",
    "gpu": "requirements-gpu.lock",
    # Of the container images: without what tests and linters need.
    "pipeline": "containers/pipeline.lock",
    "pipeline-gpu": "containers/pipeline-gpu.lock",
    "serving": "containers/serving.lock",
}

# cryptography's wheels need this much; TensorFlow's own floor is lower.
OLDEST_GLIBC: Final = (2, 34)

# pip installs these from the lock before uv takes over: uv, and what builds source packages, so
# that those are built by pinned tools too.
BOOTSTRAP: Final = ("uv", "setuptools", "wheel")

# The platform tfdv and ml-metadata are tagged for; tools/repair_wheels.py mends what is missing.
PLATFORM: Final = "x86_64-manylinux_2_39"

# Pure Python, but published as source only. Nothing else may need building (see `make lock`).
SOURCE_ONLY: Final = (
    "google-apitools",
    "kfp",
    "kfp-pipeline-spec",
    "kfp-server-api",
    "rouge-score",
)

# Settings of the caller's shell that would send packages elsewhere or drop the compiled bytecode.
_UNWANTED: Final = (
    "PIP_CONSTRAINT",
    "PIP_PREFIX",
    "PIP_TARGET",
    "PIP_USER",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
)

_NETWORK: Final = (
    r"dns error|failed to lookup|name or service not known|name resolution|connection refused"
    r"|error sending request|failed to establish a new connection|network is unreachable"
    r"|timed out|proxyerror|tunnel error|failed to fetch|request failed after"
)
_CAUSES: Final = (
    (r"no space left on device", "the disk is full: free some space and run it again"),
    (
        r"hash mismatch|do not match the hashes",
        "a downloaded package does not have the hash the lock file gives: the index or a proxy "
        "altered it, so it was not installed",
    ),
    (
        r"certificate_verify_failed|invalid peer certificate|unknownissuer",
        "the package index's certificate is not trusted here: set SSL_CERT_FILE and PIP_CERT to "
        "your proxy's certificates",
    ),
    (
        _NETWORK,
        "the package index cannot be reached: check the network or the proxy and run it again",
    ),
)


class SetupError(Exception):
    """What stopped the set-up and what to do about it, in one line."""


def main(arguments: list[str] | None = None) -> int:
    """Bring `.venv` up to date; 0 when it is."""
    parser = argparse.ArgumentParser(prog="make setup", description=__doc__)
    known = ", ".join(LOCKS)
    parser.add_argument("--extra", help=f"{known} (default: what .venv has now, else cpu)")
    options = parser.parse_args(arguments)
    root = Path(__file__).resolve().parents[1]
    try:
        check_machine()
        set_up(root, options.extra)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"setup: {cause_of(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: interrupted; run it again to start over", file=sys.stderr)
        return 130
    return 0


def check_machine() -> None:
    """Raise SetupError unless this Python and this machine can run the locked packages."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        raise SetupError(f"needs Python 3.11 or 3.12, and this is {platform.python_version()}")
    system, machine = platform.system(), platform.machine()
    libc, version = platform.libc_ver()
    if (system, machine, libc) != ("Linux", "x86_64", "glibc"):
        what = f"{system} {machine} ({libc or 'no glibc'})"
        raise SetupError(f"TensorFlow and TFX run here on Linux x86_64 with glibc only, not {what}")
    if tuple(map(int, version.split(".")[:2])) < OLDEST_GLIBC:
        oldest = ".".join(map(str, OLDEST_GLIBC))
        raise SetupError(f"needs glibc {oldest} or newer (Debian 12, Ubuntu 22.04), not {version}")


def set_up(root: Path, extra: str | None) -> None:
    """Make `root`/.venv as the lock for `extra` says, unless it is so already."""
    venv = root / ".venv"
    if _is_current(root, venv, extra):
        return
    venv.mkdir(exist_ok=True)
    with _alone(venv) as lock_fd:
        if _is_current(root, venv, extra):  # whoever held the lock may have done it
            return
        _install(root, venv, extra, lock_fd)


def fingerprint(root: Path, extra: str) -> dict[str, str]:
    """All that decides what `.venv` holds; equal fingerprints need no set-up."""
    digest = hashlib.sha256()
    for name in (LOCKS[extra], "tools/setup_env.py", "tools/repair_wheels.py"):
        digest.update((root / name).read_bytes())
    project = tomllib.loads((root / "pyproject.toml").read_text())
    parts = [project["build-system"], project["project"], project["tool"]["setuptools"]]
    digest.update(json.dumps(parts, sort_keys=True).encode())
    return {
        "extra": extra,
        "python": f"{_base_python()} {platform.python_version()}",
        "venv": str(root / ".venv"),  # scripts in it carry this path
        "glibc": platform.libc_ver()[1],
        "inputs": digest.hexdigest(),
    }


def lock_blocks(lock: str, names: tuple[str, ...]) -> str:
    """The entries (pin and hashes) of the packages `names` in the text of a lock file."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock)
    chosen = [block for block in blocks if re.split(r"[=\s]", block, maxsplit=1)[0] in names]
    if len(chosen) != len(names):
        raise SetupError(f"the lock file lacks one of {', '.join(names)}: run `make lock`")
    return "\n".join(chosen) + "\n"


def cause_of(output: str) -> str:
    """What a failed step's output says went wrong, in one line."""
    for pattern, cause in _CAUSES:
        if re.search(pattern, output, re.IGNORECASE):
            return cause
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def _install(root: Path, venv: Path, extra: str | None, lock_fd: int) -> None:
    before = _read_stamp(venv)
    extra = extra or before.get("extra", "cpu")
    if extra not in LOCKS:
        raise SetupError(f"EXTRA is {' or '.join(LOCKS)}, not {extra}")
    wanted = fingerprint(root, extra)
    same = all(before.get(key) == wanted[key] for key in ("python", "venv"))
    fresh = not (before.get("finished") and same and (venv / "bin/python").exists())
    if fresh:
        _check_venv_module()

    lock = root / LOCKS[extra]
    count = len(re.findall(r"^[a-z0-9][^\n]*==", lock.read_text(), re.MULTILINE))
    print(
        f"setup: .venv for Python {platform.python_version()} on glibc {wanted['glibc']}, "
        f"{count} packages from {lock.name}; details in .venv/setup.log",
        flush=True,
    )
    started = time.monotonic()
    if fresh:
        _clear(venv)
    _write_stamp(venv, {**wanted, "finished": False})

    python = str(venv / "bin/python")
    environment = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
    steps = Steps(root, venv / "setup.log", environment, lock_fd)
    if fresh:
        # venv would run ensurepip itself, but keep its words to itself when that fails.
        steps.run("venv", _base_python(), "-I", "-m", "venv", "--without-pip", str(venv))
        steps.run("pip", python, "-I", "-m", "ensurepip", "--default-pip")
    pins = venv / "bootstrap.txt"
    pins.write_text(lock_blocks(lock.read_text(), BOOTSTRAP))
    pip = (python, "-I", "-m", "pip", "--no-input", "--disable-pip-version-check")
    hashed = ("--require-hashes", "--only-binary=:all:")
    steps.run(
        f"installer ({', '.join(BOOTSTRAP)})",
        *(*pip, "install", "--retries=2", "--no-deps", *hashed, f"--requirement={pins}"),
    )
    environment.update(_index_of_pip(pip, environment))
    uv = (str(venv / "bin/uv"), "--no-progress", "pip")
    into = (f"--python={python}", "--no-build-isolation")
    built = [f"--no-binary={name}" for name in SOURCE_ONLY]
    steps.run(
        "packages and their bytecode",
        *(*uv, "sync", *into, f"--python-platform={PLATFORM}", *hashed, *built),
        *("--compile-bytecode", str(lock)),
    )
    steps.run("the project itself", *uv, "install", *into, "--no-deps", f"--editable={root}")
    imports = "import tensorflow"
    if re.search(r"^ml-metadata==", lock.read_text(), re.MULTILINE):
        steps.run("wheel repair", python, "-I", str(root / "tools/repair_wheels.py"))
        imports = "import ml_metadata, tensorflow_data_validation"
    steps.run("import check", python, "-I", "-W", "ignore", "-c", imports)
    _write_stamp(venv, {**wanted, "finished": True})
    print(f"setup: ready in {time.monotonic() - started:.0f} s", flush=True)


class Steps:
    """Runs one command after another; a line with its seconds each, their output in the log."""

    def __init__(self, root: Path, log: Path, environment: dict[str, str], lock_fd: int) -> None:
        self.root, self.log, self.environment, self.lock_fd = root, log, environment, lock_fd
        log.write_text("")

    def run(self, label: str, *command: str) -> None:
        """Run `command`; raises SetupError with the cause when it fails."""
        started = time.monotonic()
        with open(self.log, "ab") as log:
            log.write(f"\n=== {label}\n$ {' '.join(command)}\n".encode())
            log.flush()
            begin = log.tell()
            # The child holds the lock as well: should this process be killed, a second set-up
            # waits until the child is done.
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self.lock_fd,),
            )
            code = _wait(process, label, started)
        start = "\r" if sys.stdout.isatty() else ""
        line = f"{start}  {time.monotonic() - started:6.1f} s  {label}"
        print(line if code == 0 else f"{line}: failed", flush=True)
        if code == 0:
            return
        with open(self.log, "rb") as log:
            log.seek(begin)
            output = log.read().decode(errors="replace")
        raise SetupError(f"{label}: {cause_of(output)} (details: {self.log})")


def _wait(process: subprocess.Popen[bytes], label: str, started: float) -> int:
    """Wait for `process`; on a terminal the seconds run along. A stopped wait stops the process."""
    try:
        while True:
            if sys.stdout.isatty():
                print(f"\r  {time.monotonic() - started:6.1f} s  {label}", end="", flush=True)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=1)
    except BaseException:
        process.kill()
        process.wait()
        raise


def _is_current(root: Path, venv: Path, extra: str | None) -> bool:
    stamp = _read_stamp(venv)
    extra = extra or stamp.get("extra")
    if extra not in LOCKS or not (venv / "bin/agegender").exists():
        return False
    return stamp == {**fingerprint(root, extra), "finished": True}


def _read_stamp(venv: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        stamp = json.loads((venv / "setup.json").read_text())
        return stamp if isinstance(stamp, dict) else {}
    return {}


def _write_stamp(venv: Path, stamp: dict[str, Any]) -> None:
    new = venv / "setup.json.new"
    new.write_text(json.dumps(stamp, indent=1) + "\n")
    os.replace(new, venv / "setup.json")


@contextlib.contextmanager
def _alone(venv: Path) -> Iterator[int]:
    """Hold the set-up lock of this `.venv`; waits for whoever holds it. Yields its descriptor."""
    with open(venv / "setup.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: another set-up is at work on this .venv; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _clear(venv: Path) -> None:
    """Empty `venv` but for the lock file, which must stay the same file to lock anybody out."""
    for entry in venv.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != "setup.lock":
            entry.unlink()


def _base_python() -> str:
    """The Python that a virtual environment made by this one refers to."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _check_venv_module() -> None:
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"Python {version} comes without venv here: apt install python3-venv "
            f"(or python{version}-venv), then run it again"
        ) from None


def _index_of_pip(pip: tuple[str, ...], environment: dict[str, str]) -> dict[str, str]:
    """Variables that make uv use the index and certificates pip is set up for; pip's word counts.

    uv does not read pip's configuration, where a company's mirror usually stands.
    """
    listing = subprocess.run(
        [*pip, "config", "list"], env=environment, capture_output=True, text=True, check=False
    ).stdout
    found = dict(re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", listing, re.MULTILINE))
    variables = {}
    if "index-url" in found and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & environment.keys():
        variables["UV_DEFAULT_INDEX"] = found["index-url"]
    if "cert" in found and "SSL_CERT_FILE" not in environment:
        variables["SSL_CERT_FILE"] = found["cert"]
    return variables


if __name__ == "__main__":
    sys.exit(main())
