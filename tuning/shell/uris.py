"""Tracking URIs: which kind one is, and what of it may be shown. Does not import MLflow."""

import re
from pathlib import Path


def is_server(uri: str) -> bool:
    """Whether it is an MLflow server's; otherwise it is a database's."""
    return uri.startswith(("http://", "https://"))


def database_file(uri: str) -> Path | None:
    """SQLite's file, None for all else."""
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]) if uri.startswith("sqlite:///") else None


def without_secrets(text: str) -> str:
    """A text whose URIs have lost their user and password."""
    in_queries = re.sub(r"(?i)([?&](?:pass\w*|pwd|pw|token|secret\w*|\w*key)=)[^&\s]*", r"\1***", text)
    return re.sub(r"//\S*@", "//***@", in_queries)
