"""What the lock files promise, checked without a network."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import setup_env

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def entries(name: str) -> dict[str, str]:
    """Package -> its whole entry in the lock file `name`."""
    text = (ROOT / name).read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text)[1:]
    found = {block.split("==")[0]: block.strip() for block in blocks}
    assert len(found) == len(blocks), "a package is locked twice"
    return found


@pytest.mark.parametrize("lock", sorted(setup_env.LOCKS.values()))
def test_every_package_is_pinned_with_hashes_and_without_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "make lock" in text.split("\n\n")[0].splitlines()[1]
    assert not re.search(r"://|--index|--find-links|^-", text, re.MULTILINE)
    for package, entry in entries(lock).items():
        assert re.match(rf"{package}==\S+ ; ", entry)
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), package


@pytest.mark.parametrize("python", ["3.11.0", "3.12.9"])
def test_the_lock_holds_what_the_project_asks_for(python: str) -> None:
    groups = PROJECT["dependency-groups"]
    asked = [*PROJECT["project"]["dependencies"], *groups["dev"], *groups["setup"]]
    machine = {
        "python_version": python.rsplit(".", 1)[0],
        "python_full_version": python,
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    locked = entries("requirements.lock")
    for requirement in map(Requirement, asked):
        entry = locked[canonicalize_name(requirement.name)]
        pin = Requirement(entry.split("\\")[0])
        (version,) = (item.version for item in pin.specifier)
        assert requirement.specifier.contains(version, prereleases=True), requirement.name
        assert pin.marker is not None
        assert pin.marker.evaluate(machine), requirement.name


def test_the_gpu_lock_only_adds_nvidias_libraries() -> None:
    cpu, gpu = entries("requirements.lock"), entries("requirements-gpu.lock")
    assert {package: gpu[package] for package in cpu} == cpu
    added = gpu.keys() - cpu.keys()
    assert "nvidia-cudnn-cu12" in added
    assert all(package.startswith("nvidia-") for package in added)


@pytest.mark.parametrize(
    ("lock", "whole"),
    [
        ("containers/pipeline.lock", "requirements.lock"),
        ("containers/pipeline-gpu.lock", "requirements-gpu.lock"),
        ("containers/serving.lock", "requirements.lock"),
    ],
)
def test_an_image_holds_what_was_tested_and_no_tools_of_tests(lock: str, whole: str) -> None:
    image, tested = entries(lock), entries(whole)
    assert {package: tested[package] for package in image} == image
    assert {"mypy", "pytest", "ruff", "schemathesis"} & image.keys() == set()
    assert ("tfx" in image) == ("pipeline" in lock)
