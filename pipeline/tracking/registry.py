"""The registered model: every published servable is a version, the served one `champion`."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from pipeline.tracking import journal
from schema import features
from serving import versions

NAME = features.MODEL_NAME
CHAMPION, CHALLENGER = "champion", "challenger"
SERVED_TAG, DIGEST_TAG = "served_version", "content_digest"

_FOLDER = "model"  # of a run's artifacts
_MODEL_CODE = Path(__file__).parents[2] / "serving" / "mlflow_model.py"
_DESCRIPTION = f"""
Age, with a 90% interval, and gender of a face, as they are answered by what is published.
`{CHAMPION}` is what is served now, `{CHALLENGER}` the best that passed beside it. The tag
`{SERVED_TAG}` is a version's number in the serving folder, which is not its number here.

`mlflow.pyfunc.load_model("models:/{NAME}@{CHAMPION}").predict(["face.jpg"])`
""".strip()


def register(client: MlflowClient, run_id: str, entry: journal.Register) -> None:
    """Makes a servable a version of the registered model, once, and gives it its aliases.

    Args:
      client: of the store.
      run_id: whose artifacts will hold it.
      entry: `version` is the served one, 0 for what is not served.

    Raises:
      MlflowException: when MLflow does not answer, or the servable is gone.
    """
    servable = Path(entry.servable)
    if not servable.is_dir():
        raise MlflowException.invalid_parameter_value(f"the servable {servable} is gone")
    run = client.get_run(run_id)
    candidate = run.data.tags.get("candidate") or run.data.tags.get("winner")
    tags = {
        **({"candidate": candidate} if candidate else {}),
        **entry.tags,
        DIGEST_TAG: versions.content_digest(servable),
        **({SERVED_TAG: str(entry.version)} if entry.version else {}),
    }
    made = _found(client, tags) or _make(client, run, entry, tags)
    for alias in entry.aliases:
        client.set_registered_model_alias(NAME, alias, made.version)


def move(client: MlflowClient, entry: journal.Move) -> None:
    """Makes registered content a further version, under the number it is now served by, once.

    Raises:
      MlflowException: when MLflow does not answer, or knows no such content.
    """
    tags = {**entry.tags, DIGEST_TAG: entry.digest, SERVED_TAG: str(entry.version)}
    made = _found(client, tags)
    if made is None:
        alike = [
            one
            for one in client.search_model_versions(f"name='{NAME}'")
            if one.tags.get(DIGEST_TAG) == entry.digest
        ]
        if not alike:
            raise MlflowException.invalid_parameter_value(
                f"no version of {NAME} has the content of {entry.digest[:16]}"
            )
        why = f": {entry.tags['reason']}" if "reason" in entry.tags else ""
        made = client.create_model_version(
            NAME,
            str(alike[0].source),
            alike[0].run_id,
            tags=alike[0].tags | tags,
            description=f"{alike[0].description}\n\nServed again as version {entry.version}{why}",
        )
    client.set_registered_model_alias(NAME, CHAMPION, made.version)


def _found(client: MlflowClient, tags: Mapping[str, str]) -> ModelVersion | None:
    """The version that was made of this content under this number before, if any."""
    wanted = [(key, tags.get(key)) for key in (SERVED_TAG, DIGEST_TAG)]
    for one in client.search_model_versions(f"name='{NAME}'"):
        if [(key, one.tags.get(key)) for key in (SERVED_TAG, DIGEST_TAG)] == wanted:
            return one
    return None


def _make(
    client: MlflowClient, run: Run, entry: journal.Register, tags: dict[str, str]
) -> ModelVersion:
    run_id = run.info.run_id
    try:
        client.get_registered_model(NAME)
    except MlflowException:
        client.create_registered_model(NAME, description=_DESCRIPTION)
    source = f"runs:/{run_id}/{_FOLDER}"
    if not any(file.path == _FOLDER for file in client.list_artifacts(run_id)):
        with tempfile.TemporaryDirectory() as scratch:
            save(Path(entry.servable), Path(scratch, _FOLDER))
            client.log_artifacts(run_id, str(Path(scratch, _FOLDER)), _FOLDER)
    return client.create_model_version(
        NAME, source, run_id, tags=tags, description=_about(run, tags)
    )


def _about(run: Run, tags: Mapping[str, str]) -> str:
    """A version in words: what it is, how good, and where it is served."""
    forms = {
        "test/age_mae": "age MAE {:.2f} years",
        "test/gender_accuracy": "gender accuracy {:.1%}",
    }
    known = run.data.metrics
    figures = [form.format(known[name]) for name, form in forms.items() if name in known]
    good = f": {', '.join(figures)} on test" if figures else ""
    where = f"served as version {tags[SERVED_TAG]}" if SERVED_TAG in tags else "not served"
    return f"{tags.get('candidate', 'a model')}{good}; {where}; from {run.info.run_name}"


def save(servable: Path, folder: Path) -> None:
    """Writes a servable as an MLflow model that answers pictures, encoded or named by path.

    Args:
      servable: the SavedModel.
      folder: where to; must not be there.
    """
    import mlflow
    import pandas as pd  # type: ignore[import-untyped]
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    from serving import mlflow_model

    model = mlflow_model.FaceModel()
    model.load(servable)
    asked = [_drawn_face()]  # as an example: a store of models is no place for a photograph
    # Bytes or paths: no type of MLflow's is both.
    signature = ModelSignature(
        inputs=Schema([ColSpec(AnyType())]), outputs=infer_signature(model.ask(asked)).inputs
    )
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(_MODEL_CODE),
        artifacts={"servable": str(servable)},
        signature=signature,
        input_example=pd.DataFrame({"picture": asked}),
        pip_requirements=mlflow_model.requirements(),
    )


def _drawn_face() -> bytes:
    """A face of the built-in sample as JPEG."""
    from pipeline.sample import write_sample

    with tempfile.TemporaryDirectory() as scratch:
        (path,) = write_sample(Path(scratch, "faces"), 1, jobs=1)
        return path.read_bytes()
