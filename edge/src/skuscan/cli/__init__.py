"""The device's command line: `skuscan COMMAND`. A file per command and no logic here.

Commands are imported when they are called, so that `skuscan --help` is quick and needs no interpreter.

Exit codes: 0 done; 1 the command worked and what it looked at is not well (`doctor`) or was refused (`sync`, `bundle`);
2 an error of the caller or the surroundings, said in one line; 130 stopped by Ctrl-C.
"""

import os

import click

from skuscan.cli.entry import LazyGroup, start

# Matrices here are small: a second BLAS thread gains nothing on an idle machine, and on a busy one its spinning made a
# scan four times dearer. numpy reads this when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

COMMANDS = ("enrol", "sync", "bundle", "identify", "status", "doctor", "bench")


@click.group(
    cls=LazyGroup,
    modules={name: f"skuscan.cli.{name}" for name in COMMANDS},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="skuscan", prog_name="skuscan")
def cli() -> None:
    """Which product is this? Answered on this device, offline.

    \b
    Example:
      skuscan enrol https://catalogue.example.com sk1.default....
      skuscan sync
      skuscan identify photo.jpg
    """


def main() -> None:
    """The entry point."""
    start(cli)
