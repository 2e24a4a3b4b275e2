"""What a WSGI server loads: `gunicorn 'skuscan_server.wsgi:application()'`. The configuration is the environment."""

from apiflask import APIFlask

from skuscan_server.app import create_app
from skuscan_server.config import load_config


def application() -> APIFlask:
    """The application of the server that the environment describes."""
    return create_app(load_config())
