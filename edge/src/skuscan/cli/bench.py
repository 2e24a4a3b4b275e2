"""`skuscan bench [IMG...]`."""

from dataclasses import asdict
from pathlib import Path

import click

from skuscan.cli.options import echo_json, json_option, runtime_options, store_option


@click.command("bench")
@click.argument("images", nargs=-1, metavar="[IMG...]", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--repeats", type=click.IntRange(1), default=20, show_default=True, help="Scans of each picture.")
@runtime_options
@store_option
@json_option
def command(
    images: tuple[Path, ...], repeats: int, threads: int, delegates: tuple[str, ...], store: Path, as_json: bool
) -> None:
    """Measure this device: each stage's median and p95, the bare inference, and the ratios in yardsticks.

    Without IMG the catalogue's own probe pictures are scanned.

    \b
    Example:
      skuscan bench photo.jpg
    """
    from skuscan.bench import bench
    from skuscan.recognition import RecognizerOptions
    from skuscan.recognizer import Recognizer
    from skuscan.runtime import RuntimeOptions
    from skuscan.store import Store

    opened, runtime = Store.open(store), RuntimeOptions(threads, delegates)
    generation = opened.open_generation()
    pictures = [image.read_bytes() for image in images] or [generation.probe_picture(p) for p in generation.probes]
    with Recognizer.open(opened, RecognizerOptions(runtime=runtime)) as recognizer:
        stages = bench(recognizer, pictures, repeats, runtime)
        used, index = recognizer.eye.embedder.description, recognizer.index_name
    if as_json:
        echo_json({"runtime": asdict(used), "index": index, "stages": [asdict(stage) for stage in stages]})
        return
    click.echo(f"{used.library} {used.version}, delegate {used.delegate}, {used.threads} thread(s), index {index}")
    click.echo(f"{'stage':<12}{'median ms':>11}{'p95 ms':>9}{'yardsticks':>12}")
    for stage in stages:
        click.echo(f"{stage.stage:<12}{stage.median_ms:>11.2f}{stage.p95_ms:>9.2f}{stage.yardsticks:>12.2f}")
