"""What a person sees who opens TensorBoard on a run: screenshots and the tags shown.

    python -m tests.real.tensorboard_page --logdir=/tmp/train --output_dir=/tmp/shots

Starts TensorBoard on a free port of this machine alone and looks at its pages in a
headless Chromium of its own (Debian: chromium and chromium-driver).
"""

import dataclasses
import pathlib
import re
import sys
import time
import urllib.parse
from collections.abc import Mapping, Sequence

from absl import flags

from config import app
from errors import UserError
from tests.real import browser
from tests.real.browser import Browser

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Page:
    """One page of TensorBoard.

    Attributes:
      plugin: whose tags it shows.
      url: what follows the server's address; {} takes a regular expression of tags.
        Without it, TensorBoard shows what it opens by itself.
      card: CSS selector of the frame around one tag.
      drawing: CSS selector of what is in a card once its data are there.
    """

    plugin: str
    url: str
    card: str
    drawing: str


PAGES = {
    "first_screen": Page("scalars", "", "scalar-card", "canvas"),
    "timeseries": Page("scalars", "?tagFilter={}#timeseries", "scalar-card", "canvas"),
    "scalars": Page("scalars", "#scalars&tagFilter={}", "tf-scalar-card", "path.line"),
    "images": Page("images", "#images&tagFilter={}", "tf-image-loader", "img"),
    "histograms": Page(
        "histograms", "#histograms&tagFilter={}", "tf-histogram-loader", "path.outline"
    ),
    "text": Page("text", "#text&tagFilter={}", "tf-text-loader", "paper-material"),
}
_MOST_TAGS = 3  # a page by default: all must fit
_DRAWING_SECS = 3  # a card has axes before it has lines, which no selector finds
_ADDRESS = re.compile(r"TensorBoard \S+ at (http://\S+)")
# Texts of the cards with a drawing. TensorBoard's pages are trees of shadow roots,
# which selectors do not look into.
_DRAWN_CARDS = """
  const within = node => [node, ...[node.shadowRoot, ...node.childNodes]
      .filter(child => child && !/^(SCRIPT|STYLE)$/.test(child.nodeName))
      .flatMap(within)];
  const all = (node, css) =>
      within(node).filter(inner => inner.nodeType == 1 && inner.matches(css));
  const drawn = element => element.nodeName != 'IMG' || element.naturalWidth > 0;
  const [card, drawing] = arguments;
  return all(document.body, card)
      .filter(found => all(found, drawing).some(drawn))
      .map(found => within(found).filter(node => node.nodeType == 3)
          .map(node => node.data.trim()).join(''));
"""


def look(
    logdir: str, output_dir: str, wanted: Mapping[str, Sequence[str]] | None = None
) -> dict[str, list[str]]:
    """Takes a screenshot of each page of `PAGES` once it shows its tags.

    Args:
      logdir: folder with event files.
      output_dir: where `<page>.png` go.
      wanted: plugin -> tags that its pages must show. A plugin that is left out shows
        a few of its recorded tags, of the first group.

    Returns:
      Page -> the tags that it shows.

    Raises:
      UserError: the browser is not installed, or a page never showed what it should.
    """
    wanted = wanted or {}
    pathlib.Path(output_dir).mkdir(parents=True, exist_ok=True)
    shown = {}
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={logdir}"]
    # Port 0 is a free one; only this machine reaches it.
    command += ["--host=127.0.0.1", "--port=0"]
    with (
        browser.serving(command, _ADDRESS) as address,
        browser.chromium() as window,
    ):
        for name, page in PAGES.items():
            tags = _recorded_tags(address, page.plugin, wanted.get(page.plugin, ()))
            window.open("about:blank")  # A change behind the # alone loads nothing.
            window.open(address + page.url.format(_filter(tags)))
            _wait_for_cards(window, name, tags)
            time.sleep(_DRAWING_SECS)
            window.screenshot(pathlib.Path(output_dir, f"{name}.png"))
            shown[name] = tags
    return shown


def _recorded_tags(address: str, plugin: str, wanted: Sequence[str]) -> list[str]:
    """Returns the wanted tags, or some of the first group, once they are recorded."""

    def recorded() -> set[str]:
        by_run = browser.ask(f"{address}data/plugin/{plugin}/tags")
        return {tag for tags in by_run.values() for tag in tags}

    tags = browser.wait(recorded, lambda tags: bool(tags) and tags.issuperset(wanted))
    missing = sorted(set(wanted) - tags)
    if missing or not tags:
        raise UserError(
            f"the run has no {plugin} named {', '.join(missing) or 'anything'}; it has "
            f"{', '.join(sorted(tags)) or 'none'}."
        )
    first, *_ = min(tags).split("/")
    of_first = sorted(tag for tag in tags if tag.split("/")[0] == first)
    return list(wanted) or of_first[:_MOST_TAGS]


def _wait_for_cards(window: Browser, name: str, tags: list[str]) -> None:
    page = PAGES[name]

    def cards() -> list[str]:
        return window.run(_DRAWN_CARDS, page.card, page.drawing)

    def show_all(texts: list[str]) -> bool:
        return all(any(tag in text for text in texts) for tag in tags)

    texts = browser.wait(cards, show_all)
    if not show_all(texts):
        raise UserError(
            f"TensorBoard's page {name} should show {', '.join(tags)}; it shows "
            f"{texts or 'nothing'}."
        )


def _filter(tags: list[str]) -> str:
    pattern = "|".join(re.escape(tag) for tag in tags)
    return urllib.parse.quote(f"^({pattern})$", safe="")


def main() -> None:
    """Looks at the run that the flags name."""
    for page, tags in look(FLAGS.logdir, FLAGS.output_dir).items():
        print(f"{FLAGS.output_dir}/{page}.png shows {', '.join(tags)}")


if __name__ == "__main__":
    flags.DEFINE_string("logdir", None, "Folder with the run's event files.")
    flags.DEFINE_string("output_dir", None, "Folder for the screenshots.")
    flags.mark_flags_as_required(["logdir", "output_dir"])
    app.run(main)
