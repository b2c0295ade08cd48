"""The start page: what each app is, how it is, and what waits for people."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gradio as gr
from starlette.concurrency import run_in_threadpool

from core.platform.apps.opening import ClosedApp, OpenApp
from core.platform.apps.texts import Texts
from core.platform.auth.access import Principal
from core.platform.pages.requests import page_principal, shown_errors
from core.platform.pages.times import TIMES_JS, shown_time
from core.platform.store import versions
from core.platform.store.database import Store
from core.platform.workspaces.service import JobView, WorkspaceService, WorkspaceView

WORKSPACES_PATH = "workspaces"
_REFRESH_SECONDS = 5.0

TEXTS = Texts(
    "start",
    {
        "headline": (
            "Pretrained transformers, fine-tuned by reinforcement learning, at work",
            "经强化学习微调的预训练模型，投入实用",
            "Vortrainierte Transformer, durch bestärkendes Lernen verfeinert, bei der Arbeit",
        ),
        "open": ("Open", "打开", "Öffnen"),
        "out_of_order": (
            "out of order: the server's log says why",
            "暂时无法使用：原因见服务器日志",
            "außer Betrieb: den Grund nennt das Protokoll des Servers",
        ),
        "serves": (
            "{version} serves since {time}, made {made}",
            "{version} 自 {time} 起提供服务，制作于 {made}",
            "{version} im Einsatz, veröffentlicht {time}, entstanden {made}",
        ),
        "queued": ("waits to be trained", "等待训练", "wartet auf das Training"),
        "running": (
            "is being trained: {stage}, {done} of {total}",
            "训练中：{stage}，{done} / {total}",
            "wird trainiert: {stage}, {done} von {total}",
        ),
        "failed": ("the last training failed", "上次训练失败", "das letzte Training ist gescheitert"),
        "not_published": ("not published yet", "尚未发布", "noch nicht veröffentlicht"),
        "workspaces": ("Your own data", "自有数据", "Eigene Daten"),
        "workspaces_summary": (
            "Make a workspace from your own files, train it, and publish it here.",
            "用自己的文件创建工作区，训练后在此发布。",
            "Aus eigenen Dateien einen Arbeitsbereich anlegen, trainieren und hier veröffentlichen.",
        ),
        "new_workspace": ("New workspace", "新建工作区", "Neuer Arbeitsbereich"),
    },
)

CSS = """
.steer-cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 16px; }
.steer-card { display: flex; flex-direction: column; border: 1px solid var(--border-color-primary); border-radius: 14px;
  padding: 1.2rem 1.3rem; background: var(--block-background-fill); min-height: 9.5rem; line-height: 1.5; }
.steer-card h2 { font-size: 1.15rem; font-weight: 650; margin: 0; color: var(--body-text-color); }
.steer-card p, .steer-card ul { color: var(--body-text-color-subdued); margin: .4rem 0 0; padding: 0; list-style: none;
  overflow-wrap: anywhere; }
.steer-card li { font-size: .9rem; font-variant-numeric: tabular-nums; }
.steer-card li.steer-waits { color: var(--body-text-color); font-weight: 600; }
.steer-card > a { margin-top: auto; align-self: flex-start; padding: .35rem .9rem; border-radius: 8px; font-weight: 600;
  color: white; background: var(--primary-700); text-decoration: none; }
