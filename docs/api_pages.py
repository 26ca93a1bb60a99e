"""The pages of the API reference, which MkDocs calls for while it builds: one for each package, from its docstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).parents[1] / "src"
PACKAGE = SOURCE / "micrographia"
# Searches find the guide first.
BEHIND = "---\nsearch:\n  boost: 0.3\n---\n\n"


def on_config(config: MkDocsConfig) -> None:
    """Put the pages into the navigation, after all that is written by hand."""
    assert config.nav is not None
    config.nav.append({"API reference": ["api/index.md", *(f"api/{name}.md" for name in pages())]})


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages' text."""
    for name, modules in pages().items():
        files.append(File.generated(config, f"api/{name}.md", content=page(name, modules)))
    files.append(File.generated(config, "api/index.md", content=index()))


def pages() -> dict[str, list[Path]]:
    """Modules of each page: those of a package and below it; the ones beside the packages stand in one page."""
    packages = sorted(folder for folder in PACKAGE.iterdir() if (folder / "__init__.py").is_file())
    beside = {"micrographia": [PACKAGE / "__init__.py", *documented(PACKAGE.glob("*.py"))]}
    return beside | {folder.name: documented(folder.rglob("*.py")) for folder in packages}


def documented(files: Iterator[Path]) -> list[Path]:
    """Modules that define something, in order."""
    return sorted(file for file in files if file.name != "__main__.py" and definitions(file))


def definitions(file: Path) -> bool:
    """Whether a module defines a function or class, or gathers those of others (``__all__``)."""
    body = ast.parse(file.read_text()).body
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in body) or "__all__" in file.read_text()


def page(name: str, modules: list[Path]) -> str:
    """Markdown of a page: a heading for each module; mkdocstrings fills in what it defines."""
    return f"{BEHIND}# {name}\n\n" + "\n".join(f"::: {dotted(module)}\n" for module in modules)


def index() -> str:
    """Markdown of the reference's first page: what each module is for."""
    lines = [
        f"{BEHIND}# API reference",
        "",
        "Every module in a line; its functions and classes are one click away.",
        "",
    ]
    for name, modules in pages().items():
        lines += [f"## [{name}]({name}.md)", "", "| module | |", "|---|---|"]
        lines += [f"| [{dotted(module)}][] | {summary(module)} |" for module in modules]
        lines.append("")
    return "\n".join(lines)


def dotted(file: Path) -> str:
    """A module's full name."""
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def summary(file: Path) -> str:
    """First line of a module's docstring."""
    return (ast.get_docstring(ast.parse(file.read_text())) or "").split("\n")[0].replace("|", "\\|")
