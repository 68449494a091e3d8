"""``omninet evaluate``: evaluate a checkpoint."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omninet.model.predictor import Predictor
    from omninet.training.config import RunConfig
    from omninet.training.evaluate.answering import Answered
    from omninet.training.evaluate.outside import Outside
    from omninet.training.evaluate.report import Report

EXAMPLES = """examples:
  omninet evaluate --data ../data
  omninet evaluate runs/mine/checkpoint --config mine.yaml --data ../data --out report --zero-shot
  omninet evaluate --data ../data --zero-shot --shuffled --outside --card --gallery docs/gallery.md
"""


def add(subparsers: Any) -> None:
    """Add ``evaluate`` to the command line."""
    parser = subparsers.add_parser(
        "evaluate",
        help="evaluate a checkpoint on the dev splits, compared with the best constant answer",
        description="Answer every example in the same way as when serving, and print the metrics as tables.\n"
        "If Java is installed, captions are also evaluated with COCO's tokenizer and METEOR.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, nargs="?", help="checkpoint folder; default: the bundled one")
    parser.add_argument(
        "--config", type=Path, help="YAML file of the run that names the data sets; default: bundled.yaml"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets' folders")
    parser.add_argument("--limit", type=_positive, help="maximum number of examples per data set, evenly spaced")
    parser.add_argument("--split", choices=("dev", "test"), default="dev", help="default: dev")
    parser.add_argument(
        "--out", type=Path, help="folder for report.json, table.md, results/ (for evaluation servers) and plots/"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--card", action="store_true", help="write the tables into the checkpoint's MODEL_CARD.md")
    parser.add_argument(
        "--zero-shot", action="store_true", help="also evaluate photos set in motion, and captions of activity clips"
    )
    parser.add_argument(
        "--shuffled", action="store_true", help="also classify activities with the frames of clips in other orders"
    )
    parser.add_argument(
        "--outside",
        nargs="?",
        type=Path,
        const=True,
        metavar="FOLDER",
        help="also show predictions for scikit-image's pictures and for degraded ones; with a folder of the photos "
        "listed in training/evaluate/things.tsv, or with its own things.tsv, also count how many objects are named",
    )
    parser.add_argument("--gallery", type=Path, help="Markdown file for captions of the first dev photos")
    parser.set_defaults(run=run)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit code."""
    from omninet.model.checkpoint import BUNDLED
    from omninet.model.predictor import Predictor
    from omninet.training.config import RunConfig
    from omninet.training.evaluate.answering import answer_data
    from omninet.training.evaluate.output import write_report
    from omninet.training.evaluate.outside import sample_pictures
    from omninet.training.evaluate.report import write_to_card
    from omninet.training.evaluate.things import check_photos

    config = RunConfig.load(args.config or Path(__file__).parents[1] / "configs" / "bundled.yaml")
    folder = args.checkpoint or BUNDLED
    predictor = Predictor.load(folder, precision="float32")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)  # fail before the evaluation, which takes minutes
    samples = sample_pictures() if args.outside else {}  # may fail, too
    if folder_of_things := _things(args):
        check_photos(folder_of_things)
    answered = list(answer_data(predictor, config, args.data, args.limit, args.split))
    report = _report(args, predictor, config, answered, samples)
    print(report.to_json() if args.json else _readable(report, repeat(args)))
    if args.out:
        write_report(args.out, report, answered, _log(folder))
    if args.gallery:
        _write_gallery(args, predictor, config)
    if args.card:
        write_to_card(folder, report, repeat(args))
    return 0


def _report(
    args: argparse.Namespace,
    predictor: Predictor,
    config: RunConfig,
    answered: Sequence[Answered],
    samples: Mapping[str, Path],
) -> Report:
    """Compute everything that the arguments ask for."""
    from omninet.training.evaluate.measures import measure
    from omninet.training.evaluate.report import Report
    from omninet.training.evaluate.shuffled import shuffled
    from omninet.training.evaluate.zero_shot import zero_shot

    return Report(
        predictor.name,
        predictor.version,
        predictor.digest,
        args.split,
        tuple(measure(given, official=True, predictor=predictor) for given in answered),
        zero_shot(predictor, answered) if args.zero_shot else None,
        shuffled(predictor, answered) if args.shuffled else (),
        _outside(args, predictor, config, samples) if args.outside else None,
    )


def _outside(args: argparse.Namespace, predictor: Predictor, config: RunConfig, samples: Mapping[str, Path]) -> Outside:
    from omninet.training.evaluate.asking import captioning
    from omninet.training.evaluate.devsets import dev_examples
    from omninet.training.evaluate.outside import outside

    return outside(predictor, samples, dev_examples(config, captioning(predictor), args.data), args.data, _things(args))


def _things(args: argparse.Namespace) -> Path | None:
    """Return the folder given with --outside, or None; without a folder the argument is True."""
    return args.outside if isinstance(args.outside, Path) else None


def _readable(report: Report, command: str) -> str:
    """Return the report's tables, followed by the model card's further sections."""
    from omninet.training.evaluate.report import HEADING, sections

    others = [f"{heading}\n\n{body}" for heading, body in sections(report, command).items() if heading != HEADING]
    return "\n".join([report.to_markdown(), *others])


def _write_gallery(args: argparse.Namespace, predictor: Predictor, config: RunConfig) -> None:
    from omninet.training.evaluate.asking import captioning
    from omninet.training.evaluate.devsets import dev_examples
    from omninet.training.evaluate.gallery import gallery, write_gallery

    photos = dev_examples(config, captioning(predictor), args.data)
    page = gallery(predictor, photos, f"omninet evaluate --gallery {args.gallery}")
    write_gallery(args.gallery, page)


def _log(checkpoint: Path) -> Path | None:
    """Return the log of the training run that the checkpoint belongs to, if found."""
    logs = (parent / "log.jsonl" for parent in checkpoint.resolve().parents[:2])
    return next((log for log in logs if log.is_file()), None)


def repeat(args: argparse.Namespace) -> str:
    """Return the command that reproduces the metrics."""
    words = ["omninet evaluate --data DATA"]
    if args.split != "dev":
        words.append(f"--split {args.split}")
    if args.limit:
        words.append(f"--limit {args.limit}")
    words += [f"--{name.replace('_', '-')}" for name in ("zero_shot", "shuffled", "outside") if getattr(args, name)]
    if _things(args):
        words.append("FOLDER")
    return " ".join(words)
