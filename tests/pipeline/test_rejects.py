import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from PIL import Image
from rich.console import Console

from components.face_example_gen import curation, logic
from components.face_example_gen.ledger import REJECTS_FILE, Ledger, contents
from components.face_example_gen.policy import Balance, Policy
from components.face_example_gen.rejects import Reason, Reject
from pipeline import record
from pipeline.errors import EXIT_USAGE, UserError
from pipeline.rejects import find_conflicts, run_rejects

COMPLETE, FAILED = mlmd.Execution.COMPLETE, mlmd.Execution.FAILED
EVIL = "40_1_0_\x1b[31m\n\u202e[bold]<script>alert(1)<&script>'\".png"


def picture(grey: int, side: int = 20) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (side, side), (grey, grey, 0)).save(data, "PNG")
    return data.getvalue()


FILES = {
    "20_0_0_a.png": picture(10),
    "20_1_0_b.png": picture(10),
    EVIL: picture(20),
    "60_0_1_c.png": picture(20),
    "8_0_1_d.png": picture(30, side=900),
    "80_0_1_e.png": picture(30, side=900),
    "30_0_0_f.png": picture(40),
    "31_0_0_g.png": picture(40),
    "50_0_0_h.png": picture(50),
    "note.txt": b"no picture",
}


def ingested(workdir: Path, state: int = COMPLETE, files: dict[str, bytes] = FILES) -> Path:
    """A work folder with the record of a run that read these files; returns their folder."""
    source = workdir / "faces"
    source.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (source / name).write_bytes(data)
    found = list(logic.examine_source(str(source), lambda _: True))
    faces = [one for one in found if isinstance(one, logic.Face)]
    rows = [curation.Row(face.file, face.image_sha256, face.labels) for face in faces]
    _, left_out = curation.curate(rows, Policy(), Balance())
    rejects = [
        *(one for one in found if isinstance(one, Reject)),
        *(one.reject for one in left_out),
    ]
    recorded(workdir, source, state, rejects, len(found))
    return source


def recorded(workdir: Path, source: Path, state: int, rejects: list[Reject], total: int) -> None:
    """Puts an execution of FaceExampleGen into the store, as TFX does."""
    store = record.open_store(workdir / "metadata.db")
    execution, artifact, node = mlmd.ExecutionType(), mlmd.ArtifactType(), mlmd.ContextType()
    execution.name, artifact.name, node.name = "FaceExampleGen", "Rejects", "node"
    execution_type = store.put_execution_type(execution)
    context = mlmd.Context(type_id=store.put_context_type(node), name="agegender.FaceExampleGen")
    (done,) = store.put_executions([mlmd.Execution(type_id=execution_type, last_known_state=state)])
    if not store.get_contexts_by_type("node"):
        store.put_contexts([context])
    (context,) = store.get_contexts_by_type("node")
    store.put_attributions_and_associations(
        [], [mlmd.Association(context_id=context.id, execution_id=done)]
    )
    (ran,) = store.get_executions_by_id([done])
    ran.custom_properties["data_uri"].string_value = str(source)
    ran.custom_properties["policy"].string_value = Policy().model_dump_json()
    store.put_executions([ran])
    folder = workdir / "artifacts" / str(done)
    folder.mkdir(parents=True)
    (folder / REJECTS_FILE).write_text(contents(Ledger(), rejects)[REJECTS_FILE])
    made = mlmd.Artifact(type_id=store.put_artifact_type(artifact), uri=str(folder))
    for name, count in (
        ("total", total),
        ("used", total - len(rejects)),
        ("rejected", len(rejects)),
    ):
        made.custom_properties[name].int_value = count
    (artifact_id,) = store.put_artifacts([made])
    event = mlmd.Event(artifact_id=artifact_id, execution_id=done, type=mlmd.Event.OUTPUT)
    event.path.steps.add().key = "rejects"
    store.put_events([event])


def said(workdir: Path, terminal: bool = False, width: int = 60, **asked: Any) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    options = {"reason": None, "as_json": False, "conflicts": None} | asked
    assert run_rejects(workdir, console=console, **options) == 0
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    ingested(folder)
    return folder


def test_every_reject_is_a_line_under_its_reason(workdir: Path) -> None:
    text = said(workdir)

    assert "10 files: 2 used, 8 rejected" in text
    assert re.search(r"label_conflict\W+6\b", text)
    assert re.search(r"duplicate\W+1\b", text)
    assert "\n31_0_0_g.png: same pixels as 30_0_0_f.png\n" in text
    assert "\n20_0_0_a.png: same pixels as 20_1_0_b.png: genders female and male\n" in text
    assert "\nnote.txt: the name lacks a label field" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_no_name_rules_the_terminal(workdir: Path, terminal: bool) -> None:
    text = said(workdir, terminal)

    assert "[bold]<script>" in text.replace("\n  ", "")
    assert r"\x1b[31m\n\u202e" in text.replace("\n  ", "")
    assert all(line.isprintable() for line in text.splitlines())
    if terminal:
        assert max(map(len, text.splitlines())) <= 60


def test_one_reason_alone(workdir: Path) -> None:
    text = said(workdir, reason="duplicate")

    assert "31_0_0_g.png" in text
    assert "label_conflict" not in text
    assert "note.txt" not in text
    assert re.search(r"thinned\W+0\b", said(workdir, reason="thinned"))


