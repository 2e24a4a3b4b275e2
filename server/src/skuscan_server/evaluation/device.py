"""A server and a device of their own for one evaluation, with nothing between them left out.

Import, features, publication and signature are the server's; enrolment, verification, download and activation are the
device's, over HTTP on loopback. What is measured is therefore what a shop would get.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from skuscan.store import Store
from skuscan.sync import SyncOptions, enrol, sync_once
from skuscan_server.access.devices import create_enrolment_token
from skuscan_server.app import create_app
from skuscan_server.builder.prepare import Progress
from skuscan_server.catalogue.assortments import DEFAULT
from skuscan_server.catalogue.plan import ImportPlan
from skuscan_server.config import ServerConfig
from skuscan_server.services import Services

ACTOR = "evaluation"  # in the audit log
TOKEN_DAYS = 1.0


def provision(
    plan: ImportPlan, config: ServerConfig, store: Path, progress: Progress, executor: Executor | None = None
) -> Store:
    """Set a server up in `config.data_folder`, publish the plan's catalogue, and sync a new device from it.

    Args:
        plan: The catalogue.
        config: With an empty data folder.
        store: Where the device's store will be.
        progress: Told of reference pictures done, of how many.
        executor: What computes features; None: processes of the server's own.

    Raises:
        SkuscanError: As any of these steps does.
    """
    services = Services(config, executor)
    services.set_up()
    done = 0

    def count(finished: int) -> None:
        nonlocal done
        done += finished
        progress(done, len(plan.sources))

    with services.pool() as pool:
        services.importer(pool).run(plan, ACTOR, count)
    services.publish(DEFAULT)
    with services.database.write() as session:
        root = services.repository(DEFAULT).root_sha256()
        token = str(create_enrolment_token(session, DEFAULT, root, TOKEN_DAYS))
    with serving(config) as url:
        enrol(url, token, store, ACTOR, SyncOptions())
        device = Store.open(store)
        sync_once(device, SyncOptions())
    return device


class _Quiet(WSGIRequestHandler):
    """Answers without a line on the console for each file."""

    def log_request(self, *_: object) -> None:
        """Nothing is worth a line here."""


@contextmanager
def serving(config: ServerConfig) -> Iterator[str]:
    """The Flask application on a free port of loopback."""
    server = make_server("127.0.0.1", 0, create_app(config), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
