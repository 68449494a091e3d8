"""Checkpoint folders: strict to read, atomic to write."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from omninet.model import checkpoint as checkpoints
from omninet.model.checkpoint import BUNDLED, Checkpoint, load, replace_card, save, skim
from omninet.model.documents import Documents
from omninet.model.errors import CheckpointError, ConfigError
from omninet.model.modalities.language.config import Subwords
from omninet.model.modalities.language.peripheral import LanguagePeripheral
from omninet.model.model_config import ModelConfig, read_config
from omninet.model.network.omninet import OmniNet
from omninet.model.storage import sealed, weights
from omninet.model.tasks import TASKS
from tests.conftest import FIRST_TASKS

# A task with an unknown output.
RATE = {
    "inputs": [{"role": "text", "peripheral": "language", "domain": "english"}],
    "output": "score",
    "vocabulary": "pos",
}
FILES = [
    "MODEL_CARD.md",
    "config.json",
    "model.safetensors",
    "tokenizer.model",
    *(f"vocabularies/{task}.json" for task in ("activity", "pos", "vqa")),
]


@pytest.fixture
def folder(toy_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the toy checkpoint that a test may damage."""
    return Path(shutil.copytree(toy_checkpoint, tmp_path / "copy"))


def seal(folder: Path) -> None:
    """Write correct sums, so that loading checks the contents."""
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    sums = "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (folder / "SHA256SUMS").write_text(sums)


def message_of(folder: Path) -> str:
    """Message of the CheckpointError that loading raises."""
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    return str(caught.value)


def contents(folder: Path) -> dict[str, bytes]:
    """Contents of all files by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def edit_json(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def without(config: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != name}


def network(config: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A configuration with changed fields of its network."""
    return config | {"network": config["network"] | changes}


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors of a checkpoint and seal it."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    seal(folder)


def test_save_and_load_round_trip(toy: Checkpoint, toy_checkpoint: Path) -> None:
    loaded = load(toy_checkpoint)

    assert loaded.config == toy.config
    assert loaded.vocabularies == toy.vocabularies
    assert loaded.card == toy.card
    assert loaded.tokenizer_file.read_bytes() == toy.tokenizer_file.read_bytes()
    assert loaded.digest == hashlib.sha256((toy_checkpoint / "model.safetensors").read_bytes()).hexdigest()
    weights, expected = loaded.network.state_dict(), toy.network.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert not loaded.network.training


def test_files_of_a_checkpoint(toy_checkpoint: Path) -> None:
    assert sorted(contents(toy_checkpoint)) == sorted([*FILES, "SHA256SUMS"])
    modes = {oct(p.stat().st_mode & 0o777) for p in [toy_checkpoint, *toy_checkpoint.rglob("*")] if p.is_dir()}
    assert modes == {"0o755"}
    assert {oct(p.stat().st_mode & 0o777) for p in toy_checkpoint.rglob("*") if p.is_file()} == {"0o644"}


def test_a_licence_is_optional_and_has_a_sum(toy: Checkpoint, tmp_path: Path) -> None:
    save(replace(toy, licence="Research only\n"), tmp_path / "toy")

    assert load(tmp_path / "toy").licence == "Research only\n"
    assert "  LICENSE\n" in (tmp_path / "toy" / "SHA256SUMS").read_text()
    replace_card(tmp_path / "toy", "# Another\n")
    assert load(tmp_path / "toy").licence == "Research only\n"
    (tmp_path / "toy" / "LICENSE").write_text("Anything\n")
    assert "LICENSE was altered" in message_of(tmp_path / "toy")


def test_a_checkpoint_without_a_licence(folder: Path) -> None:
    assert load(folder).licence == ""
    (folder / "LICENSE").write_text("Anything\n")
    assert "LICENSE is unexpected" in message_of(folder)


def test_the_bundled_checkpoint_states_its_licence() -> None:
    documents = Documents(licence=load(BUNDLED).licence)
    assert documents.licence_name == "Non-commercial research only"


