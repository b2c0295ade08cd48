"""The frame around the apps' pages: start page, navigation, theme, languages."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from core.platform.pages.app_spec import LANGUAGES, Page, Texts

TEXTS = Texts(
    "shell",
    {
        "home": ("Start", "首页"),
        "headline": (
            "Pretrained transformers, fine-tuned by reinforcement learning, at work",
            "经强化学习微调的预训练模型，投入实用",
        ),
        "open": ("Open", "打开"),
        "log_out": ("Log out", "退出登录"),
    },
)

# System fonts alone: the pages must work with no network at all.
_FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Noto Sans CJK SC", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

CSS = """
.gradio-container { width: 100%; max-width: 1280px !important; margin: 0 auto !important; }
.steer-hero h1 { font-size: 2rem; font-weight: 650; margin: 1.2rem 0 .2rem; }
.steer-hero p { color: var(--body-text-color-subdued); font-size: 1.05rem; margin: 0 0 1.2rem; }
.steer-card { border: 1px solid var(--border-color-primary); border-radius: 14px; padding: 1.2rem 1.3rem 1.3rem;
  background: var(--block-background-fill); min-height: 9.5rem; }
.steer-card > * { flex-grow: 0 !important; }
.steer-card > :last-child { margin-top: auto; }
.steer-card-title p { font-size: 1.15rem; font-weight: 650; color: var(--body-text-color) !important; }
.steer-card p { color: var(--body-text-color-subdued); line-height: 1.5; margin: 0; }
.nav-holder { display: none !important; }
.steer-navigation { flex-wrap: wrap; gap: .3rem; border-bottom: 1px solid var(--border-color-primary); }
.steer-navigation > * { flex: 0 0 auto; min-width: 0; background: none; border-color: transparent; box-shadow: none;
  font-size: .95rem; }
.steer-navigation > .steer-here { border-bottom: 2px solid var(--primary-500); border-radius: 0; font-weight: 650; }
.steer-navigation > .steer-log-out { margin-left: auto; }
footer { display: none !important; }
"""

# No mere link, since whatever loads pages ahead follows those.
_LOG_OUT = "() => fetch('/logout', {method: 'POST'}).then(() => location.assign('/login'))"


def build_shell(pages: Sequence[Page], desks: Mapping[str, Any], *, accounts: bool) -> gr.Blocks:
    """All pages in one Blocks: a start page, and a route for each app; and the tools for language models.

    Args:
        pages: in the order of the navigation.
        desks: by page name.
        accounts: whether visitors have logged in.
    """
    with gr.Blocks(title="Steer", analytics_enabled=False) as shell:
        _navigation(pages, "", accounts=accounts)
        with gr.Column(elem_classes="steer-hero"):
            gr.Markdown("# Steer")
            gr.Markdown(TEXTS.label("headline"))
        with gr.Row(equal_height=True):
            for page in pages:
                with gr.Column(min_width=260, elem_classes="steer-card"):
                    gr.Markdown(page.texts.label("title"), elem_classes="steer-card-title")
                    gr.Markdown(page.texts.label("summary"))
                    gr.Button(TEXTS.label("open"), link=f"/{page.path}", variant="primary", elem_id=f"open-{page.path}")
                for tool in page.tools(desks[page.name]):
                    gr.api(tool, api_name=tool.__name__, concurrency_limit=8)
    for page in pages:
        with shell.route(page.texts.texts["title"][0], page.path):
            _navigation(pages, page.path, accounts=accounts)
            page.build(desks[page.name])
    shell.queue(default_concurrency_limit=8, max_size=256)
    return shell


def mount_options(pages: Sequence[Page]) -> dict[str, Any]:
    """What `gr.mount_gradio_app` needs besides the Blocks."""
    return {
        "theme": gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=_FONT, font_mono=_MONO),
        "css": CSS,
        "i18n": _translator(pages),
        "show_error": True,
        "max_file_size": "10mb",
        "run_history": False,
        "ssr_mode": False,
        "footer_links": [],
        "mcp_server": True,
    }


def _navigation(pages: Sequence[Page], here: str, *, accounts: bool) -> None:
    """The way to the other pages, in the visitor's language, which Gradio's own bar does not speak."""
    with gr.Row(elem_classes="steer-navigation"):
        for path, title in (("", TEXTS.label("home")), *((page.path, page.texts.label("title")) for page in pages)):
            is_here = "steer-here" if path == here else None
            gr.Button(title, link=f"/{path}", size="sm", variant="secondary", elem_classes=is_here)
        if accounts:
            gr.Button(TEXTS.label("log_out"), size="sm", elem_classes="steer-log-out").click(None, js=_LOG_OUT)


def _translator(pages: Sequence[Page]) -> gr.I18n:
    translations: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for texts in (TEXTS, *(page.texts for page in pages)):
        for language, entries in texts.translations().items():
            translations[language] |= entries
    # Browsers ask for regional variants, which the page looks up by their full name.
    return gr.I18n(**translations, **{"zh-CN": translations["zh"], "zh-TW": translations["zh"]})
