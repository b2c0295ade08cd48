"""The page on which an admin makes a workspace: files, columns, check, training, evaluation, publishing."""

import html
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from gradio.context import Context

from core.platform.auth.access import Principal
from core.platform.pages.requests import page_principal, shown_errors
from core.platform.pages.workspace_texts import TEXTS
from core.platform.pages.workspace_views import (
    note,
    shown_evaluation,
    shown_job,
    shown_preview,
    shown_problem,
    shown_report,
    shown_version,
)
from core.platform.workspaces.columns import TablePreview
from core.platform.workspaces.service import WorkspaceService
from core.util.errors import SteerError

_MOST_FIELDS = 12
_REFRESH_SECONDS = 2.0
_QUIET: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}

# The address names the workspace that the page shows.
_NAME_JS = """name => {
  const address = new URL(location);
  if (name) address.searchParams.set('name', name);
  else address.searchParams.delete('name');
  history.replaceState(history.state, '', address);
}"""
# The editor would indent by Tab, and keep whoever has no mouse for good.
_LEAVE_EDITOR_JS = """() => {
  document.addEventListener('keydown', key => {
    if (key.key === 'Tab' && key.target.closest('#ws-code')) key.stopPropagation();
  }, true);
}"""
_NAMED_JS = "() => new URLSearchParams(location.search).get('name') || ''"


def build(service: WorkspaceService, served: Collection[str]) -> None:
    """Lay out the page.

    Args:
        service: Service of the workspaces.
        served: Names of the apps that have pages.
    """
    page = _Page(service, served)
    page.connect()


