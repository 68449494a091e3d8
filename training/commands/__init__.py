"""Subcommands of the command line: one module each, with its arguments and its action."""
