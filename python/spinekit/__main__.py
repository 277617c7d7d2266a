"""``python -m spinekit``: the command line."""

from spinekit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
