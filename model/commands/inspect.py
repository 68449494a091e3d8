"""``omninet inspect``: verify a checkpoint and print what it contains."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(subparsers: Any) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("inspect", help="verify a checkpoint and print what it contains")
    parser.add_argument("checkpoint", type=Path, nargs="?", help="checkpoint folder; default: the bundled checkpoint")
    parser.add_argument("--card", action="store_true", help="also print the model card: data, licences, limits")
    parser.add_argument("--json", action="store_true", help="print JSON, with the configuration of the network")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a summary that fits on a screen, or JSON; return the exit code.

    Raises:
        CheckpointError: the folder is not a valid checkpoint.
    """
    import json

    from omninet.model.checkpoint import BUNDLED, load
    from omninet.model.documents import Documents

    folder = args.checkpoint or BUNDLED
    checkpoint = load(folder)
    network = checkpoint.config.network
    facts: dict[str, Any] = {
        "folder": str(folder),
        "name": checkpoint.config.name,
        "version": checkpoint.config.version,
        "licence": Documents(licence=checkpoint.licence).licence_name,
        "weights_sha256": checkpoint.digest,
        "bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
        "parameters": _parameter_counts(checkpoint.network),
        "tasks": {name: network.vocabularies.get(task.vocabulary) for name, task in network.tasks.items()},
        "network": network.to_dict(),
    }
    card = {"card": checkpoint.card} if args.card else {}
    if args.json:
        print(json.dumps(facts | card, indent=2))
    else:
        print("\n\n".join([_summary(facts), *(card.values() or ["--card prints the model card"])]))
    return 0


def _summary(facts: dict[str, Any]) -> str:
    parameters = ", ".join(f"{name} {count:,}" for name, count in facts["parameters"].items())
    tasks = ", ".join(task + (f" ({count:,} classes)" if count else "") for task, count in facts["tasks"].items())
    rows = {name: facts[name] for name in ("folder", "name", "version", "licence", "weights_sha256")}
    rows["licence"] = rows["licence"] or "not stated"
    rows |= {"size": f"{facts['bytes'] / 1e6:.1f} MB", "parameters": parameters, "tasks": tasks}
    return "\n".join(f"{name:15} {value}" for name, value in rows.items())


def _parameter_counts(network: Any) -> dict[str, int]:
    """Count the parameters of each peripheral, of the CNP and of the whole network."""
    parts = dict(network.peripherals.items()) | {"cnp": network.cnp, "all": network}
    return {name: sum(p.numel() for p in module.parameters()) for name, module in parts.items()}
