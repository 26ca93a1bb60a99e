"""The page: what of each run is on it, its size, and that it needs nothing from elsewhere."""

import json
import re
from itertools import product

import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.reporting.comparison import Comparison, comparison_section, telling
from micrographia.reporting.finding import find
from micrographia.reporting.overview import run_table
from micrographia.reporting.pictures import Allowance
from micrographia.reporting.records import read_record, read_records
from micrographia.reporting.sections import in_words, sections_of
from micrographia.reporting.summary import headline_cards, result_tables, spread_over
from micrographia.reporting.tables import tests_table as table_of_tests
from micrographia.tasks.reporting import report

LIMIT = 20_000_000


def text_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_transfer_has_its_sections_and_its_figures_stand_once(written):
    sections = sections_of(read_record(written.transfer()), Allowance(1e7))
    assert [section.title for section in sections] == [
        *("Results", "Classification", "Traversals", "Latents", "Training", "Figures", "How it was made")
    ]
    pictures = next(section for section in sections if section.title == "Figures").blocks[0].pictures
    assert [picture.title for picture in pictures] == ["Images"]  # importance is drawn as a chart
    assert pictures[0].alt == "Images of every class, as the model sees them."


def test_a_recovery_has_its_images_at_a_divider_and_boxes_by_condition(written):
    sections = {section.title: section for section in sections_of(read_record(written.superresolve()), Allowance(1e7))}
    (sliders,) = sections["Recovered images"].blocks
    assert [strip.name for strip in sliders.strips] == ["image 3", "image 5"]
    assert sliders.strips[0].steps == ("low resolution", "RLS", "high resolution")
    assert sliders.compared == 1
    (chart,) = sections["Measurements"].blocks
    boxes = {(box["method"], box["group"]): box["values"] for box in chart.variants[0].spec["boxes"]}
    assert boxes["RLS", "positive control (1)"] == [1.5, 2.5]  # without the flagged cell


def test_methods_of_which_each_image_has_a_flag_are_shown_and_win_nothing(written):
    run = written.superresolve()
    metrics = {**run.metrics, "image_all/psnr/pulse": 30.0, "image_all/psnr/rls": 24.0}
    images = next(table for table in result_tables(spread_over([metrics])) if table.caption.startswith("Images"))
    shown = {row[0].text: (row[1].text, row[1].best) for row in images.rows}
    assert shown == {"bicubic": ("20.0 dB", False), "RLS": ("25.0 dB", True), "PULSE": ("(30.0 dB)", False)}

    table = pd.read_csv(run.folder / "tables" / "measurements.csv", keep_default_na=False)
    flagged = table.assign(flag=table["flag"].mask(table["method"] == "rls", "untypical"))
    flagged.to_csv(run.folder / "tables" / "measurements.csv", index=False)
    sections = {section.title: section for section in sections_of(read_record(run), Allowance(1e7))}
    boxes = sections["Measurements"].blocks[0].variants[0].spec["boxes"]
    counts = {(box["method"], box["group"]): box["n"] for box in boxes}
    assert counts["high resolution", "positive control (1)"] == 2
    assert counts["RLS (flagged)", "positive control (1)"] == 3
    assert "of which each has one" in sections["Measurements"].intro


def test_the_best_of_each_column_is_marked_and_the_reference_is_no_rival(written):
    tables = result_tables(spread_over([written.superresolve().metrics]))
    best = {
        table.columns[place].title: row[0].text
        for table in tables
        for row in table.rows
        for place, cell in enumerate(row)
        if cell.best
    }
    assert best == {"PSNR": "RLS", "difference from low resolution": "RLS", "AUC": "RLS"}


def test_cards_show_the_best_probe_with_its_deviation_over_seeds(written):
    runs = [written.transfer(f"000000000{seed}", seed, accuracy=0.5 + 0.1 * seed).metrics for seed in range(3)]
    card = headline_cards(spread_over(runs)).cards[0]
    assert (card.label, card.value, card.spread) == ("balanced accuracy, fine-tuned codes", "60.0 %", "± 10.0")
    assert card.note == "best of 2: boosted trees; chance 33.3 %; mean of 3 runs"


