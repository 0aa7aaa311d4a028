"""One answer, whichever way a model is asked; and patience where, and only where, it helps."""

import io
from pathlib import Path

import grpc
import numpy as np
import pytest
import tenacity
from PIL import Image

from pipeline.errors import EXIT_USAGE, UserError
from serving.client import Answer, RefusedError, answers, ask_all, connect
from serving.client.connect import Choice, Patience
from tests.serving.client.fake_server import Fake

WAYS = ["folder", "grpc", "rest"]
CODES = grpc.StatusCode


def jpeg(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 2 + 253 * (seed + 1) // 80, (48, 48, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def urls(grpc_url: str, rest_url: str) -> dict[str, str | None]:
    return {"folder": None, "grpc": grpc_url, "rest": rest_url}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)


def test_all_ways_give_the_same_answers_in_batches(
    urls: dict[str, str | None], model_dir: Path, fake: Fake
) -> None:
    pictures = [jpeg(i) for i in range(70)]
    found = {}
    for way, url in urls.items():
        with connect(url, model_dir) as ask:
            found[way] = ask_all(ask, pictures)
    assert len(set(found["folder"])) == 70, "different pictures, different answers"
    assert found["grpc"] == found["folder"], "to the last bit"
    assert found["rest"] == found["folder"]
    assert fake.batches == [32, 32, 6] * 2


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_that_is_refused_spoils_no_other(
    way: str, urls: dict[str, str | None], model_dir: Path
) -> None:
    pictures = [jpeg(0), b"no picture", jpeg(2)]
    with connect(urls[way], model_dir) as ask:
        found = ask_all(ask, pictures)
    assert [type(one) for one in found] == [Answer, RefusedError, Answer]
    assert "\n" not in str(found[1])


@pytest.mark.parametrize("way", WAYS)
def test_a_version_can_be_chosen(way: str, urls: dict[str, str | None], model_dir: Path) -> None:
    ages = {}
    chosen = [Choice(), Choice(version=1), Choice(version=2)]
    for choice in [*chosen, Choice(label="stable")] if way != "folder" else chosen:
        with connect(urls[way], model_dir, choice) as ask:
            ages[choice] = ask([jpeg(0)])[0].age
    assert ages[Choice()] == ages[Choice(version=2)] == pytest.approx(ages[Choice(version=1)] + 10)
    assert ages.get(Choice(label="stable"), ages[Choice(version=1)]) == ages[Choice(version=1)]
    # A folder lacks a version when it is opened, a server when it is asked.
    with pytest.raises(UserError, match="9"), connect(urls[way], model_dir, Choice(9)) as ask:
        ask([jpeg(0)])


@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_a_busy_server_is_asked_again_until_patience_ends(
    way: str, urls: dict[str, str | None], fake: Fake
) -> None:
    with connect(urls[way], patience=Patience(attempts=3)) as ask:
        fake.faults = [CODES.UNAVAILABLE, CODES.RESOURCE_EXHAUSTED]
        assert len(ask([jpeg(0)])) == 1
        fake.faults = [CODES.UNAVAILABLE] * 4
        with pytest.raises(UserError, match="does not answer"):
            ask([jpeg(0)])
        assert len(fake.faults) == 1, "three attempts"


@pytest.mark.parametrize("way", ["grpc", "rest"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (CODES.INVALID_ARGUMENT, RefusedError),
        (CODES.NOT_FOUND, UserError),
        (CODES.INTERNAL, UserError),
    ],
)
def test_what_asking_again_cannot_mend_is_asked_once(
    way: str, code: grpc.StatusCode, kind: type, urls: dict[str, str | None], fake: Fake
) -> None:
    fake.faults = [code] * 2
    with connect(urls[way]) as ask, pytest.raises(kind, match="not now"):
        ask([jpeg(0)])
    assert len(fake.faults) == 1


@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_no_answer_is_waited_for_beyond_the_deadline(
    way: str, urls: dict[str, str | None], fake: Fake
) -> None:
    fake.seconds = 1.0
    said = r"no answer within 0\.2 s; give a longer --timeout"
    with (
        connect(urls[way], patience=Patience(timeout=0.2)) as ask,
        pytest.raises(UserError, match=said),
    ):
        ask([jpeg(0)])


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_where_no_server_is_that_is_said(scheme: str) -> None:
    with (
        connect(f"{scheme}://127.0.0.1:1", patience=Patience(5, 2)) as ask,
        pytest.raises(UserError, match="is a server there"),
    ):
        ask([jpeg(0)])


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1:8500", "ftp://host:1", "grpc://host", "grpc://host:port", "http://"),
        *("http://host:8501/v2/models/agegender", "http://host/?a=b", "grpc://host:1/v1"),
    ],
)
def test_an_address_of_no_known_form_is_wrong_usage(url: str) -> None:
    with pytest.raises(UserError, match="give grpc://host:port") as raised, connect(url):
        pass
    assert raised.value.exit_code == EXIT_USAGE


def test_a_model_named_in_the_url_is_asked(rest_url: str) -> None:
    ages = []
    for path in ("", "/", "/v1/models/agegender", "/v1/models/agegender/versions/1"):
        with connect(rest_url + path) as ask:
            ages.append(ask([jpeg(0)])[0].age)
    assert ages == pytest.approx([ages[0]] * 3 + [ages[0] - 10])
    with (
        pytest.raises(UserError, match="names a version already"),
        connect(rest_url + path, choice=Choice(version=2)),
    ):
        pass


def test_a_folder_without_a_model_says_what_to_do(tmp_path: Path, model_dir: Path) -> None:
    with (
        pytest.raises(UserError, match="no model is published here; run agegender run"),
        connect(model_dir=tmp_path / "nothing"),
    ):
        pass
    with (
        pytest.raises(UserError, match="--label is for servers"),
        connect(model_dir=model_dir, choice=Choice(label="stable")),
    ):
        pass
    broken = tmp_path / "agegender" / "1"
    (broken / "variables").mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"nothing of the kind")
    (broken / "variables" / "variables.index").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be loaded"), connect(model_dir=broken.parent):
        pass


def test_a_batch_is_bounded_in_bytes() -> None:
    asked = []

    def ask(pictures: list[bytes]) -> list[Answer]:
        asked.append([len(one) for one in pictures])
        return [Answer(1, 1, 1, 0.5, "female", "0-4")] * len(pictures)

    large = bytes(answers.MAX_BATCH_BYTES * 2 // 3)
    assert len(ask_all(ask, [large, large, b"small", large])) == 4
    assert asked == [[len(large)], [len(large), 5], [len(large)]]


def test_another_kind_of_model_is_told(rest_url: str, fake: Fake) -> None:
    whole = fake.signatures[2]
    fake.signatures[2] = lambda image_bytes: {"age": whole(image_bytes=image_bytes)["age"]}
    try:
        with connect(rest_url) as ask, pytest.raises(UserError, match="does not answer age_low"):
            ask([jpeg(0)])
    finally:
        fake.signatures[2] = whole
