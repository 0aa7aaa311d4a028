"""What this machine has, what is wrong with it for agegender, and how to mend that."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil
from packaging.requirements import Requirement
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.errors import EXIT_ERROR

SHOWN_PACKAGES: Final = {
    "tfx": "tfx",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "tensorflow-data-validation": "tfdv",
    "tensorflow-transform": "tft",
    "tensorflow-model-analysis": "tfma",
    "apache-beam": "beam",
    "ml-metadata": "ml-metadata",
}
REINSTALL: Final = "run `make clean setup`"
CUDA_PACKAGE: Final = "nvidia-cudnn-cu12"  # comes with tensorflow[and-cuda] only
_BFLOAT16_FLAGS: Final = {"AVX512-BF16": "avx512_bf16", "AMX": "amx_bf16"}
_PROGRAMS: Final = ("tensorflow_model_server", "nvidia-smi")
MIN_MEMORY_GIB: Final = 4.0
MIN_DISK_GIB: Final = 5.0
_GIB: Final = 2**30

# In a process of its own: TensorFlow takes seconds, writes to stderr as it likes and may crash.
_PROBE: Final = """
import ctypes, json, sys
import tensorflow as tf
devices = [device.name.removeprefix("/physical_device:") for device in
           tf.config.list_physical_devices()]
unloadable = {}
for path in sys.argv[1:]:
    try:
        ctypes.CDLL(path)
    except OSError as error:
        unloadable[path] = str(error)
print()
print(json.dumps({"devices": devices, "cuda": tf.test.is_built_with_cuda(),
                  "unloadable": unloadable}))
"""


class Row(NamedTuple):
    """One line of the table; `problem` is empty when nothing is wrong."""

    name: str
    value: str
    problem: str = ""
    remedy: str = ""
    needed: bool = True  # whether agegender does not work with the problem there


def run_doctor(console: Console | None = None) -> int:
    """Print the table and what is wrong; 1 when something needed is broken, else 0."""
    console = console or Console()
    with console.status("asking TensorFlow for its devices ..."):
        rows = examine()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(row.name, escape(row.value), style=_colour(row))
    console.print(table)
    console.print()
    wrong = [row for row in rows if row.problem]
    for row in wrong:
        mark = "wrong" if row.needed else "note"
        line = f"[{_colour(row)}]{mark}:[/] {escape(row.problem)}: {escape(row.remedy)}"
        console.print(line, highlight=False, soft_wrap=True)  # a command stays in one piece
    if not wrong:
        console.print("[green]all good[/]")
    return EXIT_ERROR if any(row.needed for row in wrong) else 0


def examine() -> list[Row]:
    """All rows of the table. Takes as long as TensorFlow's import, some seconds."""
    gpus = _nvidia_gpus()
    extensions = _extensions()
    probe = _probe(extensions)
    return [
        _python(),
        _system(),
        _processor(),
        _memory(),
        _disk(),
        *_packages(),
        _wheels(extensions, probe),
        _legacy_keras(),
        _devices(probe, gpus),
        _programs(gpus),
    ]


def _colour(row: Row) -> str:
    return "" if not row.problem else "red" if row.needed else "yellow"


def _python() -> Row:
    value = f"{platform.python_version()}  {sys.executable}"
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Row("Python", value)
    return Row("Python", value, "this Python is neither 3.11 nor 3.12", REINSTALL)


def _system() -> Row:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    libc, version = platform.libc_ver()
    value = f"{name}, {libc or 'no glibc'} {version}, {platform.machine()}"
    if (platform.system(), platform.machine(), libc) == ("Linux", "x86_64", "glibc"):
        return Row("System", value)
    problem = "only Linux on x86_64 with glibc is supported"
    return Row("System", value, problem, "use such a machine")


def _processor() -> Row:
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        info = ""
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    flags = set((re.search(r"^flags\s*: (.*)$", info, re.MULTILINE) or [""])[0].split())
    fast = [name for name, flag in _BFLOAT16_FLAGS.items() if flag in flags]
    cores = len(os.sched_getaffinity(0))
    return Row(
        "Processor",
        f"{model[1] if model else platform.processor() or 'unknown'}, {cores} "
        f"core{'s' * (cores > 1)}, bfloat16: {' and '.join(fast) or 'not in hardware'}",
    )


def _memory() -> Row:
    memory = psutil.virtual_memory()
    total = memory.total / _GIB
    value = f"{total:.1f} GiB, {memory.available / _GIB:.1f} GiB of it free"
    if total >= MIN_MEMORY_GIB:
        return Row("Memory", value)
    problem = f"{total:.1f} GiB of memory is little for TFX"
    return Row("Memory", value, problem, "use a smaller `--limit`", needed=False)


