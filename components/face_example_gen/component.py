"""FaceExampleGen: from a folder or an archive of face pictures to examples in four splits."""

from typing import Any, ClassVar

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import Rejects
from components.face_example_gen.executor import Executor
from components.face_example_gen.label_file import Columns
from components.face_example_gen.policy import DEFAULT_BALANCE, DEFAULT_POLICY


class FaceExampleGenSpec(ComponentSpec):
    """The interface of FaceExampleGen."""

    INPUTS: ClassVar[dict[str, Any]] = {}
    OUTPUTS: ClassVar[dict[str, Any]] = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "rejects": ChannelParameter(type=Rejects),
    }
    PARAMETERS: ClassVar[dict[str, Any]] = {
        "data_uri": ExecutionParameter(type=str),
        "data_fingerprint": ExecutionParameter(type=str),
        "limit": ExecutionParameter(type=int),
        "shards": ExecutionParameter(type=int),
        "policy": ExecutionParameter(type=str),
        "balance": ExecutionParameter(type=str),
        "labels_uri": ExecutionParameter(type=str),
        "label_columns": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }


class FaceExampleGen(BaseBeamComponent):
    """Reads face pictures, labels them by their names or a CSV file, splits them by their pixels.

    A file that cannot be used, or is left out by `policy` or `balance`, becomes a reject with a
    reason, never a failure.

    Outputs:
        examples: tf.train.Examples with the raw features of `schema.features`, gzipped TFRecords,
            in the splits train, val, calib and test.
        rejects: `rejects.jsonl`, sorted by file, and `ledger.json` (see `ledger`), with the custom
            properties `total`, `used` and `rejected`, in files.
    """

    SPEC_CLASS = FaceExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(
        self,
        data_uri: str,
        data_fingerprint: str = "",
        limit: int = 0,
        shards: int = 4,
        policy: str = DEFAULT_POLICY.model_dump_json(),
        balance: str = DEFAULT_BALANCE.model_dump_json(),
        labels_uri: str = "",
        label_columns: str = Columns().model_dump_json(),
        code_fingerprint: str = "",
    ) -> None:
        """A node that reads `data_uri`.

        Args:
            data_uri: a folder, .tar.gz, .tgz, .tar or .zip.
            data_fingerprint: `label_file.data_fingerprint`: the cache sees changes by it.
            limit: take this many files only, spread over the source; 0 takes all.
            shards: files per split. Workers share them out, where the runner has more than one,
                and each worker reads the source anew.
            policy: a `policy.Policy` as JSON: which files are fit for use.
            balance: a `policy.Balance` as JSON: which sound faces are left out.
            labels_uri: a CSV file of labels; "" where names carry them.
            label_columns: a `label_file.Columns` as JSON: how its columns are called.
            code_fingerprint: of the code this node runs; the cache sees changes by it.
        """
        spec = FaceExampleGenSpec(
            data_uri=data_uri,
            data_fingerprint=data_fingerprint,
            limit=limit,
            shards=shards,
            policy=policy,
            balance=balance,
            labels_uri=labels_uri,
            label_columns=label_columns,
            code_fingerprint=code_fingerprint,
            examples=channel.OutputChannel(
                standard_artifacts.Examples, producer_component=self, output_key="examples"
            ),
            rejects=channel.OutputChannel(Rejects, producer_component=self, output_key="rejects"),
        )
        super().__init__(spec=spec)
