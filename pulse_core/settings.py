"""The base of every settings model: strict, frozen, unknown keys refused."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

# What YAML 1.1 hands over as text although it is a number: 1e-3 (without a point), 1.0e3 (without a sign).
EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


class Settings(BaseModel):
    """One section of the configuration. Each sub-package defines its own beside the code that reads it.

    Types are strict: `true` is no number and "3" no whole one. A whole number may stand for one with a fraction.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _exponent(cls, value: Any, info: ValidationInfo) -> Any:
        """`learning_rate: 1e-3` means the number."""
        wanted = cls.model_fields[info.field_name or ""].annotation
        return float(value) if wanted is float and isinstance(value, str) and EXPONENT.fullmatch(value) else value
