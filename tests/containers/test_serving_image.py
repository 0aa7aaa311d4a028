"""The image of the server holds no TFX: what it runs must be content with its lock."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

LOCK = Path(__file__).parents[2] / "containers" / "serving.lock"
REFUSE = """
import importlib, json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"not in the image: {name}")

absent = set(json.loads(sys.argv[1]))
sys.meta_path.insert(0, Refuse())
for name in sys.argv[2:]:
    importlib.import_module(name)
"""
# What `agegender serve`, `predict` and `demo` import in their bodies, at the latest.
RUN = (
    "pipeline.cli",
    "pipeline.demo",
    "pipeline.drawn_examples",
    "pipeline.predict",
    "serving.app.serve",
    "serving.client.folder",
    "serving.client.over_grpc",
    "serving.client.over_rest",
    "serving.server.command",
    "serving.server.running",
)


def absent() -> list[str]:
    """Top-level modules of installed packages that the image does not hold."""
    held = {
        canonicalize_name(name)
        for name in re.findall(r"^([a-z0-9][\w.-]*)==", LOCK.read_text(), re.MULTILINE)
    }
    return [
        module
        for module, packages in metadata.packages_distributions().items()
        if module not in sys.stdlib_module_names
        and not {canonicalize_name(one) for one in packages} & {*held, "agegender"}
    ]


def test_what_it_runs_needs_nothing_that_it_lacks() -> None:
    missing = absent()
    assert {"tfx", "mlflow", "apache_beam", "ml_metadata"} <= set(missing)
    done = subprocess.run(
        [sys.executable, "-c", REFUSE, json.dumps(missing), *RUN], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
