"""Which trial comes next: KerasTuner's oracles, within our budgets, what is checked in first.

None of them begins with the default values by itself (KerasTuner 1.4.8). They write their files in
place, so that a kill may cut one short: ours are replaced as a whole.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner import oracles
from keras_tuner.engine import trial as kt

from trainer import search_space, trials
from trainer.callbacks import ValScore
from trainer.hyperparameters import Hyperparameters
from trainer.search import Tuning
from trainer.search_space import Range, Values, Wanted

OBJECTIVE = ValScore.NAME
EPOCHS = "tuner/epochs"  # as Hyperband calls those of a trial
# Of Bayesian optimisation, that are random. KerasTuner's three for each dimension would be more
# than most budgets.
INITIAL_POINTS = 6
SWEEPS = 1000  # of Hyperband: the budgets end it
# Failed ones, with none completed, after which it is not the hyperparameters that are at fault.
HOPELESS = 3


class _Ours(keras_tuner.Oracle):
    """What is laid over an oracle of KerasTuner's."""

    trials: dict[str, kt.Trial]
    first: Mapping[str, Any]
    may_go_on: Callable[[], str]
    ended = ""

    def create_trial(self, tuner_id: str) -> kt.Trial:
        """The next trial; one that a kill interrupted comes first."""
        self.ended = self.may_go_on() or self._hopeless()
        if self.ended:
            return kt.Trial(self.get_space(), status=kt.TrialStatus.STOPPED)
        trial = super().create_trial(tuner_id)
        if trial.status == kt.TrialStatus.STOPPED:
            budget = self.max_trials
            spent = len(self.trials) >= budget
            self.ended = (
                f"tuning.max_trials={budget} was reached" if spent else "no other values were left"
            )
        return trial

    def _hopeless(self) -> str:
        states = [trial.status for trial in self.trials.values()]
        if len(states) >= HOPELESS and set(states) == {kt.TrialStatus.FAILED}:
            return f"the first {len(states)} trials failed"
        return ""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """What is checked in for the first trial, then what the oracle chooses."""
        if not self.trials:
            return {"status": kt.TrialStatus.RUNNING, "values": dict(self.first)}
        chosen: dict[str, Any] = super().populate_space(trial_id)
        return chosen

    def reload(self) -> None:
        """Goes on, without what was begun in the moment of a kill."""
        super().reload()
        begun = self.start_order
        self.trials = {name: one for name, one in self.trials.items() if name in begun}

    def save(self) -> None:
        """Saves the oracle's own state."""
        trials.write(Path(self._get_oracle_fname()), json.dumps(self.get_state()))

    def _save_trial(self, trial: kt.Trial) -> None:
        folder = Path(self._get_trial_dir(trial.trial_id))
        trials.write(folder / "trial.json", json.dumps(trial.get_state()))


class _Random(_Ours, oracles.RandomSearchOracle):
    pass


class _Bayesian(_Ours, oracles.BayesianOptimizationOracle):
    pass


class _Hyperband(_Ours, oracles.HyperbandOracle):
    pass


def oracle(
    told: Tuning,
    epochs: int,
    space: Mapping[str, Wanted],
    hyper: Hyperparameters,
    may_go_on: Callable[[], str],
) -> keras_tuner.Oracle:
    """The oracle that settings ask for.

    Args:
      told: how to search.
      epochs: of a trial, at most.
      space: what is searched.
      hyper: what is checked in: the first trial, for all epochs whatever the algorithm.
      may_go_on: says why no further trial may begin; "" when it may.
    """
    first: Values = search_space.checked_in(hyper, space)
    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "min"),
        "hyperparameters": _declared(space, first),
        "allow_new_entries": False,
        "tune_new_entries": False,
        "seed": told.seed + 1,  # 0 would be another one each time
        "max_consecutive_failed_trials": told.max_trials + 1,  # `_hopeless` instead
    }
    made: Any
    if told.algorithm == "hyperband":
        made = _Hyperband(
            max_epochs=epochs, factor=told.factor, hyperband_iterations=SWEEPS, **common
        )
        first = {**first, EPOCHS: epochs}
    elif told.algorithm == "bayesian":
        made = _Bayesian(num_initial_points=INITIAL_POINTS, **common)
    else:
        made = _Random(**common)
    made.max_trials = told.max_trials  # Hyperband takes none, and TFX's Tuner needs one
    made.verbose = 0
    made.first, made.may_go_on = first, may_go_on
    return made


def _declared(space: Mapping[str, Wanted], first: Values) -> keras_tuner.HyperParameters:
    declared = keras_tuner.HyperParameters()
    for name, wanted in space.items():
        default = first[name]
        if not isinstance(wanted, Range):
            declared.Choice(name, list(wanted), default=default)
        elif isinstance(default, int):
            declared.Int(
                name, int(wanted.min), int(wanted.max), sampling=wanted.sampling, default=default
            )
        else:
            declared.Float(name, wanted.min, wanted.max, sampling=wanted.sampling, default=default)
    return declared
