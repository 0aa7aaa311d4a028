"""The page itself, in Gradio's words."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported

import gradio as gr

from serving import faces, photographs
from serving.app import asking, showing
from serving.app.asking import CannotAnswerError, Models

CSS: Final = Path(__file__).with_name("page.css").read_text("utf-8")
# Gradio's own themes fetch their fonts from Google.
THEME: Final = gr.themes.Default(
    font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")
).set(body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300")

MAX_UPLOAD: Final = photographs.MAX_FILE_BYTES + 1  # so that the page itself says what is too large
# Seconds: how often pictures are looked over, and how old one may become.
SWEEP: Final = (60, 600)

_INTRODUCTION = (
    "# Age and gender from a face\n"
    "Upload a photograph or take one. Every face in it is found and asked about on its own."
)
_BEGIN = "Upload a picture, take one with the camera, or choose a drawn example."
_LIMITS = (
    "**Limits.** These are guesses from looks, not facts about a person. The labels they were "
    "learned from are noisy, gender is binary in the data, and ages under 5 and over 80 are the "
    "hardest. Faces turned away, half hidden or small are often not found. Nine of ten true ages "
    "lie within the range shown, on pictures like those the model was trained on. UTKFace, where "
    "a model was trained on it, is for non-commercial research. Do not use the answers to "
    "identify people or to decide about them."
)


class Words(NamedTuple):
    """What the page says of this model, in Markdown, and of where pictures go."""

    about: str
    privacy: str


def build(models: Models, examples: Sequence[Path], words: Words) -> gr.Blocks:
    """The page.

    Args:
      models: that can be asked; the first is chosen at the start.
      examples: pictures to try.
      words: see Words.
    """
    find = faces.haar()

    def ask(photograph: str | None, whole: bool, chosen: list[str]) -> str:
        if not photograph:
            return showing.sentence(_BEGIN, wrong=False)
        wanted = {name: ask for name, ask in models.items() if name in chosen}
        if not wanted:
            return showing.sentence("Choose a model.", wrong=True)
        try:
            return showing.answers(asking.answer(Path(photograph), wanted, whole, find))
        except CannotAnswerError as error:
            return showing.sentence(str(error), wrong=True)

    with gr.Blocks(title="agegender", analytics_enabled=False, delete_cache=SWEEP) as page:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                photograph = gr.Image(
                    label="Photograph", sources=["upload", "webcam"], type="filepath", height=300,
                    buttons=[],
                )  # fmt: skip
                photograph.preprocess = _path  # type: ignore[method-assign, assignment]
                whole = gr.Checkbox(
                    label="The picture is one face", info="Ask about all of it; look for no faces."
                )
                chosen = gr.CheckboxGroup(
                    list(models), value=list(models)[:1], label="Models, side by side",
                    visible=len(models) > 1,
                )  # fmt: skip
            with gr.Column(scale=3, min_width=300):
                answers = gr.HTML(
                    showing.sentence(_BEGIN, wrong=False), elem_classes="answers", padding=False
                )
        inputs = [photograph, whole, chosen]
        if examples:
            gr.Examples([[str(path)] for path in examples], [photograph], label="Drawn faces")
        gr.Markdown("\n\n".join((_LIMITS, words.about, words.privacy)))
        gr.on(
            [photograph.change, whole.input, chosen.input],
            ask, inputs, answers, api_name="ask", trigger_mode="always_last",
            show_progress="minimal",
        )  # fmt: skip
    page.queue(default_concurrency_limit=2)
    return page


def _path(uploaded: Any) -> Any:
    """The file as it is: Gradio's own would decode it, whatever it is."""
    return uploaded.path if uploaded else None
