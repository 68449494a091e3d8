"""The model card of a run: tasks, data sets and training settings."""

from __future__ import annotations

from omninet.training.runtime.states import Progress
from omninet.training.setup import Setup


def write_card(setup: Setup, progress: Progress, how: str) -> str:
    """Return a model card in Markdown; ``omninet evaluate --card`` adds the evaluation.

    Args:
        how: name of the runner, such as ``Hogwild with 4 workers on 2 cores``.
    """
    config = setup.config
    parameters = sum(p.numel() for p in setup.network.parameters())
    frozen = sum(p.numel() for p in setup.network.parameters() if not p.requires_grad)
    in_backbone = f"{frozen:,} of them in the frozen vision backbone" if frozen else "all of them trained"
    rows = [
        f"| {name} | {', '.join(source.dataset for source in run.sources)} | {len(setup.examples[name]):,} "
        f"| {progress.of(name):,} | {run.batch} |"
        for name, run in config.tasks.items()
    ]
    return "\n".join(
        [
            f"# {config.name} {config.version}",
            "",
            config.card.strip(),
            "",
            "## Training",
            "",
            f"{parameters:,} parameters, {in_backbone}. {how}, seed {config.seed}, "
            f"{progress.updates:,} steps of Adam in {progress.seconds / 60:.0f} minutes.",
            "",
            "| task | data set | examples | steps | batch |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
