"""How much of ImageNet's weights to keep: recall@1 on validation products by share, embedding alone, in float.

The head is fitted again for every share where the run does so at its end.

    python -m benchmarks.averaging_validation --run clean --folder build/train/clean --pictures ../shared/data/train \\
        --materials build/materials

Needs the packages of `requirements-train.txt` and a finished run. A run that was not trained on video crops is asked
for all of them: they show what training loses of pictures unlike its own.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from skuscan_models.backbones import build_backbone
from skuscan_models.float_model import preprocess_spec
from skuscan_models.pretrained import load_imagenet_weights
from skuscan_models.training.batches import Batches
from skuscan_models.training.config import run
from skuscan_models.training.network import backbone_of, blend
from skuscan_models.training.released import embedder, materials_of
from skuscan_models.training.sources import load_grozi, load_sources
from skuscan_models.training.trainer import CHECKPOINT_FILE, fit_head_of, train
from skuscan_models.training.validation import of_photos, questions, recall

SHARES = (0.0, 0.2, 0.4, 0.6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", default="all", help="name of the run")
    parser.add_argument("--folder", type=Path, required=True, help="of the finished run")
    parser.add_argument("--pictures", type=Path, required=True, help="folder with boxes, grozi120 and produce")
    parser.add_argument("--materials", type=Path, help="folder of `skuscan-models materials`")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of ImageNet's weights")
    given = parser.parse_args()
    if not (given.folder / CHECKPOINT_FILE).exists():
        parser.error(f"{given.folder} holds no run; train it first")
    config, asked = run(given.run), questions(given.pictures)
    if "grozi120" not in config.pairs:
        asked["grozi120"] = of_photos(load_grozi(given.pictures, "train") + load_grozi(given.pictures, "validation"))
    start = build_backbone(config.backbone, None)
    load_imagenet_weights(start)
    sources = load_sources(list(config.pairs), given.pictures, "train")
    materials = materials_of(config, given.materials)
    batches = Batches(config, sources, materials)
    network = train(config, sources, given.folder, _silent, materials=materials)
    learned = backbone_of(network).get_weights()
    print(f"{'share':>6}" + "".join(f"{name:>10}" for name in asked))
    for share in given.shares:
        backbone_of(network).set_weights(learned)
        blend(network, start, share)
        if config.last_head_batches:
            fit_head_of(network, config, batches, config.last_head_batches)
        found = recall(asked, embedder(network), preprocess_spec().size)
        print(f"{share:6.2f}" + "".join(f"{found[name]:10.3f}" for name in asked), flush=True)


def _silent(_: int, __: Mapping[str, float]) -> None:
    """A finished run takes no step."""


if __name__ == "__main__":
    main()
