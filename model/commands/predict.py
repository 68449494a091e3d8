"""``omninet predict``: run a task on files or sentences, without a server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omninet.model.decoding.options import TEXT_OPTIONS
from omninet.model.tasks import TASKS, Task, Use
from omninet.model.uses import missing_tasks, not_in_checkpoint, uses_of

if TYPE_CHECKING:
    from omninet.model.errors import InputError
    from omninet.model.outputs.answer import Answer
    from omninet.model.processor import Processor

FILES = ("image", "audio")  # kinds of INPUT that can be given by an option
TEXTS = ("question", "text", "phrase", "statement")  # roles of inputs with options of their own

EXAMPLES = """examples:
  omninet predict caption photo.jpg
  omninet predict caption photos/*.jpg --json
  omninet predict caption photo.jpg --beams 4 --n-best 2
  omninet predict vqa photo.jpg --question "what is on the table?"
  omninet predict pos "She sells sea shells."
  omninet predict activity clip.mp4 --json
  omninet predict match photo.jpg --text "A dog runs."
  omninet predict verify --kind truth --image photo.jpg --statement "A dog runs."
  omninet predict transcribe speech.wav
  omninet predict caption photo.jpg --explain heat.png
"""


def add(subparsers: Any) -> None:
    """Add the command to the parser."""
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
    inputs = parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="image, video or audio files; for pos, sentences"
    )
    inputs.required = False  # in contrast to nargs="*", INPUTs may follow an option
    for kind in FILES:
        parser.add_argument(f"--{kind}", metavar="FILE", help=f"an {kind} file; the same as an INPUT")
    for role in TEXTS:
        parser.add_argument(f"--{role}", help=f"short for --input {role}={role.upper()}")
    parser.add_argument("--second-image", metavar="FILE", help="a second image file, for verify --kind truth")
    parser.add_argument(
        *("--kind", "--family", "--classes"),
        dest="choice",
        metavar="NAME",
        help="which of the tasks that share the name of a use: verify --kind truth, vqa --family gqa, "
        "classify --classes caltech101; the same as verify/truth",
    )
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
    parser.set_defaults(run=run)


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


def run(args: argparse.Namespace) -> int:
    """Answer every input and print each answer as soon as it is known.

    With several inputs, those that cannot be used are reported on stderr, and the others are answered.

    Returns:
        The exit code: 0, or 2 if an input could not be used.

    Raises:
        InputError: an option, or the only input, cannot be used.
        CheckpointError, DeviceError: the model cannot be loaded.
    """
    from omninet.model.errors import InputError
    from omninet.model.explain.heatmaps import draw_answer
    from omninet.model.predictor import Predictor

    args.inputs = [*(args.inputs or ()), *(file for kind in FILES if (file := getattr(args, kind)))]
    _check_explain(args)
    parts = (args.task, args.choice, "pair" if args.second_image else None)
    task, use = _use("/".join(part for part in parts if part), args.checkpoint)
    args.input += [f"second_image={args.second_image}"] if args.second_image else []
    _check_inputs(args, task)
    predictor = Predictor.load(args.checkpoint, device=args.device)
    reader, others = _inputs(args, predictor, task, use)
    given = others | _options(args)
    _check_options(predictor, task.name, {reader(args.inputs[0])[0]: args.inputs} | given)
    code = 0
    for source in args.inputs:
        try:
            keyword, read = reader(source)
            job = predictor.prepare(task.name, **{keyword: read(source)}, **given)
        except InputError as error:
            named = _with_source(error, source, given)
            if len(args.inputs) == 1:
                raise named from None
            _report(args, source, named)
            code = 2
            continue
        answer = predictor.complete(job, predictor.run(job.rows))
        if args.explain is not None:
            args.explain.write_bytes(draw_answer(job, answer))
        _show(args, source, answer, [predictor.output(task.name).text(answer), *_doubts(predictor, task, answer)])
    return code


def _check_inputs(args: argparse.Namespace, task: Task) -> None:
    """Check that there is an INPUT; without one, ``--text`` is that of a task that takes a text alone.

    Raises:
        InputError: ``missing_input``, there is no INPUT.
    """
    from omninet.model.errors import InputError

    alone = task.either or task.inputs[0].role == "text"
    if not args.inputs and alone and args.text is not None:
        args.inputs, args.text = [args.text], None
    if not args.inputs:
        role = task.inputs[0].role
        raise InputError("missing_input", f"task {task.name} needs an INPUT: its {role}", input=role)


def _check_explain(args: argparse.Namespace) -> None:
    """Check that the picture of the attention can be written, before the model is loaded.

    Raises:
        InputError: ``unexpected_input``, there are several inputs; ``bad_option``, the path is not that of a file.
    """
    from omninet.model.errors import InputError

    if args.explain is None:
        return
    if len(args.inputs) > 1:
        raise InputError("unexpected_input", "--explain takes one INPUT; run once for each", input="--explain")
    if args.explain.is_dir() or not os.access(args.explain.parent, os.W_OK):
        message = f"--explain cannot write {args.explain}: it must name a file in an existing, writable folder"
        raise InputError("bad_option", message, option="--explain")


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the output by name.

    Raises:
        InputError: ``bad_option``, a value is not JSON.
    """
    import json

    from omninet.model.errors import InputError

    options = {name: value for name in TEXT_OPTIONS if (value := getattr(args, name)) is not None}
    for name, text in _pairs("--option", args.option):
        try:
            options[name] = json.loads(text)
        except ValueError:
            raise InputError("bad_option", f"--option {name}={text} is not JSON", option=name) from None
    return options | ({"explain": "mean"} if args.explain is not None else {})


def _check_options(processor: Processor, task: str, given: dict[str, Any]) -> None:
    """Check the options and which inputs are given, before any file is read.

    Raises:
        InputError: see ``Processor.check``; a missing input is named with its command-line option.
    """
    from omninet.model.errors import InputError

    try:
        processor.check(task, **given)
    except InputError as error:
        if error.code != "missing_input":
            raise
        name = error.detail["input"]
        option = f"--{name} TEXT" if name in TEXTS else f"--input {name}=VALUE"
        raise InputError(error.code, f"{error.message}; give it by {option}", **error.detail) from None


def _with_source(error: InputError, source: str, given: Mapping[str, Any]) -> InputError:
    """Return an error of a request with the command-line argument that caused it at the front of its message."""
    from omninet.model.errors import InputError

    causes = [name for name in given if name in error.code]  # such as question_too_long, empty_question
    where = f"--{causes[0]}" if causes else source if len(source) <= 80 else source[:77] + "..."
    return InputError(error.code, f"{where}: {error.message}", **error.detail)


def _report(args: argparse.Namespace, source: str, error: InputError) -> None:
    """Print the error of one of several inputs."""
    import json

    print(f"omninet: {error}", file=sys.stderr)
    if args.json:
        print(json.dumps({"input": source, "error": {"code": error.code, "message": error.message}}))


def _doubts(processor: Processor, task: Task, answer: Answer) -> list[str]:
    """Return a remark if the answer is wrong at least as likely as right."""
    from omninet.model.outputs.answer import confidence_of

    calibrated, confidence = processor.confidences.get(task.name), confidence_of(answer)
    if calibrated is None or confidence is None or confidence >= calibrated.threshold:
        return []
    return [f"(not sure: {confidence:.0%} likely to be right)"]


def _show(args: argparse.Namespace, source: str, answer: Answer, texts: Sequence[str]) -> None:
    """Print an answer, with the name of its input if there are several.

    Args:
        texts: the answer for people, and remarks about it.
    """
    import json

    if args.json:
        print(json.dumps({"input": source} | _to_json(answer), ensure_ascii=False), flush=True)
        return
    lines = [*(line for text in texts for line in text.splitlines()), *(f"(note: {note})" for note in answer.notes)]
    if len(args.inputs) > 1:
        lines = [f"{source}: {lines[0]}"] if len(lines) == 1 else [f"{source}:", *(f"  {line}" for line in lines)]
    print("\n".join(lines), flush=True)


def _use(name: str, folder: Path | None) -> tuple[Task, Use]:
    """Return the task and use with a name, without reading the weights of the checkpoint.

    Raises:
        InputError: ``unknown_task``; ``task_not_in_checkpoint`` for a use of TASKS.
    """
    from omninet.model.checkpoint import BUNDLED, skim
    from omninet.model.errors import InputError

    tasks = skim(folder or BUNDLED).network.tasks
    offered = uses_of(tasks.values())
    if name not in offered and (missing := missing_tasks(name, tasks)):
        raise not_in_checkpoint(missing, tasks)
    if name not in offered:
        raise InputError("unknown_task", f"there is no task {name!r}; known are {', '.join(offered)}", task=name)
    return offered[name]


def _inputs(
    args: argparse.Namespace, processor: Processor, task: Task, use: Use
) -> tuple[Callable[[str], tuple[str, Callable[[str], Any]]], dict[str, Any]]:
    """Return a function from an INPUT to its keyword and argument reader, and the other inputs by keyword."""
    texts = {role: text for role in TEXTS if (text := getattr(args, role)) is not None}
    texts |= dict(_pairs("--input", args.input))
    keywords = processor.config.network.keywords(task)
    readers = {
        word: partial(processor.modalities[given.peripheral].argument, form)
        for word, (given, form) in keywords.items()
        if form == use.forms.get(given.role, form)
    }

    def reader(source: str) -> tuple[str, Callable[[str], Any]]:
        # If the inputs are alternatives, what is no file is the last of them, a text.
        wanted = task.inputs[-1] if task.either and not Path(source).is_file() else task.inputs[0]
        word = next(word for word in readers if keywords[word][0] == wanted)
        return word, readers[word]

    return reader, {name: readers.get(name, str)(text) for name, text in texts.items()}


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
