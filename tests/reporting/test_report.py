"""Reports as files, and in headless Chromium."""

import json
import os
import shlex
import shutil

import commands
import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import tfdfm
from tfdfm import cli, recipes, report, train
from tfdfm.errors import UsageError
from tfdfm.reporting import gather, page
from tfdfm.runs.starts import Warnings

ODD = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two of digits, one with markup in its name, a warning and a score."""
    folder = tmp_path_factory.mktemp("runs")
    for name, more in (("plain", {"terms": "nonsaturating"}), (ODD, {"conditional": True})):
        flags = commands.flags(steps=6, jit="off", log_every=1, sample_every=2, **more)
        train.main(cli.parse(["", *flags, f"--run_dir={folder / name}"], train.define, ""))
    Warnings(folder / ODD, 6).say(4, "collapse", "the generator collapses </script>")
    (folder / ODD / "evaluation").mkdir()
    score = {"frechet_distance": {"value": 12.5, "samples": 100, "classifier": {"name": "dataset"}}}
    (folder / ODD / "evaluation" / "6.json").write_text(json.dumps(score))
    return folder / "plain", folder / ODD


@pytest.fixture(scope="module")
def opened(runs, browser, tmp_path_factory):
    """The report of both, in the browser."""
    out = tmp_path_factory.mktemp("report") / "report.html"
    report.main(cli.parse(["", f"--run_dir={runs[0]},{runs[1]}", f"--out={out}"], report.define, ""))
    browser.get_log("browser")
    browser.get(out.as_uri())
    return browser


def test_it_says_recipe_changes_baseline_machine_and_commands(runs):
    found = gather.of_run(runs[1])
    assert found["recipe"] == "digits_conditional" and found["baseline"] == "digits_conditional_gan"
    assert "generator.width: 64 -> 4" not in found["changes"] or found["settings"]["generator.width"] == "4"
    assert any(line.startswith("terms: ('nonsaturating',) -> ") for line in found["baseline_changes"])
    assert found["starts"][0]["step"] == 0 and found["starts"][0]["cores"] and found["starts"][0]["tensorflow"]
    assert found["warnings"] == [{"step": 4, "kind": "collapse", "text": "the generator collapses </script>"}]
    assert [picture["step"] for picture in found["samples"]] == [2, 4, 6] and found["scores"][0]["value"] == 12.5


@pytest.mark.parametrize("place", [0, 1])
def test_the_command_repeats_the_very_recipe(runs, place):
    first, *_ = gather.of_run(runs[place])["commands"]
    _, module, *flags = shlex.split(first)[1:]
    assert module == "tfdfm.train"
    given = dict(flag.removeprefix("--config.").partition("=")[::2] for flag in flags if flag.startswith("--config."))
    name = next(flag.removeprefix("--config=") for flag in flags if flag.startswith("--config="))
    again = recipes.check(recipes.override(recipes.recipe(name), given))
    again.image_size = 16
    kept = recipes.check(recipes.read(runs[place] / "config.json"))
    assert recipes.differences(kept, again) == []


@pytest.mark.parametrize(
    "given",
    [
        {"terms": "minimax,dfm", "dfm.sigma": "0.5", "optimizer.learning_rate": "0.001"},
        {"terms": "vae", "prior": "normal", "encoder.network": "Iliescu"},
        {"conditional": "True", "class_range": "(2, 5)", "generator.network": "Iliescu"},
    ],
)
def test_the_command_repeats_other_terms_and_networks(given, tmp_path):
    config = recipes.check(recipes.override(recipes.recipe("digits"), given))
    first, *_ = gather.commands(tmp_path, "digits", config)
    flags = [flag.removeprefix("--config.").partition("=")[::2] for flag in shlex.split(first) if "--config." in flag]
    again = recipes.check(recipes.override(recipes.recipe("digits"), dict(flags)))
    assert recipes.differences(config, again) == [] and len(flags) >= len(given)


def test_the_page_opens_offline_without_a_word(opened):
    assert opened.execute_script("return document.body.dataset.drawn") is not None
    assert opened.get_log("browser") == []
    asked = opened.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert [name for name in asked if not name.startswith("data:")] == []


def test_markup_stays_text(opened):
    assert opened.find_element(By.ID, "title").text == f"plain, {ODD}"
    assert "the generator collapses </script>" in opened.find_element(By.ID, "warnings").text
    assert opened.execute_script("return document.querySelectorAll('img[src=x]').length") == 0


def test_samples_change_by_the_keyboard(opened):
    slider = opened.find_element(By.ID, "samples-step")
    alts = "return [...document.querySelectorAll('.pictures img')].map((image) => image.alt)"
    assert opened.execute_script(alts) == ["Samples of plain at step 6", f"Samples of {ODD} at step 6"]
    slider.send_keys(Keys.ARROW_LEFT)
    assert opened.execute_script(alts)[0] == "Samples of plain at step 4"
    assert slider.get_attribute("aria-valuetext") == "step 4"


def test_all_charts_zoom_by_the_keyboard_and_come_back(opened):
    view = opened.find_element(By.ID, "view")
    whole = view.text
    chart = opened.find_element(By.CSS_SELECTOR, "canvas")
    chart.send_keys(Keys.ARROW_RIGHT, "+")
    caption = opened.find_element(By.CSS_SELECTOR, "figcaption")
    WebDriverWait(opened, 60, 0.01).until(lambda _: "at " in caption.text)  # drawn with the next frame
    assert view.text != whole
    chart.send_keys("0")
    assert view.text == whole
    opened.find_element(By.ID, "in").send_keys(Keys.ENTER)
    assert view.text != whole
    opened.find_element(By.ID, "whole").click()
    ActionChains(opened).move_to_element(chart).click_and_hold().move_by_offset(60, 0).release().perform()
    assert view.text != whole  # dragged over
    opened.find_element(By.ID, "whole").click()
    assert view.text == whole


def test_curves_of_both_runs_are_drawn_in_their_colours(opened):
    """Pixels near each run's colour in the chart of a loss that both have."""
    opened.find_element(By.ID, "whole").click()
    colours = opened.execute_async_script("""
      const done = arguments[0], style = getComputedStyle(document.documentElement);
      const figure = [...document.querySelectorAll("figure")].find((each) => each.key === "generator/nonsaturating");
      requestAnimationFrame(() => requestAnimationFrame(() => {
        const canvas = figure.querySelector("canvas"), context = canvas.getContext("2d");
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        done(["--run0", "--run1"].map((name) => {
          const [r, g, b] = style.getPropertyValue(name).trim().match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16));
          let count = 0;
          for (let i = 0; i < data.length; i += 4) {
            const away = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b);
            if (data[i + 3] > 200 && away < 12) count += 1;
          }
          return count;
        }));
      }));
    """)
    assert min(colours) > 20


