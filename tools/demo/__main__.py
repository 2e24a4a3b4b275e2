"""The main job from end to end, with the real parts, in `build/demo/`.

1. Draw a catalogue, 24 hand-held photos, and a later change.
2. Set a server up, start it on loopback, import the catalogue, publish a signed generation.
3. Enrol a device and sync it; then stop the server.
4. Identify the 24 photos offline; print a table and write a contact sheet.
5. Start the server again; add a product, withdraw another, change a price; publish; sync again.
6. Check what the device answers now, and what the second sync moved.

Exit code 0: everything answered as promised; 1: it did not, and the last lines say what. Everything that was started is
stopped, also on Ctrl-C.
"""

import csv
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from skuscan_models.synthetic.demo import DemoFiles, write_demo
from tools.demo.contact_sheet import write_contact_sheet
from tools.demo.processes import Server, run_json

FOLDER = Path(__file__).resolve().parents[2] / "build" / "demo"
LEAST_RIGHT = 18  # of the photos of catalogue products
DELTA_SHARE = 0.1  # the second sync moves less than this share of the first

console = Console()


@dataclass(frozen=True)
class Answers:
    """What the device said to photos, beside what they show."""

    truth: list[str]  # SKUs; "" for a product that the catalogue does not hold
    answers: list[dict[str, Any]]

    def problems(self) -> list[str]:
        """What was promised and did not come about."""
        pairs = list(zip(self.truth, self.answers, strict=True))
        known = [answer["sku"] == sku for sku, answer in pairs if sku]
        wrong = [a["file"] for sku, a in pairs if a["decision"] == "match" and a["sku"] != sku]
        accepted = [a["file"] for sku, a in pairs if not sku and a["decision"] != "unknown"]
        found = []
        if sum(known) < LEAST_RIGHT:
            found.append(f"{sum(known)} of {len(known)} catalogue products were right, {LEAST_RIGHT} were promised")
        found += [f"{file}: a wrong match" for file in wrong]
        return found + [f"{file}: a foreign product was not `unknown`" for file in accepted]


