"""The command line: `trail COMMAND`; each group of commands is a file, each command a call and a way to show it."""

from pipeline.cli.main import main

__all__ = ["main"]
