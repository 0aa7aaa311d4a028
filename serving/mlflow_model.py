"""The servable as an MLflow model: pictures, encoded or named by a path, to a table of answers.

MLflow keeps this file beside the SavedModel and runs it where the model is loaded: it needs
TensorFlow, pandas and MLflow, and nothing of this project.
"""

import base64
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

_BATCH = 64  # pictures asked at once


def requirements() -> list[str]:
    """What loading the model takes, in the versions it was made with."""
    return [f"{name}=={metadata.version(name)}" for name in ("tensorflow", "pandas", "mlflow")]


class FaceModel(PythonModel):
    """Answers as the published servable does."""

    def load_context(self, context: PythonModelContext) -> None:
        """MLflow calls it once, when the model is loaded."""
        self.load(Path(context.artifacts["servable"]))

    def load(self, servable: Path) -> None:
        """Loads a SavedModel."""
        import tensorflow as tf

        self._tf = tf
        self._model = tf.saved_model.load(str(servable))

    # Without type hints, which MLflow would take for a schema.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Answers about pictures.

        Args:
          context: MLflow's; not needed.
          model_input: pictures, each as encoded bytes (JPEG, PNG, GIF), as {"b64": "..."} or as the
            path of a file: a list, a column of a table, or one alone.
          params: none.

        Returns:
          A row per picture: age, age_low, age_high in years, female_probability, gender, age_group.

        Raises:
          ValueError: for something that is neither, or no picture.
        """
        return self.ask([_encoded(one) for one in _listed(model_input)])

    def ask(self, pictures: list[bytes]) -> pd.DataFrame:
        """The answers about encoded pictures, a row each."""
        ask = self._model.signatures["serving_default"]
        parts = []
        for begin in range(0, len(pictures), _BATCH):
            answer = ask(image_bytes=self._tf.constant(pictures[begin : begin + _BATCH]))
            parts.append(pd.DataFrame({name: _plain(answer[name]) for name in sorted(answer)}))
        return pd.concat(parts, ignore_index=True)


def _plain(values: Any) -> Any:
    found = values.numpy()
    return found if found.dtype != object else [one.decode() for one in found]


def _listed(given: Any) -> list[Any]:
    if isinstance(given, bytes | str | Path | dict):
        return [given]
    if isinstance(given, pd.DataFrame):
        given = given.iloc[:, 0]
    return list(given)


def _encoded(picture: Any) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, dict) and set(picture) == {"b64"}:
        return base64.b64decode(picture["b64"])
    if isinstance(picture, str | Path):
        return Path(picture).read_bytes()
    raise ValueError(f"a picture is bytes, a path or b64, not {type(picture).__name__}")


set_model(FaceModel())
