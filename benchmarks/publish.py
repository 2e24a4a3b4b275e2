"""How long publishing takes: a first publication, a change of 0.1% and of 1%, and a publication of nothing.

    python -m benchmarks.publish --skus 100000 [--json FILE]

Features are drawn (`big_catalogue.py`), so this is the time of everything else: reading the catalogue, records,
segments, the Annoy file, the state digest, signing, and noting it all in the database. The share of the database is the
time inside its driver. Seconds are stated in yardsticks of the same run, too: one is an inference of the released
network at 224 px, see `yardstick.py`. Memory is the process's peak, everything included.
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

from benchmarks import yardstick
from benchmarks.big_catalogue import BigCatalogue

SHARES = (0.001, 0.01)  # of the catalogue, that change
CLEAR_PEAK = "5"  # written to clear_refs: VmHWM begins anew (proc_pid_clear_refs(5))
CLEAR_REFS = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class PublishNumbers:
    """One publication.

    Attributes:
        name: What was published.
        seconds: From its start until devices see it.
        cpu_seconds: Of this process: on a machine that has other work, they say more.
        yardsticks: `seconds` in the unit of this project.
        database_share: Of the seconds, inside the database's driver.
        statements: That were sent to the database.
        peak_mb: Peak memory of the process, MB.
    """

    name: str
    seconds: float
    cpu_seconds: float
    yardsticks: float
    database_share: float
    statements: int
    peak_mb: float


class DatabaseClock:
    """Adds up the time that statements take inside the database's driver; fetching their rows belongs to the rest.

    Attributes:
        seconds: So far.
        statements: So many, commits among them, which are counted and not timed.
    """

    def __init__(self, engine: Engine) -> None:
        self.seconds = 0.0
        self.statements = 0
        self._began = 0.0
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "commit", self._commit)

    def _before(self, *_: object) -> None:
        self._began = time.perf_counter()

    def _after(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began
        self.statements += 1

    def _commit(self, connection: Connection) -> None:
        self.statements += 1


def measure(folder: Path, skus: int) -> Iterator[PublishNumbers]:
    """Publish a catalogue and changes of it, in a folder that is gone afterwards."""
    unit = yardstick.measure() / 1_000
    shop = BigCatalogue(folder, workers=1)
    started = time.perf_counter()
    shop.put(range(skus))
    print(f"{skus} products are in the catalogue after {time.perf_counter() - started:.1f} s")
    clock = DatabaseClock(shop.services.database.engine)

    def publication(name: str, force: str = "") -> PublishNumbers:
        CLEAR_REFS.write_text(CLEAR_PEAK)
        database, statements, begun, cpu = clock.seconds, clock.statements, time.perf_counter(), time.process_time()
        shop.publish(force)
        seconds = time.perf_counter() - begun
        return PublishNumbers(
            name,
            seconds,
            time.process_time() - cpu,
            seconds / unit,
            (clock.seconds - database) / seconds,
            clock.statements - statements,
            peak_memory() / 1e6,
        )

    yield publication("first")
    yield publication("nothing changed")
    for look, share in enumerate(SHARES, 1):
        shop.put(range(0, skus, round(1 / share)), look)
        yield publication(f"{share:.1%} changed")
    yield publication("a new base", "base")


def peak_memory(process: int | str = "self") -> int:
    """The most resident memory of a process, bytes, since its start or since its `clear_refs` was written."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(kilobytes) * 1024


def main() -> None:
    """Print a line for each publication."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skus", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="write the numbers there, too")
    options = parser.parse_args()
    numbers = []
    with tempfile.TemporaryDirectory() as folder:
        for one in measure(Path(folder) / "data", options.skus):
            print(
                f"{one.name:>16}: {one.seconds:7.2f} s ({one.cpu_seconds:.2f} s CPU, {one.yardsticks:.0f} yardsticks), "
                f"{one.database_share:.0%} in {one.statements} statements of the database, peak {one.peak_mb:.0f} MB",
                flush=True,
            )
            numbers.append(asdict(one))
    if options.json:
        options.json.write_text(json.dumps({"skus": options.skus, "publications": numbers}, indent=2) + "\n")


if __name__ == "__main__":
    main()
