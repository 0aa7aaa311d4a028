import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import fingerprints, node_code


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "some_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "part.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_a_changed_or_new_file_changes_it(package: Path) -> None:
    first = fingerprints.of_code(["some_package"])
    assert fingerprints.of_code(["some_package"]) == first
    (package / "part.py").write_text("x = 2\n")
    changed = fingerprints.of_code(["some_package"])
    (package / "new.py").write_text("")
    assert len({first, changed, fingerprints.of_code(["some_package"])}) == 3


def test_modules_are_not_imported(package: Path) -> None:
    (package / "part.py").write_text("raise RuntimeError\n")
    fingerprints.of_code(["some_package.part"])
    assert "some_package.part" not in sys.modules


def test_a_changed_checkout_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "__file__", str(tmp_path / "pipeline" / "fingerprints.py"))
    assert fingerprints.of_checkout() == ""  # installed, or without a history
    (tmp_path / "a.py").write_text("")

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "A")
    clean = fingerprints.of_checkout()
    assert re.fullmatch("[0-9a-f]{12}", clean)
    (tmp_path / "a.py").write_text("x = 1\n")
    assert fingerprints.of_checkout() == f"{clean}-dirty"


@pytest.mark.parametrize("node", node_code.CODE)
def test_every_node_names_modules_there_are(node: str) -> None:
    assert fingerprints.of_code(node_code.CODE[node])