def test_loading_initialises_no_random_weights(toy_checkpoint: Path, toy: Checkpoint) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()

    network = load(toy_checkpoint).network

    assert torch.equal(torch.get_rng_state(), before)
    assert {(t.device.type, t.dtype) for t in network.parameters()} == {("cpu", torch.float32)}
    for (name, ours), (_, theirs) in zip(network.named_buffers(), toy.network.named_buffers(), strict=True):
        assert torch.equal(ours, theirs), name
    convolutions = [p for p in network.parameters() if p.dim() == 4]
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in convolutions)


def test_half_precision_on_disk(toy: Checkpoint, tmp_path: Path) -> None:
    save(toy, tmp_path / "half", torch.float16)

    stored = load_file(tmp_path / "half" / "model.safetensors")
    kinds = {name: tensor.dtype for name, tensor in stored.items()}
    assert {kind for name, kind in kinds.items() if not name.endswith("num_batches_tracked")} == {torch.float16}
    loaded = load(tmp_path / "half").network.state_dict()
    for name, tensor in toy.network.state_dict().items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor.half().to(tensor.dtype))


def test_sha256sum_agrees(toy_checkpoint: Path) -> None:
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=toy_checkpoint,
        capture_output=True,
        text=True,
        check=True,
    )

    assert sorted(checked.stdout.splitlines()) == sorted(f"{name}: OK" for name in FILES)


def test_nothing_is_unpickled(toy_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("something was unpickled")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)

    assert load(toy_checkpoint).config.name == "toy"
    assert not any(data.startswith((b"\x80", b"PK")) for data in contents(toy_checkpoint).values())


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()

    assert message_of(folder) == f"{folder / name} is missing"


@pytest.mark.parametrize("name", FILES)
def test_an_altered_file_is_named(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)

    assert message_of(folder).startswith(f"{folder / name} was altered")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_without_a_sum_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    seal(folder)

    assert Path(name).stem in message_of(folder)


@pytest.mark.parametrize("name", [*FILES, "SHA256SUMS"])
def test_a_missing_file_is_found_without_reading_the_others(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=re.escape(name)):
        skim(folder)


def test_skim_reads_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")
    assert skim(folder).name == "toy"
    edit_json(folder / "config.json", lambda config: config | {"format": 99})
    with pytest.raises(CheckpointError, match="format 99"):
        skim(folder)


def test_a_vocabulary_must_have_a_sum(folder: Path) -> None:
    (folder / "vocabularies" / "caption.json").write_text(json.dumps(["x"] * 120))

    assert "caption.json" in message_of(folder)


