"""What a WSGI server loads: `gunicorn 'skuscan_server.wsgi:application()'`. The configuration is the environment."""

from skuscan_server.app import create_app
from skuscan_server.config import load_config
from skuscan_server.overload import Overload


def application() -> Overload:
    """The application of the server that the environment describes."""
    config = load_config()
    return Overload(create_app(config), config.web_waiting)
