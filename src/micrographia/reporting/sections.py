"""One run as sections of a page: its results, curves, confusions, latents, images and how it was made."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import yaml

from micrographia.plots.recovery import compared_stage
from micrographia.plots.strips import Strip, read_strips
from micrographia.reporting.blocks import Block, Chart, Code, Facts, Gallery, Note, Section, Sliders
from micrographia.reporting.charts import boxes_chart, confusion_chart, curves_chart, importance_chart, matrix_chart
from micrographia.reporting.figures import PHASES, words_of
from micrographia.reporting.pictures import LEAST, Allowance, embedded, lighter
from micrographia.reporting.records import RunRecord
from micrographia.reporting.summary import every_metric, headline_cards, result_tables, spread_over
from micrographia.reporting.tables import table_of

log = logging.getLogger(__name__)

# Figures that a chart or a slider of the page shows better, and the table or page that this needs.
REPLACED = {
    "curves": "curves.csv",
    "importance": "tables/importance.csv",
    "association": "tables/association.csv",
    "measurements": "tables/measurements.csv",
    **{f"measured_variance_{phase}": f"tables/measured_variance_{phase}.csv" for phase in PHASES},
    **{f"latents_and_features_{phase}": f"tables/latents_and_features_{phase}.csv" for phase in PHASES},
    **{f"traversals{phase}": f"figures/traversals{phase}.html" for phase in ("", "_before", "_after")},
    "recovered": "figures/recovered.html",
}
FEATURES = 16  # columns of the latent-feature matrix, those that some latent follows most
CONDITIONS = ("condition", "control", "class")  # columns that may tell conditions apart where no record says which
BESIDE = ("solution", "lr_residual", "log_p")  # numbers of a cell that are not measured on it


def sections_of(record: RunRecord, allowance: Allowance) -> list[Section]:
    """The sections of a run that have anything to show; images as far as the allowance goes."""
    makers: Sequence[Callable[[RunRecord, Allowance], Section]] = (
        results,
        classification,
        traversals,
        meaning,
        recovery,
        measured,
        training,
        figures,
        provenance,
    )
    found = [section for make in makers if (section := make(record, allowance)).blocks]
    if allowance.left_out:
        names = ", ".join(allowance.left_out)
        note = Note(f"Left out, so that the page stays small: {names}. They lie in {record.folder}.")
        found.append(Section("Left out", [note]))
    return found


def results(record: RunRecord, allowance: Allowance) -> Section:
    """Headline numbers and the tables behind them."""
    blocks: list[Block] = []
    if record.problem:
        blocks.append(Note(record.problem))
    if record.metrics:
        spread = spread_over([record.metrics])
        blocks += [headline_cards(spread), *result_tables(spread)]
    return Section("Results", blocks)


def training(record: RunRecord, allowance: Allowance) -> Section:
    """Learning curves."""
    curves = record.table("curves.csv")
    return Section("Training", given(curves_chart(curves) if len(curves) else None))


def classification(record: RunRecord, allowance: Allowance) -> Section:
    """Confusion matrices, what the probes rely on, and classes that were left out."""
    confusion, importance = record.table("tables/confusion.csv"), record.table("tables/importance.csv")
    blocks = given(
        confusion_chart(confusion) if len(confusion) else None,
        importance_chart(importance) if len(importance) else None,
    )
    probes = record.table("tables/probes.csv")
    if len(probes) and "part" in probes:
        test = probes[probes["part"] == "test"].drop(columns="part")
        scores = {str(name): 1 for name in test if pd.api.types.is_float_dtype(test[name])}
        blocks.append(
            table_of(test, "All scores of the probes on the test images", best=scores, sortable=True, folded=True)
        )
    left_out = record.table("tables/open_set.csv")
    if len(left_out):
        blocks.append(
            table_of(left_out, "Classes that were left out, and how well they are noticed", sortable=True, folded=True)
        )
    return Section("Classification", blocks)


def traversals(record: RunRecord, allowance: Allowance) -> Section:
    """Sliders that move one latent each, after fine-tuning first."""
    blocks: list[Block] = []
    for phase in ("_after", "_before", ""):
        if strips := strips_of(record.folder / "figures" / f"traversals{phase}.html", allowance):
            words = f" {PHASES[phase[1:]].capitalize()}." if phase else ""
            note = (
                f"{words} Each slider moves one latent of the same image through its range; the latents that hold most"
            )
            blocks.append(Sliders(strips, note=f"{note} stand first.".strip()))
    return Section("Traversals", blocks, "What each latent does to an image.")


def meaning(record: RunRecord, allowance: Allowance) -> Section:
    """What latents mean: factors they stand for, hand-made features they follow, what they move."""
    blocks: list[Block] = []
    for suffix in ("_after", ""):
        association = record.table(f"tables/association{suffix}.csv", index=True)
        if len(association):
            title = "Latents and known factors of the source images"
            blocks += given(matrix_chart(title, {"": association}, "normalised mutual information", "factor"))
            break
    features = {
        words: followed(record.table(f"tables/latents_and_features_{phase}.csv")) for phase, words in AFTER_FIRST
    }
    blocks += given(
        matrix_chart(
            "Latents and hand-made features",
            features,
            "Spearman's rank correlation",
            "feature",
            "On test images; the features that some latent follows most.",
        )
    )
    moved = {words: record.table(f"tables/measured_variance_{phase}.csv", index=True) for phase, words in AFTER_FIRST}
    moved = {words: leading(matrix.drop(columns="specificity", errors="ignore")) for words, matrix in moved.items()}
    blocks += given(
        matrix_chart(
            "What each latent moves",
            moved,
            "share of the variance among real images",
            "trait",
            "Measured again on images decoded while one latent moves; the traits that are moved most.",
            whole=0,
        )
    )
    matrices = {
        file.stem.removeprefix("matrix_"): record.table(f"tables/{file.name}", index=True)
        for file in record.files("tables/matrix_*.csv")
    }
    blocks += given(matrix_chart("Behind the scores", matrices, "the score's own measure", "factor"))
    scores = record.table("tables/scores.csv")
    if len(scores) and "low" in scores:
        kept = [name for name in ("score", "value", "low", "high") if not scores[name].isna().all()]
        blocks.append(table_of(scores[kept], "Scores with their 95 % intervals", sortable=True))
    for name in ("latents_after", "latents"):
        latents = record.table(f"tables/{name}.csv")
        if len(latents):
            about = "A latent bears a factor's name only where it tells of that factor more strongly than asked for."
            blocks.append(table_of(latents, "Names of the latents", about, sortable=True, folded=True))
            break
    return Section("Latents", blocks, "What the latents stand for, and how far to trust it.")


AFTER_FIRST = [(phase, PHASES[phase]) for phase in ("after", "before")]


def followed(table: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations of latents and features, of the features that some latent follows most."""
    if not len(table):
        return table
    matrix = table.pivot(index="latent", columns="feature", values="spearman")
    return leading(matrix.reindex(index=table["latent"].unique(), columns=table["feature"].unique()))