def _disk() -> Row:
    free = shutil.disk_usage(Path.cwd()).free / _GIB
    value = f"{free:.1f} GiB free in {Path.cwd()}"
    if free >= MIN_DISK_GIB:
        return Row("Disk", value)
    problem = f"only {free:.1f} GiB of disk are free here"
    return Row("Disk", value, problem, "free some or pass `--workdir`", needed=False)


def _packages() -> list[Row]:
    required = [Requirement(line) for line in metadata.requires("agegender") or []]
    required = [item for item in required if not item.marker or item.marker.evaluate({"extra": ""})]
    bad = {}
    for item in required:
        version = _version(item.name)
        if version is None or not item.specifier.contains(version, prereleases=True):
            found = f"{item.name} {version}" if version else f"{item.name} is missing"
            bad[item.name] = f"{found}, but {item.name}{item.specifier} is needed"
    rows = [
        Row(short, _version(name) or "missing", bad.pop(name, ""), REINSTALL)
        for name, short in SHOWN_PACKAGES.items()
    ]
    return rows + [Row(name, _version(name) or "missing", bad[name], REINSTALL) for name in bad]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _extensions() -> list[Path]:
    """The shared objects of the two wheels that ask for a newer glibc than many machines have."""
    found: list[Path] = []
    for package in ("ml_metadata", "tensorflow_data_validation"):
        spec = util.find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or []:
            found += sorted(Path(folder).rglob("*.so"))
    return found


def _wheels(extensions: list[Path], probe: dict[str, Any]) -> Row:
    name = "Wheels"
    try:
        from tools import repair_wheels

        conditions = sorted({repair_wheels.condition(path) for path in extensions})
    except ImportError:  # an installation without the project's tools
        conditions = ["not examined"]
    except (repair_wheels.RepairError, OSError) as error:
        conditions = [str(error)]
    value = f"ml-metadata and tfdv: {', '.join(conditions) or 'not there'}"
    if probe.get("unloadable"):
        path, reason = next(iter(probe["unloadable"].items()))
        return Row(name, value, f"{Path(path).name} does not load ({reason})", REINSTALL)
    if any(condition.startswith("needs repair") for condition in conditions):
        return Row(name, value, "these wheels are built for a newer glibc", REINSTALL)
    return Row(name, value)


def _legacy_keras() -> Row:
    name = "TF_USE_LEGACY_KERAS"
    value = os.environ.get(name, "not set; agegender sets it to 0")
    if name in os.environ and value != "0":
        return Row(name, value, "Keras 2 is asked for, and agegender is Keras 3", f"unset {name}")
    return Row(name, value)


def _nvidia_gpus() -> list[str]:
    """What nvidia-smi lists, as "NAME, MEMORY, driver VERSION"; empty without it or without GPU."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    parts = [line.rsplit(", ", 1) for line in done.stdout.splitlines() if line.strip()]
    return [f"{part[0]}, driver {part[-1]}" for part in parts]


def _probe(extensions: list[Path]) -> dict[str, Any]:
    """TensorFlow's devices, whether it is built for CUDA, and which `extensions` do not load.

    Only "error" when TensorFlow cannot be imported.
    """
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", "-c", _PROBE, *map(str, extensions)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": "no answer within 300 s"}
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return {"error": lines[-1] if lines else f"exit code {done.returncode}"}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _devices(probe: dict[str, Any], gpus: list[str]) -> Row:
    name = "Devices"
    if "error" in probe:
        problem = f"TensorFlow cannot be imported ({probe['error']})"
        return Row(name, "none", problem, REINSTALL)
    libraries = _version(CUDA_PACKAGE)
    built = "built for CUDA" if probe["cuda"] else "built without CUDA"
    cuda = f"{built}, CUDA libraries {'installed' if libraries else 'not installed'}"
    value = f"TensorFlow sees {', '.join(probe['devices'])} ({cuda})"
    value += "".join(f"\n{gpu}" for gpu in gpus)
    if not gpus or any(device.startswith("GPU") for device in probe["devices"]):
        return Row(name, value)
    problem = f"TensorFlow does not use the GPU ({gpus[0]})"
    remedy = "run `make setup EXTRA=gpu`"
    if libraries:
        remedy = "look at CUDA_VISIBLE_DEVICES, and update the driver if it is older than 525"
    return Row(name, value, problem, remedy, needed=False)


def _programs(gpus: list[str]) -> Row:
    found = [f"{name}: {shutil.which(name) or 'not on PATH'}" for name in _PROGRAMS]
    value = "\n".join(found)
    if shutil.which("nvidia-smi") and not gpus:
        problem = "nvidia-smi is there but lists no GPU"
        return Row("Programs", value, problem, "run it to see what the driver says", needed=False)
    return Row("Programs", value)
