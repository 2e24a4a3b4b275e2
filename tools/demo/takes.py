"""How the demo's device answers ten other takes of its 24 photos: `python -m tools.demo.takes`, after `make demo`.

The demo shows one take. This counts what a customer with a restless hand gets.
"""

import sys

from rich.console import Console
from rich.progress import track

from skuscan import Recognizer
from skuscan_models.synthetic.demo import DEMO_TAKE, demo_photos, encode_jpeg, photograph_product
from tools.demo.__main__ import FOLDER

TAKES = [take for take in range(11) if take != DEMO_TAKE]


def main() -> int:
    """Print how many photos of products were right, wrong or left open, and how many foreign ones were refused."""
    photos, answers = demo_photos(), []
    with Recognizer.open(FOLDER / "device-store") as recognizer:
        for take in track(TAKES, console=Console(stderr=True), transient=True):
            for product, sku in photos:
                decision = recognizer.identify(encode_jpeg(photograph_product(product, take))).decision
                answers.append((sku, decision.kind, decision.skus[:1] == (sku,)))
    known = [(kind, right) for sku, kind, right in answers if sku]
    foreign = [kind for sku, kind, _ in answers if not sku]
    print(
        f"{len(known)} photos of products: {known.count(('match', True))} right, {known.count(('match', False))} wrong"
    )
    print(
        f"{len(foreign)} photos of foreign products: {foreign.count('unknown')} unknown, {foreign.count('match')} wrong"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
