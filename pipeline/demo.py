"""`agegender demo`: a page on this machine that asks models about photographs."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from pipeline.drawn_examples import write_examples
from pipeline.errors import EXIT_USAGE, UserError
from serving import versions
from serving.app import serve
from serving.app.asking import Models, lazily
from serving.client import Ask, connect


def run_demo(
    *,
    host: str,
    port: int,
    url: str | None,
    model_dirs: list[Path],
    workdir: Path,
    model_dir: Path,
) -> int:
    """Shows the page until it is stopped; returns the exit code.

    Args:
      host: to listen on.
      port: likewise.
      url: of a server that is asked.
      model_dirs: folders of models that are asked, where there is no url: of a SavedModel, or of
        published versions.
      workdir: whose models are asked, where there is neither.
      model_dir: the folder of its served versions.

    Raises:
      UserError: wrong usage, no model, no server, or a port that is taken.
    """
    if url and model_dirs:
        raise UserError("--url and --model-dir do not go together", EXIT_USAGE)
    console = Console(highlight=False, soft_wrap=True)
    with ExitStack() as held, tempfile.TemporaryDirectory(prefix="agegender-drawn-") as drawn:
        with console.status("Loading the model"):
            models: Models = (
                {url: held.enter_context(connect(url))}
                if url
                else _loaded(_named(model_dirs) or _of_last_run(workdir, model_dir))
            )
            examples = write_examples(Path(drawn, "faces"))
            address = held.enter_context(
                serve.running(models, examples, host=host, port=port, sent_to=url or "")
            )
        console.print(f"Models: {', '.join(models)}", markup=False)
        serve.until_stopped(lambda: console.print(f"The page: {address} (Ctrl-C stops it)"))
    return 0


def _of_last_run(workdir: Path, model_dir: Path) -> dict[str, Path]:
    from pipeline.askable import servables  # reads ML Metadata, which the server's image lacks

    return servables(workdir, model_dir)


def _loaded(folders: dict[str, Path]) -> dict[str, Ask]:
    """Functions that load their model when they are first asked."""
    return {name: lazily(_loading(folder)) for name, folder in folders.items()}


def _loading(folder: Path) -> Callable[[], Ask]:
    def load() -> Ask:
        from serving.client.folder import load_servable

        return load_servable(folder)

    return load


def _named(model_dirs: list[Path]) -> dict[str, Path]:
    """SavedModels by the names of their folders, and of versions by their number too."""
    found: dict[str, Path] = {}
    for folder in model_dirs:
        servable = folder if (folder / "saved_model.pb").is_file() else versions.latest(folder)
        if servable is None:
            raise UserError(f"{folder}: holds neither a SavedModel nor published versions of one")
        name = folder.resolve().name
        name = name if servable == folder else f"{name}, version {servable.name}"
        found[f"{name} ({folder})" if name in found else name] = servable
    return found
