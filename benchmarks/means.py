"""Ablation of the inference optimisations of the full-size network, with the same weights, alternating in one process.

    python -m benchmarks.means --out runs/means

Each row adds one optimisation to the row above; the first row has the key/value cache and stops at the end of the text.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from benchmarks.model import CASES, Bench, arguments, build, medians
from omninet.model.fast.inference import folded, for_inference
from omninet.model.fast.linear import QuickLinear
from omninet.model.fast.replacement import replaced
from omninet.model.modalities.peripheral import backboned
from omninet.model.network.omninet import OmniNet

CPU = torch.device("cpu")
NAMES = ("caption, 20 steps", "caption, 20 steps, 8 rows", "caption, 100 steps, 8 rows", "activity", "clip to activity")


def stages(network: OmniNet) -> dict[str, OmniNet]:
    """Return networks by name, each with one more optimisation."""
    backbone = backboned(network)[0].backbone
    with_folded = replaced(network, {id(backbone): folded(backbone)})
    linears = [module for module in with_folded.modules() if type(module) is nn.Linear]
    packed = replaced(with_folded, {id(linear): QuickLinear([linear], "float32") for linear in linears})
    backboned(network)[0].backbone.to(memory_format=torch.contiguous_format)
    return {
        "key/value cache": network,
        "channels last, batch norms folded": with_folded,
        "weights packed": packed,
        "products of one input joined": for_inference(network, CPU, "float32"),
        "products in bfloat16": for_inference(network, CPU, "bfloat16"),
        "or the decoder's in int8": for_inference(network, CPU, "int8"),
    }


def main() -> None:
    """Run the benchmark."""
    args = arguments(__doc__)
    networks = {name: Bench(network) for name, network in stages(build(args.checkpoint)).items()}
    cases = [case for case in CASES if case.name in NAMES]
    found = [medians([partial(bench.ours, case) for bench in networks.values()], args.seconds) for case in cases]
    lines = [f"| median ms | {' | '.join(case.name for case in cases)} |", "|---" * (1 + len(cases)) + "|"]
    lines += [f"| {name} | {' | '.join(f'{times[i]:.1f}' for times in found)} |" for i, name in enumerate(networks)]
    print("\n".join(lines))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "means.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