def test_a_folder_without_sums_is_not_a_checkpoint(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()

    assert message_of(folder) == f"{folder} is not a checkpoint folder: it lacks SHA256SUMS"
    assert message_of(folder / "nothing") == f"{folder / 'nothing'} is not a checkpoint folder: it does not exist"


@pytest.mark.parametrize("sums", [b"", b"nonsense\n", b"\xff\xfe\x00"])
def test_invalid_sums(folder: Path, sums: bytes) -> None:
    (folder / "SHA256SUMS").write_bytes(sums)

    assert "SHA256SUMS" in message_of(folder)


def test_tensors_that_do_not_fit_are_named(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["cnp.classifiers.pos.bias"]
        tensors["cnp.classifiers.hat.bias"] = torch.zeros(3)
        tensors["cnp.classifiers.vqa.bias"] = torch.zeros(5)

    edit_weights(folder, change)

    message = message_of(folder)
    assert message.startswith(f"{folder / 'model.safetensors'} does not fit its configuration: ")
    assert "missing cnp.classifiers.pos.bias" in message
    assert "unexpected cnp.classifiers.hat.bias" in message
    assert "cnp.classifiers.vqa.bias has shape (5,) instead of (6,)" in message


def test_many_tensors_that_do_not_fit_are_counted(folder: Path) -> None:
    edit_weights(folder, lambda tensors: tensors.update({f"hat.{i}": torch.zeros(1) for i in range(8)}))

    assert message_of(folder).endswith("; and 3 more")


def test_weights_that_are_not_safetensors(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps({"weight": [1.0]}))
    seal(folder)

    assert message_of(folder).startswith(f"{folder / 'model.safetensors'} is not a safetensors file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c | {"format": 4}, "has format 4; this version reads formats 1, 2, 3"),
        (lambda c: without(c, "format"), "has format None"),
        (lambda c: [c], "has format None"),
        (lambda c: c | {"hat": 1}, "config.hat is unknown"),
        (lambda c: without(c, "name"), "config.name is missing"),
        (lambda c: c | {"text_steps": 0}, "text_steps must be a whole number above 0"),
        (lambda c: without(c, "network"), "network must be an object"),
        (lambda c: network(c, hat=1), "network.hat is unknown"),
        (lambda c: network(c, cnp=c["network"]["cnp"] | {"d_model": -1}), "CNPConfig.d_model"),
        (lambda c: network(c, cnp=c["network"]["cnp"] | {"d_modle": 8}), "network.cnp.d_modle is unknown"),
        (lambda c: network(c, peripherals={"smell": {}}), "there is no modality 'smell'; known are vision, language"),
        (
            lambda c: network(c, tasks=c["network"]["tasks"] | {"rate": RATE}),
            "task rate: there is no output 'score'; known are boxes, embedding, label, match, scene, spans, tags, text",
        ),
        (lambda c: network(c, tasks={}), "at least one task"),
        (lambda c: network(c, domains=["english"]), "lacks 'image'"),
    ],
)
def test_an_invalid_configuration(folder: Path, change: Callable[[Any], Any], message: str) -> None:
    edit_json(folder / "config.json", change)
    seal(folder)

    found = message_of(folder)
    assert found.startswith(str(folder / "config.json"))
    assert message in found


def test_a_configuration_that_is_not_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    seal(folder)

    assert message_of(folder).startswith(f"{folder / 'config.json'} cannot be read")


@pytest.mark.parametrize("change", [lambda v: v[:-1], lambda v: [*v, "hat"], lambda v: {"classes": v}])
def test_a_vocabulary_of_another_size(folder: Path, change: Callable[[Any], Any]) -> None:
    edit_json(folder / "vocabularies" / "vqa.json", change)
    seal(folder)

    assert message_of(folder) == f"{folder / 'vocabularies' / 'vqa.json'} must be a list of the 6 class names of vqa"


def test_another_format_is_an_error(toy: Checkpoint) -> None:
    with pytest.raises(ConfigError, match="format must be 3, not 4"):
        ModelConfig("x", "1", toy.config.network, format=4)


def altered(toy: Checkpoint) -> Checkpoint:
    """The toy with other weights and without one of its vocabularies."""
    torch.manual_seed(1)
    return replace(toy, network=OmniNet(toy.config.network), card="# Another\n")


@pytest.mark.parametrize("exchange", [True, False])
def test_save_replaces_the_old_checkpoint(
    toy: Checkpoint, folder: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "leftover.txt").write_text("of the old one")
    if not exchange:  # a system that cannot exchange two folders
        monkeypatch.setattr(sealed, "_exchange", lambda a, b: False)

    save(altered(toy), folder)

    assert load(folder).card == "# Another\n"
    assert not (folder / "leftover.txt").exists()
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (weights, "save_file"),
        (checkpoints, "_json"),
        *((sealed, step) for step in ("_sha256", "_write_sums", "_fsync", "_replace_folder")),
    ],
)
def test_a_failing_save_keeps_the_old_checkpoint(
    toy: Checkpoint, folder: Path, module: ModuleType, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)

    def fail(*args: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(module, step, fail)
        with pytest.raises(OSError, match="disk is full"):
            save(altered(toy), folder)

    assert contents(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


DYING = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from omninet.model import checkpoint
from omninet.model.storage import sealed

folder, step = Path(sys.argv[1]), sys.argv[2]
old = checkpoint.load(folder)

def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)

if step == "before":
    sealed._replace_folder = die
else:
    sealed.shutil.rmtree = die
checkpoint.save(replace(old, card="# Another\\n"), folder)
"""


@pytest.mark.parametrize(("step", "first_line"), [("before", "# Toy"), ("after", "# Another")])
def test_a_killed_process_leaves_an_intact_checkpoint(folder: Path, step: str, first_line: str) -> None:
    killed = subprocess.run([sys.executable, "-c", DYING, str(folder), step], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert load(folder).card.splitlines()[0] == first_line


def test_replace_card(folder: Path) -> None:
    before = contents(folder)

    replace_card(folder, "# Measured\n")

    assert load(folder).card == "# Measured\n"
    after = contents(folder)
    assert {name for name in after if after[name] != before[name]} == {"MODEL_CARD.md", "SHA256SUMS"}
    assert after.keys() == before.keys()


def test_the_card_of_an_altered_checkpoint_is_not_replaced(folder: Path) -> None:
    (folder / "config.json").write_text("{}")

    with pytest.raises(CheckpointError, match=r"config\.json was altered"):
        replace_card(folder, "# Measured\n")


def to_format_1(config: Any) -> Any:
    """The configuration in format 1."""
    tasks = {
        name: config["network"]["vocabularies"][task["vocabulary"]] for name, task in config["network"]["tasks"].items()
    }
    kept = {name: value for name, value in config["network"].items() if name not in ("vocabularies", "controls")}
    for peripheral in kept["peripherals"].values():
        del peripheral["kind"]
    return config | {"format": 1, "network": kept | {"tasks": tasks}}


def test_format_1_is_read(toy: Checkpoint, folder: Path) -> None:
    edit_json(folder / "config.json", to_format_1)
    seal(folder)

    old = load(folder)

    assert old.config == toy.config
    assert all(torch.equal(t, old.network.state_dict()[name]) for name, t in toy.network.state_dict().items())


def test_format_1_as_it_was_written(tmp_path: Path) -> None:
    """The configuration of the model that was bundled with 0.1."""
    shutil.copy(Path(__file__).with_name("format_1.json"), tmp_path / "config.json")

    config = read_config(tmp_path)

    network = config.network
    assert (config.name, config.format, config.beams) == ("omninet-bundled", 3, 4)
    assert network.controls == ("english", "image", "caption", "pos", "vqa", "activity")
    assert network.vocabularies == {"caption": 4000, "pos": 49, "vqa": 1136, "activity": 14}
    assert {name: TASKS[name] for name in network.tasks} == network.tasks


def test_an_unknown_task_in_format_1(folder: Path) -> None:
    edit_json(folder / "config.json", lambda c: network(to_format_1(c), tasks={"hat": 3}))
    seal(folder)

    assert "format 1 has no task 'hat'; it has pos, activity, caption, vqa" in message_of(folder)


def test_load_reads_weights_of_the_given_tasks(
    toy: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(toy, tmp_path / "toy", apart={"peripherals.vision.backbone.": "backbone.safetensors"})
    opened: list[str] = []
    open_file = safe_open

    def watched(path: Path, framework: str) -> Any:
        opened.append(path.name)
        return open_file(path, framework=framework)

    monkeypatch.setattr(weights, "safe_open", watched)

    part = load(tmp_path / "toy", tasks=["pos"])

    assert opened == ["model.safetensors"]
    assert (set(part.network.config.tasks), set(part.vocabularies)) == ({"pos"}, {"pos"})
    text = LanguagePeripheral.collate([Subwords(np.array([1, 40, 2]), np.array([0, 1, 2]))])
    targets = torch.tensor([[3, 1]])
    with torch.inference_mode():
        ours, theirs = (
            net.cnp.decode(net.encode([("language", "english", text)]), "pos", targets)
            for net in (part.network, toy.network)
        )
    assert torch.equal(ours, theirs)
    (tmp_path / "toy" / "backbone.safetensors").write_bytes(b"altered")
    assert torch.equal(
        load(tmp_path / "toy", tasks=["pos"]).network.cnp.control_embedding.weight,
        toy.network.cnp.control_embedding.weight,
    )
    assert "backbone.safetensors was altered" in message_of(tmp_path / "toy")


def test_weights_in_several_files(toy: Checkpoint, tmp_path: Path) -> None:
    save(toy, tmp_path / "toy", apart={"peripherals.vision.backbone.": "backbone.safetensors"})

    both = load(tmp_path / "toy")

    assert all(torch.equal(t, both.network.state_dict()[name]) for name, t in toy.network.state_dict().items())
    assert "cnp.control_embedding.weight" in load_file(tmp_path / "toy" / "model.safetensors")
    assert all(
        name.startswith("peripherals.vision.backbone.") for name in load_file(tmp_path / "toy" / "backbone.safetensors")
    )
    assert both.digest not in (tmp_path / "toy" / "SHA256SUMS").read_text()


def test_all_weights_in_another_file(toy: Checkpoint, tmp_path: Path) -> None:
    save(toy, tmp_path / "toy", apart={"": "weights.safetensors"})

    found = load(tmp_path / "toy").network.state_dict()

    assert all(torch.equal(tensor, found[name]) for name, tensor in toy.network.state_dict().items())


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "must have an object weight_map that maps names of tensors to files"),
        ('{"weight_map": {"a": 1}}', "must have an object weight_map that maps names of tensors to files"),
        ('{"weight_map": {"a": "../secret"}}', "names ../secret, which SHA256SUMS does not list"),
        ('{"weight_map": {"a": "model.safetensors"}}', "does not fit its configuration: missing "),
    ],
)
def test_an_invalid_index(index: str, message: str, folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(index)
    seal(folder)

    assert message in message_of(folder)


def test_an_unknown_task_of_a_subset_is_named(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no task 'hat'; known are pos, activity, caption, vqa"):
        load(folder, tasks=["hat"])


def test_tasks_may_share_a_vocabulary(toy: Checkpoint, tmp_path: Path) -> None:
    shared = replace(TASKS["vqa"], name="genome-qa", uses=())
    network = replace(toy.config.network, tasks={**FIRST_TASKS, "genome-qa": shared}, controls=())
    config = replace(toy.config, network=network)
    torch.manual_seed(0)
    save(Checkpoint(config, OmniNet(network), toy.tokenizer_file, toy.vocabularies, toy.card), tmp_path / "toy")

    found = load(tmp_path / "toy")

    assert list(found.network.cnp.classifiers) == list(toy.network.cnp.classifiers)
    pixels = torch.zeros(1, 1, 3, 64, 64, dtype=torch.uint8)
    with torch.inference_mode():
        memory = found.network.encode([("vision", "image", pixels)])
        one, other = (found.network.cnp.decode(memory, name, torch.tensor([[0]])) for name in ("vqa", "genome-qa"))
    assert one.shape == other.shape
    assert not torch.equal(one, other)  # each task has its own control vector


def to_format_2(config: dict[str, Any]) -> dict[str, Any]:
    """Remove the fields that format 2 did not have."""
    tasks = config["network"]["tasks"]
    kept = {name: {k: v for k, v in task.items() if k not in {"answer", "uses"}} for name, task in tasks.items()}
    return config | {"format": 2, "network": config["network"] | {"tasks": kept}}


def test_format_2_is_read(toy: Checkpoint, folder: Path) -> None:
    edit_json(folder / "config.json", to_format_2)
    seal(folder)

    assert load(folder).config == toy.config
