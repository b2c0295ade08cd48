"""Texts of the pages stand out from their ground, as WCAG 2.2 asks (1.4.3), in the light and in the dark."""

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser import needs_browser
from tests.serving.test_api import surge

pytestmark = [pytest.mark.slow, needs_browser]

ENOUGH = 4.5
# What is there once a page is filled.
SHOWN = {
    "": ".steer-card a",
    "support": "#cs-message",
    "news": "#fin-stream .fin-row",
    "recommender": "#rec-card-9",
    "workspaces": "#ws-make",
}

# The contrast of each visible text; what is disabled may be faint.
_CONTRASTS_JS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const over = (above, below) => below.map((value, at) => above[at] * above[3] + value * (1 - above[3]));
  const known = new Map();
  const parts = color => {
    if (!known.has(color)) known.set(color, painted(color));
    return known.get(color);
  };
  const painted = color => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const ground = element => {
    const layers = [];
    for (let each = element; each; each = each.parentElement)
      layers.push(parts(getComputedStyle(each).backgroundColor));
    return layers.reverse().reduce((below, above) => over(above, below), [255, 255, 255]);
  };
  const luminance = color => color.slice(0, 3).map(value => value / 255)
    .map(value => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + value * [.2126, .7152, .0722][at], 0);
  const pictured = element => {
    for (let each = element; each; each = each.parentElement)
      if (getComputedStyle(each).backgroundImage !== 'none') return true;
    return false;
  };
  const contrasts = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].filter(node => node.nodeType === 3 && node.data.trim());
    if (!text.length || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    // What stands on a picture or a gradient has no one ground.
    if (pictured(element)) continue;
    if (element.closest('[disabled], [aria-disabled=true], script, style, noscript, svg, .cm-editor')) continue;
    const below = ground(element);
    const both = [over(parts(getComputedStyle(element).color), below), below].map(luminance).sort((a, b) => b - a);
    const contrast = (both[0] + .05) / (both[1] + .05);
    const said = text[0].data.trim().slice(0, 40);
    contrasts.push([contrast, `${said} <${element.className}>`]);
  }
  return contrasts;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", SHOWN)
def test_texts_stand_out_from_their_ground(browser, server, path, theme):
    if path == "news":
        httpx.post(f"{server}/v1/news/items", json={"items": surge(f"Contrast {theme}")}).raise_for_status()
    context = browser.new_context(locale="en-GB", base_url=server, color_scheme=theme)
    page = context.new_page()
    page.goto(f"/{path}?__theme={theme}")
    expect(page.locator(SHOWN[path]).first).to_be_visible()
    if path == "workspaces":
        page.locator("#ws-make button").first.click()
        expect(page.locator("#ws-name")).to_be_visible()
    contrasts = page.evaluate(_CONTRASTS_JS)
    assert len(contrasts) > 5
    assert [(contrast, text) for contrast, text in contrasts if contrast < ENOUGH] == []
    context.close()
