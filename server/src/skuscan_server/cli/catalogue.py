"""`skuscan-server catalogue import | list | withdraw | set-price | quality | look-alikes`."""

from dataclasses import asdict
from pathlib import Path

import click
from sqlalchemy import func, select

from skuscan.cli.options import echo_json, json_option
from skuscan_server.catalogue import csv_import, folder_import, products
from skuscan_server.catalogue.values import PRICE, money
from skuscan_server.cli import quality
from skuscan_server.cli.common import actor, progress_bar, services_of
from skuscan_server.db.models import Product, Reference
from skuscan_server.quality.report import summarise


@click.group("catalogue")
def command() -> None:
    """Import, list and change products."""


command.add_command(quality.quality)
command.add_command(quality.look_alikes)


@command.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def import_(ctx: click.Context, source: Path, as_json: bool) -> None:
    """Bring a CSV or a folder of pictures into the catalogue, all of it or nothing.

    A CSV has the columns sku, name and image, one row per picture; gtin, group, price with currency, and withdrawn are
    known, others become attributes. In a folder, NAME.jpg is the SKU NAME, and a sub-folder is a SKU with several
    pictures. Products that SOURCE does not name stay. An import that was stopped goes on when it is run again.
    At its end it names pictures that will be hard to recognise; it takes them all the same.

    \b
    Example:
      skuscan-server catalogue import catalogue.csv
    """
    services = services_of(ctx)
    if source.is_dir():
        plan = folder_import.read_folder(source)
    else:
        plan = csv_import.read_csv(source, services.config.max_csv_bytes, services.config.max_csv_rows)
    total, done = len(plan.sources), 0
    with services.pool() as pool, progress_bar("pictures") as show:

        def count(finished: int) -> None:
            nonlocal done
            done += finished
            show(done, total)

        result = services.importer(pool).run(plan, actor(), count)
    with services.quality_report() as report:
        summary = summarise(report.references(sorted(plan.products)), quality.SHOWN_AFTER_IMPORT)
        look_alikes = report.count_look_alikes()
    if as_json:
        echo_json(asdict(result) | {"quality": summary.as_dict(), "look_alikes": look_alikes})
        return
    for line in quality.import_lines(summary, look_alikes):
        click.echo(line)
    click.echo(
        f"{result.created} new, {result.changed} changed, {result.withdrawn} withdrawn, "
        f"{result.unchanged} unchanged; {result.computed} pictures computed. Next: skuscan-server publish"
    )


@command.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Show every product.

    \b
    Example:
      skuscan-server catalogue list --json
    """
    query = select(Product, func.count(Reference.id)).outerjoin(Product.references).group_by(Product.sku)
    with services_of(ctx).database.read() as session:
        rows = [
            {
                "sku": product.sku,
                "name": product.name,
                "gtin": product.gtin,
                "group": product.group,
                "attributes": product.attributes,
                "references": references,
            }
            for product, references in session.execute(query.order_by(Product.sku))
        ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.echo(f"{row['sku']}\t{row['name']}\t{row['references']} pictures")


@command.command("withdraw")
@click.argument("skus", metavar="SKU...", nargs=-1, required=True)
@click.pass_context
def withdraw(ctx: click.Context, skus: tuple[str, ...]) -> None:
    """Take products out of the catalogue; all of those named, or none.

    \b
    Example:
      skuscan-server catalogue withdraw 4001-A 4001-B
    """
    with services_of(ctx).database.write() as session:
        for sku in skus:
            products.withdraw(session, sku)
            products.audit(session, actor(), "product withdraw", sku)
    click.echo(f"{len(skus)} withdrawn. Next: skuscan-server publish")


@command.command("set-price")
@click.argument("sku")
@click.argument("amount")
@click.argument("currency")
@click.pass_context
def set_price(ctx: click.Context, sku: str, amount: str, currency: str) -> None:
    """Set the price of a product.

    \b
    Example:
      skuscan-server catalogue set-price 4001-A 2.49 EUR
    """
    with services_of(ctx).database.write() as session:
        products.set_attribute(session, sku, PRICE, money(amount, currency))
        products.audit(session, actor(), "product price", sku)
    click.echo(f"{sku} costs {amount} {currency}. Next: skuscan-server publish")
