"""The module that writes."""

import ast
import errno
import hashlib
import os
import stat
import subprocess
import sys
import threading

import pytest

import skuscan
from skuscan.errors import StoreError
from skuscan.model import file_ref
from skuscan.store.durable import Disk, hash_file, read_file

WRITERS = {"write_bytes", "write_text", "unlink", "rename", "replace", "mkdir", "rmdir", "touch", "rmtree", "makedirs"}


class RecordingDisk(Disk):
    def __init__(self):
        self.calls = []

    def _step(self, call, path, source=None):
        self.calls.append((call, path.name))


class RefusingDisk(Disk):
    """Refuses one sort of call."""

    def __init__(self, call, number):
        self.call, self.number = call, number

    def _step(self, call, path, source=None):
        if call == self.call:
            raise OSError(self.number, os.strerror(self.number))


def test_a_file_is_synced_before_it_is_named_and_the_name_before_it_counts(tmp_path):
    disk = RecordingDisk()
    assert disk.write_file(tmp_path / "a", [b"one", b"two"]) == file_ref(b"onetwo")
    assert [call for call, _ in disk.calls] == ["create", "write", "write", "fsync", "rename", "fsync folder"]
    assert (tmp_path / "a").read_bytes() == b"onetwo"


def test_a_file_that_is_replaced_keeps_its_old_content_for_who_has_it_open(tmp_path):
    path = tmp_path / "a"
    Disk().write_file(path, b"old")
    with path.open("rb") as held:
        Disk().write_file(path, b"new")
        assert held.read() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("call", ["create", "write", "fsync", "rename"])
@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "has room"), (errno.EROFS, "read-only"), (errno.EACCES, "owner"), (errno.EIO, "failing")],
)
def test_a_failed_write_is_said_in_plain_words_and_leaves_the_old_file(call, number, words, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(StoreError, match=words):
        RefusingDisk(call, number).write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_source_that_breaks_off_leaves_no_file(tmp_path):
    def blocks():
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Disk().write_file(tmp_path / "a", blocks())
    assert not list(tmp_path.iterdir())


def test_a_private_file_is_never_readable_by_others(tmp_path):
    Disk().write_file(tmp_path / "a", b"secret", 0o600)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_a_torn_line_is_ended_before_the_next(tmp_path):
    path = tmp_path / "lines"
    Disk().append_line(path, "one")
    with path.open("ab") as file:
        file.write(b"to")
    Disk().append_line(path, "three")
    assert path.read_text() == "one\nto\nthree\n"


def test_without_hard_links_a_file_is_copied(tmp_path):
    (tmp_path / "a").write_bytes(b"data")
    RefusingDisk("link", errno.EPERM).hardlink_or_copy(tmp_path / "a", tmp_path / "b")
    Disk().hardlink_or_copy(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "b").read_bytes() == b"data"
    assert not (tmp_path / "b").samefile(tmp_path / "a")
    assert (tmp_path / "c").samefile(tmp_path / "a")


def test_folders_are_made_and_removed_whole_and_twice(tmp_path):
    disk = Disk()
    for _ in range(2):
        disk.make_folder(tmp_path / "a" / "b" / "c")
    (tmp_path / "a" / "b" / "c" / "file").touch()
    for _ in range(2):
        disk.remove_folder(tmp_path / "a")
        disk.remove(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


def test_a_lock_has_one_holder_among_threads_and_may_be_taken_again_by_it(tmp_path):
    lock = Disk().lock(tmp_path / "lock")
    refused = []

    def try_it():
        try:
            with lock:
                pass
        except StoreError:
            refused.append(True)

    with lock, lock:
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert refused == [True]
    try_it()
    assert refused == [True]


def test_a_lock_has_one_holder_among_processes_and_is_free_when_that_one_dies(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from skuscan.store.durable import Disk\n"
        "with Disk().lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match=f"locked by process {holder.pid}"), Disk().lock(path):
            pass
        holder.kill()
    with Disk().lock(path):
        pass


@pytest.mark.parametrize("again", [True, False])
def test_a_lock_is_waited_for_by_another_thread_or_another_opener(again, tmp_path):
    held = Disk().lock(tmp_path / "lock", patience=20.0)
    wanted = held if again else Disk().lock(tmp_path / "lock", patience=20.0)
    begun, got = threading.Event(), []

    def wait_for_it():
        begun.set()
        with wanted:
            got.append(True)

    with held:
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        assert begun.wait(20)
        with pytest.raises(StoreError, match="one process writes"), Disk().lock(tmp_path / "lock").at_once():
            pass
        assert got == []
    waiting.join(20)
    assert got == [True]
    with wanted.at_once(), wanted:
        pass


def test_reading_has_a_limit_and_says_what_is_missing(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_file(tmp_path / "a", 5) == b"12345"
    with pytest.raises(StoreError, match="at most 4"):
        read_file(tmp_path / "a", 4)
    with pytest.raises(StoreError, match="is there"):
        read_file(tmp_path / "b", 4)
    assert hash_file(tmp_path / "a").sha256 == hashlib.sha256(b"12345").digest()


def test_no_other_module_of_the_store_or_the_bundle_writes():
    from pathlib import Path

    package = Path(skuscan.__file__).parent
    for path in (*package.glob("store/*.py"), *package.glob("bundle/*.py")):
        if path.name == "durable.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value)
                assert node.func.attr not in WRITERS or "disk" in owner, f"{path.name}: {ast.unparse(node)}"
