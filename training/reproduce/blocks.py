"""The ablation of One Model To Learn Them All: its blocks, and what company gives to tasks with little data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from omninet.training.reproduce.networks import SHORT, NetworkStudy
from omninet.training.reproduce.parts import of_tasks
from omninet.training.table import Figures, Table

EXPERTS, CONVOLUTIONS, MIXER = "experts", "convolutions", "mixer"
BLOCKS = (EXPERTS, CONVOLUTIONS, MIXER)
TOGETHER: Mapping[str, tuple[str, ...]] = {
    "none": (),
    **{block: (block,) for block in BLOCKS},
    "all": BLOCKS,
}
SMALL = ("parse", "transcribe", "entities")  # tasks with little data
COLUMNS = {
    "caption": "captions BLEU-4",
    "vqa": "questions acc.",
    "pos": "tags acc.",
    "entities": "entities F1",
    "transcribe": "speech WER",
    "parse": "parses F1",
    "english_german": "en-de BLEU",
    "caltech101": "classes acc.",
}
NUMBER, CHOSEN = 8, 2  # experts of a mixture
SPEED = {
    "milliseconds": "ms a step",
    "samples": "samples a second",
    "parameters": "parameters, millions",
    "used": "used for a position",
}
NOTES = (
    f"Rows of several seeds: mean (lowest to highest). Rows with {SHORT}: one seed. Mixtures have {NUMBER} experts of "
    f"the width of a feed-forward block, of which a position uses {CHOSEN}, in the middle of the encoder and of the "
    "decoder. Tasks alone take as many steps as together."
)


class Blocks(NetworkStudy):
    """Trains and evaluates the tasks of a configuration with and without each block."""

    def table(self) -> Table:
        """Return the table; networks that are already trained and measured are not trained and measured again."""
        seeds = self.every_seed
        rows: dict[str, list[Figures]] = {
            name: [self._measured(name, blocks, seed) for seed in seeds] for name, blocks in TOGETHER.items()
        }
        rows["small tasks alone, none"] = [self._alone(seed) for seed in seeds]
        rows[f"all, {SHORT}"] = [self._measured("all", BLOCKS, seeds[0], short=True)]
        for left_out in BLOCKS:
            kept = tuple(block for block in BLOCKS if block != left_out)
            rows[f"all but {left_out}, {SHORT}"] = [self._measured(f"no-{left_out}", kept, seeds[0], short=True)]
        return Table({task: COLUMNS.get(task, task) for task in self.config.tasks} | SPEED, rows, fmean, NOTES)

    def _alone(self, seed: int) -> Figures:
        """Train each task with little data alone, without any block; return their figures as one row."""
        found: dict[str, float] = {}
        for task in (task for task in self.config.tasks if task in SMALL):
            found[task] = self._measured(task, (), seed, tasks=(task,))[task]
        return found

    def _measured(
        self, name: str, blocks: Sequence[str], seed: int, short: bool = False, tasks: Sequence[str] = ()
    ) -> Figures:
        config = self.changed(short, seed=seed, network=with_blocks(self.config.network, blocks))
        folder = f"{name}-seed{seed}" + ("-short" if short else "")
        return self.networks.measured(folder, of_tasks(config, tasks) if tasks else config)


def with_blocks(network: Mapping[str, Mapping[str, Any]], blocks: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of a network with some of BLOCKS."""
    cnp = dict(network["cnp"])
    if EXPERTS in blocks:
        middle = {part: [(cnp[f"{part}_layers"] - 1) // 2] for part in ("encoder", "decoder")}
        cnp["experts"] = {"number": NUMBER, "chosen": CHOSEN, **middle}
    if CONVOLUTIONS in blocks:
        cnp["convolutions"] = {"encoder": "beside", "decoder": True}
    if MIXER in blocks:
        cnp["mixer"] = True
    return {**network, "cnp": cnp}
