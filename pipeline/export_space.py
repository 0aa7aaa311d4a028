"""`agegender export space`: the page with one model as a Hugging Face Space."""

import platform
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

import jinja2
from rich.console import Console

from components.model_card import markdown
from pipeline import card
from pipeline.askable import candidates
from pipeline.drawn_examples import write_examples
from pipeline.errors import EXIT_USAGE, UserError
from serving import versions

CARD: Final = "MODEL_CARD.md"
_PROJECT: Final = Path(__file__).resolve().parent.parent

# What the page imports of this project, and no more.
MODULES: Final = (
    "pipeline/__init__.py",
    "pipeline/errors.py",
    "pipeline/quiet.py",
    "schema/__init__.py",
    "schema/features.py",
    "serving/__init__.py",
    "serving/faces.py",
    "serving/photographs.py",
    "serving/predictions.py",
    "serving/versions.py",
    "serving/client/__init__.py",
    "serving/client/answers.py",
    "serving/client/connect.py",
    "serving/client/folder.py",
    "serving/app",
)
# By the packages they come in here; TensorFlow's smaller build gives the same answers.
REQUIREMENTS: Final = {
    "gradio": "gradio",
    "numpy": "numpy",
    "opencv-python-headless": "opencv-python-headless",
    "pillow": "pillow",
    "rich": "rich",
    "tensorflow": "tensorflow-cpu",
}

_LARGE: Final = "model/** filter=lfs diff=lfs merge=lfs -text\n"  # Hugging Face takes no others

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("pipeline"),
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)


class _Source(NamedTuple):
    """The model of a Space: its SavedModel, what it is called, and its card if it has one."""

    servable: Path
    title: str
    card: Path | None


def run_export_space(
    target: Path,
    workdir: Path,
    model_dir: Path,
    version: int | None,
    candidate: str | None,
    force: bool,
) -> int:
    """Writes the folder of a Space and says how large it is; returns the exit code.

    The folder appears whole or not at all.

    Args:
      target: the folder.
      workdir: of the run.
      model_dir: the folder of the served versions.
      version: a served one; None for the newest.
      candidate: of the last run, instead of a served version.
      force: whether to write over what `target` holds.

    Raises:
      UserError: when there is no such model, or `target` cannot be written.
    """
    if version is not None and candidate:
        raise UserError("--version and --candidate do not go together", EXIT_USAGE)
    console = Console(highlight=False, soft_wrap=True)
    _refuse(target, force)
    source = _candidate(workdir, candidate) if candidate else _version(workdir, model_dir, version)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside its target, so that what is half done is never seen under its name.
        with tempfile.TemporaryDirectory(prefix=".space-", dir=target.parent) as staging:
            made = Path(staging, "new")
            with console.status("Writing the Space"):
                _write(made, source)
            if target.is_dir():
                _keep_repository(target, made)
                target.rename(Path(staging, "old"))
            made.rename(target)
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror or error}") from error
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    console.print(f"Wrote {source.title} as a Space of {size / 1e6:.1f} MB to {target}")
    if source.card is None:
        console.print("No model card of it is on record, so the Space has none.")
    console.print(f"Try it: pip install -r {target}/requirements.txt && python {target}/app.py")
    return 0


def _refuse(target: Path, force: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UserError(f"{target}: is no folder; name a new one", EXIT_USAGE)
    if target.is_dir() and any(target.iterdir()):
        if not force:
            raise UserError(f"{target}: is not empty; --force writes over all it holds")
        if not (target / "app.py").is_file():
            raise UserError(f"{target}: holds no earlier Space, so --force does not delete it")


def _version(workdir: Path, model_dir: Path, version: int | None) -> _Source:
    there = versions.list_versions(model_dir)
    if not there:
        raise UserError(
            f"{model_dir}: no version is published; --candidate NAME exports one that is not"
        )
    number = version or there[-1]
    if number not in there:
        held = ", ".join(map(str, there))
        raise UserError(f"{model_dir}: there is no version {number}; it holds {held}")
    servable = model_dir / str(number)
    return _Source(servable, f"version {number}", _card(workdir, servable))


def _candidate(workdir: Path, name: str) -> _Source:
    found = candidates(workdir)
    if name not in found:
        known = ", ".join(found) or "none"
        raise UserError(f"{workdir}: the last run has no candidate {name}; there are: {known}")
    return _Source(found[name], f"candidate {name}", _card(workdir, found[name]))


def _card(workdir: Path, servable: Path) -> Path | None:
    folder = card.of_content(workdir, versions.content_digest(servable))
    return folder / markdown.FILE if folder else None


def _write(folder: Path, source: _Source) -> None:
    """Everything, into a folder that is made."""
    for module in MODULES:
        _copy(_PROJECT / module, folder / module)
    _copy(source.servable, folder / "model")
    write_examples(folder / "examples")
    (folder / ".gitattributes").write_text(_LARGE)
    if source.card:
        shutil.copyfile(source.card, folder / CARD)
    (folder / "requirements.txt").write_text(
        "".join(
            f"{there}=={metadata.version(here)}\n" for here, there in sorted(REQUIREMENTS.items())
        )
    )
    words = {
        "about": f"How good this model is, and for whom: {CARD} in the files of this Space."
        if source.card
        else "",
        "card": source.card is not None,
        "digest": versions.content_digest(source.servable),
        "gradio": metadata.version("gradio"),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "title": source.title,
    }
    for template, name in (("space_app.py.j2", "app.py"), ("space_readme.md.j2", "README.md")):
        (folder / name).write_text(_TEMPLATES.get_template(template).render(words), "utf-8")


def _keep_repository(old: Path, new: Path) -> None:
    """Takes .git and the like along: a Space is often a clone of its repository."""
    for kept in old.glob(".git*"):
        if not (new / kept.name).exists():
            kept.rename(new / kept.name)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
