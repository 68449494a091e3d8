"""Residual convolution blocks."""

from __future__ import annotations

import torch

from omninet.model.fast.inference import folded
from omninet.model.modalities.residual import ChannelNorm, ResidualConvolution, ResidualNet
from omninet.model.modalities.vision.peripheral import build_backbone


def test_channels_are_normalised_cell_by_cell() -> None:
    x = torch.randn(2, 8, 3, 5, generator=torch.manual_seed(0))

    normed = ChannelNorm(8)(x)

    torch.testing.assert_close(normed.mean(1), torch.zeros(2, 3, 5), rtol=0, atol=1e-5)
    torch.testing.assert_close(normed.var(1, correction=0), torch.ones(2, 3, 5), rtol=0, atol=1e-3)
    assert normed.shape == x.shape


def test_a_block_halves_or_keeps_its_cells() -> None:
    x = torch.randn(1, 4, 7, 9)

    assert ResidualConvolution(4, 6, halves=True)(x).shape == (1, 6, 4, 5)
    assert ResidualConvolution(4, 4, halves=False)(x).shape == x.shape


def test_masked_cells_have_no_influence() -> None:
    torch.manual_seed(0)
    block, x = ResidualConvolution(4, 4, halves=False), torch.randn(1, 4, 6, 3)
    mask = (torch.arange(6) < 4).float()[None, None, :, None]
    other = torch.where(mask > 0, x, 100.0)

    torch.testing.assert_close(block(x, mask)[:, :, :4], block(other, mask)[:, :, :4])
    torch.testing.assert_close(block(x, mask)[:, :, :4], block(x[:, :, :4]))


def test_the_backbone_is_chosen_by_its_name() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("residual").eval()

    with torch.no_grad():
        maps = backbone(torch.randn(1, 3, 224, 224))
        torch.testing.assert_close(folded(backbone)(torch.ones(1, 3, 64, 64)), backbone(torch.ones(1, 3, 64, 64)))

    assert isinstance(backbone, ResidualNet)
    assert maps.shape == (1, ResidualNet.out_channels, 14, 14)
