"""The page in a real browser: its controls are used as a reader uses them, by mouse and by keyboard."""

import importlib.util
import shutil
from itertools import pairwise

import pandas as pd
import pytest

from micrographia.tasks.reporting import report

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
if importlib.util.find_spec("playwright") is None:
    pytest.skip("playwright is not installed: pip install 'micrographia[dev]'", allow_module_level=True)
if BROWSER is None:
    pytest.skip("no browser is found: apt-get install chromium, or Chrome", allow_module_level=True)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # As root, Chromium starts without its sandbox only; the pages are our own.
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, written, tmp_path):
    """Open the page of what was written; the browser's errors and requests fail the test."""
    contexts = []

    def show(width=1280, scheme="light", place="", of=written.root):
        file = tmp_path / "page.html"
        file.write_text(report([str(of)], 20_000_000))
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
        page = context.new_page()
        contexts.append((context, troubles := []))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: request.url.startswith("http") and troubles.append(request.url))
        page.goto(f"{file.as_uri()}{place}")
        return page

    yield show
    for context, troubles in contexts:
        context.close()
        assert troubles == []


@pytest.fixture
def several(written):
    for number, accuracy in enumerate((0.5, 0.9, 0.7)):
        written.transfer(f"000000000{number}", seed=number, accuracy=accuracy)
    written.superresolve()
    written.transfer("0000000009", finished=False)


def table_of_runs(page):
    return page.locator(".table", has=page.locator("caption", has_text="All runs"))


def visible_rows(page):
    rows = table_of_runs(page).locator("tbody tr:visible").all_inner_texts()
    return [[cell.partition("\n(best)")[0] for cell in row.split("\t")] for row in rows]


def test_the_table_of_runs_is_filtered_by_words_and_by_choice(several, opened):
    page = opened()
    table = table_of_runs(page)
    assert len(visible_rows(page)) == 5
    table.get_by_label("find").fill("plankton 0000000001")
    assert len(visible_rows(page)) == 1
    assert table.locator("output").inner_text() == "1 of 5 rows"
    table.get_by_label("find").fill("")
    table.get_by_label("task").select_option("superresolve")
    assert [row[1] for row in visible_rows(page)] == ["superresolve"]
    table.get_by_label("task").select_option("")
    table.get_by_label("status").select_option("unfinished")
    assert len(visible_rows(page)) == 1
    table.get_by_label("find").fill("nothing like it")
    assert table.locator("output").inner_text() == "no row fits"


def test_the_table_of_runs_is_sorted_by_mouse_and_by_keyboard(several, opened):
    page = opened()
    table = table_of_runs(page)
    head = table.get_by_role("columnheader", name="best accuracy, fine-tuned")
    place = head.evaluate("head => head.cellIndex")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [row[place] for row in visible_rows(page)][:3] == ["90.0 %", "70.0 %", "50.0 %"]
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [row[place] for row in visible_rows(page)][:3] == ["50.0 %", "70.0 %", "90.0 %"]
    assert [row[place] for row in visible_rows(page)][3:] == ["", ""]  # what has no number stands last, both ways


def test_one_run_is_open_at_a_time_and_a_link_opens_its_run(several, opened):
    page = opened()
    assert page.locator(".run[open]").count() == 0
    table_of_runs(page).get_by_role("link", name="a-to-plankton-0000000001").click()
    page.wait_for_function("document.querySelectorAll('.run[open]').length === 1")
    assert page.locator(".run[open]").get_attribute("id") == "run-a-to-plankton-0000000001"
    page.locator(".run > summary").nth(0).press("Enter")
    page.wait_for_function("document.querySelectorAll('.run[open]').length === 1")
    assert page.locator(".run[open]").get_attribute("id") == page.locator(".run").nth(0).get_attribute("id")
    linked = opened(place="#run-g-on-translocation-1111111111")
    assert linked.locator(".run[open]").get_attribute("id") == "run-g-on-translocation-1111111111"


def test_a_traversal_moves_by_the_arrow_keys_and_says_where_it_stands(written, opened):
    written.transfer()
    page = opened()
    strip = page.locator(".strip", has_text="Scale").first
    slider, layer = strip.get_by_role("slider"), strip.locator(".layer")
    before = layer.evaluate("layer => layer.style.backgroundPosition")
    slider.focus()
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "d"
    assert strip.locator("output").inner_text() == "share: d"
    assert layer.evaluate("layer => layer.style.backgroundPosition") != before