def test_the_page_is_whole_in_itself_and_names_are_text(written):
    written.transfer(command="micrographia transfer '<script>alert(1)</script>'")
    page = report([str(written.root)], LIMIT)
    body = page.split("<body>")[1].split("<script>/")[0]
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "&lt;medusa&gt;" in page or "\\u003cmedusa\\u003e" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)(?!https://observablehq|https://d3js)', body)
    assert not re.search(r"@import|url\((?!data:)", page.split("</style>")[0])
    assert "<title>a-to-plankton-0000000000" in page


def test_runs_that_differ_in_seeds_are_one_group_with_its_deviation(written):
    for seed in range(3):
        written.transfer(f"000000000{seed}", seed, accuracy=0.5 + 0.1 * seed)
    text = text_of(report([str(written.root)], LIMIT))
    assert "Mean ± standard deviation over 3 runs that differ in seeds only; seeds varied: target (3)." in text
    assert "60.0 % ± 10.0" in text


def test_groups_are_compared_and_the_best_is_marked(written):
    for beta in (1, 4):
        for seed in range(2):
            written.transfer(f"00000000{beta}{seed}", seed, beta=beta, accuracy=0.4 + 0.1 * beta)
    page = report([str(written.root)], LIMIT)
    assert "Transfer on plankton: 2 groups of runs" in page
    assert "80.0 % ± 0.0 best group: beta=4; boosted trees; mean of 2 runs" in text_of(page)
    row = re.search(r'<th scope="row"[^>]*>beta=4</th>(.*?)</tr>', page, re.S)[1]
    assert '<strong class="best">80.0 ± 0.0 %' in row


def test_what_is_alike_is_said_to_be_alike():
    metrics = {"assay/auc/bicubic": 1.0, "assay/auc/rls": 0.99996, "assay/auc/pulse": 0.5, "assay/auc/hr": 1.0}
    spread = spread_over([metrics])
    assert headline_cards(spread).cards[0].note == "best of 3, alike: bicubic, RLS"
    (table,) = result_tables(spread)
    assert {row[0].text: row[1].best for row in table.rows} == {
        **{"bicubic": True, "RLS": True, "PULSE": False},
        "high resolution": False,
    }
    same = spread_over([{"assay/auc/bicubic": 1.0, "assay/auc/rls": 1.0}])
    assert headline_cards(same).cards[0].note == "alike: bicubic, RLS"
    assert not any(cell.best for table in result_tables(same) for row in table.rows for cell in row)


def test_cards_compare_methods_on_the_same_images():
    trusted = {"image/psnr/bicubic": 31.0, "image/psnr/rls": 33.0, "flagged/bicubic": 0.0, "flagged/rls": 5.0}
    every = {"image_all/psnr/bicubic": 31.0, "image_all/psnr/rls": 30.0, "image_all/psnr/pulse": 25.0}
    card = headline_cards(spread_over([{**trusted, **every}])).cards[0]
    assert (card.label, card.value) == ("PSNR, all images", "31.0 dB")
    assert card.note == "best of 3: bicubic"


def test_the_raw_input_is_never_the_best():
    metrics = {f"probe/{probe}/baseline/balanced_accuracy": value for probe, value in (("gbt", 0.9), ("mlp", 0.8))}
    spread = spread_over([metrics])
    assert headline_cards(spread).cards[0].note == "highest of 2: boosted trees"
    assert not any(cell.best for table in result_tables(spread) for row in table.rows for cell in row)


def marked_runs(records):
    (table,) = run_table(records, {}).blocks
    return [(row[0].text, cell.text) for row in table.rows for cell in row if cell.best], table.note


def test_the_table_of_runs_marks_the_best_of_what_can_be_compared(written):
    for place, (accuracy, data) in enumerate(((0.5, "plankton"), (0.7, "plankton"), (0.6, "yeast"), (0.4, "yeast"))):
        written.transfer(f"000000000{place}", data=data, accuracy=accuracy)
    records = read_records(find([str(written.root)]).runs)
    found, note = marked_runs(records)
    assert found == [  # codes after fine-tuning, and before
        *(("a-to-plankton-0000000001", text) for text in ("70.0 %", "60.0 %")),
        *(("a-to-yeast-0000000002", text) for text in ("60.0 %", "50.0 %")),
    ]
    assert "the same images" in note
    assert marked_runs(records[::2]) == ([], "")  # one of each: no choice
    records[1].config["data"]["count"] = 10  # other images
    assert marked_runs(records[:2]) == ([], "")


def test_a_sweep_shows_the_jobs_that_failed(written):
    run = written.transfer()
    file = written.root / "sweeps" / "transfer-seed-01234567.csv"
    file.parent.mkdir()
    rows = "probe/gbt/after/balanced_accuracy,0.5,,1,none,transfer/"
    file.write_text(f"metric,mean,sd,runs,seeds varied,folders\n{rows}{run.folder.name}\n")
    jobs = [
        {"overrides": ["a=1", "seed=0"], "status": "done", "run": str(run.folder), "mistake": None},
        {"overrides": ["a=1", "seed=1"], "status": "failed", "mistake": "no memory", "log": "logs/1.log"},
    ]
    older = text_of(report([str(file)], LIMIT))
    assert "Jobs that failed" not in older
    assert "best group" not in older  # there is one only
    assert "the best of each column is marked" not in older
    file.with_suffix(".json").write_text(json.dumps({"verb": "transfer", "jobs": jobs}))
    text = text_of(report([str(file)], LIMIT))
    assert "1 finished, 1 failed." in text
    assert "1 of 2 jobs failed and is left out." in text
    assert re.search(r"Jobs that failed overrides status mistake log seed=1 failed no memory logs/1.log", text)


def test_groups_scored_on_other_images_do_not_compete():
    keys = {"runs": 1, "seeds varied": "none", "metric": "image/psnr/rls", "sd": float("nan"), "folders": ""}
    rows = [
        {"degradation.steps.reduce.factor": factor, "methods.rls.steps": steps, "mean": mean, **keys}
        for factor, steps, mean in ((8, 10, 30.0), (8, 20, 31.0), (16, 10, 20.0), (16, 20, 22.0))
    ]
    (_, table) = comparison_section(Comparison("all", pd.DataFrame(rows))).blocks  # no card of a best group
    assert [row[2].text for row in table.rows if row[2].best] == ["31.0 dB", "22.0 dB"]
    assert "under the same conditions" in table.note
    (cards, _, alone) = comparison_section(Comparison("8", pd.DataFrame(rows[:2]))).blocks
    assert cards.cards[0].note == "best group: factor=8, steps=20; RLS"
    assert [row[2].best for row in alone.rows] == [False, True]


def test_tests_of_a_study_are_numbers_in_few_digits_and_say_once_what_is_the_same():
    rows = ["| method | pairs | difference | sd | low | high | p t |", "|---|---|---|---|---|---|---|"]
    rows += [
        "| pulse | 3 | −1.822 | 0.8878 | −4.028 | 0.3831 | < .001 |",
        "| rls | 3 | 10.36 | 1.5 | 9.017 | 11.69 | 0.004 |",
        "| bicubic | 3 | 1.5 | 1.0 | −1 | 2.5 | 1.000 |",
    ]
    table = table_of_tests("\n".join(rows), "Tests")
    assert [column.title for column in table.columns] == ["method", "difference", "± sd", "95 % interval", "p, t-test"]
    assert [column.numeric for column in table.columns] == [False, True, True, True, True]
    assert [cell.text for cell in table.rows[0]] == ["pulse", "−1.8", "0.89", "−4.0 to 0.4", "< .001"]
    assert table.rows[0][4].order == 0.001
    assert [row[4].text for row in table.rows] == ["< .001", "0.004", "1.000"]
    assert table.note == "The same in every row: pairs 3."
    assert table.folded


def test_several_studies_are_a_section_each_and_cards_of_several_sets_say_which(written):
    runs = [
        written.transfer(f"000000000{place}", seed, data=data)
        for place, (data, seed) in enumerate(product(("plankton", "yeast"), (0, 1)))
    ]
    study = written.study(runs)
    page = report([str(study)], LIMIT)
    assert "balanced accuracy, fine-tuned codes: yeast" in page
    pages = report([str(study), str(runs[0].folder)], LIMIT)
    assert "<h1>4 runs</h1>" in pages
    assert "Findings" in pages


def test_what_is_left_out_is_told_at_the_end_and_a_processor_is_one(written):
    record = read_record(written.transfer())
    record.environment["device"] = "x86_64"
    sections = sections_of(record, Allowance(0))
    assert [section.title for section in sections][-2:] == ["How it was made", "Left out"]
    assert record.facts["device"] == "CPU (x86_64)"


def test_conditions_that_are_numbers_say_which_are_treated():
    controls = {"condition": "control", "negative": "-1", "positive": "1"}
    told = ["negative control (-1)", "treated (0)", "positive control (1)"]
    assert in_words(pd.Series([-1, 0, 1]), controls).tolist() == told
    assert in_words(pd.Series([0, 1]), {}).tolist() == ["0", "1"]
    assert in_words(pd.Series(["control", "treated"]), controls).tolist() == ["control", "treated"]


def test_runs_on_different_data_are_not_compared(written):
    written.transfer("0000000001", data="plankton")
    written.transfer("0000000002", data="yeast")
    assert "groups of runs" not in report([str(written.root)], LIMIT)


def test_unfinished_and_unreadable_runs_are_listed_and_the_rest_is_shown(written):
    written.transfer("0000000001")
    written.transfer("0000000002", finished=False)
    broken = written.transfer("0000000003")
    (broken.folder / "result.json").write_text("{")
    (written.transfer("0000000004").folder / "tables" / "confusion.csv").write_bytes(b"\xff\xfe\x00")
    (written.root / "transfer" / "a-to-plankton-0000000001" / "figures" / "codes.png").write_bytes(b"no image")
    page = report([str(written.root)], LIMIT)
    text = text_of(page)
    assert "4 runs: 2 finished, 1 unfinished, 1 unreadable." in text
    assert "This run is not finished" in text
    assert "This run cannot be read" in text
    assert "codes.png" in text  # left out, as the page says


def test_a_study_begins_with_its_question_and_numbers_and_folds_tests_and_jobs(written):
    runs = [written.transfer(f"000000000{seed}", seed) for seed in range(2)]
    page = report([str(written.study(runs))], LIMIT)
    text = text_of(page.split("</style>")[1])
    assert "<h1>Which term does it need?</h1>" in page
    assert text.count("Which term does it need?") == 1  # not below each table
    assert "Study ablation-smoke. 2 runs, all finished." in text
    parts = [
        'class="cards"',
        'alt="Images of every class',
        "<caption>Table</caption>",
        "Statistical tests: Table (2",
        "Jobs (3",
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert page.count('<details class="folded"><summary>Jobs') == 1
    assert '<strong class="best">25.0' in page
    assert "Means of 2." in text
    assert "rls-pulse" in text
    assert 'alt="Figure of the study: Table."' in page
    assert "no memory" in page


@pytest.mark.parametrize("megabytes", [1.0, 1.4, 8.0])
def test_the_page_stays_below_its_size_and_says_what_is_left_out(megabytes, written):
    for number in range(6):
        run = written.transfer(f"000000000{number}", number)
        written.figure(run, "codes", side=700)
    limit = int(megabytes * 1e6)
    page = report([str(written.root)], limit)
    assert len(page.encode()) <= limit
    shown, left_out = page.count("<img"), page.count("Left out, so that the page stays small")
    assert shown == 12 if megabytes == 8.0 else shown < 12
    assert left_out == 0 if megabytes == 8.0 else left_out > 0


def test_a_page_of_more_runs_than_fit_names_them_all(written):
    for number in range(40):
        written.transfer(f"00000000{number:02}", number)
    limit = 1_000_000
    page = report([str(written.root)], limit)
    assert len(page.encode()) <= limit
    assert page.count('<details class="run"') == 40
    assert "too large with the details of this run" in page
    with pytest.raises(UserError, match=r"megabytes=0.53: the tables of 40 runs alone take .* Set megabytes=1"):
        report([str(written.root)], 530_000)


def test_settings_are_told_in_few_words():
    rows = [(("model.name", "a"), ("model.beta", "1")), (("model.name", "a"), ("model.beta", "4"))]
    assert list(telling(rows).values()) == ["model=a, beta=1", "model=a, beta=4"]
