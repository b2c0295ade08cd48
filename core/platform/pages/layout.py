"""The frame around the apps' pages: start page, navigation, theme, languages."""

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Behind every event Gradio summarises the last 10,000 of them for a dashboard that nobody reads.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")

import gradio as gr
from fastapi import FastAPI

from core.platform.apps.opening import ClosedApp, OpenApp
from core.platform.apps.spec import Page
from core.platform.apps.texts import Texts
from core.platform.http.languages import LANGUAGES
from core.platform.http.limits import Limits
from core.platform.pages.handover import LaidOutPages
from core.platform.pages.queue_share import share_queue
from core.platform.pages.requests import page_principal, with_shown_errors
from core.platform.pages.sessions import remember_little
from core.platform.pages.start_page import CSS as CARDS_CSS
from core.platform.pages.start_page import TEXTS as START
from core.platform.pages.start_page import WORKSPACES_PATH, StartPage
from core.platform.pages.theme import CSS as THEME_CSS
from core.platform.pages.theme import theme
from core.platform.pages.workspace_page import build as build_workspaces
from core.platform.pages.workspace_texts import TEXTS as WORKSPACES
from core.platform.pages.workspace_views import CSS as WORKSPACES_CSS
from core.platform.store.database import Store
from core.platform.workspaces.service import WorkspaceService

TEXTS = Texts(
    "shell",
    {
        "home": ("Start", "首页", "Start"),
        "out_of_order": (
            "This app is out of order. Whoever runs the server finds the reason in its log.",
            "此应用暂时无法使用。服务器管理员可在日志中查看原因。",
            "Diese Anwendung ist außer Betrieb. Wer den Server betreibt, findet den Grund im Protokoll.",
        ),
        "log_out": ("Log out", "退出登录", "Abmelden"),
    },
)

