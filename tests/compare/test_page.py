"""The report page as a reader sees it: in a browser, with the network cut off."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from compare.page_sample import empty_report, report_of_two_baselines, running_report, sample_report

from cifar.compare.page import text

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run"]  # fmt: skip
LAPTOP, PHONE = 1280, 390
HOSTILE = "<img src=x onerror=\"document.title='broken in'\">&amp;'\"</script><!--<script>"

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium, chromium-browser or google-chrome on PATH")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """`show(report, width=…)`: the page. Fails if any page reports an error or asks for anything but itself."""
    contexts, complaints = [], []

    def opened(report: dict[str, Any], width: int = LAPTOP, **options: Any) -> Any:
        path = tmp_path / "report.html"
        path.write_text(text(report), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(3000)
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return sample_report()


def fits(page: Any) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def numbers(page: Any, selector: str) -> list[float]:
    return [float(text.replace("\N{MINUS SIGN}", "-")) for text in page.locator(selector).all_text_contents()]


def axis_range(page: Any, axis: str) -> tuple[float, float]:
    ticks = numbers(page, f"#curves .axis-{axis} text:not(.axis-title)")
    return min(ticks), max(ticks)


def names(page: Any, table: str) -> list[str]:
    return page.locator(f"{table} tbody th[scope=row]").all_text_contents()


def head(page: Any, section: str, title: str) -> Any:
    return page.locator(f"{section} thead th").filter(has=page.get_by_role("button", name=title, exact=True)).first


def chart(page: Any) -> dict[str, float]:
    svg = page.locator("#curves svg.chart")
    svg.scroll_into_view_if_needed()
    return svg.bounding_box()


def drag(page: Any, box: dict[str, float], start: tuple[float, float], end: tuple[float, float]) -> None:
    """From and to: shares of the chart's width and height."""
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=3)
    page.mouse.up()


# ------------------------------------------------------------------------------------------------ the file
def test_the_page_is_whole_small_and_leans_on_nothing(report):
    page = text(report)
    assert page.rstrip().endswith("</html>")
    assert "{{" not in page, "a part was not filled in"
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", page), "the page leans on another file"
    assert len(page.encode()) < 200_000, "42 runs of 10 epochs"


