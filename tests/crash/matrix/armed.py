"""Runs the program with the tracer on: `armed.py RECORD ARGUMENT…`."""

import sys
from pathlib import Path

from cutting import arm

arm(Path(sys.argv[1]))

from provisioning.__main__ import main  # noqa: E402  what it imports is traced, too

main(sys.argv[2:])
