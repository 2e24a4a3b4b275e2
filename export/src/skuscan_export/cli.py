"""`skuscan-export`: make, measure and check a model's artefact."""

import sys
from pathlib import Path

import click

from skuscan.errors import SkuscanError
from skuscan.model import Model
from skuscan_export.card import add_parity, add_results, write_card
from skuscan_export.edgetpu_ops import SOURCE, check_ops
from skuscan_export.graph import read_ops

PARITY_PICTURES = 200
PARITY_SEED = 3
BAD_INPUT = 2  # exit code


class _Group(click.Group):
    """Prints an error of bad input in one line."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SkuscanError as error:
            click.echo(f"skuscan-export: {error}", err=True)
            sys.exit(BAD_INPUT)


@click.group(cls=_Group)
def main() -> None:
    """Keras models to the int8 artefacts that devices run."""


@main.command()
@click.option(
    "--run",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a trained model, or of a released one.",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Training pictures to calibrate on beside drawn packaging.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The artefact's folder.")
def backbone(run: Path, pictures: Path | None, out: Path) -> None:
    """Make a trained model's artefact: backbone.tflite, head.npz, artifact.json, SHA256SUMS, MODEL_CARD.md."""
    from skuscan_export.calibration import Calibration
    from skuscan_export.pipeline import export_artifact

    chosen = Calibration(pictures)
    artifact = export_artifact(run, out, chosen, lambda line: click.echo(line, err=True))
    write_card(out, calibration=chosen.description)
    click.echo(f"{out}: {artifact.backbone.length} bytes, SHA-256 {artifact.backbone.sha256.hex()}")


@main.command()
@click.option("--artifact", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--pictures", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--count", default=PARITY_PICTURES, show_default=True, help="Pictures, chosen by a seed.")
@click.option("--json", "out", required=True, type=click.Path(path_type=Path, dir_okay=False))
def parity(artifact: Path, pictures: Path, count: int, out: Path) -> None:
    """Compare int8 embeddings with the float network's on real pictures, and put the figures into the model card.

    Exit 1 when they are too far apart.
    """
    from skuscan_export.parity import measure_parity
    from skuscan_models.float_model import FloatModel
    from skuscan_models.pictures import choose_pictures

    model = Model.open_folder(artifact)
    report = measure_parity(FloatModel.load(artifact).network, model, choose_pictures(pictures, count, PARITY_SEED))
    report.write(out)
    add_parity(artifact, report)
    click.echo(f"cosine over {report.pictures} pictures: mean {report.mean:.4f}, minimum {report.minimum:.4f}")
    if not report.passes:
        sys.exit(1)


@main.command()
@click.option("--artifact", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--json", "out", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.argument("sets", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
def recall(artifact: Path, out: Path, sets: tuple[Path, ...]) -> None:
    """Compare recall@1 of the int8 and the float network, embedding alone, on sets: catalogue.csv and queries.csv.

    Exit 1 when int8 loses too much.
    """
    from skuscan_export.quantisation import compare
    from skuscan_models.float_model import FloatModel

    comparison = compare(FloatModel.load(artifact).network, Model.open_folder(artifact), sets)
    comparison.write(out)
    for loss in comparison.losses:
        click.echo(f"{loss.name}: float {loss.exact:.3f}, int8 {loss.quantized:.3f} of {loss.queries}")
    low, high = comparison.interval
    click.echo(
        f"int8 loses {comparison.pooled * 100:.2f} points over all photos (95%: {low * 100:.2f} to {high * 100:.2f})"
    )
    if not comparison.passes:
        sys.exit(1)


@main.command()
@click.option("--artifact", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("results", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def card(artifact: Path, results: Path) -> None:
    """Put an evaluation's RESULTS (recognition.json) into an artefact's model card."""
    add_results(artifact, results)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def ops(file: Path) -> None:
    """Say which ops of a .tflite the Edge TPU compiler is documented to map; exit 1 when some would fall back."""
    report = check_ops(read_ops(file.read_bytes()))
    for name, count in sorted(report.counts.items()):
        click.echo(f"{count:4d}  {name}")
    for fallback in report.fallbacks:
        click.echo(f"CPU: op {fallback.index} {fallback.name}: {fallback.reason}")
    if report.cut_at is not None:
        click.echo(f"From op {report.cut_at} on, everything would run on the CPU.")
    click.echo(f"By the list at {SOURCE}; unverified until edgetpu_compiler has compiled the model.")
    if report.fallbacks:
        sys.exit(1)
