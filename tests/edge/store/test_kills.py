"""Real processes, really killed."""

import json
import subprocess
import sys

import pytest

from skuscan.bundle.manifest import serialize_manifest
from skuscan.store import Store
from skuscan.store.blobs import BlobFolder

KILLS = 30
UPDATES = 100
LONGEST_LIFE = 250  # changes of the disk; an update makes about 90

# One process imports the package, then makes children by fork, each of which updates until it is killed: after so many
# changes of the disk, which it tells of, so that a slow machine's kills meet as many activations as a fast one's.
SCRIPT = """
import json, os, random, signal, sys
from pathlib import Path
from skuscan.errors import SkuscanError
from skuscan.store import Store
from skuscan.store.durable import Disk

path, updates, kills, longest_life = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
rng = random.Random(4)

class TellingDisk(Disk):
    def __init__(self, told):
        self.told = told

    def _step(self, call, path, source=None):
        os.write(self.told, b".")

def update_for_ever(told):
    store = Store.open(path, TellingDisk(told))
    for number in range(store.current() + 1, len(updates)):
        manifest, model, *blobs = (Path(name).read_bytes() for name in updates[number])
        for blob in blobs:
            store.blobs.put(blob)
        if number not in store.rejected():  # two kills on trial reject it
            store.activate(store.prepare(manifest, model), lambda generation: None)
        store.collect_garbage()

answers = []
for _ in range(kills):
    before = Store.open(path).current()
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            update_for_ever(told)
        finally:
            os._exit(1)
    os.close(told)
    changes = rng.randrange(longest_life)
    while changes > 0 and (some := os.read(heard, changes)):
        changes -= len(some)
    os.kill(child, signal.SIGKILL)
    os.close(heard)
    _, status = os.waitpid(child, 0)
    generation = Store.open(path).open_generation()
    whole = generation.state_digest() == generation.manifest.state_digest
    whole = whole and all(generation.reference(row) for row in range(len(generation.base_embeddings)))
    answers.append([before, generation.number, whole, generation.degraded, os.WIFSIGNALED(status)])
print(json.dumps(answers))
"""


@pytest.mark.guarantee("G1")
def test_a_process_killed_at_any_moment_leaves_one_complete_generation(work, identity, publisher, pass_probes):
    store = Store.create(work / "store", identity)
    store.activate(publisher.rebase().deliver(store), pass_probes)
    updates = [[], [], *(_written(publisher, work, number) for number in range(2, UPDATES))]
    arguments = [str(store.path), json.dumps(updates), str(KILLS), str(LONGEST_LIFE)]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == KILLS
    for before, after, whole, degraded, was_killed in answers:
        assert was_killed, done.stderr
        assert after >= before
        assert whole
        assert degraded == ""
    assert len({after for _, after, *_ in answers}) > KILLS // 4, "the kills were too early to meet an activation"


def _written(publisher, folder, number):
    """Publish generation `number` and leave its files where the script finds them."""
    publisher.add("A", price=number)
    generation = publisher.rebase()
    files = BlobFolder(folder / "published")
    published = [serialize_manifest(generation.manifest), generation.model, *generation.blobs]
    return [str(files.path(files.put(data))) for data in published]
