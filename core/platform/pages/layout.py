"""The frame around the apps' pages: start page, navigation, theme, languages."""

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
from fastapi import FastAPI

from core.platform.apps.opening import ClosedApp, OpenApp
from core.platform.apps.spec import Page
from core.platform.apps.texts import LANGUAGES, Texts
from core.platform.http.limits import Limits
from core.platform.pages.queue_share import share_queue
from core.platform.pages.requests import with_shown_errors

TEXTS = Texts(
    "shell",
    {
        "home": ("Start", "首页"),
        "headline": (
            "Pretrained transformers, fine-tuned by reinforcement learning, at work",
            "经强化学习微调的预训练模型，投入实用",
        ),
        "open": ("Open", "打开"),
        "out_of_order": (
            "This app is out of order. Whoever runs the server finds the reason in its log.",
            "此应用暂时无法使用。服务器管理员可在日志中查看原因。",
        ),
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


def mount_pages(
    app: FastAPI, apps: Sequence[OpenApp], closed: Sequence[ClosedApp] = (), *, limits: Limits, accounts: bool
) -> FastAPI:
    """The application with a start page, a page for each app, and the tools for language models.

    Args:
        app: Application with the API.
        apps: Apps in the order of the navigation.
        closed: Apps that are out of order.
        limits: Limits of one visitor.
        accounts: Whether visitors have logged in.
    """
    pages = {opened.spec.name: opened.spec.page() for opened in apps}
    blocks, owners = _blocks(apps, closed, pages, accounts=accounts)
    share_queue(blocks, limits, owners)
    # Gradio looks where a file that a browser names lies only after `launch`, which mounting leaves out. Without this,
    # whoever sends "a file" in the place of a text has any file of the server copied to where pages load theirs from.
    blocks.has_launched = True
    with warnings.catch_warnings():  # Gradio says of several pages that it switches off what `_options` has off
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        return gr.mount_gradio_app(app, blocks, path="", **_options(apps, pages))


def _blocks(
    apps: Sequence[OpenApp], closed: Sequence[ClosedApp], pages: Mapping[str, Page[Any]], *, accounts: bool
) -> tuple[gr.Blocks, dict[int, str]]:
    """The pages, and the app that each of their functions is for."""
    owners: dict[int, str] = {}
    everybodys: set[int] = set()

    def belong_to(app: OpenApp) -> None:
        owners.update({number: app.spec.name for number in blocks.fns if number not in owners.keys() | everybodys})

    with gr.Blocks(title="Steer", analytics_enabled=False) as blocks:
        _navigation(apps, "", accounts=accounts)
        everybodys.update(blocks.fns)
        with gr.Column(elem_classes="steer-hero"):
            gr.Markdown("# Steer")
            gr.Markdown(TEXTS.label("headline"))
        with gr.Row(equal_height=True):
            for app in apps:
                with gr.Column(min_width=260, elem_classes="steer-card"):
                    gr.Markdown(app.spec.texts.label("title"), elem_classes="steer-card-title")
                    gr.Markdown(app.spec.texts.label("summary"))
                    path = app.spec.path
                    gr.Button(TEXTS.label("open"), link=f"/{path}", variant="primary", elem_id=f"open-{path}")
                for tool in pages[app.spec.name].tools(app.service):
                    # Of a workspace's there may be several.
                    name = tool.__name__ + (f"_{path}".replace("-", "_") if app.spec.task.source else "")
                    gr.api(with_shown_errors(tool), api_name=name, concurrency_limit=8)
                belong_to(app)
    for app in apps:
        with blocks.route(app.spec.texts.texts["title"][0], app.spec.path):
            _navigation(apps, app.spec.path, accounts=accounts)
            pages[app.spec.name].build(app.service)
            belong_to(app)
    for each in closed:
        with blocks.route(each.spec.texts.texts["title"][0], each.spec.path):
            _navigation(apps, each.spec.path, accounts=accounts)
            gr.Markdown(TEXTS.label("out_of_order"))
    blocks.queue(default_concurrency_limit=8, max_size=256, api_open=False)  # nobody goes past the queue
    return blocks, owners


def _options(apps: Sequence[OpenApp], pages: Mapping[str, Page[Any]]) -> dict[str, Any]:
    """What `gr.mount_gradio_app` needs besides the Blocks."""
    return {
        "theme": gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=_FONT, font_mono=_MONO),
        "css": CSS,
        "i18n": _translator(apps, pages),
        "show_error": False,  # what a visitor can mend is a `gr.Error`, which is shown in any case
        "max_file_size": "10mb",
        "run_history": False,
        "ssr_mode": False,
        "footer_links": [],
        "mcp_server": True,
    }


def _navigation(apps: Sequence[OpenApp], here: str, *, accounts: bool) -> None:
    """The way to the other pages, in the visitor's language, which Gradio's own bar does not speak."""
    links = [("", TEXTS.label("home")), *((app.spec.path, app.spec.texts.label("title")) for app in apps)]
    with gr.Row(elem_classes="steer-navigation"):
        for path, title in links:
            is_here = "steer-here" if path == here else None
            gr.Button(title, link=f"/{path}", size="sm", variant="secondary", elem_classes=is_here)
        if accounts:
            gr.Button(TEXTS.label("log_out"), size="sm", elem_classes="steer-log-out").click(None, js=_LOG_OUT)


def _translator(apps: Sequence[OpenApp], pages: Mapping[str, Page[Any]]) -> gr.I18n:
    translations: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    of_pages = [texts for app in apps for texts in pages[app.spec.name].texts(app.service)]
    for texts in (TEXTS, *(app.spec.texts for app in apps), *of_pages):
        for language, entries in texts.translations().items():
            translations[language] |= entries
    # Browsers ask for regional variants, which the page looks up by their full name.
    return gr.I18n(**translations, **{"zh-CN": translations["zh"], "zh-TW": translations["zh"]})