def leading(matrix: pd.DataFrame) -> pd.DataFrame:
    """The columns of a matrix with the largest values, in their order and in words."""
    largest = matrix.abs().max().dropna().sort_values(ascending=False).index[:FEATURES]
    return matrix[[name for name in matrix if name in largest]].rename(columns=lambda name: str(name).replace("_", " "))


def recovery(record: RunRecord, allowance: Allowance) -> Section:
    """Low resolution, each method and high resolution of some images, compared at a divider."""
    strips = strips_of(record.folder / "figures" / "recovered.html", allowance)
    if not strips:
        return Section("Recovered images", [])
    note = "Choose two stages and move the divider between them. All images share one scale of brightness."
    return Section("Recovered images", [Sliders(strips, compared_stage(strips[0].steps), note)])


def measured(record: RunRecord, allowance: Allowance) -> Section:
    """Measurements by method, control against treated."""
    table = record.table("tables/measurements.csv")
    if not len(table) or not {"method", "flag"} <= set(table):
        return Section("Measurements", [])
    table = table[table["solution"] == 0] if "solution" in table else table
    trusted = table["flag"] == ""
    doubtful = ~trusted.groupby(table["method"]).transform("any")  # methods of which each cell has a flag
    unflagged = table["method"].where(~doubtful, table["method"] + " (flagged)")
    table = table.assign(method=unflagged)[trusted | doubtful]
    before_flag = list(table.columns[: table.columns.get_loc("flag")])
    values = [
        name for name in before_flag if name not in ("item", *BESIDE) and pd.api.types.is_numeric_dtype(table[name])
    ]
    controls = record.data.get("controls") or {}
    candidates = (controls.get("condition"), *CONDITIONS)
    condition = next((name for name in candidates if name in table and table[name].nunique() < 13), None)
    if condition is not None:
        table = table.assign(**{condition: in_words(table[condition], controls)})
    blocks = given(boxes_chart(table, values, condition))
    assay = record.table("tables/assay.csv")
    if len(assay):
        kept = [name for name in ("method", "score", "value", "low", "high", "p_value", "rows") if name in assay]
        blocks.append(
            table_of(assay[kept], "Quality of the measurements with 95 % intervals", sortable=True, folded=True)
        )
    intro = "Cells without a flag" + ("; all cells of methods of which each has one." if doubtful.any() else ".")
    return Section("Measurements", blocks, intro if blocks else "")


