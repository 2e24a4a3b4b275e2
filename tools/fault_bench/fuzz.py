"""A fuzzer for readers of outside bytes: `python -m tools.fault_bench.fuzz READER COUNT [--first N]`.

One process reads COUNT mutated inputs, one after the other, and says what came of them as a line of JSON. An input is
made from a seed corpus of valid bytes by its number alone, so a finding is repeated by that number. Every input ends
in a value or in a SkuscanError, within limits of address space (`RLIMIT_AS`) and of processor time (a timer whose
signal ends the process); anything else is a finding. A process that dies leaves the number of its last input behind.
"""

import argparse
import json
import mmap
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skuscan.errors import SkuscanError
from skuscan_server.workers import limit_memory

MEMORY = 1_000_000_000  # bytes of address space beyond what the process began with
SECONDS = 5.0  # s of processor time for one input
MOST_CHANGES = 6  # of one input
LONGEST_INSERTION = 64  # bytes
MOST_FINDINGS = 5  # then a process stops
NUMBER_BYTES = 8  # of the file that holds the number of the input being read
INTERESTING = (b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff", b"\x00" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\xff" * 8)
TOKENS = (
    b'"',
    b"'",
    b"\n",
    b"\r",
    b"\x00",
    b",",
    b"[",
    b"{",
    b"}",
    b"null",
    b"-1",
    b"1e999",
    b"9" * 40,
    b"NaN",
    b"\xff\xfe",
    b"\\ud800",
    b"\xf0\x9f\x92\xa9",
    b"[" * 2_000,
)


@dataclass(frozen=True)
class Reader:
    """What is fuzzed.

    Attributes:
        corpus: Valid inputs.
        read: Reads one: a value, or a SkuscanError.
        envelop: Makes a mutated input whole again (a checksum, a compression), where a reader would stop at once
            without; half of the inputs get it.
    """

    corpus: Sequence[bytes]
    read: Callable[[bytes], object]
    envelop: Callable[[bytes], bytes] | None = None


def mutated(corpus: Sequence[bytes], number: int) -> bytes:
    """Input `number`: one of the corpus with a few changes."""
    rng = np.random.default_rng(number)
    data = bytearray(corpus[number % len(corpus)])
    for _ in range(int(rng.integers(1, MOST_CHANGES + 1))):
        _change(data, corpus, rng)
    return bytes(data)


def _change(data: bytearray, corpus: Sequence[bytes], rng: np.random.Generator) -> None:
    at, end = sorted(int(n) for n in rng.integers(0, len(data) + 1, 2))
    match int(rng.integers(0, 9)):
        case 0 if data:  # one bit
            data[at % len(data)] ^= 1 << int(rng.integers(0, 8))
        case 1:  # other bytes
            part = data[at : at + LONGEST_INSERTION]
            data[at : at + LONGEST_INSERTION] = rng.bytes(len(part))
        case 2:  # a number at its bounds, where a length or a count may be
            value = INTERESTING[int(rng.integers(0, len(INTERESTING)))]
            data[at : at + len(value)] = value
        case 3:  # cut
            del data[at:]
        case 4:  # a hole
            del data[at : min(end, at + LONGEST_INSERTION)]
        case 5:  # more
            data[at:at] = rng.bytes(int(rng.integers(1, LONGEST_INSERTION)))
        case 6:  # twice
            data[at:at] = data[at : min(end, at + LONGEST_INSERTION)]
        case 7:  # what means something to a text's reader
            data[at:at] = TOKENS[int(rng.integers(0, len(TOKENS)))]
        case _:  # the end of another one
            other = corpus[int(rng.integers(0, len(corpus)))]
            data[at:] = other[min(at, len(other)) :]


def fuzz(reader: Reader, numbers: range, watch: Callable[[int], None]) -> list[str]:
    """Read mutated inputs; what was found, each with its number.

    Args:
        reader: What reads.
        numbers: Which inputs.
        watch: Told the number of each before it is read.
    """
    findings: list[str] = []
    for number in numbers:
        data = mutated(reader.corpus, number)
        if reader.envelop is not None and number % 2:
            data = reader.envelop(data)
        watch(number)
        try:
            reader.read(data)
        except SkuscanError:
            continue
        except BaseException as error:  # KeyboardInterrupt and SystemExit of a reader are findings, too
            findings.append(f"input {number}: {type(error).__name__}: {error}"[:300])
            if len(findings) >= MOST_FINDINGS:
                break
    return findings


def main() -> int:
    from tools.fault_bench.readers import READERS  # after the arguments are known to be right

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reader", choices=sorted(READERS))
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0, help="the first input's number")
    parser.add_argument("--last-input", type=Path, help="a file that tells which input a process died of")
    options = parser.parse_args()
    reader = READERS[options.reader]()
    for data in reader.corpus:
        reader.read(data)  # a corpus that is refused would find nothing; and what is loaded once is loaded now
    limit_memory(MEMORY)
    place = mmap.mmap(-1, NUMBER_BYTES)
    if options.last_input is not None:
        options.last_input.write_bytes(bytes(NUMBER_BYTES))
        with options.last_input.open("r+b") as file:
            place = mmap.mmap(file.fileno(), NUMBER_BYTES)

    def watch(number: int) -> None:
        place[:] = number.to_bytes(NUMBER_BYTES, "little")
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # SIGPROF ends the process, wherever it is

    started = time.process_time()
    findings = fuzz(reader, range(options.first, options.first + options.count), watch)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    json.dump({"findings": findings, "seconds": round(seconds, 2), "peak_mb": peak}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