class _Page:
    """The components of the page, from top to bottom, and what they do."""

    def __init__(self, service: WorkspaceService, served: Collection[str]) -> None:
        self._service, self._served = service, served
        self._lay_out_choice()
        with gr.Column(visible=False) as self.steps:
            self._lay_out_data()
            self._lay_out_training()
        self.timer, self.measured = gr.Timer(_REFRESH_SECONDS), gr.State(None)

    def _lay_out_choice(self) -> None:
        self.problem = gr.HTML(apply_default_css=False)
        with gr.Accordion(TEXTS.label("make"), open=False, elem_id="ws-make"):
            with gr.Row():
                self.app = gr.Radio(self._service.apps(), label=TEXTS.label("app"), elem_id="ws-app")
            with gr.Row():
                self.new_name = gr.Textbox(label=TEXTS.label("name"), max_length=40, elem_id="ws-name")
                self.title = gr.Textbox(label=TEXTS.label("title"), max_length=80, elem_id="ws-title")
            self.example = gr.Checkbox(True, label=TEXTS.label("example"), elem_id="ws-example")
            self.create = _button("create", primary=True)
        # The address may name any.
        self.name = gr.Dropdown(
            [], value=None, allow_custom_value=True, label=TEXTS.label("workspace"), elem_id="ws-workspace"
        )

    def _lay_out_data(self) -> None:
        gr.Markdown(TEXTS.label("data"), elem_classes="ws-step")
        self.key = gr.Radio([], label=TEXTS.label("table"), elem_id="ws-key")
        self.preview = gr.HTML(apply_default_css=False, elem_id="ws-preview")
        self.files = gr.File(file_count="multiple", label=TEXTS.label("drop"), height=140, elem_id="ws-files")
        with gr.Group(visible=False) as self.mapping:
            gr.Markdown(TEXTS.label("columns"), elem_classes="ws-hint")
            with gr.Row():
                self.columns = [
                    gr.Dropdown([], visible=False, interactive=True, min_width=180, elem_id=f"ws-field-{at}")
                    for at in range(_MOST_FIELDS)
                ]
            self.apply = _button("apply")
        with gr.Accordion(TEXTS.label("yaml"), open=False, elem_id="ws-yaml"):
            self.yaml = gr.Code(language="yaml", interactive=True, show_label=False, max_lines=30, elem_id="ws-code")
            self.save = _button("save")
        gr.Markdown(TEXTS.label("check"), elem_classes="ws-step")
        self.check = _button("check_now")
        self.report = gr.HTML(apply_default_css=False, elem_id="ws-report")

    def _lay_out_training(self) -> None:
        gr.Markdown(TEXTS.label("training"), elem_classes="ws-step")
        with gr.Row():
            self.train = _button("train", primary=True)
            self.cancel = _button("cancel")
        self.job = gr.HTML(apply_default_css=False, elem_id="ws-job")
        gr.Markdown(TEXTS.label("measured"), elem_classes="ws-step")
        self.evaluation = gr.HTML(apply_default_css=False, elem_id="ws-evaluation")
        self.reason = gr.Textbox(label=TEXTS.label("reason"), visible=False, max_length=500, elem_id="ws-reason")
        self.publish = _button("publish", primary=True)
        self.version = gr.HTML(apply_default_css=False, elem_id="ws-version")

    def connect(self) -> None:
        """Say what the components do."""
        table = [self.preview, self.mapping, *self.columns]
        shown = [self.problem, self.name, self.steps, self.key, self.yaml, self.report, *table]
        state = [self.job, self.version, self.evaluation, self.measured]
        blocks = Context.root_block
        assert blocks is not None  # the shell builds pages inside one
        blocks.load(None, js=_LEAVE_EDITOR_JS)
        opened = blocks.load(self._open, self.name, [*shown, *state], js=_NAMED_JS, **_QUIET)
        created = self.create.click(
            self._create, [self.app, self.new_name, self.title, self.example], [*shown, *state], **_QUIET
        )
        chosen = self.name.input(self._open, self.name, [*shown, *state], **_QUIET)
        for event in (opened, created, chosen):
            event.then(None, self.name, js=_NAME_JS)
        self.key.input(self._table, [self.name, self.key], table, **_QUIET)
        self.files.upload(self._upload, [self.name, self.key, self.files], [self.files, self.yaml, *table], **_QUIET)
        self.apply.click(self._apply, [self.name, self.key, *self.columns], [self.yaml, *table], **_QUIET)
        self.save.click(self._save, [self.name, self.key, self.yaml], table, **_QUIET)
        self.check.click(self._check, self.name, self.report, **_QUIET)
        self.train.click(self._train, self.name, state, **_QUIET)
        self.cancel.click(self._cancel, self.name, state, **_QUIET)
        self.publish.click(self._publish, [self.name, self.reason], [self.reason, *state], **_QUIET)
        self.timer.tick(self._tick, [self.name, self.measured], state, show_progress="hidden", api_visibility="private")

    def _open(self, name: str | None, request: gr.Request) -> list[Any]:
        principal = page_principal(request)
        if not principal.is_at_least("admin"):
            return [note("admins", request), *self._shown(None, [], principal, request)]
        names = [view.name for view in self._service.views(principal)]
        if name in names:
            return ["", *self._shown(name, names, principal, request)]
        return [note("choose" if names else "none", request), *self._shown(None, names, principal, request)]

    def _shown(self, name: str | None, names: list[str], principal: Principal, request: gr.Request) -> list[Any]:
        dropdown = gr.Dropdown(names, value=name, visible=bool(names))
        if name is None:
            return [dropdown, gr.Column(visible=False), gr.Radio(), "", "", *self._no_table(), "", "", "", None]
        with shown_errors():
            keys = self._service.table_keys(principal, name)
            first = next(iter(keys), None)
            choices = [(f"{key}: {text}", key) for key, text in keys.items()]
            radio = gr.Radio(choices, value=first)
            text = self._service.config_text(principal, name)
            table = self._no_table() if first is None else self._table(name, first, request)
            return [dropdown, gr.Column(visible=True), radio, text, "", *table, *self._state(name, request)]

    def _create(self, app: str | None, name: str, title: str, example: bool, request: gr.Request) -> list[Any]:
        with shown_errors():
            self._service.create(page_principal(request), app or "", name.strip(), title.strip(), with_example=example)
        gr.Info(TEXTS.say("created", request, name=name.strip()))
        return self._open(name.strip(), request)

    def _table(self, name: str, key: str, request: gr.Request) -> list[Any]:
        with shown_errors():
            preview = self._service.preview(page_principal(request), name, key)
        return [
            shown_preview(preview, request),
            gr.Group(visible=bool(preview.columns and preview.fields)),
            *_choices(preview, request),
        ]

    def _no_table(self) -> list[Any]:
        return ["", gr.Group(visible=False), *(gr.Dropdown(visible=False) for _ in self.columns)]

    def _upload(self, name: str, key: str, files: list[str], request: gr.Request) -> list[Any]:
        principal = page_principal(request)
        with shown_errors():
            self._service.put_files(principal, name, key, [Path(file) for file in files])
            return [None, self._service.config_text(principal, name), *self._table(name, key, request)]

    def _apply(self, request: gr.Request, name: str, key: str, *chosen: str) -> list[Any]:
        principal = page_principal(request)
        with shown_errors():
            preview = self._service.preview(principal, name, key)
            mapping = dict(preview.mapping)
            for (field, _), column in zip(preview.fields, chosen, strict=False):
                mapping.pop(field, None)
                if column:
                    mapping[field] = column
            self._service.map_columns(principal, name, key, mapping)
            gr.Info(TEXTS.say("applied", request))
            return [self._service.config_text(principal, name), *self._table(name, key, request)]

    def _save(self, name: str, key: str, text: str, request: gr.Request) -> list[Any]:
        with shown_errors():
            self._service.write_config_text(page_principal(request), name, text)
        gr.Info(TEXTS.say("applied", request))
        return self._table(name, key, request)

    def _check(self, name: str, request: gr.Request) -> str:
        try:
            return shown_report(self._service.check(page_principal(request), name), request)
        except SteerError as error:
            return shown_problem(str(error))

    def _train(self, name: str, request: gr.Request) -> list[Any]:
        with shown_errors():
            self._service.train(page_principal(request), name)
            return self._state(name, request)

    def _cancel(self, name: str, request: gr.Request) -> list[Any]:
        with shown_errors():
            self._service.cancel(page_principal(request), name)
            return self._state(name, request)

    def _publish(self, name: str, reason: str, request: gr.Request) -> list[Any]:
        try:
            version = self._service.publish(page_principal(request), name, reason)
        except SteerError as error:
            gr.Warning(html.escape(str(error)))
            return [gr.Textbox(visible="--reason" in str(error)), *self._state(name, request)]
        gr.Info(TEXTS.say("published", request, version=version))
        return [gr.Textbox("", visible=False), *self._state(name, request)]

    def _state(self, name: str, request: gr.Request) -> list[Any]:
        with shown_errors():
            measured = self._service.measured(page_principal(request), name)
            comparison = self._service.evaluation(page_principal(request), name)
        return [*self._progress(name, request), shown_evaluation(comparison, request), measured]

    def _tick(self, name: str | None, measured: float | None, request: gr.Request) -> list[Any]:
        principal = page_principal(request)
        if not name or not principal.is_at_least("admin"):
            return ["", "", gr.skip(), None]
        with shown_errors():
            if self._service.measured(principal, name) != measured:  # its intervals take a while
                return self._state(name, request)
        return [*self._progress(name, request), gr.skip(), measured]

    def _progress(self, name: str, request: gr.Request) -> list[str]:
        with shown_errors():
            view = self._service.view(page_principal(request), name)
        return [shown_job(view.job, request), shown_version(view, is_served=name in self._served, request=request)]


def _button(key: str, *, primary: bool = False) -> gr.Button:
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    return gr.Button(TEXTS.label(key), variant=kind, scale=0, min_width=160, elem_id=f"ws-{key}")


def _choices(preview: TablePreview, request: gr.Request) -> list[gr.Dropdown]:
    """A choice of the column for each field."""
    mapping, none = dict(preview.mapping), (TEXTS.say("no_column", request), "")
    choices = [none, *((column, column) for column in preview.columns)]
    shown = [
        gr.Dropdown(choices, value=mapping.get(field, ""), label=f"{field}{' *' if must else ''}", visible=True)
        for field, must in preview.fields[:_MOST_FIELDS]
    ]
    return [*shown, *(gr.Dropdown(visible=False) for _ in range(_MOST_FIELDS - len(shown)))]
