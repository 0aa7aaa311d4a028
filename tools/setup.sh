#!/bin/sh
# Finds a Python that really runs and has the right version, and hands over to setup_env.py.
# PYTHON names one; without it the one .venv was made with stays, then the usual names are tried.
cd "$(dirname "$0")/.." || exit 1

# A name on PATH can be a stub of a version manager that only prints an error: run it to know.
right_version() {
    "$1" -I -S -c "import sys$2; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))" \
        >/dev/null 2>&1
}

found=
if [ -n "$PYTHON" ]; then
    right_version "$PYTHON" && found=$PYTHON
else
    # Debian's python3 comes without ensurepip: second choice, setup_env.py says what it lacks.
    for modules in ', ensurepip' ''; do
        for name in .venv/bin/python python3.11 python3.12 python3; do
            if right_version "$name" "$modules"; then
                found=$name
                break 2
            fi
        done
    done
fi

if [ -z "$found" ]; then
    version=$("${PYTHON:-python3}" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
    echo "setup: needs Python 3.11 or 3.12, but ${PYTHON:-python3} is ${version:-not there or does not run};" \
        "install one (Debian 12: apt install python3 python3-venv)" \
        "or name it: make setup PYTHON=/path/to/python3.12" >&2
    exit 1
fi
exec "$found" -I -S tools/setup_env.py "$@"
