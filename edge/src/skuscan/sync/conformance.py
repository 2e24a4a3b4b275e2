"""The client-under-test of the public TUF conformance suite: `python -m skuscan.sync.conformance`.

It shows the suite what devices run: `MetadataFolder` over python-tuf, the transport with its limits, and the
downloader. What a device demands beyond TUF (`trust.py`) is left out, since the suite's repositories are not skuscan's;
and what was verified is kept even when a later step fails, which is what the suite looks at.

    init ROOT    the root becomes the first that is trusted
    refresh      metadata is brought up to date
    download     also fetches each --target-name; a file that is there with the signed hash is not fetched again

Exit codes: 0 done; 1 anything else.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import click
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile

from skuscan.errors import SkuscanError, TrustError
from skuscan.store.blobs import BlobFolder
from skuscan.store.durable import DISK, is_intact
from skuscan.sync.downloader import Download, Downloader
from skuscan.sync.metadata import ROOT_HISTORY, MetadataFolder, Session, target_ref
from skuscan.sync.options import SyncOptions
from skuscan.sync.repository_format import published_target_name
from skuscan.sync.transport import Transport

ROOT_FILE = "root.json"
SCRATCH_PREFIX = ".scratch-"  # hidden: neither metadata nor a target


@dataclass(frozen=True)
class Client:
    """The suite's options, and its three commands as methods. Each raises SkuscanError when it fails.

    Attributes:
        metadata_dir: Where metadata is kept, under unversioned names.
        metadata_url: Where it comes from.
        names: Targets to download.
        target_base_url: Where they come from.
        target_dir: Where they go.
    """

    metadata_dir: Path
    metadata_url: str
    names: tuple[str, ...]
    target_base_url: str
    target_dir: Path | None

    def init(self, root: Path) -> None:
        """Trust a root."""
        data = root.read_bytes()
        try:
            version = Metadata[Root].from_bytes(data).signed.version
        except RepositoryError as error:
            raise TrustError("what is trusted first is a root", f"{root}: {error}") from error
        DISK.make_folder(self.metadata_dir / ROOT_HISTORY)
        DISK.write_file(self.metadata_dir / ROOT_HISTORY / f"{version}.{ROOT_FILE}", data)
        DISK.write_file(self.metadata_dir / ROOT_FILE, data)

    def refresh(self) -> None:
        """Bring the metadata of the top level up to date."""
        with self._session(Transport(SyncOptions())) as session:
            session.updater.refresh()

    def download(self) -> None:
        """Refresh, then fetch the targets."""
        if self.target_dir is None:
            raise TrustError("targets are stored in --target-dir", "none")
        transport = Transport(SyncOptions())
        with self._session(transport) as session:
            session.updater.refresh()
            for name in self.names:
                target = session.updater.get_targetinfo(name)
                if target is None:
                    raise TrustError("a target is signed", f"no {name}")
                self._fetch(transport, target, session.role(Root, Root.type).consistent_snapshot, self.target_dir)

    def _fetch(self, transport: Transport, target: TargetFile, consistent: bool | None, folder: Path) -> None:
        ref, path = target_ref(target), folder / quote(target.path, safe="")
        if is_intact(path, ref):
            return
        above, slash, name = target.path.rpartition("/")
        published = published_target_name(name, ref.sha256.hex()) if consistent else name
        url = f"{self.target_base_url.rstrip('/')}/{above}{slash}{published}"
        with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=folder) as scratch:
            blobs = BlobFolder(Path(scratch))
            Downloader(transport, blobs, Path(scratch) / "parts").fetch([Download(ref, url)])
            DISK.rename(blobs.path(ref), path)

    @contextmanager
    def _session(self, transport: Transport) -> Iterator[Session]:
        with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX) as scratch:
            folder = MetadataFolder(self.metadata_dir, Path(scratch), self.metadata_url, transport)
            with folder.session(self._first_root()) as session:
                try:
                    yield session
                finally:
                    session.keep()
                    DISK.write_file(self.metadata_dir / ROOT_FILE, (session.work / ROOT_FILE).read_bytes())

    def _first_root(self) -> bytes:
        """The root that `init` was given: newer ones were verified from it, and are again."""
        roots = (self.metadata_dir / ROOT_HISTORY).glob(f"*.{ROOT_FILE}")
        first = min(roots, key=lambda path: int(path.name.partition(".")[0]), default=None)
        if first is None:
            raise TrustError("a client begins with a trusted root", "none", "run init ROOT")
        return first.read_bytes()


@click.group()
@click.option("--metadata-dir", type=click.Path(path_type=Path), required=True)
@click.option("--metadata-url", default="")
@click.option("--target-name", "names", multiple=True)
@click.option("--target-base-url", default="")
@click.option("--target-dir", type=click.Path(path_type=Path))
@click.pass_context
def cli(
    ctx: click.Context,
    metadata_dir: Path,
    metadata_url: str,
    names: tuple[str, ...],
    target_base_url: str,
    target_dir: Path | None,
) -> None:
    """A TUF client for the conformance suite."""
    ctx.obj = Client(metadata_dir, metadata_url, names, target_base_url, target_dir)


@cli.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.pass_obj
def init(client: Client, root: Path) -> None:
    """Trust ROOT."""
    client.init(root)


@cli.command()
@click.pass_obj
def refresh(client: Client) -> None:
    """Bring the metadata up to date."""
    client.refresh()


@cli.command()
@click.pass_obj
def download(client: Client) -> None:
    """Refresh, and fetch each --target-name."""
    client.download()


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point; `arguments` are those of the command line unless given."""
    try:
        cli(arguments, standalone_mode=False)
    except (SkuscanError, click.ClickException, OSError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
