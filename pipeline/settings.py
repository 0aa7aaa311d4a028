"""Typed, validated settings: a profile, then what the user sets over it."""

import copy
import difflib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator

from components.data_report.expectations import Rule, defaults
from components.face_example_gen.label_file import Columns
from components.face_example_gen.policy import Balance, Policy
from components.model_report.report import ReportSettings
from components.selector.logic import Thresholds
from components.selector.slices import SliceLimits
from pipeline.errors import EXIT_USAGE, UserError
from pipeline.kubeflow.choices import Kubeflow
from pipeline.tracking.place import Tracking
from schema.age_groups import Scheme
from trainer import names
from trainer.hyperparameters import Hyperparameters, Strict
from trainer.names import StudentModel, TrainedModel, TransferModel
from trainer.search import Tuning

Candidate = Literal["specialists", "multitask", "ensemble", TransferModel, StudentModel]
# The trained models of a candidate that is not one itself; of two, gender's and age's.
_MADE_OF: dict[str, tuple[TrainedModel, ...]] = {
    "specialists": ("gender_cnn", "age_cnn"),
    "multitask": ("multitask_cnn",),
}


class Ensemble(Strict):
    """The mean of several trained models: a candidate, and the teacher of students."""

    members: tuple[Literal["multitask_cnn", TransferModel], ...] = Field(
        ("multitask_cnn", "transfer_mobilenet_v2"),
        min_length=2,
        description="the trained models, each of which answers both",
    )

    @field_validator("members")
    @classmethod
    def _once(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(members)) < len(members):
            raise ValueError("a member is named twice")
        return members


class Data(Strict):
    """Where the photographs come from."""

    uri: str | None = Field(
        None, description="folder, .tar.gz or .zip; the built-in sample if none"
    )
    labels: str | None = Field(
        None, description="a CSV file with a row a picture; names carry the labels if none"
    )
    columns: Columns = Columns()
    limit: int = Field(0, ge=0, description="use only this many files; 0 for all")
    shards: int = Field(2, gt=0, description="files per split, and units of parallel ingestion")
    sample_size: int = Field(1500, gt=0, description="faces the built-in sample draws")
    sample_seed: int = 0
    policy: Policy = Policy()
    balance: Balance = Balance()


class Image(Strict):
    """How pictures are stored for training."""

    store_size: int = Field(64, ge=16, le=512, description="side of the stored pictures, pixels")


class Selection(Strict):
    """How the winner is chosen."""

    tolerance: float = Field(
        0.0, ge=0, description="how much worse than the champion's score is accepted, as a share"
    )


class Check(Strict):
    """How a servable is tried before it is published."""

    max_seconds: int = Field(300, gt=0, description="time-out of the process that tries it")


class Serving(Strict):
    """Where the winner is published."""

    dir: str | None = Field(None, description="TF Serving's model base; <workdir>/serving if none")


class Settings(Strict):
    """Everything a run depends on."""

    profile: str
    workdir: str = "work"
    data: Data = Data()
    image: Image = Image()
    expectations: dict[str, Rule] = Field(description="what the data gate asks of the data")
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)] = ("specialists", "multitask")
    ensemble: Ensemble = Ensemble()
    training: Hyperparameters = Hyperparameters()
    models: dict[TrainedModel, Hyperparameters] = Field(
        {}, description="what differs from `training` for one trained model"
    )
    tuning: Tuning = Tuning()
    age_groups: Scheme = Field("decades", description="how the served age_group groups ages")
    thresholds: Thresholds
    slices: SliceLimits = SliceLimits()
    selection: Selection = Selection()
    report: ReportSettings = ReportSettings()
    check: Check = Check()
    serving: Serving = Serving()
    tracking: Tracking = Tracking()
    kubeflow: Kubeflow = Kubeflow()
    beam_args: tuple[str, ...] = Field(
        # Beam's DirectRunner would look for Prism on the network first; without an image named, TFX
        # packs itself into an sdist for every Beam node.
        (
            "--runner=FnApiRunner",
            "--direct_running_mode=in_memory",
            "--sdk_container_image=none",
        ),
        description="pipeline options for Beam",
    )

    @property
    def trained_models(self) -> tuple[TrainedModel, ...]:
        """What the candidates need, each once."""
        taught = self.ensemble.members if self.students else ()
        needed = (model for candidate in self.candidates for model in self.made_of(candidate))
        return tuple(dict.fromkeys((*taught, *needed)))

    @property
    def students(self) -> tuple[TrainedModel, ...]:
        """The candidates that learn from the ensemble, be it a candidate itself or not."""
        return tuple(cast(TrainedModel, c) for c in self.candidates if names.is_student(c))

    def made_of(self, candidate: Candidate) -> tuple[TrainedModel, ...]:
        """The trained models a candidate needs: one, gender's and age's, or an ensemble's."""
        if candidate == "ensemble":
            return self.ensemble.members
        return _MADE_OF.get(candidate) or (cast(TrainedModel, candidate),)

    def hyperparameters(self, model: TrainedModel) -> Hyperparameters:
        """What a trained model is told."""
        alike = cast(TrainedModel, names.kind(model))
        return self.models.get(model) or self.models.get(alike, self.training)

    @property
    def tuned_models(self) -> tuple[TrainedModel, ...]:
        """Those whose hyperparameters are searched for."""
        searchable = tuple(m for m in self.trained_models if not names.is_student(m))
        wanted = self.tuning.models or searchable
        return tuple(m for m in searchable if self.tuning.enabled and m in wanted)

    @property
    def serving_dir(self) -> Path:
        """TF Serving's model base path: holds one folder per version's model name."""
        return Path(self.serving.dir) if self.serving.dir else Path(self.workdir, "serving")