def test_images_of_traversals_stand_in_line_whatever_their_latents_are_called(written, opened):
    written.transfer()
    page = opened()
    strips = page.locator(".strips").first
    strips.locator("figcaption").first.evaluate("it => { it.textContent = 'A name that takes several lines' }")
    tops = strips.locator(".image").evaluate_all("images => images.map((it) => it.getBoundingClientRect().top)")
    assert len(tops) == 3
    assert max(tops) - min(tops) < 1


def test_the_divider_parts_two_chosen_stages(written, opened):
    written.superresolve()
    page = opened()
    images = page.locator(".comparison .image")
    assert images.first.get_attribute("aria-label") == "image 3: low resolution at the left, RLS at the right"
    right = page.locator(".comparison .right").first
    clip = right.evaluate("layer => getComputedStyle(layer).clipPath")
    divider = page.get_by_role("slider", name="divider between them")
    divider.focus()
    divider.press("Home")
    assert right.evaluate("layer => getComputedStyle(layer).clipPath") != clip
    assert divider.get_attribute("aria-valuetext") == "0 % low resolution, 100 % RLS"
    page.locator(".comparison").get_by_role("combobox", name="right").select_option(label="high resolution")
    assert (
        images.last.get_attribute("aria-label") == "image 5: low resolution at the left, high resolution at the right"
    )


def test_charts_are_drawn_change_their_view_and_tell_their_numbers(written, opened):
    written.transfer()
    page = opened()
    chart = page.locator(".chart", has=page.locator("figcaption", has_text="Confusion"))
    chart.scroll_into_view_if_needed()
    chart.locator("svg").first.wait_for()
    described = chart.locator(".plot").get_attribute("aria-label")
    assert "boosted trees, codes after fine-tuning" in described
    chart.locator("select").select_option(label="perceptron, codes of the source model")
    assert "perceptron, codes of the source model" in chart.locator(".plot").get_attribute("aria-label")
    chart.get_by_text("The numbers as a table").click()
    chart.locator(".numbers tbody tr").first.wait_for()
    rows = chart.locator(".numbers tbody tr").all_inner_texts()
    assert rows[0].split("\t") == ["copepod", "4", "1", "0"]
    for number in range(page.locator(".chart").count()):
        page.locator(".chart").nth(number).scroll_into_view_if_needed()
        page.locator(".chart").nth(number).locator("svg").first.wait_for()


@pytest.mark.parametrize(("scheme", "other"), [("light", "dark"), ("dark", "light")])
def test_the_theme_follows_the_system_until_it_is_toggled_and_is_kept(scheme, other, written, opened):
    written.transfer()
    page = opened(scheme=scheme)

    def brightness():
        return page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")

    light = {"light": brightness() > 200, "dark": brightness() < 60}
    assert light[scheme]
    toggle = page.get_by_role("button", name="dark")
    assert toggle.get_attribute("aria-pressed") == str(scheme == "dark").lower()
    toggle.press("Enter")
    assert (brightness() > 200) == (other == "light")
    page.reload()
    assert (brightness() > 200) == (other == "light")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_reaches_beyond_the_page_at_any_width(width, several, opened):
    page = opened(width, place="#run-a-to-plankton-0000000001")
    page.locator(".run[open] .chart svg").first.wait_for()
    for number in range(page.locator(".run[open] .chart").count()):
        page.locator(".run[open] .chart").nth(number).scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name_and_every_image_a_description(several, opened):
    page = opened(place="#run-a-to-plankton-0000000001")
    page.locator(".run[open] .chart svg").first.wait_for()
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, select, input, [role=img], [role=region], img, nav, summary")]
        .filter((it) => !(it.getAttribute("aria-label") || it.alt || it.labels?.length || it.textContent.trim()))
        .map((it) => it.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    doubled = page.evaluate(
        "[...document.querySelectorAll('[id]')].map(({ id }) => id).filter((id, n, all) => all.indexOf(id) !== n)"
    )
    assert doubled == []
    headings = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((it) => Number(it.tagName[1]))")
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))


def test_the_first_tab_skips_to_the_content_and_a_figure_opens_and_closes_by_keyboard(written, opened):
    written.transfer()
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    figure = page.get_by_role("button", name="Enlarge: Images of every class")
    figure.focus()
    figure.press("Enter")
    assert page.locator("dialog[open] img").get_attribute("alt") == "Images of every class, as the model sees them."
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


