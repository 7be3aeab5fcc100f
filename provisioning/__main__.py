"""Lets `python -m provisioning` be the command line."""

from provisioning.cli.main import main

main()
