"""The web application: REST for operators and devices, and the published files."""

import json
from typing import Any

from apiflask import APIFlask
from flask import Response, request
from flask.json.provider import DefaultJSONProvider

from skuscan_server.api import BLUEPRINTS, description, problems
from skuscan_server.api.context import DEVICE_SCHEME, EXTENSION, OPERATOR_SCHEME, services
from skuscan_server.config import ServerConfig
from skuscan_server.services import Services

OPENAPI_PATH = "/api/v1/openapi.json"


def create_app(config: ServerConfig) -> APIFlask:
    """The WSGI application of a server that was set up. Raises ModelError when its model cannot be used."""
    app = APIFlask(
        __name__,
        title="skuscan server",
        version="1",
        spec_path=OPENAPI_PATH,
        docs_path=None,
        static_folder=None,  # type: ignore[arg-type]
    )
    app.json_provider_class = _Json
    app.json = _Json(app)
    app.url_map.merge_slashes = False  # a SKU may hold two in a row
    app.url_map.redirect_defaults = False
    app.config.update(
        MAX_CONTENT_LENGTH=config.max_request_bytes,
        OPENAPI_VERSION="3.1.0",
        # Every error is a problem, which `description.complete` says.
        AUTO_404_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
    )
    app.security_schemes = {
        OPERATOR_SCHEME: {"type": "http", "scheme": "bearer", "description": "an operator's API key"},
        DEVICE_SCHEME: {"type": "http", "scheme": "bearer", "description": "a device's token, got at enrolment"},
    }
    parts = Services(config)
    parts.model  # noqa: B018 (opened before the first request, and a wrong one is found now)
    app.extensions[EXTENSION] = parts
    problems.register(app)
    app.after_request(_counted)
    app.spec_processor(description.complete)  # type: ignore[arg-type]
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def _counted(response: Response) -> Response:
    """Routes are counted, not paths, which anybody can invent."""
    services().metrics.count_request(request.url_rule.rule if request.url_rule else None, response.status_code)
    return response


class _Json(DefaultJSONProvider):
    """JSON whose nesting cannot exhaust the stack, and that is JSON in its answers, too: no NaN, no Infinity."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse. Raises ValueError, which becomes 400."""
        try:
            return json.loads(s, parse_constant=_refuse_constant, **kwargs)
        except RecursionError as error:
            raise ValueError("JSON is nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")
