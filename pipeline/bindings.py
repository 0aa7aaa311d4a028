"""What a runner finds out about the world before the graph is made, which itself looks nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline import validation


@dataclass(frozen=True)
class Bindings:
    """What a runner finds out about the outside world before the graph is made.

    Attributes:
      pipeline_root: where artifacts are written.
      data_uri: the photographs.
      data_fingerprint: changes when they do, or their labels.
      schema_file: a path that changes with the schema's content, for caching.
      comparators: the schema's.
      baseline_uri: statistics of the last other data that passed the gate, "" when there are none.
      model_dir: the folder of served versions.
      serving_state: changes when what is served does.
      code: digests of each node's code, keyed as node_code.CODE is.
      labels_uri: a CSV file of their labels, "" when their names carry them.
      weights: changes, for a trained model that starts from a file, when that file does.
      tuning_dir: where searches for hyperparameters are kept, to go on with.
      accept_reason: why the data are accepted whatever the verdict on them; "" when they are not.
      accepted_by: who says so.
      commit: of the code that runs, "" where it is not known.
      run_id: of the run, where a node has to record it in MLflow; "" where the runner does.
    """

    pipeline_root: str
    data_uri: str
    data_fingerprint: str
    schema_file: str
    comparators: validation.Comparators
    baseline_uri: str
    model_dir: str
    serving_state: str
    code: Mapping[str, str]
    labels_uri: str = ""
    weights: Mapping[str, str] = field(default_factory=dict)
    tuning_dir: str = ""
    accept_reason: str = ""
    accepted_by: str = ""
    commit: str = ""
    run_id: str = ""
