"""`GET /api/v1/events`, where no proxy routes it to the process that tells of publications: the way there."""

from apiflask import APIBlueprint

from skuscan.sync.repository_format import EVENTS_PATH
from skuscan_server.api.context import services
from skuscan_server.api.schemas import EventsPlace
from skuscan_server.errors import NotFoundError

blueprint = APIBlueprint("events", __name__)


@blueprint.get(EVENTS_PATH)
@blueprint.output(EventsPlace)
@blueprint.doc(responses={404: "this server tells of no publications"})
def find_events() -> EventsPlace:
    """Say at which port of this host a device can listen.

    There it gets `text/event-stream` for its token: `data: {"generation": 7, "spread": 2.0}` now and after each
    publication, and a comment every 15 s. A web server in front routes this path to that port by itself, so a device
    takes a stream that it gets here, too.
    """
    port = services().config.events_bind.rpartition(":")[2]
    if not port:
        raise NotFoundError("events are told here", "a server without them", "poll")
    return EventsPlace(port=int(port))
