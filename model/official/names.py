"""Rename the tensors of the authors' state dicts (github.com/subho406/OmniNet)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from omninet.model.config import CNPConfig
from omninet.model.errors import CheckpointError
from omninet.model.network.layers import sinusoid_table
from omninet.model.network_config import OmniNetConfig

# OmniNet's names of tasks and domains -> the authors'.
TASKS = {"pos": "PENN", "activity": "HMDB", "caption": "IMAGE_CAPTION", "vqa": "VQA"}
DOMAINS = {"english": "ENGLISH", "german": "GERMAN", "image": "IMAGE"}

# The authors' name -> OmniNet's. {i} is a layer, {task} a task (a number there, a name here), {p} any parameter.
NAMES = {
    "cnp.control_peripheral.control_embeddings.weight": "cnp.control_embedding.weight",
    "cnp.inpcont_input_proj.{p}": "cnp.input_projection.{p}",
    "cnp.input_spatial_proj.{p}": "cnp.spatial_projection.{p}",
    "cnp.input_temporal_proj.{p}": "cnp.temporal_projection.{p}",
    "cnp.emb_decoder_proj.{p}": "cnp.output_projection.{p}",
    "cnp.cont_decoder_proj.{p}": "cnp.task_projection.{p}",
    "cnp.output_embs.{task}.weight": "cnp.output_embeddings.{task}.weight",
    "cnp.output_clfs.{task}.{p}": "cnp.classifiers.{task}.{p}",
    "cnp.decoder.output_fc.{p}": "cnp.decoder.output.{p}",
    "cnp.decoder.layer_stack.{i}.temporal_proj.{p}": "cnp.decoder.layers.{i}.temporal_projection.{p}",
    "cnp.decoder.layer_stack.{i}.spatial_proj.{p}": "cnp.decoder.layers.{i}.spatial_projection.{p}",
    "cnp.decoder.layer_stack.{i}.spat_dec_proj.{p}": "cnp.decoder.layers.{i}.output_projection.{p}",
    "image_input_perph.output_fc.{p}": "peripherals.vision.projection.{p}",
    "image_input_perph.image_model.{p}": "peripherals.vision.backbone.{p}",
    "english_language_perph.embed_layer.weight": "peripherals.language.embedding.weight",
    "english_language_perph.output.{p}": "peripherals.language.projection.{p}",
}
ATTENTION = {
    "cnp.temporal_encoder.layer_stack.{i}.slf_attn": "cnp.temporal_encoder.layers.{i}.attention",
    "cnp.decoder.layer_stack.{i}.slf_attn": "cnp.decoder.layers.{i}.self_attention",
    "cnp.decoder.layer_stack.{i}.temporal_cache_attn": "cnp.decoder.layers.{i}.temporal_attention",
    "cnp.decoder.layer_stack.{i}.spatial_cache_attn": "cnp.decoder.layers.{i}.spatial_attention",
}
ATTENTION_PARTS = {"w_qs": "query", "w_ks": "key", "w_vs": "value", "fc": "output", "layer_norm": "norm"}
FEED_FORWARD = {
    "cnp.temporal_encoder.layer_stack.{i}.pos_ffn": "cnp.temporal_encoder.layers.{i}.feed_forward",
    "cnp.decoder.layer_stack.{i}.pos_ffn": "cnp.decoder.layers.{i}.feed_forward",
}
FEED_FORWARD_PARTS = {"w_1": "expand", "w_2": "contract", "layer_norm": "norm"}

CONTROLS = NAMES["cnp.control_peripheral.control_embeddings.weight"]

# Entries without a counterpart in OmniNet, and the reason.
DROPPED = {
    "cnp.temporal_encoder.position_enc.weight": "the sinusoid table, computed here and compared",
    "cnp.decoder.position_enc.weight": "the sinusoid table, computed here and compared",
    "german_language_perph.{p}": "the German peripheral: no task uses it",
    "image_input_perph.image_model.fc.{p}": "ResNet's classifier: only its features are used",
}


@dataclass(frozen=True)
class Converted:
    """A renamed state dict.

    Attributes:
        tensors: OmniNet's name -> tensor.
        dropped: the authors' name -> reason for dropping the entry.
    """

    tensors: dict[str, Tensor]
    dropped: dict[str, str]


def convert(state: Mapping[str, Tensor], tasks: Sequence[str] = tuple(TASKS), kept: Collection[str] = ()) -> Converted:
    """Rename every entry of an official state dict.

    Args:
        state: state dict with the authors' names; in one of the CNP alone the prefix ``cnp.`` may be missing.
        tasks: OmniNet's names of the tasks, in the order of the authors' numbers.
        kept: tasks to keep; empty keeps all.

    Raises:
        CheckpointError: an entry is unknown, or its position table differs from OmniNet's.
    """
    table = list(_patterns())
    tensors: dict[str, Tensor] = {}
    dropped: dict[str, str] = {}
    for name, tensor in state.items():
        full = name if name.split(".")[0].endswith(("cnp", "perph")) else f"cnp.{name}"
        reason = next((why for pattern, why in DROPPED.items() if _regex(pattern).fullmatch(full)), None)
        if reason is not None:
            _check_positions(full, tensor)
            dropped[name] = reason
            continue
        ours, task = _rename(full, table, tasks)
        if task is None or not kept or task in kept:
            tensors[ours] = tensor
        else:
            dropped[name] = f"task {task}: not wanted"
    if kept and CONTROLS in tensors:
        tensors[CONTROLS] = _controls(tensors[CONTROLS], tasks, kept)
    return Converted(tensors, dropped)


def official_config(**changes: Any) -> OmniNetConfig:
    """Return the configuration of the released checkpoints; ``changes`` are fields of CNPConfig."""
    return OmniNetConfig(cnp=CNPConfig(**{"gate": "official", **changes}))


def _controls(rows: Tensor, tasks: Sequence[str], kept: Collection[str]) -> Tensor:
    """Return the control vectors of the domains, then of the kept tasks, then the unused last one."""
    domains = len(rows) - len(tasks) - 1
    wanted = [domains + i for i, task in enumerate(tasks) if task in kept]
    return rows[[*range(domains), *wanted, len(rows) - 1]]


def _patterns() -> Iterator[tuple[re.Pattern[str], str]]:
    for theirs, ours in NAMES.items():
        yield _regex(theirs), ours
    for blocks, parts in ((ATTENTION, ATTENTION_PARTS), (FEED_FORWARD, FEED_FORWARD_PARTS)):
        for theirs, ours in blocks.items():
            for part, name in parts.items():
                yield _regex(f"{theirs}.{part}.{{p}}"), f"{ours}.{name}.{{p}}"


def _regex(pattern: str) -> re.Pattern[str]:
    escaped = re.escape(pattern).replace(r"\{", "{").replace(r"\}", "}")
    return re.compile(
        escaped.replace("{i}", r"(?P<i>\d+)").replace("{task}", r"(?P<task>\d+)").replace("{p}", r"(?P<p>.+)")
    )


def _rename(name: str, table: list[tuple[re.Pattern[str], str]], tasks: Sequence[str]) -> tuple[str, str | None]:
    """Return OmniNet's name of an entry, and its task (None if it belongs to no task)."""
    for pattern, ours in table:
        if match := pattern.fullmatch(name):
            found = match.groupdict()
            if "task" in found:
                if int(found["task"]) >= len(tasks):
                    raise CheckpointError(
                        f"{name} belongs to task {found['task']}, but there are only {len(tasks)} task names"
                    )
                found["task"] = tasks[int(found["task"])]
            return ours.format(**found), found.get("task")
    raise CheckpointError(f"{name} is not an entry of an official OmniNet checkpoint")


def _check_positions(name: str, tensor: Tensor) -> None:
    if not name.endswith("position_enc.weight"):
        return
    table = sinusoid_table(tensor.shape[0] - 1, tensor.shape[1])
    if not torch.allclose(table, tensor.float(), atol=1e-6):
        raise CheckpointError(f"{name} differs from the sinusoidal position table of this network")