.steer-card > :nth-last-child(2) { margin-bottom: .9rem; }
"""


@dataclass(frozen=True)
class StartPage:
    """The start page.

    Attributes:
        apps: Apps in the order of the navigation.
        store: Store that knows since when a version serves.
        workspaces: Service of the workspaces that are made here; None where none are.
    """

    apps: Sequence[OpenApp | ClosedApp]
    store: Store
    workspaces: WorkspaceService | None

    def build(self, blocks: gr.Blocks) -> None:
        """Lay it out; it always has the same events, however many apps there are."""
        with gr.Column(elem_classes="steer-hero"):
            gr.Markdown("# Steer")
            gr.Markdown(TEXTS.label("headline"))
        cards = gr.HTML(js_on_load=TIMES_JS, apply_default_css=False)

        async def show(request: gr.Request) -> str:
            with shown_errors():
                return await run_in_threadpool(self._shown, page_principal(request), request)

        gr.on(
            [blocks.load, gr.Timer(_REFRESH_SECONDS).tick],
            show,
            None,
            cards,
            api_visibility="private",
            show_progress="hidden",
        )

    def _shown(self, principal: Principal, request: gr.Request) -> str:
        views = {} if self.workspaces is None else {view.name: view for view in self.workspaces.views(principal)}
        names = {each.spec.name for each in self.apps}
        mine = [each for each in self.apps if principal.may_use(each.spec.name)]
        cards = [self._app_card(each, views.get(each.spec.name), request) for each in mine]
        if self.workspaces is not None and principal.is_at_least("admin"):
            drafts = [view for name, view in views.items() if name not in names]
            cards += [_draft_card(view, request) for view in drafts]
            summary = TEXTS.say("workspaces_summary", request)
            title = TEXTS.say("workspaces", request)
            cards.append(_card(title, summary, [], WORKSPACES_PATH, TEXTS.say("new_workspace", request)))
        return f'<div class="steer-cards">{"".join(cards)}</div>'

    def _app_card(self, app: OpenApp | ClosedApp, view: WorkspaceView | None, request: gr.Request) -> str:
        texts, path = app.spec.texts, app.spec.path
        facts = [*self._facts(app, request), *(_job_facts(view.job, request) if view and view.job else [])]
        return _card(
            texts.say("title", request), texts.say("summary", request), facts, path, TEXTS.say("open", request)
        )

    def _facts(self, app: OpenApp | ClosedApp, request: gr.Request) -> Iterator[str]:
        if isinstance(app, ClosedApp):
            yield _fact(TEXTS.say("out_of_order", request), waits=True)
            return
        if app.spec.counts is not None:
            for key, count in app.spec.counts(app.service).items():
                yield _fact(app.spec.texts.say(key, request, count=count), waits=count > 0)
        with self.store.reading() as session:
            promotion = versions.newest_promotion(session, app.spec.name)
            version = versions.find(session, app.spec.name, app.live.current[1])
        if promotion is not None and version is not None:
            name, since, made = html.escape(version.name), shown_time(promotion.time), shown_time(version.created)
            yield f"<li>{TEXTS.say('serves', request, version=name, time=since, made=made)}</li>"


def _draft_card(view: WorkspaceView, request: gr.Request) -> str:
    facts = [_fact(TEXTS.say("not_published", request)), *(_job_facts(view.job, request) if view.job else [])]
    return _card(view.title, view.name, facts, f"{WORKSPACES_PATH}?name={view.name}", TEXTS.say("open", request))


def _job_facts(job: JobView, request: gr.Request) -> Iterator[str]:
    if job.state in ("queued", "failed"):
        yield _fact(TEXTS.say(job.state, request), waits=job.state == "failed")
    elif job.state == "running":
        stage = next((each for each in job.progress.stages if each.state == "runs"), None)
        if stage is None:
            yield _fact(TEXTS.say("queued", request))
        else:
            yield _fact(TEXTS.say("running", request, stage=stage.name, done=stage.done, total=stage.total))


def _fact(text: str, *, waits: bool = False) -> str:
    return f'<li class="{"steer-waits" if waits else ""}">{html.escape(text)}</li>'


def _card(title: str, summary: str, facts: Sequence[str], path: str, button: str) -> str:
    listed = f"<ul>{''.join(facts)}</ul>" if facts else ""
    identity = html.escape(f"open-{path.partition('?')[2].removeprefix('name=') or path}")
    return (
        f'<article class="steer-card"><h2>{html.escape(title)}</h2><p>{html.escape(summary)}</p>{listed}'
        f'<a id="{identity}" href="/{html.escape(path)}">{html.escape(button)}</a></article>'
    )
