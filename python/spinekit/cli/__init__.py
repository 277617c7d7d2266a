"""The command line: ``spinekit …``, also ``python -m spinekit``."""

import argparse
import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence

import spinekit as sk
from spinekit.cli import archives, damaging, films, general, segmenting, volumes
from spinekit.cli.commands import FAILED, OK, USAGE, Commands

__all__ = ["FAILED", "OK", "USAGE", "build_parser", "main"]

_INTERRUPTED = 130
#: Commands whose next run goes on where the last one was stopped.
_GO_ON = ("compress", "decompress", "phantom", "segment", "damage")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    commands = Commands()
    for group in (archives, volumes, films, segmenting, damaging, general):
        group.add_commands(commands)
    return commands.parser


@contextlib.contextmanager
def _plain_warnings(command: str) -> Iterator[None]:
    """Have warnings come as a line for people, without the place in the code."""
    usual = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"spinekit {command}: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = usual


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR, format="%(message)s")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be UTF-8
    try:
        with _plain_warnings(options.command):
            return int(options.handler(options))
    except sk.ArgumentError as failure:
        print(f"spinekit {options.command}: {failure}", file=sys.stderr)
        return USAGE
    except sk.SpinekitError as failure:
        print(f"spinekit {options.command}: {failure}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        kept = (
            "; what is done is kept, the same command goes on from there" if options.command in _GO_ON else ""
        )
        print(f"\nstopped{kept}", file=sys.stderr)
        return _INTERRUPTED
