"""Auxiliary training losses of layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omninet.model.network.cnp import CNP
from omninet.model.network.layers import FeedForward, Losses, add_loss
from tests.model.networks import IMAGE, TEXT, Row, small_cnp


class Loaded(FeedForward):
    """A feed-forward block whose auxiliary loss is its number of rows."""

    def forward(self, x: Tensor, losses: Losses | None = None) -> Tensor:
        add_loss(losses, "load", torch.tensor(float(len(x))))
        return super().forward(x, losses)


def loaded() -> CNP:
    """A network whose feed-forward blocks all add an auxiliary loss."""
    cnp = small_cnp()
    for layer in (*cnp.temporal_encoder.layers, *cnp.decoder.layers):
        assert isinstance(layer, nn.Module)
        block = Loaded(12, 16, 0.0).double().eval()
        block.load_state_dict(layer.feed_forward.state_dict())  # type: ignore[union-attr]
        layer.feed_forward = block
    return cnp


def test_terms_of_the_encoder_and_the_decoder_are_summed() -> None:
    cnp, losses = loaded(), Losses()
    memory = cnp.encode(TEXT.values(), TEXT.domain, losses=losses)
    cnp.encode(IMAGE.values(), IMAGE.domain, memory, losses=losses)
    assert losses == {"load": 2 * (4 + 1)}  # two layers, each with four steps of a text and one of an image

    cnp.decode(memory, "caption", torch.tensor([[1, 2, 3]]), losses=losses)
    assert losses == {"load": 2 * (4 + 1) + 2 * 3}

    cnp.first_hidden(memory, "vqa", losses)
    assert losses == {"load": 2 * (4 + 1) + 2 * 3 + 2}


def test_without_a_dictionary_no_losses_are_kept() -> None:
    cnp, plain = loaded(), small_cnp()
    targets = torch.tensor([[1, 2, 3]])

    torch.testing.assert_close(
        cnp.decode(Row((TEXT,)).encode(cnp), "caption", targets),
        plain.decode(Row((TEXT,)).encode(plain), "caption", targets),
        rtol=0,
        atol=0,
    )
