"""`skuscan identify IMG...`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skuscan.cli.options import echo_json, json_option, runtime_options, store_option

if TYPE_CHECKING:
    from skuscan.proto.catalogue_pb2 import AttributeValue
    from skuscan.recognition import Recognition
    from skuscan.recognizer import Recognizer

SHOWN_CANDIDATES = 5


@click.command("identify")
@click.argument("images", nargs=-1, required=True, metavar="IMG...", type=click.Path(path_type=Path))
@click.option(
    "--draw",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write each picture with the matched outline, beside the catalogue's own picture.",
)
@runtime_options
@store_option
@json_option
def command(
    images: tuple[Path, ...], draw: Path | None, threads: int, delegates: tuple[str, ...], store: Path, as_json: bool
) -> int:
    """Say which product each picture shows: match, ambiguous (a short list) or unknown.

    Exit code 0: every picture was answered, whatever the answer. 2: one could not be read; the others are answered.

    \b
    Example:
      skuscan identify shelf.jpg
      skuscan identify --json --draw answers/ *.jpg
    """
    from skuscan.errors import PictureError
    from skuscan.recognition import RecognizerOptions
    from skuscan.recognizer import Recognizer
    from skuscan.runtime import RuntimeOptions

    answers: list[dict[str, Any]] = []
    options = RecognizerOptions(runtime=RuntimeOptions(threads, delegates))
    with Recognizer.open(store, options) as recognizer:
        for number, image in enumerate(images, 1):
            drawing = draw / f"{number:03d}-{image.stem}.jpg" if draw else None
            try:
                answer = _answer(recognizer, image, drawing)
            except PictureError as error:
                answer = {"file": str(image), "error": str(error)}
                click.echo(f"error: {error}", err=True)
            answers.append(answer)
            if not as_json and "error" not in answer:
                click.echo(_line(answer))
    if as_json:
        echo_json(answers)
    return 2 if any("error" in answer for answer in answers) else 0


def _answer(recognizer: "Recognizer", image: Path, drawing: Path | None) -> dict[str, Any]:
    from skuscan.picture import load_picture

    if drawing is None:
        return _describe(image, recognizer.identify(image), recognizer)
    from skuscan.drawing import write_answer

    picture = load_picture(image)
    recognition = recognizer.identify(picture)
    write_answer(drawing, picture, recognition, recognizer.catalogue)
    return _describe(image, recognition, recognizer) | {"drawing": str(drawing)}


def _describe(image: Path, recognition: "Recognition", recognizer: "Recognizer") -> dict[str, Any]:
    """Everything that a machine may want to know of an answer."""
    decision, best = recognition.decision, recognition.candidates[:1]
    answer: dict[str, Any] = {
        "file": str(image),
        "decision": decision.kind,
        "probability": decision.probability,
        "sku": decision.skus[0] if decision.kind == "match" else None,
        "skus": list(decision.skus),
        "name": best[0].name if best and decision.kind == "match" else None,
        "attributes": _attributes(recognizer, decision.skus[0]) if decision.kind == "match" else {},
        "generation": recognition.generation,
        "ms": sum(recognition.timings.values()),
        "timings_ms": dict(recognition.timings),
        "candidates": [
            {
                "sku": candidate.sku,
                "name": candidate.name,
                "probability": candidate.probability,
                "evidence": asdict(candidate.evidence),
                "outline": candidate.outline.tolist() if candidate.outline is not None else None,
            }
            for candidate in recognition.candidates[:SHOWN_CANDIDATES]
        ],
    }
    if recognition.damaged:
        answer["damaged"] = list(recognition.damaged)
    return answer


def _attributes(recognizer: "Recognizer", sku: str) -> dict[str, Any]:
    product = recognizer.catalogue.product(sku)
    return {name: _plain(value) for name, value in sorted(product.attributes.items())} if product else {}


def _plain(value: "AttributeValue") -> Any:
    kind = value.WhichOneof("value")
    if kind == "money":
        return {"currency": value.money.currency, "minor_units": value.money.minor_units}
    return getattr(value, kind) if kind else None


def _line(answer: dict[str, Any]) -> str:
    text = f"{answer['file']}: {answer['decision']} {answer['probability']:.2f}"
    if answer["decision"] == "match":
        text += f"  {answer['sku']}  {answer['name']}"
    elif answer["decision"] == "ambiguous":
        text += f"  one of {', '.join(answer['skus'])}"
    return text + f"  ({answer['ms']:.0f} ms, generation {answer['generation']})"
