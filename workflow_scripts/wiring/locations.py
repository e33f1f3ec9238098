"""Locations of the files that a configuration names: prompt templates and raw reviews."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulse_core.config import Config
from pulse_core.data.recorded import check_recorded
from pulse_core.data.sources import RAW_NAMES, find_raw, missing_files_message
from pulse_core.errors import InputError
from workflow_scripts.wiring.layout import SYNTHETIC, fill
from workflow_scripts.wiring.raw_digests import digests


def or_exit(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call `function`; an InputError exits with its message only, where Snakemake would print a traceback.

    Raises:
        SystemExit: with the message and status 1.
    """
    try:
        return function(*arguments)
    except InputError as error:
        raise SystemExit(f"snakemake: {error}") from None


def here_or_in_checkout(configured: str, root: Path) -> Path:
    """A configured path, relative to the working directory or, if it exists only there, to the checkout `root`."""
    path = Path(configured)
    # Relative if possible: an absolute path would rerun stages after the checkout moves.
    return root / path if not path.exists() and (root / path).exists() else path


class RawFiles:
    """The raw reviews of every domain."""

    def __init__(self, settings: Config, root: Path) -> None:
        self._settings, self._root = settings, root

    def files(self, wildcards: Any) -> dict[str, str]:
        """Review and metadata file of a domain.

        Raises:
            SystemExit: the domain's real reviews are missing; says what to fetch, and where to put it.
        """
        return or_exit(self._files, str(wildcards.domain))

    def _files(self, domain: str) -> dict[str, str]:
        directory, source = self.directory(domain), self._settings.domains[domain].source
        if source == "synthetic":
            return {name: str(directory / f"{name}.jsonl.gz") for name in RAW_NAMES}
        files = {name: find_raw(directory, name) for name in RAW_NAMES}
        required = ("reviews",) if source == "files" else RAW_NAMES
        if not all(files[name].is_file() for name in required):
            command = "`snakemake --cores 1 download`, with the same --configfile, --config and --directory,"
            fetch = f"\n{command} fetches them, too." if source == "amazon-2018" else ""
            raise InputError(missing_files_message(domain, directory.parent, source) + fetch)
        declared = directory / "source.json"
        beside = {"declared": str(declared)} if declared.exists() else {}
        return {**{name: str(file) for name, file in files.items() if file.is_file()}, **beside}

    def digests(self, wildcards: Any) -> dict[str, str]:
        """Digests of a domain's raw files, so that a replaced file makes the corpus stale whatever its date; none for
        a synthetic domain, whose files a rule makes.

        Raises:
            SystemExit: a file does not match the `.sha256` beside it, even if no stage would read it again.
        """
        if self._settings.domains[wildcards.domain].source == "synthetic":
            return {}
        files = self.files(wildcards)
        current = digests(files)
        for name, digest in current.items():
            or_exit(check_recorded, Path(files[name]), digest)
        return current

    def directory(self, domain: str) -> Path:
        """Directory of a domain's raw files."""
        synthetic = self._settings.domains[domain].source == "synthetic"
        return Path(fill(SYNTHETIC, domain=domain)) if synthetic else self.root() / domain

    def root(self) -> Path:
        """The directory of real reviews."""
        return here_or_in_checkout(self._settings.raw_dir, self._root)
