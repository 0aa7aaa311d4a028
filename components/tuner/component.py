"""Tuner: TFX's, with every trial on record in its results."""

from tfx.components.tuner import component
from tfx.dsl.components.base import executor_spec

from components.tuner.executor import Executor


class Tuner(component.Tuner):
    """Searches for a model's hyperparameters.

    Beside what TFX writes, output `tuner_results` holds what was searched and every trial with its
    curves, the failed ones with the reason (see trainer.trials). Its custom properties: `trials`,
    `failed`, and `best_trial`, from 1.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
