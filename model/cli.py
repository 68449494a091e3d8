"""Commands that run or inspect a checkpoint, or import one from the authors of the paper."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omninet.model.decoding.options import TEXT_OPTIONS
from omninet.model.official import commands as official
from omninet.model.tasks import TASKS, Task, Use, uses_of

if TYPE_CHECKING:
    from omninet.model.processor import Processor

EXAMPLES = """examples:
  omninet predict caption photo.jpg
  omninet predict caption photo.jpg --beams 4 --n-best 2
  omninet predict vqa photo.jpg --question "what is on the table?"
  omninet predict pos "She sells sea shells."
  omninet predict activity clip.mp4 --json
  omninet predict caption photo.jpg --explain heat.png
"""


def add_commands(subparsers: Any) -> None:
    """Add the commands ``predict``, ``inspect``, ``import-official`` and ``fetch-official``."""
    parser = subparsers.add_parser(
        "predict",
        help="run a task on files or sentences, without a server",
        description="Run one task on files or sentences:\n\n"
        + "\n".join(
            f"  {name:14} {use.summary or task.summary}" for name, (task, use) in uses_of(TASKS.values()).items()
        )
        + "\n\nA checkpoint may have further tasks; `omninet inspect` lists them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", metavar="TASK", help="a task above, or another task of the checkpoint")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="image or video files; for pos, sentences")
    parser.add_argument("--question", help="question for vqa and video-qa; short for --input question=QUESTION")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another input of the task: a file, a text or JSON (@FILE reads the JSON from a file)",
    )
    _add_options(parser)
    parser.add_argument(
        "--explain", type=Path, metavar="FILE", help="write a PNG of the model's attention to FILE; takes one INPUT"
    )
    parser.add_argument("--checkpoint", type=Path, help="checkpoint folder; default: the bundled checkpoint")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per input, one per line")
    parser.set_defaults(run=_predict)

    parser = subparsers.add_parser("inspect", help="verify a checkpoint and print what it contains")
    parser.add_argument("checkpoint", type=Path, nargs="?", help="checkpoint folder; default: the bundled checkpoint")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_inspect)
    official.add(subparsers)


def _add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("options of captions")
    for name, option in TEXT_OPTIONS.items():
        flag, shown = f"--{name.replace('_', '-')}", option.kind.__name__.upper()
        group.add_argument(flag, type=option.kind, metavar=shown, help=option.summary)
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of another output; VALUE is JSON",
    )


def _predict(args: argparse.Namespace) -> int:
    import json

    from omninet.model.errors import InputError
    from omninet.model.explain.heatmaps import draw_answer
    from omninet.model.predictor import Predictor

    if args.explain is not None and len(args.inputs) > 1:
        raise InputError("unexpected_input", "--explain takes one INPUT; run once for each", input="--explain")
    task, use = _use(args.task, args.checkpoint)
    predictor = Predictor.load(args.checkpoint, device=args.device)
    first, others = _inputs(args, predictor, task, use)
    options = {name: value for name in TEXT_OPTIONS if (value := getattr(args, name)) is not None}
    options |= {name: json.loads(text) for name, text in _pairs("--option", args.option)}
    if args.explain is not None:
        options["explain"] = "mean"
    output = predictor.output(task.name)
    for source in args.inputs:
        job = predictor.prepare(task.name, **{first[0]: first[1](source)}, **others, **options)
        answer = predictor.finish(job, predictor.run(job.rows))
        if args.explain is not None:
            args.explain.write_bytes(draw_answer(job, answer))
        if args.json:
            print(json.dumps({"input": source} | _to_json(answer), ensure_ascii=False))
        else:
            print(output.text(answer) + "".join(f"\n(note: {note})" for note in answer.notes))
    return 0


def _use(name: str, folder: Path | None) -> tuple[Task, Use]:
    """Return the task and use with a name, without reading the weights of the checkpoint.

    Raises:
        InputError: ``unknown_task``.
    """
    from omninet.model.checkpoint import BUNDLED, skim
    from omninet.model.errors import InputError

    offered = uses_of(skim(folder or BUNDLED).network.tasks.values())
    if name not in offered:
        raise InputError("unknown_task", f"there is no task {name!r}; known are {', '.join(offered)}", task=name)
    return offered[name]


def _inputs(
    args: argparse.Namespace, processor: Processor, task: Task, use: Use
) -> tuple[tuple[str, Callable[[str], Any]], dict[str, Any]]:
    """Return the keyword and the argument reader of the first input, and the values of the other inputs by keyword."""
    texts = {} if args.question is None else {"question": args.question}
    texts |= dict(_pairs("--input", args.input))
    keywords = processor.config.network.keywords(task)
    readers = {
        word: partial(processor.modalities[given.peripheral].argument, form)
        for word, (given, form) in keywords.items()
        if form == use.forms.get(given.role, form)
    }
    first = next(word for word in readers if keywords[word][0] == task.inputs[0])
    return (first, readers[first]), {name: readers.get(name, str)(text) for name, text in texts.items()}


def _pairs(option: str, given: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Split arguments of the form NAME=VALUE.

    Raises:
        InputError: ``bad_option``, an argument has no equals sign.
    """
    from omninet.model.errors import InputError

    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InputError("bad_option", f"{option} takes NAME=VALUE, not {pair!r}", option=option)
        yield name, text


def _to_json(answer: Any) -> dict[str, Any]:
    """Convert an answer to JSON values, with its explanation if it has one."""
    from dataclasses import asdict, replace

    facts: dict[str, Any] = asdict(replace(answer, explanation=None))
    del facts["explanation"]
    return facts if answer.explanation is None else facts | {"explanation": answer.explanation.to_dict()}


def _inspect(args: argparse.Namespace) -> int:
    import json

    from omninet.model.checkpoint import BUNDLED, load

    folder = args.checkpoint or BUNDLED
    checkpoint = load(folder)
    network = checkpoint.config.network
    facts: dict[str, Any] = {
        "folder": str(folder),
        "name": checkpoint.config.name,
        "version": checkpoint.config.version,
        "weights_sha256": checkpoint.digest,
        "bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
        "parameters": _parameter_counts(checkpoint.network),
        "tasks": {name: network.vocabularies.get(task.vocabulary) for name, task in network.tasks.items()},
        "network": network.to_dict(),
    }
    print(json.dumps(facts, indent=2) if args.json else _summary(facts) + "\n\n" + checkpoint.card)
    return 0


def _summary(facts: dict[str, Any]) -> str:
    parameters = ", ".join(f"{name} {count:,}" for name, count in facts["parameters"].items())
    tasks = ", ".join(task + (f" ({count:,} classes)" if count else "") for task, count in facts["tasks"].items())
    rows = {name: facts[name] for name in ("folder", "name", "version", "weights_sha256")}
    rows |= {"size": f"{facts['bytes'] / 1e6:.1f} MB", "parameters": parameters, "tasks": tasks}
    return "\n".join(f"{name:15} {value}" for name, value in rows.items())


def _parameter_counts(network: Any) -> dict[str, int]:
    """Count the parameters of each peripheral, of the CNP and of the whole network."""
    parts = dict(network.peripherals.items()) | {"cnp": network.cnp, "all": network}
    return {name: sum(p.numel() for p in module.parameters()) for name, module in parts.items()}
