"""What the commands share: the parser, exit codes, and how results are printed."""

import argparse
import json
from collections.abc import Callable
from typing import Any

import spinekit as sk
from spinekit.report import plain_values

#: Exit codes: everything done; some items failed, all named; wrong usage.
OK, FAILED, USAGE = 0, 1, 2

Handler = Callable[[argparse.Namespace], int]


class Commands:
    """The parser and its commands, each with an example in its help."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(
            prog="spinekit",
            description="Spine imaging from the archive to the angles.",
            epilog="Example: spinekit compress CT/ out/ --ratio 10",
        )
        self.parser.add_argument("--version", action="version", version=f"spinekit {sk.__version__}")
        self.parser.add_argument("--verbose", "-v", action="store_true", help="log what happens to stderr")
        self._commands = self.parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(self, name: str, handler: Handler, summary: str, example: str) -> argparse.ArgumentParser:
        """Return the parser of a new command, whose options the handler gets."""
        command = self._commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"Example: {example}",
        )
        command.set_defaults(handler=handler)
        command.add_argument("--json", action="store_true", help="print the result as JSON to stdout")
        return command


def worker_options(command: argparse.ArgumentParser) -> None:
    """Add ``--workers`` and ``--progress``."""
    command.add_argument("--workers", type=int, metavar="N", help="threads (default: every core)")
    command.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, default=None, help="bar (default: on terminals)"
    )


def print_json(values: Any) -> None:
    """Print values as JSON, NaN as null."""
    print(json.dumps(plain_values(values), indent=1))


def finished(result: Any, *, as_json: bool) -> int:
    """Print a result, and return the exit code of whether all of it is `ok`."""
    if as_json:
        print_json(result.to_dict())
    else:
        print(result)
    return OK if result.ok else FAILED