def test_what_is_not_a_number_is_missing_and_text_cannot_end_the_script(report):
    page = text(report | {"title": HOSTILE, "created": float("nan"), "methods": [float("inf"), 1 / 3]})
    data = re.search(r'<script type="application/json" id="report">(.*?)</script>', page, re.DOTALL)[1]
    assert "<" not in data
    read = json.loads(data, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert (read["title"], read["created"], read["methods"]) == (HOSTILE, None, [None, 0.333333])


# ------------------------------------------------------------------------------------------------ all of it
@pytest.mark.parametrize(("width", "scheme"), [(LAPTOP, "light"), (PHONE, "dark")])
def test_every_section_is_filled_and_nothing_overflows(show, report, width, scheme):
    page = show(report, width, color_scheme=scheme)
    assert fits(page)
    assert page.title() == "model, aug \N{EN DASH} comparison"
    assert "Best: resnet18, trivialaug with 93.05 % test/acc" in page.locator("#summary").text_content()
    assert page.locator("#warnings li").first.is_visible()
    assert not page.locator(".left-out li").is_visible(), "what was left out is folded away"
    assert len(names(page, "#results")) == 14
    assert page.locator("#curves g.line").count() == 14
    assert page.locator("#time path.run").count() == 41, "all but the run in progress"
    assert page.locator("#time path.mean").count() == 14
    assert page.locator("svg.matrix .cells rect").count() == 100
    assert len(names(page, "#classes")) == 10
    assert "aug.mixup.alpha" in names(page, "#configs")
    assert report["methods"] in page.locator("#methods").text_content()
    looks = [page.locator(f"#curves .legend li >> nth={i} >> path").first for i in range(14)]
    assert len({(path.get_attribute("stroke"), path.get_attribute("stroke-dasharray")) for path in looks}) == 14


@pytest.mark.parametrize(
    ("made", "summary"),
    [
        (empty_report, "No run has a result yet."),
        (running_report, "No run has a result yet."),
        (lambda: sample_report(1), "cnn, none reaches 77.42 % test/acc, the mean of 2 seeds"),
        (
            lambda: sample_report(2, seeds=1, epochs=1),
            "from a single seed; the baseline, cnn, basic, has no result yet.",
        ),
        (lambda: sample_report(40, seeds=2), "The other 38 groups against the baseline: 15 better, 13 worse"),
        (report_of_two_baselines, "against its baseline, resnet18, none"),
    ],
)
def test_unusual_reports(show, made, summary):
    made = made()
    page = show(made, PHONE)
    assert fits(page)
    assert summary in page.locator("#summary").text_content()
    page.get_by_text(f"All {len(made['runs'])} run").click() if made["runs"] else None
    shown = page.locator("main").inner_text()
    assert not re.search(r"\b(NaN|undefined|null|Infinity|object)\b", shown)
    drawn = page.evaluate("[...document.querySelectorAll('main svg')].map(svg => svg.outerHTML)")
    assert not [svg for svg in drawn if re.search("NaN|undefined|Infinity", svg)]


def test_a_metric_that_is_no_fraction_and_better_when_low(show, report):
    losses = [{**group, "mean": 1 - group["mean"], "ci": None} for group in report["groups"]]
    plain = {"metric": "test/loss", "unit": "plain", "higher_is_better": False, "groups": losses, "mcnemar": None}
    page = show(report | plain)
    assert "with 0.0695 test/loss" in page.locator("#summary").text_content()
    assert "%" not in page.locator("#results").inner_text().replace("95 %", "")
    assert names(page, "#results")[0] == "resnet18, trivialaug", "the lowest comes first"


def test_text_from_configs_is_text(show):
    report = sample_report(3)
    report["title"] = report["methods"] = HOSTILE
    report["warnings"], report["left_out"] = [HOSTILE], [{"path": HOSTILE, "reason": HOSTILE}]
    report["mcnemar"] |= {"a": HOSTILE, "b": HOSTILE}
    for group in report["groups"]:
        group |= {"label": HOSTILE, "class_names": [HOSTILE] * 10, "config": {HOSTILE: HOSTILE, "index": group["runs"]}}
        group["choices"] = dict.fromkeys(group["choices"], HOSTILE)
    for run in report["runs"]:
        run |= {"name": HOSTILE, "path": HOSTILE, "state": HOSTILE}
    page = show(report)
    box = chart(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    assert HOSTILE in page.locator("#tooltip").text_content()
    assert page.locator("h1").text_content() == HOSTILE
    assert names(page, "#results") == [HOSTILE] * 3
    assert page.title().startswith(HOSTILE)
    assert page.locator("img").count() == 0


def test_a_difference_that_is_not_of_all_runs_says_of_which(show):
    report = sample_report(4) | {"pooled": ["optimizer.lr"]}
    none, _, randaug, trivial = report["groups"]
    none |= {"uneven": True, "sd": None, "ci": None}
    none["difference"] |= {"means": [0.641, 0.62], "mean": 0.021, "used": 3, "baseline_used": 3, "left_out": 7}
    randaug["difference"] |= {"own": ["optimizer.lr"], "differing": ["model", "epochs"]}
    nothing = {"mean": None, "means": None, "ci": None, "p": None, "paired": False, "pairs": 0, "seeds_needed": None}
    trivial["difference"] |= nothing | {"used": 0, "baseline_used": 0, "verdict": "nothing alike to compare"}
    page = show(report)
    rows = {names(page, "#results")[i]: page.locator("#results tbody tr").nth(i).inner_text() for i in range(4)}
    assert "in 6 of 13 runs" in rows["cnn, none"]
    assert "64.10 against 62.00" in rows["cnn, none"]
    assert "uneven mixture" in rows["cnn, none"]
    assert "each over its own optimizer.lr" in rows["cnn, randaug"]
    assert "which also differ in model, epochs" in rows["cnn, randaug"]
    assert "nothing alike to compare" in rows["cnn, trivialaug"]
    assert "NaN" not in page.locator("#results").inner_html()
    assert page.locator("#summary").text_content().startswith("Best mean: ")


# ------------------------------------------------------------------------------------------------ table
def test_sorting_by_click_and_by_key(show, report):
    page = show(report)
    mean = head(page, "#results", "test/acc")
    assert mean.get_attribute("aria-sort") == "descending"
    reached = {group["label"]: group["mean"] for group in report["groups"]}
    best_first = sorted(reached, key=reached.get, reverse=True)
    assert names(page, "#results") == best_first
    mean.get_by_role("button").click()
    assert mean.get_attribute("aria-sort") == "ascending"
    assert names(page, "#results") == best_first[::-1]
    policy = head(page, "#results", "aug")
    policy.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert (policy.get_attribute("aria-sort"), mean.get_attribute("aria-sort")) == ("ascending", "none")
    assert [name.split(", ")[1] for name in names(page, "#results")] == sorted(n.split(", ")[1] for n in best_first)


def test_a_group_without_a_value_comes_last_either_way(show):
    page = show(sample_report(4, seeds=1))
    p = head(page, "#results", "time").get_by_role("button")
    for _ in range(2):
        p.click()
        assert names(page, "#results")[-1] == "cnn, trivialaug"
    assert "no result yet" in page.locator("#results tbody tr").last.inner_text()


def test_the_name_stays_in_sight_when_the_table_is_scrolled_on_a_phone(show, report):
    page = show(report, PHONE)
    box, name = page.locator("#results .scroll").first, page.locator("#results tbody th").first
    left = name.bounding_box()["x"]
    last = page.locator("#results tbody tr").first.locator("td").last
    assert last.bounding_box()["x"] > PHONE
    box.evaluate("node => node.scrollLeft = 10_000")
    assert name.bounding_box()["x"] == pytest.approx(left, abs=1)
    assert last.bounding_box()["x"] < PHONE
    assert name.inner_text() == "resnet18, trivialaug"


# ------------------------------------------------------------------------------------------------ curves
def test_the_legend_hides_and_isolates(show, report):
    page = show(report)
    line = page.locator("#curves g.line[data-group='3']")
    toggle = page.locator("#curves .legend").get_by_role("button", name="cnn, trivialaug", exact=True)
    toggle.click()
    assert (line.count(), page.locator("#curves g.line").count()) == (0, 13)
    assert page.locator("#time path.mean").count() == 13, "the other chart shows the same groups"
    assert toggle.get_attribute("aria-pressed") == "false"
    toggle.dblclick()
    assert (line.count(), page.locator("#curves g.line").count()) == (1, 1)
    page.locator("#curves").get_by_label("single runs").check()
    assert page.locator("#curves g.line").count() == 3
    page.locator("#curves").get_by_role("button", name="None", exact=True).click()
    assert page.locator("#curves g.line").count() == 0
    page.locator("#time").get_by_role("button", name="All", exact=True).click()
    assert page.locator("#curves g.line").count() == 42


def test_zooming_by_box_wheel_and_buttons(show, report):
    page = show(report)
    whole = axis_range(page, "x"), axis_range(page, "y")
    box = chart(page)
    drag(page, box, (0.4, 0.1), (0.6, 0.4))
    (left, right), (low, high) = axis_range(page, "x"), axis_range(page, "y")
    assert whole[0][0] < left < right < whole[0][1]
    assert whole[1][0] < low < high < whole[1][1] + 5
    page.mouse.wheel(0, 2000)
    page.mouse.wheel(0, 2000)
    page.get_by_role("button", name="Reset").click()
    assert (axis_range(page, "x"), axis_range(page, "y")) == whole
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    assert axis_range(page, "x")[1] < whole[0][1]
    for _ in range(2):
        page.get_by_role("button", name="Zoom out").click()
    assert (axis_range(page, "x"), axis_range(page, "y")) == whole
    scrolled = page.evaluate("scrollY")
    drag(page, chart(page), (0.4, 0.5), (0.6, 0.5))
    assert axis_range(page, "x") != whole[0]
    assert axis_range(page, "y") == whole[1], "a flat box zooms along x only"
    narrow = page.locator("#curves .axis-x text").all_text_contents()
    page.mouse.wheel(0, 60)
    page.wait_for_function("old => document.querySelector('#curves .axis-x').textContent !== old", arg="".join(narrow))
    assert page.evaluate("scrollY") == scrolled, "the wheel zooms the chart that was clicked, not the page"


def test_the_readout_tells_the_value_of_every_line(show, report):
    page = show(report)
    box = chart(page)
    tip = page.locator("#tooltip")
    epochs = numbers(page, "#curves .axis-x text:not(.axis-title)")
    tick = page.locator("#curves .axis-x line").nth(epochs.index(4)).bounding_box()
    page.mouse.move(tick["x"] + 3, box["y"] + 100)
    assert tip.locator("strong").text_content() == "epoch 4"
    told = {row.split("\t")[1]: float(row.split("\t")[2]) for row in tip.locator("table").inner_text().splitlines()}
    for group in report["groups"]:
        values = [report["runs"][run]["metrics"]["val/acc"][3] for run in group["runs"]]
        assert told[group["label"]] == pytest.approx(100 * sum(values) / len(values), abs=0.006)
    page.mouse.move(5, 5)
    assert not tip.is_visible()
    page.locator("#curves svg.chart").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert tip.locator("strong").text_content() == "epoch 6", "on from where the pointer was"
    assert page.locator("#announcer").text_content().startswith("epoch 6: resnet18")
    page.keyboard.press("Escape")
    assert not tip.is_visible()


def test_time_adds_up_and_unfinished_runs_count_as_far_as_they_are(show, report):
    page = show(report)
    over = page.locator("#curves").get_by_role("combobox", name="over")
    over.select_option(label="training time")
    longest = max(sum(run["metrics"]["seconds"]) for run in report["runs"]) / 60
    assert axis_range(page, "x") == (0, int(longest))
    over.select_option(label="epochs")
    page.locator("#curves").get_by_role("combobox", name="Show").select_option("train/loss")
    page.locator("#curves .legend").get_by_role("button", name="only resnet18, cutmix").click()
    page.locator("#curves svg.chart").focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.locator("#tooltip strong").text_content() == "epoch 10"
    assert "2 of 3 runs" in page.locator("#tooltip").inner_text()


def test_touch(show, report):
    page = show(report, PHONE, has_touch=True, is_mobile=True)
    box = chart(page)
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 100)
    assert page.locator("#tooltip strong").text_content().startswith("epoch ")
    whole = axis_range(page, "x")
    fingers = page.context.new_cdp_session(page)
    middle, y = box["x"] + box["width"] / 2, box["y"] + 100
    for kind, spread in (("touchStart", 20), ("touchMove", 50), ("touchMove", 90), ("touchEnd", None)):
        points = [] if spread is None else [{"x": middle + side * spread, "y": y, "id": side} for side in (-1, 1)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    left, right = axis_range(page, "x")
    assert whole[0] < left < right < whole[1]
    assert right - left < (whole[1] - whole[0]) / 2, "the whole movement counts, though the chart is drawn anew"


# ------------------------------------------------------------------------------------------------ matrices, classes
def test_confusions_and_their_difference(show, report):
    page = show(report)
    cells = page.locator("svg.matrix .cells text")
    best, worst = report["groups"][10], report["groups"][0]
    assert cells.first.text_content() == f"{best['confusion'][0][0] / 30:.1f}"
    page.get_by_label("minus").select_option(label="cnn, none")
    change = (best["confusion"][0][0] - worst["confusion"][0][0]) / 30
    assert cells.first.text_content() == f"+{change:.1f}"
    assert page.locator("svg.matrix rect.warm").count() > 50, "rarer errors have the other colour"
    page.locator("svg.matrix").focus()
    for key in ("ArrowRight", "ArrowRight"):  # to the first cell, and on
        page.keyboard.press(key)
    tip = page.locator("#tooltip").inner_text()
    assert "true airplane, predicted automobile" in tip
    assert f"{best['label']}: {best['confusion'][0][1]} of 3,000" in tip
    assert f"{worst['label']}: {worst['confusion'][0][1]} of 3,000" in tip


def test_a_hundred_classes(show):
    report = sample_report(2, classes=100)
    page = show(report, PHONE)
    assert fits(page)
    assert page.locator("svg.matrix .cells rect").count() == 10_000
    assert page.locator("svg.matrix .cells text").count() == 0
    matrix = page.locator("svg.matrix")
    matrix.scroll_into_view_if_needed()
    outline = page.locator("svg.matrix .outline").bounding_box()
    size = outline["width"] / 100
    page.mouse.move(outline["x"] + 5.5 * size, outline["y"] + 3.5 * size)
    assert "true class 03, predicted class 05" in page.locator("#tooltip").inner_text()
    assert len(names(page, "#classes")) == 100


def test_classes_against_the_baseline(show, report):
    page = show(report)
    page.locator("#classes .chooser").get_by_label("cnn, none").check()
    column = head(page, "#classes", "cnn, none")
    column.get_by_role("button").click()
    assert column.get_attribute("aria-sort") == "descending"
    own, base = report["groups"][0]["per_class"], report["groups"][1]["per_class"]
    changes = {name: 100 * (a - b) for name, a, b in zip(report["groups"][0]["class_names"], own, base, strict=True)}
    assert names(page, "#classes") == sorted(changes, key=changes.get, reverse=True)
    place = page.locator("#classes thead th").all_inner_texts().index("cnn, none") + 1
    shown = numbers(page, f"#classes tbody tr > :nth-child({place})")
    assert shown == pytest.approx(sorted(changes.values(), reverse=True), abs=0.006)
    page.locator("#classes select").select_option(label="accuracies")
    assert column.get_attribute("aria-sort") == "descending", "the order is kept"
    assert "%" in page.locator("#classes thead").inner_text()


def test_the_theme_is_remembered(show, report):
    page = show(report, color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(background) != light
    page.reload()
    assert page.evaluate(background) != light
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(background) == light


def test_evaluations_are_shown_a_set_at_a_time(show, report):
    groups = [{"seeds": 3, "mean": 0.01 * (i + 1), "sd": 0.001, "ci": None, "difference": None} for i in range(14)]
    figures = [
        {"metric": name, "unit": unit, "higher_is_better": False, "groups": groups}
        for name, unit in (("test/ece", "fraction"), ("test/brier", "plain"), ("corruptions/acc", "fraction"))
    ]
    page = show(report | {"evaluations": figures})
    assert sorted(names(page, "#evaluations")) == ["brier"] * 14 + ["ece, %"] * 14
    page.locator("#evaluations select").select_option("corruptions")
    assert names(page, "#evaluations") == ["acc, %"] * 14
    assert "14.00 ± 0.10" in page.locator("#evaluations tbody").text_content()
    assert fits(page)
