"""The command that makes a run's model again, from its resolved settings."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import yaml

from pipeline.settings import Settings, load

# Where things lie and what runs them: nothing of it is in the model.
_ELSEWHERE = frozenset({"profile", "workdir", "beam_args", "serving", "data.uri", "kubeflow"})


def command(settings: Settings, accept_reason: str = "", runner: str = "run") -> str:
    """A shell command, an option a line; of files and folders it has the names alone.

    Args:
      settings: of the run.
      accept_reason: why the data were accepted; "" when they were not.
      runner: the command of `agegender` that runs the graph.
    """
    options = [f"--profile {settings.profile}"]
    if source := source_name(settings):
        options.append(f"--data {shlex.quote(source)}")
    options += [f"--set {shlex.quote(one)}" for one in assignments(settings)]
    if accept_reason:
        options.append(f"--accept-data --reason {shlex.quote(accept_reason)}")
    return " \\\n  ".join([f"agegender {runner} {options[0]}", *options[1:]])


def source_name(settings: Settings) -> str:
    """The name of the photographs' folder or archive; "" where faces are drawn."""
    uri = settings.data.uri or ""
    return PurePath(uri).name or uri


def assignments(settings: Settings) -> list[str]:
    """What `--set` takes to get these settings from their profile's."""
    wanted = _plain(settings)
    base = _plain(load(settings.profile, {}, []))
    models = wanted.pop("models")
    base.pop("models")
    said = list(_differences(wanted, base))
    # What is set for all models is said once, and then only where a model still differs.
    again = load(settings.profile, {}, said)
    for name, hyper in models.items():
        known = again.hyperparameters(name).model_dump(mode="json")
        said += _differences(hyper, known, f"models.{name}.")
    return [_without_folder(one) for one in said]


def _plain(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", by_alias=True)


def _differences(
    wanted: Mapping[str, Any], base: Mapping[str, Any], above: str = ""
) -> Iterator[str]:
    for key, value in wanted.items():
        name = f"{above}{key}"
        if name in _ELSEWHERE or (key in base and base[key] == value):
            continue
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            yield from _differences(value, base[key], f"{name}.")
        else:
            text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"))
            yield f"{name}={text.removesuffix('...' + chr(10)).strip()}"


def _without_folder(assignment: str) -> str:
    key, _, value = assignment.partition("=")
    return f"{key}={PurePath(value).name}" if value.startswith(("/", "~")) else assignment
