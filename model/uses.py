"""Uses of tasks: their names, their order, and which tasks share one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from omninet.model.errors import ConfigError, InputError
from omninet.model.tasks import TASKS, Task, Use


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """Return the built-in tasks in the order of ``TASKS``, then all others in theirs."""
    order = {name: number for number, name in enumerate(TASKS)}
    return sorted(tasks, key=lambda task: order.get(task.name, len(order)))


def shared_uses(tasks: Iterable[Task]) -> dict[str, list[tuple[Task, Use]]]:
    """Return the name of each use -> the tasks that share it, each with its use.

    Where one of them chooses by a request field, all do. Tasks with a file beside the inputs of the others are apart,
    with the role of that file after a slash, such as ``translate/picture``.
    """
    found: dict[str, list[tuple[Task, Use]]] = {}
    for task in tasks:
        for use in task.uses:
            found.setdefault("/".join(filter(None, (use.name, use.beside))), []).append((task, use))
    return {name: _with_choices(uses) for name, uses in found.items()}


def _with_choices(uses: list[tuple[Task, Use]]) -> list[tuple[Task, Use]]:
    chooses = next((use.chooses for _, use in uses if use.chooses), "")
    if not chooses:
        return uses
    return [
        (task, use if use.chooses else replace(use, chooses=chooses, choice=use.choice or task.name))
        for task, use in uses
    ]


def uses_of(tasks: Iterable[Task]) -> dict[str, tuple[Task, Use]]:
    """Return the uses of tasks: name, such as ``vqa`` or ``verify/truth``, -> task and use.

    A use that shares its endpoint has its choice after a slash; the first one has the plain name as well.

    Raises:
        ConfigError: two uses have the same name without a choice between them, or take different inputs.
    """
    found: dict[str, tuple[Task, Use]] = {}
    for name, sharing in shared_uses(in_order(tasks)).items():
        found[name] = sharing[0]
        for task, use in sharing[1:]:
            _check_choice(*sharing[0], task, use)
        for task, use in sharing:
            full = full_name(task, use)
            if use.chooses and full in found:
                raise ConfigError(f"tasks {found[full][0].name} and {task.name} both have a use named {full!r}")
            if use.chooses:
                found[full] = task, use
    return found


def full_name(task: Task, use: Use) -> str:
    """Return the name of a use with its choice, such as ``verify/truth``.

    ``verify/truth/pair`` takes two pictures, and ``translate/en-de/picture`` a picture besides the text.
    """
    parts = (use.name, use.choice if use.chooses else "", "pair" if task.pairs else "", use.beside)
    return "/".join(filter(None, parts))


def _check_choice(first: Task, its: Use, task: Task, use: Use) -> None:
    """Check that requests can choose between two tasks with one endpoint."""
    if not use.chooses or use.chooses != its.chooses:
        raise ConfigError(f"tasks {first.name} and {task.name} both have a use named {use.name!r}")
    roles, others = ([(given.role, given.second) for given in each.inputs] for each in (first, task))
    alike = (roles, first.answer, its.forms) == (others, task.answer, use.forms)
    if not alike:
        raise ConfigError(
            f"tasks {first.name} and {task.name} share the use {use.name!r}; they need equal inputs and answer"
        )


def missing_tasks(name: str, known: Collection[str]) -> list[str]:
    """Return the names of the tasks of TASKS with a use called ``name`` if a checkpoint has none of them, or none.

    Args:
        known: names of the checkpoint's tasks.
    """
    named = [
        task.name
        for task in TASKS.values()
        for use in task.uses
        if name == full_name(task, use) or (name == use.name and not (task.pairs or use.beside))
    ]
    return named if not set(named) & set(known) else []


def not_in_checkpoint(tasks: Sequence[str], known: Iterable[str]) -> InputError:
    """Return the error for a request that needs one of ``tasks``, none of which is among those of the checkpoint."""
    message = (
        f"the checkpoint has no task {' or '.join(tasks)}; its tasks are {', '.join(known)}; "
        "use a checkpoint that has the task, or train one"
    )
    return InputError("task_not_in_checkpoint", message, tasks=list(tasks))
