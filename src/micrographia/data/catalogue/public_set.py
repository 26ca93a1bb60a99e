"""What is known of a public set before a byte of it is here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True)
class Download:
    """One file of a set.

    Attributes
    ----------
    address : str
        Where it is served.
    sha256 : str or None
        Checksum; None where it is not known beforehand: it is recorded at the first download, and checked ever after.
    size : int or None
        Bytes.
    into : str
        Folder below the set's in which it is unpacked, or put.
    file : str or None
        Its name on disk; None takes the address's last part.

    Examples
    --------
    >>> archive = Download("https://example.org/a/cells.zip?download=1")
    >>> archive.name, archive.is_archive
    ('cells.zip', True)
    """

    address: str
    sha256: str | None = None
    size: int | None = None
    into: str = "."
    file: str | None = None

    @property
    def name(self) -> str:
        """Name of the file on disk."""
        return self.file or PurePosixPath(urlsplit(self.address).path).name

    @property
    def is_archive(self) -> bool:
        """Whether it is unpacked."""
        return self.name.lower().endswith(ARCHIVES)


@dataclass(frozen=True)
class PublicSet:
    """A public set, with all that a user should know before fetching it.

    Attributes
    ----------
    name : str
        As in ``micrographia data fetch NAME``; where ``data=NAME`` is a choice, that reads it.
    reader : str
        The choice of ``data`` that reads it, where that is another name.
    about : str
        What the images show.
    folder : str
        Where it lies below ``how.paths.data``.
    page : str
        The set's own page.
    licence, citation : str
        Terms, and whom to cite.
    images : int or None
        Images (or cells) in all, as published.
    classes : dict of str to int or None
        Images of each class; None where that is not published.
    classed : str
        In words, where classes are not named here: how many there are, or what decides them.
    pixels : str
        Size of the images, where it is one.
    megabytes : int or None
        To download, decimal; None where that is not published.
    layout : str
        Where things lie in the folder.
    preparation : str
        What the papers did with it.
    downloads : tuple of Download
        Its files; none: it is fetched by hand.
    by_hand : str
        What to do where no address can be fetched: what to take from where.
    prepare : callable, optional
        From the folder as unpacked to what ``data=NAME`` reads; returns nothing, and may be called again.
    """

    name: str
    about: str
    folder: str
    page: str
    licence: str
    citation: str
    layout: str
    preparation: str
    reader: str = ""
    images: int | None = None
    classes: Mapping[str, int | None] = field(default_factory=dict)
    classed: str = ""
    pixels: str = ""
    megabytes: int | None = None
    downloads: tuple[Download, ...] = ()
    by_hand: str = ""
    prepare: Callable[[Path], None] | None = None
