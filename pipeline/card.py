"""The card of the last run's model, or of a served version, on a terminal."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from components.model_card import markdown, page
from pipeline.errors import UserError
from pipeline.record import NodeRun, open_store, runs_of
from serving.versions import content_digest, list_versions


def run_card(workdir: Path, version: int | None, as_markdown: bool, html: Path | None) -> int:
    """Says where a card is, prints it, or writes its page; returns the exit code.

    Args:
      workdir: of the run.
      version: a served one; None for the last run's model, published or not.
      as_markdown: print it as Markdown.
      html: write the page here.

    Raises:
      UserError: when there is no such card or version, or `html` cannot be written.
    """
    folder = _folder(workdir, version)
    if as_markdown:
        sys.stdout.write((folder / markdown.FILE).read_text("utf-8"))
        return 0
    shown = folder / page.FILE
    if html:
        try:
            shutil.copyfile(shown, html)
        except OSError as error:
            raise UserError(f"{html}: cannot be written: {error.strerror}") from None
        shown = html
    Console(highlight=False).print(f"Model card: {shown}", soft_wrap=True, markup=False)
    return 0


def of_content(workdir: Path, digest: str) -> Path | None:
    """The folder of the newest card of a model by its content digest; None when there is none."""
    database = workdir / "metadata.db"
    runs = runs_of(open_store(database), "ModelCard") if database.exists() else []
    folders = [
        run.outputs["card"].path
        for run in runs
        if run.succeeded and _said(run).get("content_digest") == digest
    ]
    return next((folder for folder in folders if (folder / markdown.FILE).exists()), None)


def _folder(workdir: Path, version: int | None) -> Path:
    database = workdir / "metadata.db"
    store = open_store(database) if database.exists() else None
    cards = [run for run in runs_of(store, "ModelCard") if run.succeeded] if store else []
    if store is None or not cards:
        raise UserError(f"{workdir}: no run has written a model card here; run agegender run first")
    if version is not None:
        digest = _digest(_model_dir(runs_of(store, "Publisher")), version)
        cards = [card for card in cards if _said(card).get("content_digest") == digest]
        # The same model may have been tried, or served under another number, before.
        cards.sort(
            key=lambda card: (_said(card).get("version") != version, not _said(card)["published"])
        )
        if not cards:
            raise UserError(f"version {version}: no run in {workdir} has written a card of it")
    folder = cards[0].outputs["card"].path
    if not (folder / page.FILE).exists():
        raise UserError(f"{folder}: its card is gone: run agegender run again")
    return folder


def _said(card: NodeRun) -> Mapping[str, Any]:
    """The custom properties of a card: see ModelCard."""
    return card.outputs["card"].properties


def _digest(model_dir: Path, version: int) -> str:
    if version not in list_versions(model_dir):
        known = ", ".join(map(str, list_versions(model_dir))) or "none"
        raise UserError(f"{model_dir}: no version {version}; there are: {known}")
    return content_digest(model_dir / str(version))


def _model_dir(publications: list[NodeRun]) -> Path:
    """The folder of served versions, as the newest Publisher was told."""
    destination: Mapping[str, Any] = json.loads(publications[0].parameters["push_destination"])
    return Path(destination["filesystem"]["base_directory"])
