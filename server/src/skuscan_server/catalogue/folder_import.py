"""A catalogue as a folder of pictures: `SKU.jpg`, or a sub-folder `SKU/` with several. A SKU is its own name."""

from pathlib import Path

from skuscan_server.catalogue.plan import ImportPlan, PictureSource, refuse
from skuscan_server.catalogue.values import ProductData
from skuscan_server.errors import CatalogueError

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def read_folder(folder: Path) -> ImportPlan:
    """Read and check the names; no picture is opened. Raises CatalogueError naming the files."""
    plan, problems = ImportPlan(), list[str]()
    for path in sorted(folder.iterdir()):
        pictures = _pictures(path)
        if not pictures:
            continue
        sku = path.name if path.is_dir() else path.stem
        try:
            product = ProductData(sku, sku)
        except CatalogueError as error:
            problems.append(f"{path.name}: {error.rule}")
            continue
        if sku in plan.products:
            problems.append(f"{path.name}: SKU {sku} is there twice")
        plan.products[sku] = product
        plan.pictures[sku] = [PictureSource(picture, str(picture.relative_to(folder))) for picture in pictures]
    refuse(f"every picture in {folder.name} names one SKU", problems)
    if not plan.products:
        raise CatalogueError(
            "a catalogue folder holds pictures", f"{folder}: none", f"known: {' '.join(sorted(PICTURE_SUFFIXES))}"
        )
    return plan


def _pictures(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(child for child in path.iterdir() if _is_picture(child))
    return [path] if _is_picture(path) else []


def _is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")
