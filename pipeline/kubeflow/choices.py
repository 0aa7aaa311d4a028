"""What is chosen of the cluster: settings `kubeflow.*`."""

from pydantic import Field

from trainer.hyperparameters import Strict


class Resources(Strict):
    """What a pod may use."""

    cpus: float = Field(4, gt=0, description="cores")
    memory: float = Field(8, gt=0, description="GB")
    gpus: int = Field(0, ge=0)
    gpu_type: str = Field("nvidia.com/gpu", description="Kubernetes' name of the GPUs")
    node_selector: dict[str, str] = Field({}, description="labels of the nodes it may run on")


class Kubeflow(Strict):
    """How the graph runs on Kubeflow Pipelines."""

    image: str = Field("agegender:latest", min_length=1, description="of every pod")
    project_dir: str = Field("/app", description="where the image holds this project")
    volume: str = Field(
        "agegender",
        min_length=1,
        description="PersistentVolumeClaim that every pod has at `workdir`",
    )
    pipeline_root: str | None = Field(
        None, description="of artifacts: minio://, s3:// or gs://; the cluster's own if none"
    )
    service_account: str | None = Field(None, description="of the pods; the cluster's own if none")
    secrets: dict[str, tuple[str, ...]] = Field(
        {}, description="a Secret's keys, that become environment variables of the same names"
    )
    data_fingerprint: str | None = Field(
        None, description="changes when the data do; found out where they can be seen"
    )
    training: Resources = Field(
        Resources(cpus=8, memory=32, gpus=1), description="of Tuner and Trainer"
    )
    others: Resources = Field(Resources(), description="of all other nodes")