def test_all_that_takes_the_keyboard_has_a_name(opened):
    names = opened.execute_script("""
      return [...document.querySelectorAll("button, input, select, summary, canvas, [tabindex]")].map((each) =>
        (each.labels?.[0]?.textContent || each.getAttribute("aria-label") || each.textContent).trim());
    """)
    assert len(names) > 20 and all(names)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(opened, scheme):
    """A contrast of 4.5 at least (WCAG 2, AA) of every colour of text and curve against what it stands on."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        style = opened.execute_script(
            """
          const style = getComputedStyle(document.documentElement);
          return Object.fromEntries(arguments[0].map((name) => [name, style.getPropertyValue("--" + name).trim()]));
        """,
            ["paper", "card", "ink", "soft", "bad", "accent", *(f"run{k}" for k in range(6))],
        )
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def luminance(text):
        parts = np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for name in style.keys() - {"paper", "card"}:
        for ground in ("paper", "card"):
            dark, light = sorted((luminance(style[name]), luminance(style[ground])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{name} on {ground}, {scheme}"


def test_a_long_run_weighs_little(runs, tmp_path):
    """Half a million lines, a tenth of them by default: less than ten megabytes, whatever the number."""
    count = 500_000 if os.environ.get("TFDFM_TEST_ALL") else 50_000
    long = tmp_path / "long"
    shutil.copytree(runs[0], long)
    values = np.random.default_rng(0).normal(size=(1000, 15)).tolist()
    rows = [", ".join(f'"generator/loss{k}": {value!r}' for k, value in enumerate(row)) for row in values]
    with open(long / "metrics.jsonl", "w") as file:
        for step in range(count):
            file.write(f'{{"step": {step + 1}, "images_seen": {64 * step}, {rows[step % 1000]}}}\n')
    page.write([long], tmp_path / "report.html")
    assert 500_000 < (tmp_path / "report.html").stat().st_size < 10_000_000


def test_training_keeps_it_current_and_is_the_same_training(tmp_path):
    flags = commands.flags(steps=4, jit="off", sample_every=2, terms="nonsaturating")
    for name, more in (("with", ["--report"]), ("without", [])):
        train.main(cli.parse(["", *flags, f"--run_dir={tmp_path / name}", *more], train.define, ""))
    commands.assert_same(tmp_path / "with", tmp_path / "without")
    assert '"step": 4' in (tmp_path / "with" / "report.html").read_text()
    assert not (tmp_path / "without" / "report.html").exists()


def test_a_report_that_fails_ends_no_training(tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise UsageError("no room")

    monkeypatch.setattr(page, "write", fail)
    flags = commands.flags(steps=2, jit="off", terms="nonsaturating")
    train.main(cli.parse(["", *flags, f"--run_dir={tmp_path / 'run'}", "--report"], train.define, ""))
    assert len(commands.checkpoints(tmp_path / "run")) == 1 and "No report: no room" in caplog.text


def test_from_python(runs, tmp_path):
    assert tfdfm.load(runs[0]).report(tmp_path / "new" / "page.html").read_text().startswith("<!doctype html>")


def test_what_cannot_be_shown_is_one_line(runs, tmp_path):
    def asked(*run_dirs):
        return report.main(cli.parse(["", f"--run_dir={','.join(map(str, run_dirs))}"], report.define, ""))

    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_bytes((runs[0] / "config.json").read_bytes())
    for run_dirs, message in (
        ((tmp_path / "none",), "a run directory with a config.json"),
        ((empty,), "lines in its metrics.jsonl, found none in"),
        ((runs[0], runs[0]), "different names, given plain, plain"),
    ):
        with pytest.raises(UsageError, match=message):
            asked(*run_dirs)
