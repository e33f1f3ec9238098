"""The base of every settings model: strict, frozen, unknown keys refused."""

import os
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator

# A path on this machine; ~ is the home directory.
PathText = Annotated[str, AfterValidator(os.path.expanduser)]
# Numbers that YAML 1.1 reads as text: 1e-3 (no point) and 1.0e3 (no sign).
EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


class Settings(BaseModel):
    """One section of the configuration. Each sub-package defines its own beside the code that reads it.

    Types are strict: `true` and "3" are not numbers. An integer may stand for a float.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _exponent(cls, value: Any, info: ValidationInfo) -> Any:
        """Read `learning_rate: 1e-3` as a number."""
        wanted = cls.model_fields[info.field_name or ""].annotation
        return float(value) if wanted is float and isinstance(value, str) and EXPONENT.fullmatch(value) else value
