"""The process of `python -m sops_python`."""

from sops_python.cli import main

if __name__ == "__main__":
    main()
