"""`skuscan-server catalogue quality | look-alikes`."""

from pathlib import Path

import click

from skuscan.cli.options import echo_json, json_option
from skuscan_server.cli.common import services_of
from skuscan_server.quality.report import Summary, summarise
from skuscan_server.quality.score import Grade

SHOWN_AFTER_IMPORT = 3  # pictures

limit_option = click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Show so many.")
html_option = click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with the pictures here."
)


@click.command("quality")
@limit_option
@html_option
@json_option
@click.pass_context
def quality(ctx: click.Context, limit: int, page: Path | None, as_json: bool) -> None:
    """Show the worst reference pictures, and what to do about each.

    A score below 40 is poor: four in ten scans of such products failed. From 60 on it is good. Advice only: nothing is
    refused for its score.

    \b
    Example:
      skuscan-server catalogue quality --html quality.html
    """
    services = services_of(ctx)
    with services.quality_report() as report:
        summary = summarise(report.all_references(), limit)
    if page is not None:
        from skuscan_server.quality.page import quality_page

        _write(page, quality_page(summary, services.work.read_display))
    if as_json:
        echo_json(summary.as_dict())
        return
    for line in summary_lines(summary):
        click.echo(line)


@click.command("look-alikes")
@limit_option
@html_option
@json_option
@click.pass_context
def look_alikes(ctx: click.Context, limit: int, page: Path | None, as_json: bool) -> None:
    """Show pairs of products whose pictures look alike, the most alike first.

    Products of one group are left out: either is the right answer.

    \b
    Example:
      skuscan-server catalogue look-alikes --html look-alikes.html
    """
    services = services_of(ctx)
    with services.quality_report() as report:
        pairs = report.look_alikes(limit)
    if page is not None:
        from skuscan_server.quality.page import look_alike_page

        _write(page, look_alike_page(pairs, services.work.read_display))
    if as_json:
        echo_json([pair.as_dict() for pair in pairs])
        return
    for pair in pairs:
        click.echo(f"{pair.similarity:.3f}\t{pair.a.sku}\t{pair.b.sku}\t{pair.advice}")
    if not pairs:
        click.echo("No two products look alike.")


def summary_lines(summary: Summary) -> list[str]:
    """A summary in lines, the worst pictures last."""
    grades = ", ".join(f"{number} {grade.value}" for grade, number in summary.grades.items() if number)
    lines = [f"pictures: {grades or 'none'}" + (f", {summary.unmeasured} not measured" if summary.unmeasured else "")]
    for item in summary.worst:
        assert item.judgement is not None  # what is not measured is not among the worst
        picture, judged = item.picture, item.judgement
        lines.append(f"{judged.score}\t{picture.sku}\t{picture.source_name}\t{'; '.join(judged.advice)}")
    return lines


def import_lines(summary: Summary, look_alikes: int) -> list[str]:
    """What an import says of its pictures: nothing when all is well."""
    lines = summary_lines(summary) if summary.grades[Grade.POOR] or summary.grades[Grade.FAIR] else []
    if lines:
        lines.append("All of them: skuscan-server catalogue quality --html quality.html")
    if look_alikes:
        lines.append(f"{look_alikes} look-alikes: skuscan-server catalogue look-alikes --html look-alikes.html")
    return lines


def _write(page: Path, text: str) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    click.echo(f"written: {page}", err=True)
