"""A published folder, asked in this process."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import quiet
from pipeline.errors import EXIT_USAGE, UserError
from schema import features
from serving import versions
from serving.client.answers import Answer, Ask, RefusedError, from_columns

if TYPE_CHECKING:
    from serving.client.connect import Choice


def load(model_dir: Path, choice: "Choice") -> Ask:
    """The function that asks the newest version in `model_dir`, or that of a number.

    Raises:
      UserError: there is none, it cannot be loaded, or a label is asked for, which only servers
        know.
    """
    return load_servable(_folder(model_dir, choice))


def load_servable(folder: Path) -> Ask:
    """The function that asks the SavedModel in `folder`, published or not.

    Raises:
      UserError: it cannot be loaded.
    """
    quiet.prepare_environment()
    try:
        with quiet.muted():
            import tensorflow as tf

            signature = tf.saved_model.load(str(folder)).signatures[features.SIGNATURE_DEFAULT]
    except Exception as error:  # whatever a damaged folder leads TensorFlow to
        words = " ".join(str(error).split())[:200]
        raise UserError(f"{folder}: cannot be loaded ({words}); publish it again") from error

    def ask(pictures: Sequence[bytes]) -> list[Answer]:
        try:
            answer = signature(**{features.INPUT_IMAGE_BYTES: tf.constant(list(pictures))})
        except tf.errors.InvalidArgumentError as error:
            raise RefusedError(_last_words(error)) from error
        return from_columns({name: value.numpy() for name, value in answer.items()}, len(pictures))

    return ask


def _folder(model_dir: Path, choice: "Choice") -> Path:
    if choice.label is not None:
        raise UserError("--label is for servers: give --url, or --version", EXIT_USAGE)
    found = versions.list_versions(model_dir)
    if not found:
        raise UserError(
            f"{model_dir}: no model is published here; "
            "run agegender run, or name another place by --serving-dir or --url"
        )
    version = choice.version or found[-1]
    if version not in found:
        held = ", ".join(map(str, found))
        raise UserError(f"{model_dir}: there is no version {version}; it holds {held}")
    return model_dir / str(version)


def _last_words(error: Exception) -> str:
    # The graph's errors say what happened only after a heading and a stack that is not there.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "Graph execution error" not in line), "refused")[:200]
