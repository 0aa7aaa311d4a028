"""TFX Tuner's function: trials are trainings, the same as the Trainer's, on train and val alone."""

import dataclasses
import hashlib
import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner.engine import base_tuner
from keras_tuner.engine import trial as kt
from keras_tuner.errors import FailedTrialError, FatalError
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from pipeline.errors import UserError
from trainer import dataset, oracles, progress, search_space, training, trials, weights
from trainer.callbacks import VAL_AGE_MAE, VAL_GENDER_ACCURACY, ValScore
from trainer.fitting import Fitted
from trainer.frozen import Embedded
from trainer.hyperparameters import Hyperparameters
from trainer.search import Tuning
from trainer.search_space import Values

log = logging.getLogger(__name__)

TRIAL, TRIALS = "trial", "trials"  # beside the best hyperparameters: which trial, of how many


class _TimeUpError(FatalError):
    """Ends the search from within a trial, which goes on in a later search."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What a search needs to know.

    Attributes:
      model: name of the trained model.
      store_size: side of the stored pictures, pixels.
      hyper: what is checked in.
      told: how to search.
      space: values or a range for each dimension.
      train: single examples.
      val: batches.
    """

    model: str
    store_size: int
    hyper: Hyperparameters
    told: Tuning
    space: Mapping[str, search_space.Wanted]
    train: tf.data.Dataset
    val: tf.data.Dataset

    @property
    def epochs(self) -> int:
        """Of a trial, at most."""
        return self.told.epochs or self.hyper.epochs


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """The search for one model's hyperparameters; it goes on where an earlier, equal one stopped.

    Args:
      fn_args: `train_files` from split train, `eval_files` from val, and `custom_config` with
        `model`, `store_size` and `hyperparameters` as the Trainer's, `tuning` (see trainer.search)
        and `tuning_dir`, below which searches are kept; TFX's own folder, which it removes, if "".
    """
    config = fn_args.custom_config
    name, store_size = config["model"], int(config["store_size"])
    hyper = Hyperparameters.model_validate(config["hyperparameters"])
    # Teachers would multiply the time of a trial, and lift all of them alike.
    hyper = hyper.model_copy(update={"teachers": 0})
    told = Tuning.model_validate(config["tuning"])
    weights.check(name, hyper)
    files = [*fn_args.train_files, *fn_args.eval_files]
    train, val = (training.load(files, split, store_size) for split in ("train", "val"))
    job = Job(
        model=name,
        store_size=store_size,
        hyper=hyper,
        told=told,
        space=told.searched(name, hyper),
        train=dataset.evenly(train, told.train_share),
        val=dataset.plain_batches(val, training.EVALUATION_BATCH),
    )
    project = Path(config["tuning_dir"] or fn_args.working_dir, fingerprint(job, config, files))
    return TunerFnResult(FaceTuner(job, project / name), {})


def fingerprint(job: Job, config: Mapping[str, Any], patterns: Sequence[str]) -> str:
    """Changes with all that a trial depends on or is chosen by, and not with the budgets."""
    budgets = {"enabled", "models", "max_trials", "max_minutes", "only", "space"}
    depends = {
        "told": job.told.model_dump(mode="json", exclude=budgets),
        "space": {name: str(values) for name, values in job.space.items()},
        "epochs": job.epochs,
        **{
            key: config.get(key)
            for key in ("model", "store_size", "hyperparameters", "weights_fingerprint")
        },
        "code_fingerprint": config.get("code_fingerprint"),
    }
    digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode())
    for path in sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern)):
        digest.update("/".join([*Path(path).parts[-2:], ""]).encode())
        with tf.io.gfile.GFile(path, "rb") as file:
            for part in iter(partial(file.read, 1 << 20), b""):
                digest.update(part)
    return digest.hexdigest()[:16]


