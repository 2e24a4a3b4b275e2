"""`skuscan doctor`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skuscan.cli.options import (
    connection_options,
    echo_json,
    index_option,
    json_option,
    runtime_options,
    store_option,
)

if TYPE_CHECKING:
    from skuscan.sync import IndexPolicy

MARKS = {"ok": "ok     ", "warning": "warning", "failure": "FAILURE"}


@click.command("doctor")
@index_option
@connection_options
@runtime_options
@store_option
@json_option
def command(
    index_policy: "IndexPolicy",
    proxy: str | None,
    ca_file: Path | None,
    insecure_http: bool,
    threads: int,
    delegates: tuple[str, ...],
    store: Path,
    as_json: bool,
) -> int:
    """Look for what is not well, repair what can be repaired, and say what to do about the rest.

    Exit code 1: there is a failure. A warning alone does not count: scans go on.

    \b
    Example:
      skuscan doctor
    """
    from skuscan.doctor import examine
    from skuscan.runtime import RuntimeOptions
    from skuscan.sync import SyncOptions

    findings = []
    options = SyncOptions(proxy, ca_file, insecure_http, index_policy=index_policy)
    for finding in examine(store, RuntimeOptions(threads, delegates), options):
        findings.append(finding)
        if not as_json:
            advice = f"\n{'':21}-> {finding.advice}" if finding.advice else ""
            click.echo(f"{MARKS[finding.state]}  {finding.check:<11} {finding.text}{advice}")
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    return int(any(finding.state == "failure" for finding in findings))
