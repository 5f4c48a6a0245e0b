"""The page at /, in headless Chromium, on a whole server."""

import base64
import io
import json
import re

import numpy as np
import pytest
import servables
from asking import Asking
from PIL import Image
from running import config, serving
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from tfdfm.serving import server
from tfdfm.serving.http import page

ODD = "<b>odd</b>/ü:1"  # a model's name
CLASSES = ["<img src=x onerror=document.title=1>", "cat & dog", "é"]
BIG = 2**63 - 1
PIXELS = """
const done = arguments[0];
Promise.all([...document.querySelectorAll("#grid img")].map(async (image) => {
  await image.decode();
  const canvas = document.createElement("canvas"), { naturalWidth: width, naturalHeight: height } = image;
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return [width, height, [...context.getImageData(0, 0, width, height).data]];
})).then(done);
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    for number in (1, 2):
        servables.generator(base / "classes" / str(number), 3)
        path = base / "classes" / str(number) / "assets" / "model_card.json"
        path.write_text(
            json.dumps(json.loads(path.read_text()) | {"class_names": CLASSES, "scores": {"a": float("nan")}})
        )
    servables.generator(base / "odd" / "1", 0)
    servables.line(base / "line" / "1")
    models = config(classes=base / "classes", line=base / "line")
    models.model_config_list.config.add(name=ODD, base_path=str(base / "odd"), model_platform="tensorflow")
    models.model_config_list.config[0].model_version_policy.all.SetInParent()
    with serving(models, rest_port=server.ANY) as running, (ask := Asking(running.server.ports["REST"])).session:
        yield ask


@pytest.fixture
def screen(served, browser):
    """The page, freshly opened, with its first images."""
    screen = Screen(browser, served.address)
    screen.wait(lambda: screen.texts("#grid .seed"))
    yield screen
    assert [entry for entry in browser.get_log("browser") if entry["source"] != "network"] == []


class Screen:
    def __init__(self, browser, address: str):
        self.browser = browser
        browser.get(address)

    def find(self, selector: str):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        return [found.text for found in self.browser.find_elements(By.CSS_SELECTOR, selector)]

    def options(self, name: str) -> list[str]:
        return [option.text for option in Select(self.find(f"#{name}")).options]

    def wait(self, condition):
        return WebDriverWait(self.browser, 60, 0.01).until(lambda _: condition())

    def choose(self, **choices: str):
        for name, text in choices.items():
            Select(self.find(f"#{name}")).select_by_visible_text(text)

    def fill(self, **fields):
        for name, text in fields.items():
            self.find(f"#{name}").clear()
            self.find(f"#{name}").send_keys(str(text))

    def press(self, *keys: str) -> str:
        """The message that comes after these keys, typed from the seed on."""
        self.browser.execute_script("say('')")
        self.find("#seed").click()
        ActionChains(self.browser).send_keys(*keys).perform()
        return self.wait(lambda: self.find("#message").text)

    def pixels(self) -> list[np.ndarray]:
        """Grey images as the browser decodes them."""
        found = self.browser.execute_async_script(PIXELS)
        return [np.reshape(data, [height, width, 4])[..., 0].astype(np.uint8) for width, height, data in found]


def pngs(served, seeds, labels) -> list[bytes]:
    """The same images, asked for by the test."""
    body = {"signature_name": "png", "inputs": {"seed": seeds, "labels": labels}}
    return [base64.b64decode(png["b64"]) for png in served("POST", "/v1/models/classes:predict", body)[1]["outputs"]]


def decoded(files: list[bytes]) -> list[np.ndarray]:
    return [np.asarray(Image.open(io.BytesIO(file))) for file in files]


def test_all_classes_come_in_turn(served, screen):
    assert screen.options("model") == ["classes", ODD]
    assert screen.options("label") == ["all classes, in turn", *CLASSES]
    screen.fill(seed=-2, count=5)
    assert screen.press(Keys.ENTER).startswith("5 images in ")
    assert screen.texts("#grid .seed") == [f"seed {seed}" for seed in range(-2, 3)]
    assert screen.texts("#grid .class") == [CLASSES[k % 3] for k in range(5)]
    np.testing.assert_array_equal(screen.pixels(), decoded(pngs(served, [-2, -1, 0, 1, 2], [0, 1, 2, 0, 1])))
    for selector, attribute in (("#grid a", "title"), ("#grid img", "alt")):
        assert screen.find(selector).get_attribute(attribute) == f"Seed -2, class {CLASSES[0]}"


def test_a_class_a_version_and_the_next_seeds_by_keyboard(served, screen):
    assert screen.options("version") == ["newest (2)", "2", "1"]
    screen.choose(label="cat & dog", version="1")
    screen.fill(seed=1, count=2)
    screen.press(Keys.ENTER)
    np.testing.assert_array_equal(screen.pixels(), decoded(pngs(served, [1, 2], [1, 1])))
    screen.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.SPACE)
    assert screen.texts("#grid .seed") == ["seed 3", "seed 4"] and screen.texts("#grid .class") == ["cat & dog"] * 2
    assert screen.find("#seed").get_attribute("value") == "3"
    np.testing.assert_array_equal(screen.pixels(), decoded(pngs(served, [3, 4], [1, 1])))
    asked = screen.browser.execute_script("return performance.getEntriesByType('resource').at(-1).name")
    assert asked == f"{served.address}/v1/models/classes/versions/1:predict"


def test_seeds_are_exact_and_go_round(screen):
    screen.fill(seed=BIG - 1, count=3)
    screen.press(Keys.ENTER)
    assert screen.texts("#grid .seed") == [f"seed {seed}" for seed in (BIG - 1, BIG, -BIG - 1)]
    sent = json.loads(screen.browser.execute_script("return body(wanted())"))
    assert sent["inputs"] == {"seed": [BIG - 1, BIG, -BIG - 1], "labels": [0, 1, 2]}


def test_a_model_without_classes_and_with_an_odd_name(screen):
    screen.choose(model=ODD)
    assert not screen.find("#label").is_displayed()
    screen.fill(seed=5, count=1)
    assert screen.press(Keys.ENTER).startswith("1 image in ")
    assert screen.texts("#grid .seed") == ["seed 5"] and screen.texts("#grid .class") == []
    np.testing.assert_array_equal(screen.pixels(), [np.full([2, 2], 128)])


def test_names_are_text(screen):
    assert screen.browser.title == "tfdfm: images"  # the names of classes would change it
    assert screen.browser.find_elements(By.CSS_SELECTOR, "img[src=x], b") == []


def test_errors(screen):
    screen.fill(seed=BIG + 1)
    assert screen.press(Keys.ENTER) == "A seed is a whole number from -2^63 to 2^63 - 1."
    assert screen.texts("#grid li") == []
    screen.fill(seed=0)
    screen.browser.execute_script("at('version').selectedOptions[0].value = '9'")
    assert screen.press(Keys.ENTER).startswith("The server refused (404): Servable not found for request: Specific(")
    assert screen.find("#message").get_attribute("class") == "bad"
    screen.browser.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    screen.browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    assert screen.press(Keys.ENTER) == "The server does not answer. Is it still running?"
    online = offline | {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    screen.browser.execute_cdp_cmd("Network.emulateNetworkConditions", online)
    screen.choose(version="1")
    assert "images in" in screen.press(Keys.ENTER) and screen.find("#message").get_attribute("class") == ""


def test_no_seed_no_request(screen):
    for seed in ("", "1.5", "x"):
        screen.fill(seed=seed)
        assert screen.browser.execute_script("return at('form').checkValidity()") is False


def test_saving_an_image(served, screen, tmp_path):
    screen.choose(label="cat & dog")
    screen.fill(seed=7, count=1)
    screen.press(Keys.ENTER)
    allowed = {"behavior": "allow", "downloadPath": str(tmp_path)}
    screen.browser.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
    screen.find("#grid a").click()
    screen.wait((tmp_path / "classes-cat_dog-7.png").exists)
    assert (tmp_path / "classes-cat_dog-7.png").read_bytes() == pngs(served, [7], [1])[0]


def test_controls_have_names(screen):
    names = {name: screen.find(f"#{name}").accessible_name for name in ("model", "version", "label", "seed", "count")}
    assert [*names.values()] == ["Model", "Version", "Class", "First seed", "Images"]


def test_light_and_dark(screen):
    colors = set()
    for scheme in ("light", "dark"):
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        screen.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        colors |= {screen.find("body").value_of_css_property(name) for name in ("background-color", "color")}
    assert len(colors) == 4


def test_a_server_without_our_models(browser, tmp_path):
    servables.line(tmp_path / "1")
    with serving(config(line=tmp_path), rest_port=server.ANY) as running:
        screen = Screen(browser, f"http://127.0.0.1:{running.server.ports['REST']}")
        message = screen.wait(lambda: "model card" in (text := screen.find("#message").text) and text)
        assert "It serves line." in message and "python -m tfdfm.export" in message
        assert not screen.find("#seed").is_enabled()


def test_nothing_else_runs_and_nothing_is_fetched_from_elsewhere(served, browser):
    screen = Screen(browser, served.address)
    inject = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
    assert screen.browser.execute_script(f"{inject} return window.ran") is None
    assert "Content Security Policy" in browser.get_log("browser")[-1]["message"]


def test_the_page_alone(served):
    answer = served.session.get(served.address)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'" and "unsafe" not in str(policy)
    assert answer.text == page.PAGE and not re.search(r"https?://|\sstyle=|\son[a-z]+=|innerHTML", page.PAGE)
