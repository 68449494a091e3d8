"""The commands that run a checkpoint, and that make one of the authors'."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.official import commands as official
from model.tasks import USES

if TYPE_CHECKING:
    from model.answers import Answer

EXAMPLES = """examples:
  omninet predict caption photo.jpg
  omninet predict caption photo.jpg --beams 4 --n-best 2
  omninet predict vqa photo.jpg --question "what is on the table?"
  omninet predict pos "She sells sea shells."
  omninet predict activity clip.mp4 --json
  omninet predict caption photo.jpg --explain heat.png
"""


TEXT_OPTIONS: dict[str, tuple[type, str]] = {
    "beams": (int, "hypotheses kept; 1 is greedy; default: the checkpoint's"),
    "n_best": (int, "captions that are wanted, best first"),
    "temperature": (float, "draw the caption; above 1 the unlikely becomes likelier"),
    "top_p": (float, "draw from the likeliest subwords that have so much probability together"),
    "seed": (int, "draw the caption; the same seed draws the same"),
    "no_repeat_ngram": (int, "runs of so many subwords come once only"),
    "min_length": (int, "subwords at least"),
    "max_length": (int, "subwords at most"),
}


def add_commands(subparsers: Any) -> None:
    """Add ``predict``, ``inspect`` and the two that read the authors' checkpoints."""
    parser = subparsers.add_parser(
        "predict",
        help="answer from a file or a sentence, without a server",
        description="Run one task on files or sentences:\n\n"
        + "\n".join(f"  {use.name:14} {use.summary}" for use in USES.values()),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=list(USES), metavar="TASK", help="one of the tasks above")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="image or video files; for pos, sentences")
    parser.add_argument("--question", help="for vqa and video-qa")
    _add_text_options(parser)
    parser.add_argument(
        "--explain", type=Path, metavar="FILE", help="draw what the model attended to, as a PNG; of one input"
    )
    parser.add_argument("--checkpoint", type=Path, help="checkpoint folder; default: the bundled one")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, one for each input")
    parser.set_defaults(run=_predict)

    parser = subparsers.add_parser("inspect", help="say what a checkpoint holds, after checking all of it")
    parser.add_argument("checkpoint", type=Path, nargs="?", help="checkpoint folder; default: the bundled one")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_inspect)
    official.add(subparsers)


def _add_text_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("for captions")
    for name, (kind, what) in TEXT_OPTIONS.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=kind.__name__.upper(), help=what)


def _predict(args: argparse.Namespace) -> int:
    import json

    from model.errors import InputError
    from model.heatmaps import draw_answer
    from model.predictor import Predictor

    use = USES[args.task]
    predictor = Predictor.load(args.checkpoint, device=args.device)
    names = ("question", *TEXT_OPTIONS)
    options = {name: value for name in names if (value := getattr(args, name)) is not None}
    if args.explain is not None:
        if len(args.inputs) > 1:
            raise InputError("unexpected_input", "--explain takes one input; run it once for each", input="--explain")
        options["explain"] = "mean"
    for source in args.inputs:
        job = predictor.prepare(use.task, **{use.inputs[0]: source}, **options)
        answer = predictor.finish(job, predictor.run(job.rows))
        if args.explain is not None:
            args.explain.write_bytes(draw_answer(job, answer))
        if args.json:
            print(json.dumps({"input": source} | _facts(answer), ensure_ascii=False))
        else:
            print(_plain(answer))
    return 0


def _facts(answer: Answer) -> dict[str, Any]:
    """An answer as JSON values; an explanation is there if it was asked for."""
    from dataclasses import asdict, replace

    from model.answers import Tagging

    if isinstance(answer, Tagging):
        return asdict(answer)
    facts = asdict(replace(answer, explanation=None))
    del facts["explanation"]
    return facts if answer.explanation is None else facts | {"explanation": answer.explanation.to_dict()}


def _plain(answer: Answer) -> str:
    """An answer for a terminal."""
    from model.answers import Caption, Label

    notes = "".join(f"\n(note: {note})" for note in answer.notes)
    if isinstance(answer, Caption):
        return "\n".join([answer.caption, *(other.caption for other in answer.alternatives)]) + notes
    if isinstance(answer, Label):
        return "\n".join(f"{c.probability:6.1%}  {c.label}" for c in answer.candidates) + notes
    return "\n".join(" ".join(f"{w.text}/{w.tag}" for w in sentence) for sentence in answer.sentences) + notes


def _inspect(args: argparse.Namespace) -> int:
    import json

    from model.checkpoint import BUNDLED, load

    folder = args.checkpoint or BUNDLED
    checkpoint = load(folder)
    network = checkpoint.config.network
    facts: dict[str, Any] = {
        "folder": str(folder),
        "name": checkpoint.config.name,
        "version": checkpoint.config.version,
        "weights_sha256": checkpoint.digest,
        "bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
        "parameters": _parts(checkpoint.network),
        "tasks": {name: network.vocabularies[task.vocabulary] for name, task in network.tasks.items()},
        "network": network.to_dict(),
    }
    print(json.dumps(facts, indent=2) if args.json else _summary(facts) + "\n\n" + checkpoint.card)
    return 0


def _summary(facts: dict[str, Any]) -> str:
    parameters = ", ".join(f"{name} {count:,}" for name, count in facts["parameters"].items())
    tasks = ", ".join(f"{task} ({count:,} classes)" for task, count in facts["tasks"].items())
    rows = {name: facts[name] for name in ("folder", "name", "version", "weights_sha256")}
    rows |= {"size": f"{facts['bytes'] / 1e6:.1f} MB", "parameters": parameters, "tasks": tasks}
    return "\n".join(f"{name:15} {value}" for name, value in rows.items())


def _parts(network: Any) -> dict[str, int]:
    """Parameters of each peripheral, of the CNP and of all."""
    parts = dict(network.peripherals.items()) | {"cnp": network.cnp, "all": network}
    return {name: sum(p.numel() for p in module.parameters()) for name, module in parts.items()}