def in_words(conditions: pd.Series, controls: Mapping[str, object]) -> pd.Series:
    """Conditions as text; of numbers, as -1, 0 and 1, which are controls and that the others are treated."""
    words = conditions.map(lambda value: f"{value:g}" if isinstance(value, int | float) else str(value))
    named = {str(controls[side]): f"{side} control" for side in ("negative", "positive") if side in controls}
    if not named:
        return words
    is_number = pd.to_numeric(words, errors="coerce").notna()
    return words.mask(is_number, words.map(lambda word: f"{named.get(word, 'treated')} ({word})"))


def figures(record: RunRecord, allowance: Allowance) -> Section:
    """The run's other figures, as images."""
    pictures = []
    shown = {name for name, needed in REPLACED.items() if (record.folder / needed).is_file()}
    for file in record.files("figures/*.png"):
        is_confusion = file.stem.startswith("confusion") and (record.folder / "tables/confusion.csv").is_file()
        is_matrix = file.stem.startswith("matrix_") and (record.folder / "tables" / f"{file.stem}.csv").is_file()
        if file.stem in shown or is_confusion or is_matrix:
            continue
        title, about = words_of(file.stem)
        try:
            picture = embedded(file, title, about, allowance)
        except OSError as error:
            log.warning("%s: cannot be read (%s), left out of the page", file, error)
            allowance.left_out.append(file.name)
            continue
        if picture is not None:
            pictures.append(picture)
    return Section("Figures", [Gallery(pictures)] if pictures else [])


def provenance(record: RunRecord, allowance: Allowance) -> Section:
    """Command, machine, configuration and every metric."""
    blocks: list[Block] = []
    if record.command:
        blocks.append(Code(record.command, "command"))
    blocks.append(Facts(record.facts))
    if record.metrics:
        blocks.append(every_metric(spread_over([record.metrics])))
    if record.config:
        blocks.append(
            Code(yaml.safe_dump(record.config, sort_keys=False, allow_unicode=True), "configuration", folded=True)
        )
    return Section("How it was made", blocks)


def strips_of(page: Path, allowance: Allowance) -> list[Strip]:
    """The strips of a page in a run's folder, made lighter; none where there is no such page, or it does not fit."""
    if not page.is_file():
        return []
    if allowance.left < LEAST:
        allowance.left_out.append(page.name)
        return []
    strips = [lighter(strip) for strip in read_strips(page.read_text(encoding="utf-8"))]
    kept = allowance.takes(b"".join(strip.picture for strip in strips), page.name, len(strips))
    return strips if kept else []


def given(*charts: Chart | None) -> list[Block]:
    """The charts that there are."""
    return [chart for chart in charts if chart is not None]
