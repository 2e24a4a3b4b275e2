"""`python -m skuscan_models.synthetic`: write a drawn catalogue, and photos of it, into a folder."""

import argparse
import os
import sys
from pathlib import Path

from skuscan.errors import SkuscanError
from skuscan_models.synthetic.demo import DEMO_SEED, write_catalogue, write_demo

_EXAMPLE = """examples:
  python -m skuscan_models.synthetic --out demo                        the demo: 66 products, 24 photos, a later change
  python -m skuscan_models.synthetic --out large --skus 10000 --photos 200
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 for bad input."""
    options = _parser().parse_args(arguments)
    try:
        if options.skus is None:
            files = write_demo(options.out, options.seed, _show)
            written = files.catalogue
        else:
            written = write_catalogue(
                options.out, options.skus, options.seed, options.photos, os.cpu_count() or 1, _show
            )
    except SkuscanError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"the output folder must be writable; received {error}\n")
        return 2
    sys.stdout.write(f"{written}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skuscan_models.synthetic",
        description="Write a catalogue of drawn packaging, and hand-held photos of it, into a folder.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write; made if it is not there")
    parser.add_argument("--skus", type=int, help="number of products; without it the demo is written")
    parser.add_argument(
        "--seed", type=int, default=DEMO_SEED, help="another seed, other products (default %(default)s)"
    )
    parser.add_argument("--photos", type=int, default=0, help="number of photos, with --skus (default %(default)s)")
    return parser


def _show(done: int, total: int) -> None:
    """A line of progress, rewritten in place; about a hundred of them."""
    if done == total or done % max(1, total // 100) == 0:
        sys.stderr.write(f"\r{done:,} of {total:,} pictures" + ("\n" if done == total else ""))
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
