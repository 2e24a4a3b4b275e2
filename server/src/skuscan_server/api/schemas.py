"""The bodies of requests and answers, as pydantic models: they check what comes, and describe it in OpenAPI.

Rules of the catalogue itself are not repeated here: `catalogue/values.py` has them.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from skuscan.bundle.limits import LIMITS

PAGE = 100  # entries of a list, when nobody says otherwise
LARGEST_PAGE = 1_000
MEMBERS = 1_000_000  # SKUs in one request


class Model(BaseModel):
    """A body; a field that it does not know is refused, since it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid")


class Money(Model):
    """An exact amount."""

    currency: str = Field(pattern="^[A-Z]{3}$", description="ISO 4217", examples=["EUR"])
    minor_units: StrictInt = Field(description="hundredths, for most currencies", examples=[249])


Attribute = StrictBool | StrictInt | StrictFloat | StrictStr | Money
Attributes = Annotated[dict[str, Attribute], Field(max_length=LIMITS.attributes)]


class ProductIn(Model):
    """A product's own fields."""

    name: str = Field(min_length=1, max_length=LIMITS.name_length)
    gtin: str = Field("", max_length=14, description="8, 12, 13 or 14 digits with a right check digit; empty: none")
    group: str = Field("", max_length=LIMITS.sku_length, description="products of one group count as one answer")
    attributes: Attributes = Field(default_factory=dict, description="text, number, flag or money; `price` is money")


class ProductPatch(Model):
    """The fields to change; an attribute that is null is removed."""

    name: str | None = Field(None, min_length=1, max_length=LIMITS.name_length)
    gtin: str | None = Field(None, max_length=14)
    group: str | None = Field(None, max_length=LIMITS.sku_length)
    attributes: dict[str, Attribute | None] = Field(default_factory=dict)


class ProductOut(ProductIn):
    """A product."""

    sku: str
    references: int = Field(description="how many pictures it has")
    updated_at: float = Field(description="seconds since 1970")


class PageQuery(BaseModel):
    """Which part of a list."""

    after: str = Field("", max_length=LIMITS.sku_length, description="the last key of the page before")
    limit: int = Field(PAGE, ge=1, le=LARGEST_PAGE)


class ProductPage(Model):
    """Products in the order of their SKUs."""

    products: list[ProductOut]
    next: str | None = Field(description="give it as `after` for the next page; null: this is the last")


class ReferenceQuery(BaseModel):
    """Whose pictures."""

    sku: str = Field(min_length=1, max_length=LIMITS.sku_length)


class ReferenceUpload(ReferenceQuery):
    """Whose picture it is, and what its file was called."""

    name: str = Field("", max_length=500)


class ReferenceKey(ReferenceQuery):
    """One picture of a product."""

    reference_id: str = Field(pattern="^[0-9a-f]{16}$")


class ReferenceOut(Model):
    """A reference picture."""

    sku: str
    reference_id: str
    sha256: str
    source_name: str


class ReferenceList(Model):
    """A product's pictures, the display picture first."""

    references: list[ReferenceOut]


class QualityOut(Model):
    """A reference picture and what is said of it; nulls: it is measured when it is next published."""

    sku: str
    reference_id: str
    source_name: str
    score: int | None = Field(description="0 to 100, that of the worst aspect")
    grade: Literal["poor", "fair", "good"] | None
    aspects: dict[str, int] = Field(description="0 to 100 each")
    advice: list[str] = Field(description="what to do, the most important first")
    measured: dict[str, float] | None = Field(description="px, counts and shares, as `skuscan.quality` names them")
    nearest_sku: str | None = Field(description="the other product whose picture looks most like it")
    similarity: float | None = Field(description="cosine to that one")


class QualityPage(Model):
    """Pictures in the order of their SKUs, a page of products at a time."""

    references: list[QualityOut]
    next: str | None = Field(description="give it as `after` for the next page; null: this is the last")


class LookAlikeQuery(BaseModel):
    """How many."""

    limit: int = Field(PAGE, ge=1, le=LARGEST_PAGE)


class LookAlikeOut(Model):
    """Two products whose pictures look alike."""

    sku_a: str
    reference_a: str
    sku_b: str
    reference_b: str
    similarity: float = Field(description="cosine")
    minimum_margin: float | None = Field(
        description="how far one must be ahead on devices; 0: the model's own margin; null: not published yet"
    )
    advice: str


class LookAlikeList(Model):
    """The most alike pairs of products, the most alike first."""

    look_alikes: list[LookAlikeOut]


class AssortmentIn(Model):
    """A new assortment."""

    name: str = Field(min_length=1, max_length=64)


class AssortmentPatch(Model):
    """Which share of the devices takes the next publication."""

    rollout_percent: StrictInt = Field(ge=0, le=100)


class AssortmentOut(Model):
    """An assortment and its last publication."""

    name: str
    everything: bool = Field(description="holds every product")
    rollout_percent: int
    publish_requested: str = Field(
        description="what the scheduler was asked for: changes, delta or base; empty: nothing"
    )
    last_error: str = Field(description="why the last publication did not come about; empty: it did")
    generation: int = Field(description="0: never published")


class AssortmentList(Model):
    """Every assortment."""

    assortments: list[AssortmentOut]


class MembersIn(Model):
    """The SKUs that make an assortment."""

    skus: list[str] = Field(max_length=MEMBERS)


class MembersOut(Model):
    """How many SKUs an assortment has now."""

    members: int


class PublicationIn(Model):
    """What to publish: changes if there are any, a delta in any case, or a new base."""

    kind: Literal["changes", "delta", "base"] = "changes"


class PublicationOut(Model):
    """A published generation."""

    generation: int
    kind: str
    created_at: float
    products: int
    references: int
    rollout_percent: int
    state_digest: str
    feature_space: str
    model_sha256: str


class PublicationList(Model):
    """The latest publications, newest first."""

    publications: list[PublicationOut]


class EnrolmentTokenOut(Model):
    """An invitation for one device."""

    token: str
    assortment: str
    days: float


class DeviceOut(Model):
    """A device, and what it last reported."""

    id: str
    name: str
    assortment: str
    enrolled_at: float
    revoked_at: float | None
    seen_at: float | None
    generation: int
    state: str
    reason: str
    version: str
    runtime: str
    rejected_generation: int
    clock_skew_s: int


class DevicePage(Model):
    """Devices in the order of their ids."""

    devices: list[DeviceOut]
    next: str | None


class EventsPlace(Model):
    """Where events are told: a port of the host that was asked."""

    port: int


class Health(Model):
    """Whether the server works, and with what."""

    status: Literal["ok"] = "ok"
    version: str
    model: str
    feature_space: str