def main() -> int:
    """Run the demo; the process's exit code."""
    # Searched as a large catalogue is, here and on `make arm64`.
    os.environ.setdefault("SKUSCAN_SERVER_ANNOY_FROM", "1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shutil.rmtree(FOLDER, ignore_errors=True)
    started, files = time.monotonic(), _draw()
    server = Server(FOLDER / "server")
    try:
        first = _first_generation(server, files)
        server.stop()
        offline = _identify_offline(files)
        problems = offline.problems()
        server.start()
        problems += _change(server, files, first)
    finally:
        server.stop()
    if problems:
        console.print("\n".join(f"[red]FAILED[/] {problem}" for problem in problems))
        return 1
    console.print(f"[green]Everything answered as promised[/], in {time.monotonic() - started:.0f} s.")
    return 0


def _draw() -> DemoFiles:
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("drawing a catalogue and photos of it", total=None)
        files = write_demo(FOLDER, progress=lambda done, total: bar.update(task, completed=done, total=total))
    console.print(f"Drew {len(_rows(files.catalogue))} products and {len(_rows(files.photos))} photos in {FOLDER}")
    return files


def _first_generation(server: Server, files: DemoFiles) -> dict[str, Any]:
    """From nothing to a synced device; what the sync said."""
    _step("setting the server up", lambda: server.command("init"))
    server.start()
    _step("importing the catalogue", lambda: server.command("catalogue", "import", str(files.catalogue)))
    _step("publishing: index, calibration, signature", lambda: server.command("publish"))
    token = server.command("enrol-token")["token"]
    _step("enrolling a device", lambda: _device("enrol", server.url, token))
    synced: dict[str, Any] = _step("first sync", lambda: _device("sync"))
    console.print(
        f"Generation {synced['generation']} is live on the device: "
        f"the first sync moved {_moved(synced):,} bytes in {synced['seconds']:.1f} s"
    )
    return synced


def _identify_offline(files: DemoFiles) -> Answers:
    """Ask the device about the photos, the server being down."""
    console.print("The server is down. Identifying offline:")
    result = _ask(files.photos)
    names = {row["sku"]: row["name"] for row in _rows(files.catalogue)}
    table = Table("photo", "SKU", "name", "probability", "decision", "ms", "")
    for sku, answer in zip(result.truth, result.answers, strict=True):
        right = answer["sku"] == sku if sku else answer["decision"] == "unknown"
        table.add_row(
            Path(answer["file"]).name,
            ", ".join(answer["skus"]) or "-",
            answer["name"] or "",
            f"{answer['probability']:.2f}",
            answer["decision"],
            f"{answer['ms']:.0f}",
            "[green]right[/]" if right else f"[red]shows {names.get(sku, 'a foreign product')}[/]",
        )
    console.print(table)
    sheet = write_contact_sheet(FOLDER / "contact-sheet.jpg", result.answers, FOLDER / "images")
    console.print(f"Photo | answer, to look at: {sheet}")
    return result


def _change(server: Server, files: DemoFiles, first: dict[str, Any]) -> list[str]:
    """Add, withdraw, change a price; sync; what was not as promised."""
    price, withdrawn = _rows(files.prices)[0], _rows(files.withdrawn)[0]["sku"]
    server.command("catalogue", "import", str(files.added))
    server.command("catalogue", "withdraw", withdrawn, as_json=False)
    server.command("catalogue", "set-price", price["sku"], price["price"], price["currency"], as_json=False)
    _step("publishing one new, one withdrawn, one new price", lambda: server.command("publish"))
    second = _step("second sync", lambda: _device("sync"))
    console.print(
        f"The second sync moved {_moved(second):,} bytes; the first {_moved(first):,} "
        f"({_moved(second) / _moved(first):.1%})"
    )
    problems = []
    if second["state"] != "activated" or _moved(second) > DELTA_SHARE * _moved(first):
        problems.append(f"the second sync is no small delta: {second['state']}, {_moved(second):,} bytes")
    changed = _ask(files.change_photos)
    for sku, answer in zip(changed.truth, changed.answers, strict=True):
        said = f"{answer['decision']} {answer['sku'] or ''} ({answer['probability']:.2f})"
        console.print(f"  photo of the {'new' if sku else 'withdrawn'} product: {said}")
        if answer["sku"] != sku if sku else (answer["decision"] != "unknown" or withdrawn in answer["skus"]):
            problems.append(f"{answer['file']}: {said}")
    return problems + _check_price(files, price)


def _check_price(files: DemoFiles, price: dict[str, str]) -> list[str]:
    """The device shows the new price with a photo of the product."""
    photo = next(row["file"] for row in _rows(files.photos) if row["sku"] == price["sku"])
    answer = _device("identify", str(FOLDER / photo))[0]
    shown = answer["attributes"].get("price", {}).get("minor_units")
    console.print(f"  {price['sku']} now costs {price['price']} {price['currency']}; the device says {shown} cents")
    return [] if shown == round(float(price["price"]) * 100) else [f"{photo}: the price shown is {shown}"]


def _ask(photos: Path) -> Answers:
    rows = _rows(photos)
    answers = _device("identify", *(str(photos.parent / row["file"]) for row in rows))
    return Answers([row["sku"] for row in rows], answers)


def _device(*arguments: str) -> Any:
    return run_json("skuscan", *arguments, "--store", str(FOLDER / "device-store"), "--json")


def _moved(sync: dict[str, Any]) -> int:
    return int(sync["bytes_metadata"] + sync["bytes_records"] + sync["bytes_display"])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _step(title: str, work: Callable[[], Any]) -> Any:
    """Show that something is going on, and how long it took."""
    started = time.monotonic()
    with console.status(title):
        result = work()
    console.print(f"  {title}: {time.monotonic() - started:.1f} s")
    return result


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(130)
    except (RuntimeError, json.JSONDecodeError) as failure:
        console.print(f"[red]FAILED[/] {failure}")
        sys.exit(1)
