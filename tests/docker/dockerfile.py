"""Parser for the part of the Dockerfile syntax that this project uses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """A build stage: one FROM and its instructions.

    Attributes:
        instructions: pairs of keyword and arguments, in order.
    """

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        return [arguments for name, arguments in self.instructions if name == keyword]

    def last(self, keyword: str) -> str:
        return self.all(keyword)[-1]

    def command(self, keyword: str) -> list[str]:
        """Return the JSON array of CMD or HEALTHCHECK."""
        array = self.last(keyword)
        parts: list[str] = json.loads(array[array.index("[") :])
        return parts

    def copied(self) -> list[str]:
        """Return the paths that COPY takes from the build context."""
        context = [arguments.split() for arguments in self.all("COPY") if not arguments.startswith("--from")]
        return [source for *sources, _ in context for source in sources]


def parse(file: Path) -> list[Stage]:
    """Parse a Dockerfile into its stages; a base image that is a build argument is replaced by its default."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stages: list[Stage] = []
    defaults: dict[str, str] = {}
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        keyword, _, arguments = line.partition(" ")
        if keyword == "FROM":
            base = arguments.split()[0]
            stages.append(Stage(defaults.get(base.removeprefix("$"), base)))
        elif keyword == "ARG" and not stages:
            name, _, default = arguments.strip().partition("=")
            defaults[name] = default
        elif keyword:
            stages[-1].instructions.append((keyword, arguments.strip()))
    return stages
