"""Copies of a module in which some of its submodules are replaced."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)
Replacements = dict[int, Any]
"""id of a module -> its replacement."""


def replaced(module: M, modules: Replacements) -> M:
    """Return a copy of a module with some submodules replaced; all other tensors are shared, not copied."""
    memo: dict[int, Any] = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, memo | modules)


def without_dropout(module: nn.Module) -> Replacements:
    """Return replacements for the dropouts in a module: identities, which cost less to call."""
    return {id(part): nn.Identity() for part in module.modules() if type(part) is nn.Dropout}
