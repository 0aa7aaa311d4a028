"""Draws docs/graph.svg from the pipeline itself: python -m tools.draw_graph (needs Graphviz)."""

import shutil
import subprocess
import sys
from pathlib import Path

from pipeline import quiet

quiet.prepare_environment()

from tfx.dsl.components.base.base_node import BaseNode  # noqa: E402

from pipeline import graph, node_code, settings, validation  # noqa: E402
from pipeline.bindings import Bindings  # noqa: E402
from pipeline.local import SCHEMA  # noqa: E402

PICTURE = Path(__file__).parent.parent / "docs" / "graph.svg"
_OURS = "#dbeafe"
_TFX = "#f1f5f9"
_PASSED_AROUND = {"examples", "schema"}  # to nearly every node: drawn thin


def nodes() -> list[BaseNode]:
    """The nodes of the graph, in the order they run."""
    code = dict.fromkeys(node_code.CODE, "")
    nowhere = Bindings(
        pipeline_root="",
        data_uri="data",
        data_fingerprint="",
        schema_file="schema.pbtxt",
        comparators=validation.comparators(SCHEMA),
        baseline_uri="",
        model_dir="serving",
        serving_state="none",
        code=code,
    )
    return list(graph.create_pipeline(settings.load("sample", {}, []), nowhere).components)


def dot(components: list[BaseNode]) -> str:
    """The graph in Graphviz's language: our nodes blue, TFX's grey."""
    lines = [
        "digraph agegender {",
        '  rankdir=LR; bgcolor="white"; nodesep=0.25; ranksep=0.45;',
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];',
        '  edge [color="#64748b", arrowsize=0.6];',
    ]
    for node in components:
        colour = _OURS if type(node).__module__.startswith("components") else _TFX
        lines.append(f'  "{node.id}" [fillcolor="{colour}"];')
        for key, channel in sorted(node.inputs.items()):
            style = " [style=dotted]" if key in _PASSED_AROUND else ""
            lines.append(f'  "{channel.producer_component_id}" -> "{node.id}"{style};')
    return "\n".join([*dict.fromkeys(lines), "}"])


def main() -> None:
    """Writes the picture."""
    if not shutil.which("dot"):
        sys.exit("draw_graph: Graphviz is missing: apt install graphviz")
    drawn = subprocess.run(
        ["dot", "-Tsvg"], input=dot(nodes()), capture_output=True, text=True, check=True
    )
    PICTURE.write_text(drawn.stdout)


if __name__ == "__main__":
    main()