# The worst contrast of the numbers of a matrix with their cells, computed anew by WCAG's formula.
WORST_CONTRAST = """(svg) => {
  const rgb = (text) => d3.rgb(text), mixed = (a, b, share) => a + share * (b - a);
  const light = ({ r, g, b }) => [r, g, b].map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const paper = rgb(getComputedStyle(document.body).backgroundColor);
  const rects = [...svg.querySelectorAll("[aria-label=cell] rect")];
  const texts = [...svg.querySelectorAll("[aria-label=text] text")];
  return Math.min(...texts.map((text, place) => {
    const fill = rgb(getComputedStyle(rects[place]).fill), share = Number(rects[place].getAttribute("fill-opacity"));
    const [r, g, b] = ["r", "g", "b"].map((part) => mixed(paper[part], fill[part], share));
    const [low, high] = [light({ r, g, b }), light(rgb(getComputedStyle(text).fill))].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }));
}"""


def test_matrices_name_their_axes_and_their_numbers_can_be_read_in_both_themes(written, opened):
    written.transfer()
    page = opened()
    for title, axes in (
        ("Confusion", ("true class", "predicted class")),
        ("Latents and hand-made features", ("latent", "feature")),
    ):
        chart = page.locator(".chart", has=page.locator("figcaption", has_text=title))
        chart.scroll_into_view_if_needed()
        chart.locator("svg").first.wait_for()
        labels = chart.locator("svg [aria-label$='axis label']").all_text_contents()
        assert sorted(labels) == sorted(axes)
        assert chart.locator("svg [aria-label=cell] rect").count() > 3
        assert chart.locator("svg").first.evaluate(WORST_CONTRAST) >= 4.5
        page.get_by_role("button", name="dark").click()  # the numbers are chosen anew
        assert chart.locator("svg").first.evaluate(WORST_CONTRAST) >= 4.5


def test_curves_keep_the_title_of_their_axis_in_the_panel_and_off_its_ticks(written, opened):
    written.transfer()
    page = opened()
    chart = page.locator(".chart", has=page.locator("figcaption", has_text="Learning curves"))
    chart.scroll_into_view_if_needed()
    panel = chart.locator(".panels svg").first
    panel.wait_for()
    title = panel.get_by_text("images seen", exact=True).bounding_box()
    ticks = [tick.bounding_box() for tick in panel.locator("[aria-label='x-axis tick label'] text").all()]
    frame = panel.bounding_box()
    assert ticks
    assert all(tick["y"] + tick["height"] <= title["y"] + 1 for tick in ticks)
    assert frame["x"] <= title["x"]
    assert title["x"] + title["width"] <= frame["x"] + frame["width"]


def test_on_a_phone_the_contents_follow_targets_are_large_and_warnings_stay(written, opened):
    written.superresolve()
    table = pd.read_csv(
        file := next(written.root.glob("superresolve/*/tables/measurements.csv")), keep_default_na=False
    )
    long = table["method"].mask(table["method"] == "rls", "without any regularization")
    table.assign(method=long, flag=table["flag"].mask(long != "hr", "untypical")).to_csv(file, index=False)
    page = opened(360)
    page.evaluate("window.scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' })")
    page.wait_for_function(
        """() => {
          const bar = document.querySelector("nav").getBoundingClientRect();
          const link = document.querySelector("nav a[aria-current]").getBoundingClientRect();
          return document.querySelector("nav").scrollLeft > 0 && link.left >= bar.left && link.right <= bar.right + 1;
        }"""
    )
    small = page.evaluate(
        """[...document.querySelectorAll("thead button, input[type=range], button, select")]
        .filter((it) => it.offsetParent && it.getBoundingClientRect().height < 24)
        .map((it) => it.outerHTML.slice(0, 80))"""
    )
    assert small == []
    chart = page.locator(".chart", has=page.locator("figcaption", has_text="Measurements"))
    chart.scroll_into_view_if_needed()
    chart.locator("svg").first.wait_for()
    assert any(text.endswith("… (flagged)") for text in chart.locator("svg text").all_text_contents())


def test_a_study_shows_numbers_and_an_image_on_its_first_screen(written, opened):
    written.study([written.transfer(f"000000000{seed}", seed) for seed in range(2)])
    page = opened(1400, of=written.root / "studies" / "ablation-smoke")
    assert page.get_by_role("heading", level=1).inner_text() == "Which term does it need?"
    for part in (".cards .value", ".gallery img"):
        assert page.locator(part).first.bounding_box()["y"] < 800
    jobs = page.locator("details.folded", has=page.locator("summary", has_text="Jobs"))
    assert not jobs.get_by_role("table").is_visible()
    jobs.locator("summary").press("Enter")
    assert jobs.get_by_role("table").is_visible()


def test_how_long_runs_took_is_seen_beside_many_metrics(several, opened):
    page = opened(1400)
    box = table_of_runs(page).locator(".scroll").bounding_box()
    took = table_of_runs(page).get_by_role("columnheader", name="took").bounding_box()
    assert took["x"] + took["width"] <= box["x"] + box["width"]
