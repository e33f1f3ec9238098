"""Settings of the synthetic corpus generator: sizes, purchase model, defects of the raw files."""

from pydantic import Field, model_validator

from pulse_core.settings import Settings


class DirtSettings(Settings):
    """Shares of the defects found in real dumps; 0 turns a defect off."""

    same_day: float = Field(0.2, ge=0, le=1)
    """Share of purchases on the same day as the previous one, so that their timestamps tie."""
    duplicates: float = Field(0.015, ge=0, le=0.5)
    """Share of purchases reviewed again later: duplicated (user, item) rows."""
    empty_reviews: float = Field(0.025, ge=0, le=1)
    """Share of reviews with empty or missing text."""
    missing_titles: float = Field(0.012, ge=0, le=1)
    """Share of items with an empty or missing title."""
    junk_titles: float = Field(0.008, ge=0, le=1)
    """Share of items whose title is only markup."""
    repeated_metadata: float = Field(0.02, ge=0, le=1)
    """Share of items with a duplicated metadata row."""
    malformed_lines: float = Field(0.002, ge=0, lt=0.01)
    """Share of malformed lines in either file; the corpus stage refuses a file with 1 %."""

    @model_validator(mode="after")
    def _shares_of_titles(self) -> "DirtSettings":
        if self.missing_titles + self.junk_titles > 1:
            raise ValueError(
                f"synthetic.dirt.missing_titles + junk_titles: got {self.missing_titles} + {self.junk_titles}, "
                "expected at most 1: no item has both"
            )
        return self


class SyntheticSettings(Settings):
    """One synthetic domain. The defaults leave about 1,200 users with nine purchases after the 5-core filter."""

    users: int = Field(1200, ge=5)
    """Regular customers, with at least five purchases each. Raise it (with `items`) for benchmarks; users are
    generated in blocks, so memory stays flat."""
    light_users: float = Field(0.2, ge=0)
    """Customers with one to four purchases, as a share of the regular ones; the 5-core filter drops them."""
    items: int = Field(600, ge=20)
    """Items in the catalogue."""
    mean_purchases: float = Field(9.0, ge=6, le=60)
    """Mean purchases per regular customer."""
    driver_weight: float = Field(8.0, ge=0)
    """Effect, in logits, of an item's drivers on a purchase. The higher it is relative to the weights below, the
    more is gained by knowing *why*."""
    brand_weight: float = Field(5.0, ge=0)
    """Effect of a favourite brand."""
    kind_weight: float = Field(1.5, ge=0)
    """Effect of a favourite kind of product."""
    price_weight: float = Field(0.4, ge=0)
    """Penalty for a price away from the user's price level."""
    popularity_weight: float = Field(0.4, ge=0)
    """Effect of an item's popularity (standard normal)."""
    drift: float = Field(0.03, ge=0, le=1)
    """Probability per purchase that one of the user's drivers or favourite brands is replaced."""
    titles_naming_drivers: float = Field(0.9, ge=0, le=1)
    """Share of items whose title names one or two of their drivers; every description names all."""
    consideration: int = Field(2000, ge=20)
    """Maximum items weighed per purchase. A larger catalogue is sampled anew for each purchase, which bounds the
    work."""
    dirt: DirtSettings = DirtSettings()
    """Defects of the raw files."""