class FaceTuner(base_tuner.BaseTuner):
    """KerasTuner's loop over trials that are fitted as the Trainer fits.

    What it leaves in its folder, and finds there again, is described in trainer.trials.
    """

    def __init__(self, job: Job, project: Path) -> None:
        """`project`: the folder of the search; one that is there already goes on."""
        self._job, self._folder = job, project
        self._spent = trials.seconds_spent(project)
        self._embedded: dict[str, Embedded] = {}
        oracle = oracles.oracle(job.told, job.epochs, job.space, job.hyper, self._may_go_on)
        super().__init__(
            oracle=oracle, directory=str(project.parent), project_name=project.name, overwrite=False
        )

    def search(self) -> None:
        """Runs trials until a budget is spent.

        Raises:
          UserError: when no trial was completed.
        """
        self._note("")
        try:
            super().search()
            ended = self.oracle.ended
        except _TimeUpError as error:
            ended = str(error)
        self._note(ended)
        found = trials.finished(self._folder)
        log.info("tuning %s ended: %s", self._job.model, ended)
        if not trials.ranked(found):
            raise UserError(_nothing_found(self._job.model, found, ended))

    def save(self) -> None:
        """Saves what the search goes on from."""
        self.oracle.save()
        trials.write(Path(self._get_tuner_fname()), json.dumps(self.get_state()))

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """The best trials' values, the best first, with which trial it was, of how many."""
        count = len(trials.finished(self._folder))
        found = []
        for trial in self.oracle.get_best_trials(num_trials):
            values = trial.hyperparameters.copy()
            values.values |= {TRIAL: _number(trial), TRIALS: count}
            found.append(values)
        return found

    def run_trial(self, trial: kt.Trial) -> dict[str, float]:
        """Trains once; a trial that is on record, as after a kill, is not trained again.

        Raises:
          FailedTrialError: when the training failed, or came to nothing; with the reason.
        """
        told = trial.hyperparameters.values
        values = {name: told[name] for name in self._job.space}
        epochs = int(told.get(oracles.EPOCHS, self._job.epochs))
        done = self._on_record(values, epochs)
        if done is None:
            done = self._train(_number(trial), values, epochs)
        done = done.model_copy(update={"number": _number(trial)})
        record = Path(self.get_trial_dir(trial.trial_id), trials.RECORD_FILE)
        trials.write(record, done.model_dump_json())
        if done.status == "failed":
            log.warning("%s trial %d failed: %s", self._job.model, done.number, done.reason)
            raise FailedTrialError(done.reason)
        figures = {"age_mae": done.age_mae, "gender_accuracy": done.gender_accuracy}
        known = {name: value for name, value in figures.items() if value is not None}
        return {oracles.OBJECTIVE: float(done.score or 0.0), **known}

    def _on_record(self, values: Values, epochs: int) -> trials.Trial | None:
        same = (values, epochs)
        found = trials.finished(self._folder)
        return next((one for one in found if (one.hyperparameters, one.epochs) == same), None)

    def _train(self, number: int, values: Values, epochs: int) -> trials.Trial:
        ranked = trials.ranked(trials.finished(self._folder))
        stands = progress.Search(
            trial=number,
            trials=self._job.told.max_trials,
            best=trials.told(ranked[0]) if ranked else "",
            seconds=self._spent,
            max_seconds=self._max_seconds,
            values=values,
        )
        started = time.monotonic()
        watch = partial(self._watch, started)
        about: dict[str, Any] = {"number": number, "hyperparameters": values, "epochs": epochs}
        try:
            with progress.within(stands), progress.listening(watch):
                outcome = _outcome(self._fitted(values, epochs))
        except FatalError:
            raise
        except Exception as error:
            log.exception("a trial failed")
            outcome = {"status": "failed", "reason": _reason(error)}
        finally:
            took = time.monotonic() - started
            self._spent += took
            trials.spend(self._folder, self._spent)
            keras.backend.clear_session()  # the next model needs this one's memory
        return trials.Trial(**about, **outcome, seconds=round(took, 1))

    def _fitted(self, values: Values, epochs: int) -> Fitted:
        job = self._job
        hyper = search_space.applied(job.hyper, values)
        heads = math.ceil(hyper.transfer.frozen_epochs * epochs / job.epochs)
        transfer = hyper.transfer.model_copy(update={"frozen_epochs": heads})
        hyper = hyper.model_copy(update={"epochs": epochs, "transfer": transfer})
        return training.fitted(job.model, job.store_size, hyper, job.train, job.val, self._embedded)

    def _watch(self, started: float, news: progress.Progress) -> None:
        """Hears of every step of a trial; notes the time and ends the search when it is up."""
        spent = self._spent + time.monotonic() - started
        if news.step == 0:
            trials.spend(self._folder, spent)
        if spent >= self._max_seconds:
            raise _TimeUpError(self._time_is_up())

    def _may_go_on(self) -> str:
        """Why no further trial may begin; "" when it may."""
        return self._time_is_up() if self._spent >= self._max_seconds else ""

    def _time_is_up(self) -> str:
        return f"tuning.max_minutes={self._job.told.max_minutes:g} were spent"

    @property
    def _max_seconds(self) -> float:
        return self._job.told.max_minutes * 60

    def _note(self, ended: str) -> None:
        job = self._job
        search = trials.Search(
            model=job.model,
            algorithm=job.told.algorithm,
            space=dict(job.space),
            hyperparameters=job.hyper.model_dump(mode="json"),
            epochs=job.epochs,
            train_share=job.told.train_share,
            max_trials=job.told.max_trials,
            max_minutes=job.told.max_minutes,
            ended=ended,
        )
        trials.write(self._folder / trials.SEARCH_FILE, search.model_dump_json(indent=2))

    @property
    def folder(self) -> Path:
        """Where the search is kept."""
        return self._folder


def _number(trial: kt.Trial) -> int:
    return int(trial.trial_id) + 1


def _outcome(fitted: Fitted) -> dict[str, Any]:
    """What a trial's record says of a training that ended."""
    curves = {
        name: [value if math.isfinite(value) else None for value in values]
        for name, values in fitted.history.items()
    }
    scores = [math.inf if value is None else value for value in curves[ValScore.NAME]]
    best = scores.index(min(scores))
    if not math.isfinite(scores[best]):
        return {"status": "failed", "reason": "it diverged in its first epoch", "curves": curves}
    figures = {"age_mae": VAL_AGE_MAE, "gender_accuracy": VAL_GENDER_ACCURACY}
    return {
        "status": "completed",
        "score": scores[best],
        **{name: curves[curve][best] for name, curve in figures.items() if curve in curves},
        "curves": curves,
    }


def _reason(error: Exception) -> str:
    """One line."""
    first = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        return f"out of memory: {first}".removesuffix(": ")
    return first if isinstance(error, UserError) else f"{type(error).__name__}: {first}"


def _nothing_found(model: str, found: Sequence[trials.Trial], ended: str) -> str:
    failed = trials.failed(found)
    if not failed:
        return f"tuning {model}: {ended} before a trial was completed: raise it"
    first = failed[0]
    count = f"{len(failed)} trial{'s' if len(failed) > 1 else ''}"
    return f"tuning {model}: none of {count} was completed: trial {first.number}: {first.reason}"
