"""The ``omninet`` command: one parser with the commands of all packages.

Each package defines ``add_commands(subparsers)`` in its ``cli.py``; each command sets ``run``, a function from the
parsed arguments to an exit code. Slow modules are imported inside ``run``, so that ``--help`` starts fast.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from omninet import __version__
from omninet.app import cli as app
from omninet.model import cli as model
from omninet.model.errors import OmniNetError, install_command
from omninet.model.extensions import load_extensions
from omninet.training import cli as training

DESCRIPTION = """\
One small network for images, videos and text. It writes captions, answers questions about pictures and clips,
names activities and tags parts of speech, from the command line or as a web service."""

EXAMPLES = """\
examples:
  omninet serve                         the page and the API on http://127.0.0.1:8000
  omninet predict caption photo.jpg     one sentence about a photo
  omninet predict activity clip.mp4     the activity in a clip, and the next best guesses
  omninet predict pos "A dog runs."     a tag for every word; --json for the complete result
  omninet COMMAND --help                help on one command

exit codes: 0 done; 2 an input, option, checkpoint or device cannot be used (one line on stderr); 130 interrupted"""


BROKEN_PIPE = 141  # the exit code of a shell for a process that SIGPIPE has ended


class UsageError(OmniNetError):
    """The command-line arguments are invalid."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError in place of printing its usage and exiting."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with a reference to the help of the current command."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with the commands of all packages."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="omninet", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=formatter)
    parser.add_argument("--version", action="version", version=f"omninet {__version__}")
    commands: argparse._SubParsersAction[argparse.ArgumentParser] = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    for package in (app, model, training):
        package.add_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments after ``omninet``; None for those of this process.

    Returns:
        The exit code: 0, 2 for an error that the user can fix, 130 after an interrupt, 141 if a pipe was closed.
    """
    try:
        args = build_parser().parse_args(argv)
        load_extensions()
        code = run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of a pipe has ended, such as head. At its exit Python would write the rest and complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (OmniNetError, OSError) as error:
        print(f"omninet: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def run(args: argparse.Namespace) -> int:
    """Run the parsed command and return its exit code.

    Raises:
        OmniNetError: a training command needs a package that is not installed.
    """
    try:
        code: int = args.run(args)
        return code
    except ModuleNotFoundError as error:
        if not args.run.__module__.startswith("omninet.training."):
            raise
        message = f"training needs {error.name}, which is not installed: {install_command('train')}"
        raise OmniNetError(message) from error
