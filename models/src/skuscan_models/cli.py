"""`skuscan-models`: train an embedding."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from skuscan.errors import SkuscanError

BAD_INPUT = 2  # exit code
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
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The run's folder.")
def train(name: str, pictures: Path | None, out: Path) -> None:
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
    with _progress() as bar:
        task = bar.add_task("training", total=config.steps, loss="", accuracy="")
        model = train_run(
            name,
            pictures,
            out,
            lambda done, numbers: bar.update(
                task, completed=done, loss=f"{numbers['loss']:.3f}", accuracy=f"{numbers['accuracy']:.3f}"
            ),
        )
    click.echo(f"{out}: {model.name}, {config.steps} steps, recall@1 on validation: {model.training['validation']}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]} accuracy {task.fields[accuracy]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


if __name__ == "__main__":
    main()
