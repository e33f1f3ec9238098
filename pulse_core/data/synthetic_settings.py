"""Settings of the generator of synthetic corpora: sizes, what moves a purchase, and how dirty the raw files are."""

from pydantic import Field, model_validator

from pulse_core.settings import Settings


class DirtSettings(Settings):
    """Shares of the defects that real dumps have. Zero switches a defect off."""

    same_day: float = Field(0.2, ge=0, le=1)
    """Share of purchases made on the day of the one before: their timestamps tie."""
    duplicates: float = Field(0.015, ge=0, le=0.5)
    """Share of purchases reviewed a second time later: duplicated (user, item) rows."""
    empty_reviews: float = Field(0.025, ge=0, le=1)
    """Share of reviews whose text is empty or absent."""
    missing_titles: float = Field(0.012, ge=0, le=1)
    """Share of items whose metadata has an empty title or none."""
    junk_titles: float = Field(0.008, ge=0, le=1)
    """Share of items whose title is markup and nothing else."""
    repeated_metadata: float = Field(0.02, ge=0, le=1)
    """Share of items whose metadata row stands in the file twice."""
    malformed_lines: float = Field(0.002, ge=0, lt=0.01)
    """Share of broken lines in either file; the corpus stage refuses a file with 1 % of them."""

    @model_validator(mode="after")
    def _shares_of_titles(self) -> "DirtSettings":
        if self.missing_titles + self.junk_titles > 1:
            raise ValueError(
                f"synthetic.dirt.missing_titles + junk_titles: got {self.missing_titles} + {self.junk_titles}, wants 1 "
                "at most: no item has both"
            )
        return self


class SyntheticSettings(Settings):
    """One synthetic domain. The defaults leave about 1,200 users with nine purchases after the 5-core filter."""

    users: int = Field(1200, ge=5)
    """Regular customers, each with five purchases or more. Raise it (with `items`) for benchmarks: users are made
    in blocks, so that memory does not grow with them."""
    light_users: float = Field(0.2, ge=0)
    """Customers with one to four purchases, as a share of the regular ones: the 5-core filter drops them."""
    items: int = Field(600, ge=20)
    """Items of the catalogue."""
    mean_purchases: float = Field(9.0, ge=6, le=60)
    """Mean number of purchases of a regular customer."""
    driver_weight: float = Field(8.0, ge=0)
    """How much the drivers that an item carries move a purchase, in logits. More of it gives more to whoever reads
    *why*; the weights below stand beside it."""
    brand_weight: float = Field(5.0, ge=0)
    """How much a favourite brand moves a purchase."""
    kind_weight: float = Field(1.5, ge=0)
    """How much a favourite kind of product moves a purchase."""
    price_weight: float = Field(0.4, ge=0)
    """How much a price away from the user's own level hinders a purchase."""
    popularity_weight: float = Field(0.4, ge=0)
    """How much an item's popularity (standard normal) moves a purchase."""
    drift: float = Field(0.03, ge=0, le=1)
    """Chance a purchase that one of the user's drivers, or favourite brands, gives way to another."""
    titles_naming_drivers: float = Field(0.9, ge=0, le=1)
    """Share of items whose title names one or two of their drivers; every description names all of them."""
    consideration: int = Field(2000, ge=20)
    """Items weighed at each purchase. A catalogue above this is sampled anew at every step, which bounds the work."""
    dirt: DirtSettings = DirtSettings()
    """Defects of the raw files."""