def profiles() -> list[str]:
    """The names of the profiles there are."""
    found = resources.files("pipeline").joinpath("profiles").iterdir()
    return sorted(Path(entry.name).stem for entry in found if entry.name.endswith(".yaml"))


def load(profile: str, overrides: dict[str, Any], assignments: list[str]) -> Settings:
    """Resolves settings: the profile's file, then `overrides`, then `--set` assignments.

    What the data gate asks starts from `schema/expectations.yaml`. What is set of `training` holds
    for every model, whatever the profile says of one; what is set of `models.<model>` holds for it.

    Args:
      profile: the name of a profile.
      overrides: dotted keys with values, as the command line's own options give them.
      assignments: `key=value` strings; values are read as YAML.

    Raises:
      UserError: for an unknown profile or key, or a value of the wrong type (exit code 2).
    """
    if profile not in profiles():
        raise UserError(
            f"unknown profile {profile!r}: it is one of {', '.join(profiles())}", EXIT_USAGE
        )
    values: dict[str, Any] = {"profile": profile, "expectations": defaults()}
    _merge(values, _profile(profile))
    wanted = list(overrides.items())
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise UserError(f"--set takes key=value, got {assignment!r}", EXIT_USAGE)
        if key.strip() == "profile":
            raise UserError("the profile is chosen with --profile, not with --set", EXIT_USAGE)
        wanted.append((key.strip(), _parse(key, value)))
    _lay(values, wanted)
    _complete_models(values)
    try:
        chosen = Settings.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(error), EXIT_USAGE) from None
    _check_tuning(chosen)
    return chosen


def _profile(name: str) -> dict[str, Any]:
    """What a profile's file says, laid upon what the profile says that it extends."""
    text = resources.files("pipeline").joinpath("profiles", f"{name}.yaml").read_text()
    said = yaml.safe_load(text)
    base = said.pop("extends", None)
    values = _profile(base) if base else {}
    _merge(values, said)
    return values


def _check_tuning(chosen: Settings) -> None:
    """Refuses a search that could not begin, before anything runs."""
    if not chosen.tuning.enabled:
        return
    for model in chosen.tuning.models:
        if names.is_student(model):
            raise UserError(
                f"setting tuning.models: {model} is told what {names.kind(model)} is: search for "
                "that",
                EXIT_USAGE,
            )
        if model not in chosen.trained_models:
            trained = ", ".join(chosen.trained_models)
            raise UserError(
                f"setting tuning.models: the candidates train no {model}, only {trained}",
                EXIT_USAGE,
            )
    for model in chosen.tuned_models:
        try:
            chosen.tuning.searched(model, chosen.hyperparameters(model))
        except ValueError as error:
            raise UserError(f"setting tuning: {error}", EXIT_USAGE) from None


