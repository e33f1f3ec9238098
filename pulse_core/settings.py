"""The base of every settings model: strict, frozen, unknown keys refused."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """One section of the configuration. Each sub-package defines its own beside the code that reads it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
