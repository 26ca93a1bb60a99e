"""Runs addressed by their configuration: name, lock, resume, read back."""

from micrographia.runs.address import digest, split_config
from micrographia.runs.run import Run, obtain

__all__ = ["Run", "digest", "obtain", "split_config"]
