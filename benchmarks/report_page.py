"""How large a report page of 50 runs is, and how long a browser takes to open it.

``python benchmarks/report_page.py [PATH]``: the runs below PATH are copied until there are 50, each with a seed and
metrics of its own; without PATH a transfer and a super-resolution of small budgets are made first. The opening is
measured in headless Chromium, where it is installed, until the page has been laid out and answers.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import yaml

RUNS = 50
TRIALS = 5
LIMIT_MEGABYTES, LIMIT_SECONDS = 20, 2
SMALL = {
    "transfer": ("experiment=drl/demo", "data.count=400", "finetune.epochs=1", "interpretation.images=60"),
    "superresolve": ("experiment=rls/demo", "images=2", "~methods.no_regularization", "methods.rls.schedule.steps=20"),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        given = Path(sys.argv[1]) if len(sys.argv) > 1 else made(place / "made")
        copied(given, place / "runs")
        page = place / "page.html"
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "micrographia", "report", str(place / "runs"), f"output={page}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        print(f"made in {time.perf_counter() - started:.1f} s")
        megabytes = page.stat().st_size / 1e6
        print(f"{RUNS} runs: {megabytes:.1f} MB (below {LIMIT_MEGABYTES} asked for)")
        seconds = opening(page)
        print(
            f"opens in {statistics.median(seconds):.2f} s, median of {TRIALS} (below {LIMIT_SECONDS} asked for): "
            f"{', '.join(f'{second:.2f}' for second in seconds)}"
        )


def made(folder: Path) -> Path:
    """Make one small run of each task."""
    folder.mkdir()
    for verb, overrides in SMALL.items():
        line = [sys.executable, "-m", "micrographia", verb, *overrides, "how.progress=false"]
        subprocess.run(line, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "runs"


def copied(given: Path, target: Path) -> None:
    """Copy finished runs in turn until there are enough, each with other numbers."""
    generator = np.random.default_rng(0)
    sources = sorted(file.parent for file in given.rglob("result.json"))
    for number, source in enumerate(islice(cycle(sources), RUNS)):
        name = source.name.rpartition("-")[0]
        copy = target / source.parent.name / f"{name}-{number:010x}"
        kept = ("figures", "tables", "config.yaml", "curves.csv", "data.json", "environment.json", "result.json")
        copy.mkdir(parents=True)
        for part in (source / entry for entry in kept):
            if part.is_dir():
                shutil.copytree(part, copy / part.name)
            elif part.exists():
                shutil.copy(part, copy)
        config = yaml.safe_load((copy / "config.yaml").read_text())
        (copy / "config.yaml").write_text(yaml.safe_dump({**config, "seed": number}, sort_keys=False))
        result = json.loads((copy / "result.json").read_text())
        result["metrics"] = {key: value * generator.normal(1, 0.02) for key, value in result["metrics"].items()}
        (copy / "result.json").write_text(json.dumps(result))


def opening(page: Path) -> list[float]:
    """Seconds from the request to a page that is laid out and answers, each in a browser that has seen nothing yet."""
    from playwright.sync_api import sync_playwright

    browser_file = next(found for name in ("chromium", "google-chrome") if (found := shutil.which(name)))
    seconds = []
    with sync_playwright() as driver:
        for _ in range(TRIALS):
            browser = driver.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            started = time.perf_counter()
            tab.goto(page.absolute().as_uri(), wait_until="load")
            tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            seconds.append(time.perf_counter() - started)
            browser.close()
    return seconds


if __name__ == "__main__":
    main()
