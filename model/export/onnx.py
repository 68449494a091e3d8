"""Writes a network as ONNX graphs, with a description of them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.export import Dim

from omninet.model.checkpoint import Checkpoint
from omninet.model.config import CNPConfig
from omninet.model.errors import CheckpointError, OmniNetError, install_command
from omninet.model.export.graphs import ClassifyGraph, EmbedGraph, EncoderGraph, PictureGraph, StepGraph
from omninet.model.modalities.peripheral import BackbonePeripheral
from omninet.model.network.cnp import CNP

MANIFEST = "manifest.json"
MEMORY = ("temporal_keys", "temporal_values", "spatial_keys", "spatial_values")
BATCH, STEPS, CELLS, PLACES, TOKENS = (Dim(name) for name in ("batch", "steps", "cells", "places", "tokens"))


@dataclass(frozen=True)
class Graph:
    """A graph to export.

    Attributes:
        inputs: name -> an example.
        dynamic: name of an input -> its axes of any size.
        outputs: names.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    dynamic: Mapping[str, Mapping[int, Dim]]
    outputs: tuple[str, ...]


def export(checkpoint: Checkpoint, folder: Path) -> dict[str, Any]:
    """Write a checkpoint's network to an empty or new folder as ONNX graphs; return what the manifest says.

    Raises:
        CheckpointError: the network has experts, convolutions or a mixer, which are not exported.
        OmniNetError: the folder has files, or the packages of the extra ``onnx`` are not installed.
    """
    if folder.exists() and any(folder.iterdir()):
        raise OmniNetError(f"{folder} is not empty; name a new folder")
    network = checkpoint.network.eval().requires_grad_(False)
    _check(network.cnp.config)
    described = _description(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    graphs = [*_picture_graphs(network.peripherals), *_cnp_graphs(network.cnp)]
    for graph in graphs:
        _write(graph, folder / f"{graph.name}.onnx")
    described["graphs"] = {
        graph.name: {"inputs": list(graph.inputs), "outputs": list(graph.outputs)} for graph in graphs
    }
    (folder / MANIFEST).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return described


def _check(config: CNPConfig) -> None:
    blocks = {
        "experts": config.experts.number,
        "convolutions": config.convolutions.encoder != "none" or config.convolutions.decoder,
        "a mixer": config.mixer,
    }
    if found := [name for name, is_there in blocks.items() if is_there]:
        raise CheckpointError(f"networks with {' and '.join(found)} cannot be exported; train one without")


def _description(checkpoint: Checkpoint) -> dict[str, Any]:
    config = checkpoint.config
    cnp = checkpoint.network.cnp
    tasks = {name: task for name, task in config.network.tasks.items() if task.vocabulary}
    return {
        "name": config.name,
        "version": config.version,
        "weights_sha256": checkpoint.digest,
        "domains": {domain: cnp.control_ids[domain] for domain in cnp.domains},
        "tasks": {name: {"vocabulary": task.vocabulary, "output": task.output} for name, task in tasks.items()},
        "vocabularies": dict(config.network.vocabularies),
        "decoder": {
            "slots": cnp.config.decoder_layers * cnp.config.recurrent_steps,
            "heads": cnp.config.heads,
            "d_key": cnp.config.d_key,
            "d_value": cnp.config.d_value,
            "max_length": cnp.config.max_length,
        },
    }


def _picture_graphs(peripherals: nn.ModuleDict) -> Iterator[Graph]:
    """Yield a graph for each peripheral with a backbone."""
    for name, peripheral in peripherals.items():
        if isinstance(peripheral, BackbonePeripheral):
            frames, axes = {"frames": peripheral.example()}, {"frames": {0: BATCH, 1: STEPS}}
            yield Graph(f"peripheral.{name}", PictureGraph(peripheral), frames, axes, ("x",))


def _cnp_graphs(cnp: CNP) -> Iterator[Graph]:
    config = cnp.config
    b, t, s, p = 2, 3, 4, 6
    d, h, k, v = config.d_model, config.heads, config.d_key, config.d_value
    layers, slots = config.decoder_layers, config.decoder_layers * config.recurrent_steps
    number = torch.tensor(0)
    yield Graph(
        "encoder",
        EncoderGraph(cnp),
        {"x": torch.zeros(b, t, s, d), "domain": number},
        {"x": {0: BATCH, 1: STEPS, 2: CELLS}, "domain": {}},
        MEMORY,
    )
    inputs = {
        "x": torch.zeros(b, d),
        "position": torch.tensor(2),
        "keys": torch.zeros(slots, b, h, 2, k),
        "values": torch.zeros(slots, b, h, 2, v),
        "temporal_keys": torch.zeros(layers, b, h, t, k),
        "temporal_values": torch.zeros(layers, b, h, t, v),
        "spatial_keys": torch.zeros(layers, b, h, p, k),
        "spatial_values": torch.zeros(layers, b, h, p, v),
        "frame": torch.zeros(b, p, dtype=torch.long),
    }
    axes: dict[str, dict[int, Dim]] = {"x": {0: BATCH}, "position": {}, "frame": {0: BATCH, 1: PLACES}}
    axes |= {name: {1: BATCH, 3: TOKENS} for name in ("keys", "values")}
    axes |= {name: {1: BATCH, 3: STEPS if name.startswith("temporal") else PLACES} for name in MEMORY}
    for name, sees in (("step", True), ("step_without_cells", False)):
        used = {key: x for key, x in inputs.items() if sees or not key.startswith(("spatial", "frame"))}
        dynamic = {key: axes[key] for key in used}
        yield Graph(name, StepGraph(cnp), used, dynamic, ("hidden", "new_keys", "new_values"))
    token = torch.zeros(b, dtype=torch.long)
    for task in (task for task, vocabulary in cnp.tasks.items() if vocabulary):
        embedded = {"token": token, "position": number}
        yield Graph(f"embed.{task}", EmbedGraph(cnp, task), embedded, {"token": {0: BATCH}, "position": {}}, ("x",))
    for vocabulary, classifier in cnp.classifiers.items():
        hidden = {"hidden": torch.zeros(b, d)}
        outputs = ("log_probabilities",)
        yield Graph(f"classify.{vocabulary}", ClassifyGraph(classifier), hidden, {"hidden": {0: BATCH}}, outputs)


def _write(graph: Graph, path: Path) -> None:
    """Write a graph with its weights to a file.

    Raises:
        OmniNetError: the packages of the extra ``onnx`` are not installed.
    """
    try:
        with warnings.catch_warnings():
            # torch warns that inputs share axes, as they should.
            warnings.filterwarnings("ignore", "# The axis name", UserWarning)
            program = torch.onnx.export(
                graph.module.eval(),
                kwargs=dict(graph.inputs),
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes={name: dict(axes) or None for name, axes in graph.dynamic.items()},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except ImportError as error:
        raise OmniNetError(f"export needs {error.name or error}: {install_command('onnx')}") from error
    cast("torch.onnx.ONNXProgram", program).save(path)
