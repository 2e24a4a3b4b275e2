"""The REST interface under /api/v1: a file per resource, and no logic of the catalogue or the builder."""

from skuscan_server.api import (
    assortments,
    devices,
    enrolment,
    events,
    files,
    health,
    products,
    publications,
    quality,
    references,
)

BLUEPRINTS = (
    products.blueprint,
    references.blueprint,
    quality.blueprint,
    assortments.blueprint,
    publications.blueprint,
    devices.blueprint,
    enrolment.blueprint,
    events.blueprint,
    files.blueprint,
    health.blueprint,
)