CSS = """
.gradio-container { width: 100%; max-width: 1280px !important; margin: 0 auto !important; }
.steer-hero h1 { font-size: 2rem; font-weight: 650; margin: 1.2rem 0 .2rem; }
.steer-hero p { color: var(--body-text-color-subdued); font-size: 1.05rem; margin: 0 0 1.2rem; }
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
    app: FastAPI,
    apps: Sequence[OpenApp | ClosedApp],
    store: Store,
    workspaces: WorkspaceService | None,
    *,
    limits: Limits,
    accounts: bool,
) -> LaidOutPages:
    """Add a start page, a page for each app, and the tools for language models to an application.

    Args:
        app: Application with the API.
        apps: Apps in the order of the navigation; those that are out of order say so.
        store: Store that knows since when a version serves.
        workspaces: Service of the workspaces that are made on a page; None where none are.
        limits: Limits of one visitor.
        accounts: Whether visitors have logged in.
    """
    pages = {each.spec.name: each.spec.page() for each in apps if isinstance(each, OpenApp)}
    blocks, owners = _blocks(apps, StartPage(apps, store, workspaces), pages, accounts=accounts)
    share_queue(blocks, limits, owners)
    # Gradio looks where a file that a browser names lies only after `launch`, which mounting leaves out. Without this,
    # whoever sends "a file" in the place of a text has any file of the server copied to where pages load theirs from.
    blocks.has_launched = True
    with warnings.catch_warnings():  # Gradio says of several pages that it switches off what `_options` has off
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        gr.mount_gradio_app(app, blocks, path="", **_options(apps, pages))
    remember_little(app, blocks)
    return LaidOutPages(blocks)


def _blocks(
    apps: Sequence[OpenApp | ClosedApp], start: StartPage, pages: Mapping[str, Page[Any]], *, accounts: bool
) -> tuple[gr.Blocks, dict[int, str]]:
    """The layout, new apps behind the others (see `LaidOutPages.take_over`), and the app that each function is for."""
    owners: dict[int, str] = {}
    with gr.Blocks(title="Steer", analytics_enabled=False) as blocks:
        _navigation(blocks, apps, "", accounts=accounts)
        start.build(blocks)
    if start.workspaces is not None:
        with blocks.route(START.texts["workspaces"][0], WORKSPACES_PATH):
            _navigation(blocks, apps, WORKSPACES_PATH, accounts=accounts)
            build_workspaces(start.workspaces, list(pages))
    for each in apps:
        everybodys = set(blocks.fns)
        with blocks.route(each.spec.texts.texts["title"][0], each.spec.path):
            _navigation(blocks, apps, each.spec.path, accounts=accounts)
            if isinstance(each, OpenApp):
                pages[each.spec.name].build(each.service)
            else:
                gr.Markdown(TEXTS.label("out_of_order"))
        if isinstance(each, OpenApp):
            _add_tools(blocks, each, pages[each.spec.name])
        owners |= dict.fromkeys(blocks.fns.keys() - everybodys, each.spec.name)
    blocks.queue(default_concurrency_limit=8, max_size=256, api_open=False)  # nobody goes past the queue
    return blocks, owners


def _add_tools(blocks: gr.Blocks, app: OpenApp, page: Page[Any]) -> None:
    blocks.current_page = ""
    with blocks:
        for tool in page.tools(app.service):
            # Of a workspace's there may be several.
            name = tool.__name__ + (f"_{app.spec.path}".replace("-", "_") if app.spec.task.source else "")
            gr.api(with_shown_errors(tool), api_name=name, concurrency_limit=8)


def _options(apps: Sequence[OpenApp | ClosedApp], pages: Mapping[str, Page[Any]]) -> dict[str, Any]:
    """What `gr.mount_gradio_app` needs besides the Blocks."""
    return {
        "theme": theme(),
        "css": THEME_CSS + CSS + CARDS_CSS + WORKSPACES_CSS,
        "i18n": _translator(apps, pages),
        "show_error": False,  # what a visitor can mend is a `gr.Error`, which is shown in any case
        "max_file_size": "10mb",
        "run_history": False,
        "ssr_mode": False,
        "footer_links": [],
        "mcp_server": True,
    }


def _navigation(blocks: gr.Blocks, apps: Sequence[OpenApp | ClosedApp], here: str, *, accounts: bool) -> None:
    """The way to the other pages, in the visitor's language, which Gradio's own bar does not speak."""
    with gr.Row(elem_classes="steer-navigation"):
        _link(TEXTS.label("home"), "", here)
        links = {app.spec.name: _link(app.spec.texts.label("title"), app.spec.path, here, accounts) for app in apps}
        if accounts:
            gr.Button(TEXTS.label("log_out"), size="sm", elem_classes="steer-log-out").click(None, js=_LOG_OUT)
            _show_permitted(blocks, links)


def _link(title: Any, path: str, here: str, is_hidden: bool = False) -> gr.Button:
    is_here = "steer-here" if path == here else None
    return gr.Button(
        title, link=f"/{path}", size="sm", variant="secondary", visible=not is_hidden, elem_classes=is_here
    )


def _show_permitted(blocks: gr.Blocks, links: Mapping[str, gr.Button]) -> None:
    """Show the ways to the apps that a visitor may use; pages are laid out before anybody is known."""

    def permitted(request: gr.Request) -> dict[gr.Button, gr.Button]:
        principal = page_principal(request)
        return {link: gr.Button(visible=principal.may_use(name)) for name, link in links.items()}

    blocks.load(permitted, None, [*links.values()], show_progress="hidden", api_visibility="private")


def _translator(apps: Sequence[OpenApp | ClosedApp], pages: Mapping[str, Page[Any]]) -> gr.I18n:
    translations: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    of_pages = [texts for app in apps if isinstance(app, OpenApp) for texts in pages[app.spec.name].texts(app.service)]
    for texts in (TEXTS, START, WORKSPACES, *(app.spec.texts for app in apps), *of_pages):
        for language, entries in texts.translations().items():
            translations[language] |= entries
    # Browsers ask for regional variants, which the page looks up by their full name.
    return gr.I18n(**translations, **{"zh-CN": translations["zh"], "zh-TW": translations["zh"]})
