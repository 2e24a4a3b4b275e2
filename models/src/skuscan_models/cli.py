"""`skuscan-models`: train an embedding, or train one further on pictures of your own."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from skuscan.errors import SkuscanError
from skuscan_models.artifacts import released_folder

BAD_INPUT = 2  # exit code
FINETUNE_STEPS = 100
START_HELP = "Folder of a released model or of a run."
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


class _Group(click.Group):
    """Prints an error of bad input in one line."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SkuscanError as error:
            click.echo(f"skuscan-models: {error}", err=True)
            sys.exit(BAD_INPUT)


@click.group(cls=_Group)
def main() -> None:
    """Train the embedding. `KERAS_BACKEND` chooses the backend: tensorflow, torch or jax."""


@main.command()
@click.option("--run", "name", required=True, help="Name in skuscan_models.training.config: all or clean.")
@click.option("--pictures", type=FOLDER, help="Folder with boxes, grozi120 and produce; drawn packaging needs none.")
@click.option("--materials", type=FOLDER, help="Folder of `skuscan-models materials`; the run `all` needs none.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The run's folder.")
def train(name: str, pictures: Path | None, materials: Path | None, out: Path) -> None:
    """Train a released run, or go on with it where it was stopped.

    Writes checkpoint.npz, log.csv and curves.png while it runs, and at the end the model: model.json, backbone.npz,
    head.npz. `skuscan-export backbone --run OUT` makes the artefact of it.

    \b
    Example:
        skuscan-models train --run all --pictures ../shared/data/train --out build/train/all
    """
    from skuscan_models.training.config import run
    from skuscan_models.training.released import train_run

    config = run(name)
    with _progress("training", config.steps + config.last_head_batches) as show:
        model = train_run(name, pictures, materials, out, show)
    click.echo(f"{out}: {model.name}, {config.steps} steps, recall@1 on validation: {model.training['validation']}")


@main.command()
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to fetch into.")
def materials(out: Path) -> None:
    """Fetch the fonts and the clip art that packaging is drawn with in training: 185 MB, from npm and Debian.

    Every package is checked by its SHA-256; what is there already is not fetched again.

    \b
    Example:
        skuscan-models materials --out build/materials
    """
    from skuscan_models.training.fetch_materials import fetch_materials, fetched_materials, packages

    wanted = packages()
    with _progress("fetching", len(wanted)) as show:
        fetch_materials(wanted, out, lambda done: show(done, {}))
    fetched = fetched_materials(out)
    click.echo(f"{out}: {len(fetched.fonts)} typefaces, {len(fetched.art):,} pictures")


@main.command()
@click.option("--pictures", type=FOLDER, required=True, help="Folder with boxes and produce.")
@click.option("--materials", type=FOLDER, required=True, help="Folder of `skuscan-models materials`.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The run's folder.")
def descriptor(pictures: Path, materials: Path, out: Path) -> None:
    """Train the network that describes a keypoint's patch: descriptors.npz, which the device's package holds.

    It takes some minutes. Pairs of patches that are in OUT already are used again. Other weights make other bits, so
    they are a new version of the extractor (`KeypointExtractor.VERSION`), and the decision is fitted again.

    \b
    Example:
        skuscan-models descriptor --pictures ../shared/data/train --materials build/materials --out build/descriptor
    """
    from skuscan.model import Model
    from skuscan_models.descriptors.training import DescriptorConfig, train_descriptor

    spec, config = Model.open_folder(released_folder()).artifact.keypoints, DescriptorConfig()
    with _progress("descriptor", config.fronts + config.steps) as show:
        train_descriptor(spec, pictures, materials, out, show, config)
    click.echo((out / "facts.json").read_text(), nl=False)


@main.command()
@click.option("--pictures", type=FOLDER, required=True, help="Folder with boxes and produce.")
@click.option("--materials", type=FOLDER, required=True, help="Folder of `skuscan-models materials`.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The run's folder.")
def likeness(pictures: Path, materials: Path, out: Path) -> None:
    """Train the network that compares a scan with a reference's print: likeness.npz, which the device's package holds.

    It takes an hour or two on two cores. Pairs that are in OUT already are used again, and a training that was stopped
    goes on. Other weights make other codes of references: all features are computed anew, and the decision is fitted
    again.

    \b
    Example:
        skuscan-models likeness --pictures ../shared/data/train --materials build/materials --out build/likeness
    """
    from skuscan.model import Model
    from skuscan_models.likeness.training import LikenessConfig, train_likeness

    spec, config = Model.open_folder(released_folder()).artifact.keypoints, LikenessConfig()
    with _progress("likeness", config.families + config.steps) as show:
        train_likeness(spec, pictures, materials, out, show, config)
    click.echo((out / "facts.json").read_text(), nl=False)


@main.command()
@click.option(
    "--catalogue",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV with the columns sku and image, as `skuscan-server catalogue import` takes it.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The run's folder.")
@click.option(
    "--from", "start", type=FOLDER, default=released_folder, show_default="the released model", help=START_HELP
)
@click.option("--steps", type=click.IntRange(1, 100_000), default=FINETUNE_STEPS, show_default=True, help="Batches.")
@click.option("--even-if-worse", is_flag=True, help="Write a model that recalls less than before, too.")
def finetune(catalogue: Path, out: Path, start: Path, steps: int, even_if_worse: bool) -> None:
    """Train a model further on your own pictures, or go on with it where it was stopped.

    One product of eight is kept aside. Recall@1 on those, embedding alone, is printed as it was before and as it is
    after; a model that got worse is not written. Several pictures of one SKU are taken as photos of the same side.
    `skuscan-export backbone --run OUT` makes an artefact of it, `skuscan-server model set` brings it to the devices.

    \b
    Example:
        skuscan-models finetune --catalogue catalogue.csv --out build/finetuned
    """
    from skuscan_models.training.finetune import FinetuneOptions
    from skuscan_models.training.finetune import finetune as run_finetune

    with _progress("fine-tuning", steps) as show:
        done = run_finetune(catalogue, start, out, show, FinetuneOptions(steps=steps), even_if_worse)
    click.echo(
        f"{out}: {done.model.name}; recall@1 of {done.photos} photos of {done.products} products that were kept aside:"
        f" {done.before:.3f} before, {done.after:.3f} after"
    )


@contextmanager
def _progress(title: str, steps: int) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """A bar on stderr where that is a terminal: call it with the steps done and the log's numbers."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=steps, numbers="")
        yield lambda done, numbers: bar.update(
            task,
            completed=done,
            numbers=" ".join(f"{name} {numbers[name]:.3f}" for name in ("loss", "accuracy") if name in numbers),
        )


if __name__ == "__main__":
    main()
