"""Bytes of the bundle format, version 1: made again only where the format changes, before its first release.

`bundle.json` says what the files mean, in protobuf's JSON.
"""

import hashlib
import json

import pytest
from google.protobuf import json_format

from skuscan.bundle.manifest import parse_manifest
from skuscan.bundle.records import KIND_NAMES, parse_record
from skuscan.bundle.segment import read_segment
from skuscan.bundle.state import state_digest

SEGMENTS = ["product.base", "reference.base", "pair.base", "product.delta", "reference.delta"]


@pytest.fixture
def golden(project_root):
    return project_root / "tests" / "golden" / "bundle-v1"


@pytest.fixture
def said(golden):
    return json.loads((golden / "bundle.json").read_text())


@pytest.fixture
def manifest(golden):
    return parse_manifest((golden / "manifest.bin").read_bytes())


def contents(golden, manifest):
    refs = [*manifest.base_segments, *manifest.delta_segments]
    return {
        name: read_segment((golden / f"{name}.segment").read_bytes(), ref)
        for name, ref in zip(SEGMENTS, refs, strict=True)
    }


def test_the_released_manifest_is_read_as_it_was_meant(manifest, said):
    assert json_format.MessageToDict(manifest, preserving_proto_field_name=True) == said["manifest"]


def test_the_released_segments_are_read_as_they_were_meant(golden, manifest, said):
    for name, content in contents(golden, manifest).items():
        records = {
            key: json_format.MessageToDict(parse_record(content.kind, data), preserving_proto_field_name=True)
            for key, data in content.records
        }
        assert KIND_NAMES[content.kind] == name.partition(".")[0]
        assert {"records": records, "tombstones": content.tombstones} == said["segments"][name]


def test_the_released_state_has_its_digest(golden, manifest):
    state = {}
    for content in contents(golden, manifest).values():
        state.update({(content.kind, key): hashlib.sha256(data).digest() for key, data in content.records})
        for key in content.tombstones:
            del state[content.kind, key]
    assert state_digest((kind, key, sha256) for (kind, key), sha256 in sorted(state.items())) == manifest.state_digest
