"""The edge package with the other libraries that it supports: tflite-runtime 2.14, numpy 1, OpenCV 4.11.

1. make `.venv-tflite`: those three instead of the pinned ones, the rest of the edge package's pins, no Annoy;
2. run the edge tests there, but for those of `sync`, which meet none of the three and need the server's package;
3. draw products and photos of them here, answer in both environments with records made here, and compare.

Run it with the first environment's Python (3.11, the newest that tflite-runtime has wheels for). Exits 1 when a test
fails or the environments disagree.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.sync.probes import MINIMUM_COSINE

ROOT = Path(__file__).resolve().parent.parent
SECOND = ROOT / ".venv-tflite"
REPLACED = {
    "ai-edge-litert": "tflite-runtime==2.14.0",
    "numpy": "numpy==1.26.4",
    "opencv-python-headless": "opencv-python-headless==4.11.0.86",
}
TEST_TOOLS = ("pytest", "hypothesis")

FAMILIES, VARIANTS = 12, 3  # drawn products: brands, and near-duplicates of each
LEAST_SAME_DECISIONS = 0.95  # share of photos; the rest must stand on the border between two decisions
BORDER = 0.15  # of probability: nearer to the threshold, a cosine of 0.995 may tip a decision
LEAST_SAME_KEYPOINTS = 0.99  # share of keypoints that have the same place and descriptor; fewer: two keypoint specs
PLACE_TOLERANCE = 0.01  # px

Arrays = dict[str, npt.NDArray[Any]]


def main() -> int:
    make_environment()
    tests = [str(SECOND / "bin" / "python"), "-m", "pytest", "-q", "tests/edge", "--ignore=tests/edge/sync"]
    tested = subprocess.run(tests, cwd=ROOT, check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder))
        here, there = (dict(np.load(path)) for path in answer(Path(folder)))
    disagreements = compare(here, there)
    sys.stderr.writelines(f"second environment: {line}\n" for line in disagreements)
    return 1 if tested or disagreements else 0


def make_environment() -> None:
    if not SECOND.exists():
        subprocess.run([sys.executable, "-m", "venv", str(SECOND)], check=True)
    pip = [str(SECOND / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    edge = tomllib.loads((ROOT / "edge" / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = [name for name in edge if _name(name) not in REPLACED]
    pins = [
        line
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line and _name(line) not in REPLACED
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(pins))
        constraints.flush()
        subprocess.run([*pip, "-c", constraints.name, *REPLACED.values(), *wanted, *TEST_TOOLS], check=True)
    subprocess.run([*pip, "--no-deps", "--editable", str(ROOT / "edge")], check=True)


def draw(folder: Path) -> None:
    """References as PNG, and an easy and a usual photo of each as JPEG, in `folder`."""
    from skuscan_models.synthetic.field_view import field_view
    from skuscan_models.synthetic.packaging import VALIDATION_FAMILIES, design, draw_front
    from skuscan_models.synthetic.view_options import EASY, USUAL

    for name in ("references", "queries"):
        (folder / name).mkdir()
    for family in VALIDATION_FAMILIES[:FAMILIES]:
        for variant in range(VARIANTS):
            product = design(0, family, variant)
            front = draw_front(product)
            _write(folder / "references" / f"{product.sku}.png", front)
            for view, options in enumerate((EASY, USUAL)):
                photo = field_view(front, np.random.default_rng((family, variant, view)), options)
                _write(folder / "queries" / f"{product.sku}-{view}.jpg", photo)


def answer(folder: Path) -> tuple[Path, Path]:
    """The answers of this environment and of the second one, .npz files."""
    script = str(ROOT / "tools" / "environment_answers.py")
    subprocess.run([sys.executable, script, "references", str(folder)], check=True)
    outs = folder / "here.npz", folder / "there.npz"
    for python, out in zip((sys.executable, str(SECOND / "bin" / "python")), outs, strict=True):
        subprocess.run([python, script, "answers", str(folder), str(out)], check=True)
    return outs


def compare(here: Arrays, there: Arrays) -> list[str]:
    """Prints the measured numbers and gives the disagreements, a line each."""
    names = [str(name) for name in here["names"]]
    cosines = np.einsum("ij,ij->i", here["embeddings"], there["embeddings"])
    same = np.array([_same_keypoints(here, there, name) for name in names]).sum(axis=0)
    decisions = list(zip(names, here["decisions"].tolist(), there["decisions"].tolist(), strict=True))
    matches = sum(decision.startswith('["match"') for _, decision, _ in decisions)
    tipped = [number for number, (_, mine, theirs) in enumerate(decisions) if mine != theirs]
    found = [
        f"{names[number]}: here {decisions[number][1]}, there {decisions[number][2]}, not on the border"
        for number in tipped
        if not _is_on_the_border(here, there, number)
    ]
    sys.stdout.write(
        f"{here['runtime']} against {there['runtime']}, {len(names)} photos\n"
        f"embeddings: cosine at least {cosines.min():.4f}, mean {cosines.mean():.4f}\n"
        f"keypoints: {same[1]} of {same[0]} at the same place, {same[2]} with the same descriptor\n"
        f"decisions: {len(names) - len(tipped)} of {len(names)} the same, {matches} of them here a match; "
        f"{len(tipped) - len(found)} tipped on the border\n"
    )
    if len(tipped) > (1 - LEAST_SAME_DECISIONS) * len(names):
        found.append(f"{len(tipped)} of {len(names)} decisions differ, {1 - LEAST_SAME_DECISIONS:.0%} at most may")
    if cosines.min() < MINIMUM_COSINE:
        found.append(f"embeddings agree by a cosine of {cosines.min():.4f} only, {MINIMUM_COSINE} is asked")
    if same[2] < LEAST_SAME_KEYPOINTS * same[0]:
        found.append(f"{same[2] / same[0]:.1%} of the keypoints are the same, {LEAST_SAME_KEYPOINTS:.0%} is asked")
    return found


def _is_on_the_border(here: Arrays, there: Arrays, number: int) -> bool:
    """Whether a difference is one of degree: a match that is a short list elsewhere, or unknown near the threshold."""
    mine, theirs = (json.loads(str(side["decisions"][number])) for side in (here, there))
    if mine[1:] and theirs[1:]:
        return bool(mine[1] == theirs[1])
    if "match" not in (mine[0], theirs[0]):
        return True  # a short list here, unknown there
    return all(abs(float(side["probabilities"][number]) - float(side["threshold"])) <= BORDER for side in (here, there))


def _same_keypoints(here: Arrays, there: Arrays, name: str) -> tuple[int, int, int]:
    """Keypoints here, those of them with one at the same place and octave there, and with its very descriptor."""
    mine, theirs = here[f"{name}/points"], there[f"{name}/points"]
    placed = same = 0
    for point, bits in zip(mine, here[f"{name}/bits"], strict=True):
        at_place = (np.abs(theirs - point) <= PLACE_TOLERANCE).all(axis=1)
        placed += bool(at_place.any())
        same += bool((there[f"{name}/bits"][at_place] == bits).all(axis=1).any())
    return len(mine), placed, same


def _write(path: Path, rgb: npt.NDArray[np.uint8]) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def _name(requirement: str) -> str:
    """`tuf` of `tuf>=6`, `securesystemslib` of `securesystemslib[crypto]>=1.2`."""
    for mark in "[=<>;# ":
        requirement = requirement.split(mark)[0]
    return requirement.lower()


if __name__ == "__main__":
    sys.exit(main())