def _lay(values: dict[str, Any], chosen: list[tuple[str, Any]]) -> None:
    """Lays what the user sets upon a profile's values."""
    # Models last: which of two assignments comes first must not matter.
    for key, value in sorted(chosen, key=lambda one: one[0].partition(".")[0] == "models"):
        section, *path = key.split(".")
        if section == "training":
            for model in list(values.get("models", {})):
                _drop(values["models"], [model, *path])
        _assign(values, key, value)


def _drop(level: Any, path: list[str]) -> None:
    """Removes what stands at a path, if anything does."""
    if isinstance(level, dict):
        first, *rest = path
        if rest:
            _drop(level.get(first), rest)
        else:
            level.pop(first, None)


def _complete_models(values: dict[str, Any]) -> None:
    """Lays what is set for one trained model upon what is set for all.

    And what is set for a student upon what is set for the model that it is like.
    """
    models, training = values.get("models"), values.get("training", {})
    if not isinstance(models, dict) or not isinstance(training, dict):
        return
    # What a student is like comes first.
    for name in sorted(models, key=lambda one: names.is_student(str(one))):
        if isinstance(over := models[name], dict):
            below = models.get(names.kind(name)) if names.is_student(name) else training
            models[name] = copy.deepcopy(below if isinstance(below, dict) else training)
            _merge(models[name], over)


def _merge(values: dict[str, Any], over: dict[str, Any]) -> None:
    """Lays `over` upon `values`, level by level.

    No level of `over` becomes a part of `values`: what YAML's aliases share is shared no more.
    """
    for key, value in over.items():
        if isinstance(value, dict):
            if not isinstance(values.get(key), dict):
                values[key] = {}
            _merge(values[key], value)
        else:
            values[key] = value


def _parse(key: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise UserError(f"setting {key}: {value!r} is not a YAML value", EXIT_USAGE) from None


def _assign(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Puts a value at a dotted key, making the levels on the way."""
    *parents, last = dotted.split(".")
    for parent in parents:
        level = values.setdefault(parent, {})
        if not isinstance(level, dict):
            raise UserError(f"setting {dotted}: {parent} holds no further settings", EXIT_USAGE)
        values = level
    values[last] = value


def _explain(error: ValidationError) -> str:
    """One line: every wrong key, what it got and what it takes."""
    problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors()]
    told = {problem["loc"] for problem in problems}
    return "; ".join(
        _explain_one(problem)
        for problem in problems
        # What is wrong for all models is not told of each.
        if not (problem["loc"][0] == "models" and ("training", *problem["loc"][2:]) in told)
    )


def _explain_one(problem: dict[str, Any]) -> str:
    path = [str(part) for part in problem["loc"]]
    key = ".".join(path)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        guess = ".".join([*path[:-1], *near])
        hint = f"did you mean {guess}?" if near else f"known here: {', '.join(known)}"
        return f"unknown setting {key}: {hint}"
    if problem["type"] == "missing" and path[0] == "expectations":
        near = difflib.get_close_matches(path[1], defaults(), n=1)
        hint = f"did you mean {near[0]}?" if near else "a new rule needs a measure"
        return f"no rule {path[1]} in expectations: {hint}"
    wanted = problem["msg"][0].lower() + problem["msg"][1:]
    if problem["type"] == "value_error":
        return f"setting {key}: {wanted.removeprefix('value error, ')}"
    if problem["type"] == "model_type":
        wanted = f"it holds further settings: {', '.join(_known_keys(path))}"
    return f"setting {key}: got {problem['input']!r}, {wanted}"


def _known_keys(path: list[str]) -> list[str]:
    """The settings there are below a path of sections."""
    section: Any = Settings
    for name in path:
        if get_origin(section) is dict:
            section = get_args(section)[1]  # what is named freely, as the rules are, is of one type
        elif _holds_settings(section):
            section = _section(section, name)
        else:  # of several kinds
            section = _model_in(section)
    return sorted(field.alias or name for name, field in section.model_fields.items())


def _section(parent: type[BaseModel], name: str) -> Any:
    annotation = parent.model_fields[name].annotation
    options = get_args(annotation) if get_origin(annotation) is Union else (annotation,)
    return next(option for option in options if _holds_settings(option))


def _model_in(annotation: Any) -> Any:
    """The first kind of several that holds settings."""
    if _holds_settings(annotation):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _holds_settings(annotation: Any) -> bool:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return get_origin(annotation) is dict or is_model
