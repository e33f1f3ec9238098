"""What the data stages can be told: the corpus filter, the split into examples, the downloader."""

from typing import Literal

from pydantic import Field, model_validator

from pulse_core.settings import Settings


class CorpusSettings(Settings):
    """How raw reviews become the corpus."""

    k_core: int = Field(5, ge=1)
    """Every user and every item keeps at least this many interactions; the filter repeats until nothing changes.
    5 is what the literature uses. Lower it for a small dump of your own (1 keeps everything)."""

    max_malformed_share: float = Field(0.01, ge=0, le=1)
    """Largest share of lines that cannot be read before the stage fails. Raise it only after looking at the quoted
    lines in the log."""

    quoted_lines: int = Field(5, ge=0)
    """How many malformed lines the log quotes; the rest are only counted."""

    max_title_characters: int = Field(400, ge=10)
    """A title longer than this is a page fragment rather than a name: the item's id takes its place."""

    max_review_characters: int = Field(400, ge=0)
    """Review texts are cut here, at a word. Prompts use far less."""

    max_description_characters: int = Field(300, ge=0)
    """Item descriptions are cut here, at a word."""

    row_group: int = Field(20_000, ge=1)
    """Reviews are written to disk this many at a time: smaller needs less memory, larger compresses a little better."""


class SampleUsers(Settings):
    """On how many users a split the language-model stages work; null means all of them."""

    train: int | None = Field(None, ge=2)
    """Users whose training examples get rationales and train encoders and rankers."""

    validation: int | None = Field(None, ge=1)
    """Users whose validation examples choose the epoch."""

    test: int | None = Field(None, ge=1)
    """Users on whom HR@1 is measured."""


class SplitSettings(Settings):
    """How each user's sequence becomes training, validation and test examples."""

    kind: Literal["leave_one_out", "global_time"] = "leave_one_out"
    """leave_one_out: a user's last item is the test target, the one before it the validation target, the one before
    that the training target. global_time: one cut date for everyone (needs timestamps)."""

    max_history: int = Field(50, ge=1)
    """A history keeps this many of its latest items (the paper: 50)."""

    examples_per_user: int = Field(1, ge=1)
    """Training examples a user: the training target, then earlier and earlier prefixes."""

    validation_quantile: float = Field(0.8, gt=0, lt=1)
    """global_time only: the share of all interactions that lies before the validation date."""

    test_quantile: float = Field(0.9, gt=0, lt=1)
    """global_time only: the share of all interactions that lies before the test date."""

    sample_users: SampleUsers = SampleUsers()
    """The users the language-model stages work on. All samples are prefixes of one random order of users, so that a
    larger sample keeps the users of a smaller one."""

    @model_validator(mode="after")
    def _dates_in_order(self) -> "SplitSettings":
        if self.kind == "global_time" and self.validation_quantile >= self.test_quantile:
            raise ValueError(
                f"split.validation_quantile ({self.validation_quantile}) must lie below split.test_quantile "
                f"({self.test_quantile}): validation comes before test in time"
            )
        return self


class DownloadSettings(Settings):
    """How patient the downloader is."""

    attempts: int = Field(4, ge=1)
    """Tries at one address that bring nothing new before the next address is tried."""

    timeout_seconds: float = Field(30.0, gt=0)
    """A server that sends nothing for this long counts as gone."""

    wait_seconds: float = Field(2.0, ge=0)
    """Pause before the second try; it doubles with each further one."""
