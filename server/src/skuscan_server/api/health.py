"""`/healthz`: the process answers. `/readyz`: it could also do its work."""

from importlib.metadata import version

from apiflask import APIBlueprint

from skuscan.errors import SkuscanError
from skuscan_server.api.context import services
from skuscan_server.api.schemas import Health
from skuscan_server.errors import BusyError

blueprint = APIBlueprint("health", __name__)


@blueprint.get("/healthz")
@blueprint.output(Health)
def healthz() -> Health:
    """Say that the process is alive, and what it works with."""
    return _health()


@blueprint.get("/readyz")
@blueprint.output(Health)
def readyz() -> Health:
    """Say whether the database and the published files are there; 503 when they are not."""
    try:
        services().check()
    except SkuscanError as error:
        raise BusyError("the database is set up", "it is not", "run `skuscan-server init`") from error
    if not services().config.published.is_dir():
        raise BusyError("the published folder is there", "it is not", "run `skuscan-server init`")
    return _health()


def _health() -> Health:
    model = services().model
    return Health(version=version("skuscan-server"), model=model.artifact.name, feature_space=model.feature_space.hex())
