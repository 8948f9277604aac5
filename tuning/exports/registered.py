"""A model's place in MLflow's registry, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Registered:
    """A version of a registered model: its alias and why it has it, in a sentence."""

    name: str
    version: str
    alias: str
    why: str

    @property
    def uri(self) -> str:
        """As MLflow finds this very version, whichever alias it has."""
        return f"models:/{self.name}/{self.version}"
