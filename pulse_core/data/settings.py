"""Settings of the data stages: corpus filter, split into examples, downloader."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pulse_core.settings import Settings

FieldName = Literal[
    "user", "item", "rating", "time", "summary", "text", "title", "brand", "category", "price", "description"
]


class CorpusSettings(Settings):
    """How raw reviews become the corpus."""

    k_core: int = Field(5, ge=1)
    """Every user and item keeps at least this many interactions; the filter repeats until nothing changes. The
    literature uses 5; 1 keeps everything."""
    max_malformed_share: float = Field(0.01, ge=0, le=1)
    """Maximum share of malformed lines; above it the stage fails. Raise it only after reading the lines quoted in
    the log."""
    quoted_lines: int = Field(5, ge=0)
    """Malformed lines quoted in the log per file; the rest are only counted."""
    max_title_characters: int = Field(400, ge=10)
    """Maximum characters of a title, cut at a word."""
    max_review_characters: int = Field(400, ge=0)
    """Maximum characters of a review text, cut at a word. Prompts use far less."""
    max_description_characters: int = Field(300, ge=0)
    """Maximum characters of an item description, cut at a word."""
    fields: dict[FieldName, str] = Field(default_factory=dict)
    """Field names of your files that docs/your-data.md does not list: {time: bought_at, item: sku}.
    Fields are user, item, rating, time, summary, text; in metadata item, title, brand, category, price, description."""
    row_group: int = Field(20_000, ge=1)
    """Reviews per write to disk: fewer need less memory, more compress slightly better."""


class SampleUsers(Settings):
    """Users per split for the language-model stages; null means all."""

    train: int | None = Field(None, ge=2)
    """Users whose training examples get rationales and train the encoders and rankers."""
    validation: int | None = Field(None, ge=1)
    """Users whose validation examples select the epoch."""
    test: int | None = Field(None, ge=1)
    """Users on whom HR@1 is measured."""


class SplitSettings(Settings):
    """How each user's sequence becomes training, validation and test examples."""

    sample_users: Annotated[
        SampleUsers,
        BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=SampleUsers | None),
    ] = SampleUsers()
    """Users in the language-model stages; null means all. Samples are prefixes of one random order of users, so a
    larger sample contains a smaller one."""
    kind: Literal["leave_one_out", "global_time"] = "leave_one_out"
    """leave_one_out: a user's last item is the test target, the one before it the validation target, the one before
    that the training target. global_time: one cut date for all users (needs timestamps)."""
    max_history: int = Field(50, ge=1)
    """Maximum history length; older items are dropped. 50 in the paper."""
    examples_per_user: int = Field(1, ge=1)
    """Training examples per user: the training target, then earlier prefixes."""
    validation_quantile: float = Field(0.8, gt=0, lt=1)
    """global_time only: share of all interactions before the validation date."""
    test_quantile: float = Field(0.9, gt=0, lt=1)
    """global_time only: share of all interactions before the test date."""

    @model_validator(mode="after")
    def _dates_in_order(self) -> "SplitSettings":
        if self.kind == "global_time" and self.validation_quantile >= self.test_quantile:
            raise ValueError(
                f"split.validation_quantile ({self.validation_quantile}) must lie below split.test_quantile "
                f"({self.test_quantile}): validation comes before test in time"
            )
        return self


class DownloadSettings(Settings):
    """Retries of the downloader."""

    attempts: int = Field(4, ge=1)
    """Attempts at one address without new data before the next address is tried."""
    timeout_seconds: float = Field(30.0, gt=0)
    """A server that sends nothing for this long is treated as unreachable."""
    wait_seconds: float = Field(2.0, ge=0)
    """Pause after an interrupted attempt; it doubles while a server keeps refusing."""