def test_an_unknown_reason_names_the_known_ones(workdir: Path) -> None:
    with pytest.raises(UserError, match="unknown reason 'dupliacte'") as error:
        said(workdir, reason="dupliacte")

    assert error.value.exit_code == EXIT_USAGE
    assert all(reason in str(error.value) for reason in Reason)


def test_json_is_what_the_run_wrote(workdir: Path) -> None:
    written = next(workdir.glob(f"artifacts/*/{REJECTS_FILE}")).read_text()

    assert said(workdir, as_json=True, width=10) == written
    (line,) = said(workdir, as_json=True, reason="bad_name").splitlines()
    assert json.loads(line)["file"] == "note.txt"


class Sheet(HTMLParser):
    """The pictures, the words of every article, and every tag of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.pictures: list[Image.Image] = []
        self.articles: list[str] = []
        self.loaded: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "article":
            self.articles.append("")
        for name, value in attributes:
            if name in ("src", "href", "srcset") and value and not value.startswith(("data:", "#")):
                self.loaded.append(value)
            if name == "src" and value:
                data = base64.b64decode(value.removeprefix("data:image/jpeg;base64,"))
                self.pictures.append(Image.open(io.BytesIO(data)))

    def handle_data(self, data: str) -> None:
        if self.articles:
            self.articles[-1] += data


def test_the_sheet_shows_each_picture_once_with_all_its_labels(
    workdir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "conflicts.html"

    assert "3 pictures" in said(workdir, conflicts=path, width=500)

    sheet = Sheet(path.read_text(encoding="utf-8"))
    assert [round(one.convert("RGB").getpixel((5, 5))[0] / 10) for one in sheet.pictures] == [
        3, 2, 1,
    ]  # fmt: skip
    assert max(side for one in sheet.pictures for side in one.size) == 400
    far, evil, genders = (re.sub(r"\s+", " ", one) for one in sheet.articles)
    assert "72 years apart" in far
    assert "8 male Black 8_0_1_d.png" in far
    assert "80 male Black 80_0_1_e.png" in far
    assert "male or female, 20 years apart" in evil
    assert r"<script>alert(1)<&script>" in evil
    assert "male or female" in genders
    assert "apart" not in genders
    assert "script" not in sheet.tags
    assert not sheet.loaded


def test_a_picture_that_has_changed_since_is_not_shown(tmp_path: Path) -> None:
    source = ingested(tmp_path)
    for name in ("20_0_0_a.png", "8_0_1_d.png", "80_0_1_e.png"):
        (source / name).write_bytes(picture(99))

    text = said(tmp_path, conflicts=tmp_path / "c.html", width=500)

    assert f"1 no longer in {source}" in text
    page = (tmp_path / "c.html").read_text()
    sheet = Sheet(page)
    assert len(sheet.pictures) == 2
    assert "no longer in the source" in sheet.articles[0]


def test_a_source_that_is_gone_is_named(tmp_path: Path) -> None:
    source = ingested(tmp_path)
    source.rename(tmp_path / "elsewhere")

    with pytest.raises(UserError, match=re.escape(str(source))):
        said(tmp_path, conflicts=tmp_path / "c.html")
    assert not (tmp_path / "c.html").exists()
    assert "6" in said(tmp_path, reason="label_conflict")


def test_without_conflicts_there_is_no_sheet(tmp_path: Path) -> None:
    ingested(tmp_path, files={"1_1_1_a.png": picture(1)})

    assert "nothing to write" in said(tmp_path, conflicts=tmp_path / "c.html")
    assert not (tmp_path / "c.html").exists()
    assert "1 files: 1 used, 0 rejected" in said(tmp_path)


def test_the_newest_run_that_read_its_data_counts(tmp_path: Path) -> None:
    ingested(tmp_path, files={"1_1_1_a.png": picture(1)})
    ingested(tmp_path, files={"note1.txt": b""})
    ingested(tmp_path, FAILED, files={"note2.txt": b""})

    assert [json.loads(line)["file"] for line in said(tmp_path, as_json=True).splitlines()] == [
        "note1.txt"
    ]


def test_without_a_run_there_is_nothing_to_list(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run agegender run first"):
        said(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
    source = ingested(tmp_path, FAILED)
    with pytest.raises(UserError, match="run agegender run first"):
        said(tmp_path)
    assert source.exists()


def test_conflicts_are_sorted_by_how_far_they_are_apart() -> None:
    files = {
        "a": ["20_0_0_1", "21_0_0_1", "50_0_0_1"],
        "b": ["20_0_0_2", "60_0_0_2"],
        "c": ["30_0_0_3", "30_1_0_3"],
        "d": ["1_0_0_4", "31_1_0_4"],
    }
    rejects = [
        Reject(file, Reason.LABEL_CONFLICT, "", digest)
        for digest, copies in files.items()
        for file in copies
    ]
    rejects.append(Reject("1_1_1", Reason.DUPLICATE, "", "e"))

    found = find_conflicts(reversed(rejects))

    assert [(one.image_sha256, one.years) for one in found] == [
        ("b", 40), ("d", 30), ("a", 30), ("c", 0),
    ]  # fmt: skip
    assert found[2].files == ("20_0_0_1", "21_0_0_1", "50_0_0_1")
