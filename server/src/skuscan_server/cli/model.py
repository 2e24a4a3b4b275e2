"""`skuscan-server model show | set`."""

from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from skuscan.cli.options import echo_json, json_option
from skuscan.proto.bundle_pb2 import Manifest
from skuscan_models.artifacts import ALL, CLEAN, released_folder
from skuscan_server.builder.state import last_publication
from skuscan_server.cli.common import actor, progress_bar, services_of
from skuscan_server.db.models import Assortment
from skuscan_server.models import published_digest
from skuscan_server.services import Services

SPACE_DIGITS = 16  # hex digits of a feature space that people are shown


class ModelFolder(click.Path):
    """A folder, or the name of a released model."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder."""
        return super().convert(released_folder(value) if value in (CLEAN, ALL) else value, param, ctx)


@click.group("model")
def command() -> None:
    """Show the model that devices recognise with, or bring them another one."""


@command.command("show")
@json_option
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Say which model is in use, and which assortments are published with it.

    \b
    Example:
      skuscan-server model show
    """
    services = services_of(ctx)
    about = _about(services)
    if as_json:
        echo_json(about)
        return
    click.echo(f"{about['name']}\tfeature space {about['feature_space'][:SPACE_DIGITS]}\t{about['folder']}")
    for name, published in about["assortments"].items():
        click.echo(f"{name}\tgeneration {published['generation']}\t{_state(published)}")


@command.command("set")
@click.argument("folder", type=ModelFolder())
@json_option
@click.pass_context
def set_(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Take another model into use: an artefact's folder, of which a copy is kept, or the name of a released model.

    The features of all reference pictures are computed first; until they are finished, and when this is stopped, the
    model before stays in use. Run it again to go on. Then the scheduler, or `publish`, signs a generation of every
    assortment with the new model; devices answer with the old one until they have all of it. An earlier model is set
    again in the same way, and its features are still there.

    \b
    Example:
      skuscan-server model set build/artifacts/finetuned
      skuscan-server model set efficientnet-lite0-products
      skuscan-server publish
    """
    services = services_of(ctx)
    with progress_bar("features") as show_progress:
        done = services.set_model(folder, actor(), show_progress)
    if as_json:
        echo_json({"name": done.name, "feature_space": done.feature_space.hex(), "computed": done.computed})
        return
    click.echo(f"{done.name} is {'now' if done.changed else 'already'} in use; features of {done.computed} computed.")
    click.echo(
        "The next publication of each assortment carries it: `skuscan-server publish`, or wait for the scheduler."
    )


def _about(services: Services) -> dict[str, Any]:
    model, folder = services.model, services.models.in_use()
    digest = published_digest(model)
    assortments = {}
    with services.database.read() as session:
        for name in session.scalars(select(Assortment.name).order_by(Assortment.name)):
            last = last_publication(session, name)
            manifest = Manifest.FromString(last.manifest) if last else Manifest()
            assortments[name] = {"generation": manifest.generation, "is_current": manifest.model_sha256 == digest}
    return {
        "name": model.artifact.name,
        "feature_space": model.feature_space.hex(),
        "folder": str(folder),
        "assortments": assortments,
    }


def _state(published: dict[str, Any]) -> str:
    if not published["generation"]:
        return "not published yet"
    return "with this model" if published["is_current"] else "with an earlier model: publish"
