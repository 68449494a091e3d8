"""Files as the authors publish them, made by rule."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from torch import Tensor

from omninet.model.network.layers import sinusoid_table
from tests.golden_cases import read_json, rules

TAGS = ("NNP", ",", "CD", "NNS", "JJ", "MD", "VB", "DT", "NN", "IN", ".")
ACTIVITIES = ("brush_hair", "cartwheel", "catch")
ANSWERS = ("yes", "no", "2", "red")


def write_conf(folder: Path) -> Path:
    """Their vocabularies, with fewer names than there are classes."""
    folder.mkdir(parents=True)
    (folder / "penn_vocab.json").write_text(
        json.dumps({"tag_to_id": {}, "id_to_tag": {str(i): tag for i, tag in enumerate(TAGS)}})
    )
    (folder / "hmdblabels.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(ACTIVITIES)))
    pair = ({answer: i for i, answer in enumerate(ANSWERS)}, dict(enumerate(ANSWERS)))
    (folder / "vqa_vocab.pkl").write_bytes(pickle.dumps(pair))
    return folder


def write_tokenizer(few: Path, target: Path, size: int = 25_000) -> Path:
    """A SentencePiece model with more pieces than its texts could give it."""
    model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(few.read_bytes())
    for number in range(len(model.pieces), size):
        model.pieces.add(piece=f"\u2581piece{number}", score=-float(number))
    target.write_bytes(model.SerializeToString())
    assert sentencepiece.SentencePieceProcessor(model_file=str(target)).get_piece_size() == size
    return target


def full_state() -> dict[str, Tensor]:
    """All 1,315 entries of their network, by the rules of the golden numbers."""
    return {entry["name"]: _value(entry["name"], entry["shape"]) for entry in read_json("full_state_dict_keys")["keys"]}


def _value(name: str, shape: list[int]) -> Tensor:
    if name.endswith("position_enc.weight"):
        return sinusoid_table(shape[0] - 1, shape[1])
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    resnet = name.startswith("image_input_perph.image_model.")
    short = name.removeprefix("cnp.").removeprefix("image_input_perph.image_model.")
    values = (rules.rule_resnet if resnet else rules.rule_cnp)(short, shape)
    return torch.as_tensor(values, dtype=torch.float32)
