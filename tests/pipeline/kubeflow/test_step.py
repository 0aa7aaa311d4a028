from hypothesis import given
from hypothesis import strategies as st

from pipeline.kubeflow import step


@given(
    scheme=st.sampled_from(["minio://", "s3://", "gs://"]),
    rest=st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1),
)
def test_what_the_launcher_fills_is_found_and_named_again(scheme: str, rest: str) -> None:
    folder = step.local(scheme + rest)
    assert folder.startswith("/")
    assert folder.endswith(rest)
    assert step.remote(folder) == scheme + rest


@given(st.text())
def test_other_places_are_left_as_they_are(rest: str) -> None:
    path = f"/mnt/agegender/{rest}"
    assert step.local(path) == step.remote(path) == path


def test_the_folders_are_the_launchers() -> None:
    assert step.local("minio://mlpipeline/v2/a") == "/minio/mlpipeline/v2/a"
    assert step.local("s3://bucket/a") == "/s3/bucket/a"
    assert step.local("gs://bucket/a") == "/gcs/bucket/a"


def test_tfx_is_told_folders_types_and_names() -> None:
    declared = {"artifacts": {"model": {"artifactType": {"instanceSchema": "title: tfx.Model\n"}}}}
    told = {
        "inputs": {
            "artifacts": {
                "model": {
                    "artifacts": [{"uri": "minio://b/m", "type": {"instanceSchema": ""}}],
                }
            },
            "parameterValues": {"data_uri": "s3://stays/as/it/is"},
        },
        "outputs": {
            "artifacts": {"report": {"artifacts": [{"uri": "gs://b/r", "name": "made"}]}},
            "outputFile": "/tmp/kfp_outputs/output_metadata.json",
        },
    }
    assert step.for_tfx(told, declared) == {
        "inputs": {
            "artifacts": {
                "model": {
                    "artifacts": [
                        {
                            "uri": "/minio/b/m",
                            "name": "/minio/b/m",
                            "type": {"instanceSchema": "title: tfx.Model\n"},
                        }
                    ]
                }
            },
            "parameterValues": {"data_uri": "s3://stays/as/it/is"},
        },
        "outputs": {
            "artifacts": {"report": {"artifacts": [{"uri": "/gcs/b/r", "name": "made"}]}},
            "outputFile": "/tmp/kfp_outputs/output_metadata.json",
        },
    }
