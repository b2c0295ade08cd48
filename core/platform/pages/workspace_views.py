"""What the page of the workspaces shows as HTML; whatever comes from files is escaped."""

import html
from collections.abc import Iterable, Sequence

import gradio as gr

from core.data.report import Report
from core.evaluation.comparison import Comparison, verdict
from core.platform.jobs.progress import EVALUATION, StageProgress
from core.platform.pages.workspace_texts import TEXTS
from core.platform.workspaces.columns import TablePreview
from core.platform.workspaces.service import JobView, WorkspaceView
from core.training.checked import Checked

_SHOWN = 10

CSS = """
.ws-table { overflow-x: auto; }
.ws-table table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
.ws-table th, .ws-table td { border-bottom: 1px solid var(--border-color-primary); padding: .3rem .8rem .3rem 0;
  text-align: left; vertical-align: top; max-width: 28rem; overflow-wrap: break-word; color: var(--body-text-color); }
.ws-table th, .ws-note { color: var(--body-text-color-subdued); font-weight: 500; }
.ws-note { margin: .3rem 0; font-size: .9rem; overflow-wrap: anywhere; }
.ws-bad { color: var(--error-text-color); font-weight: 600; overflow-wrap: anywhere; }
.ws-good { color: var(--body-text-color); font-weight: 600; }
.ws-stage { display: grid; grid-template-columns: 9rem minmax(6rem, 16rem) auto; gap: .2rem .8rem; align-items: center;
  font-size: .9rem; font-variant-numeric: tabular-nums; color: var(--body-text-color); }
.ws-stage progress { width: 100%; accent-color: var(--primary-500); }
.ws-stage span:last-child { color: var(--body-text-color-subdued); }
.ws-open { color: var(--link-text-color); font-weight: 600; }
"""


def shown_preview(preview: TablePreview, request: gr.Request) -> str:
    """The files of a table and its first rows."""
    if not preview.source:
        return note("no_table", request)
    listed = ", ".join(preview.files[:_SHOWN]) or preview.source
    head = _line(listed if len(preview.files) <= _SHOWN else f"{listed} …")
    if preview.problem:
        is_documents = preview.problem.endswith(".parquet") or "holds no table" in preview.problem
        return head + (note("documents", request) if is_documents else shown_problem(preview.problem))
    return head + note("first_rows", request, count=len(preview.rows)) + _table(preview.columns, preview.rows)


def shown_report(checked: Checked, request: gr.Request) -> str:
    """What the check of a workspace found."""
    report = checked.report
    parts = [_shown_table(table, request) for table in report.tables]
    if checked.fit is not None:
        fit = checked.fit
        parts.append(note("fit", request, encoder=checked.encoder, unknown=fit.unknown, pieces=fit.pieces))
        if not fit.is_good:
            parts.append(shown_problem(TEXTS.say("unfit", request)))
    for of_what, sizes in report.splits.items():
        listed = ", ".join(f"{split} {count:,}" for split, count in sizes.items())
        parts.append(note("splits", request, kind=of_what, sizes=listed))
    for kind, sentences in (("note", report.remarks), ("missing", report.missing)):
        parts += [_line(f"{TEXTS.say(kind, request)}: {sentence}") for sentence in sentences]
    return "".join(parts)


def shown_job(job: JobView | None, request: gr.Request) -> str:
    """How far the training is."""
    if job is None:
        return note("not_trained", request)
    text = html.escape(TEXTS.say(f"state.{job.state}", request, error=job.error))
    told = f'<p role="status" class="{"ws-bad" if job.state == "failed" else "ws-good"}">{text}</p>'
    return told + "".join(_stage(stage, request) for stage in job.progress.stages)


def shown_evaluation(comparison: Comparison | None, request: gr.Request) -> str:
    """Every policy's reward, and what RL gains over it."""
    if comparison is None:
        return note("no_evaluation", request)
    rows = []
    for name, label in comparison.labels.items():
        gain = None if name == "rl" else comparison.gain(name)
        told = "" if gain is None else f"{gain} {TEXTS.say(f'verdict.{verdict(gain)}', request)}"
        rows.append((label, str(comparison.reward(name)), told))
    return _table([TEXTS.say(key, request) for key in ("policy", "mean_reward", "gain")], rows)


def shown_version(view: WorkspaceView, *, is_served: bool, request: gr.Request) -> str:
    """Which version serves, with the way to it."""
    if not view.version:
        return ""
    if not is_served:
        return note("opening", request, version=view.version)
    link = f'<a class="ws-open" id="ws-open" href="/{view.name}">{TEXTS.say("open_page", request)}</a>'
    return f'<p class="ws-note">{html.escape(TEXTS.say("serving", request, version=view.version))} {link}</p>'


def shown_problem(problem: str) -> str:
    """Something that is to be mended."""
    return f'<p class="ws-bad">{html.escape(problem)}</p>'


def note(key: str, request: gr.Request, **values: object) -> str:
    """One of the page's sentences."""
    return _line(TEXTS.say(key, request, **values))


def _shown_table(report: Report, request: gr.Request) -> str:
    counted = TEXTS.say("taken", request, taken=report.taken, rows=report.rows)
    parts = [
        f'<p class="{"ws-bad" if report.rejected else "ws-good"}">{html.escape(f"{report.source}: {counted}")}</p>'
    ]
    if report.rejected:
        rows = [(why.column, why.reason, f"{why.count:,}", "; ".join(why.first)) for why in report.rejected]
        parts.append(_table([TEXTS.say(key, request) for key in ("column", "why", "rows", "first")], rows))
    if report.duplicates or report.near_duplicates:
        parts.append(note("repeated", request, same=report.duplicates, near=report.near_duplicates))
    for column, counts in report.labels.items():
        shown = [f"{label} {count:,}" for label, count in list(counts.items())[:_SHOWN]]
        parts.append(_line(f"{column}: {', '.join(shown)}{' …' if len(counts) > _SHOWN else ''}"))
    for found in report.contradictions[:_SHOWN]:
        labels = ", ".join(f"{label} ({place})" for label, place in found.labels.items())
        parts.append(note("contradiction", request, column=found.column, text=repr(found.text), labels=labels))
    return "".join(parts)


def _stage(stage: StageProgress, request: gr.Request) -> str:
    name = TEXTS.say("evaluation", request) if stage.name == EVALUATION else stage.name
    told = [f"{stage.done} / {stage.total}"] if stage.total > 1 else []
    if stage.state == "runs" and stage.seconds_left is not None:
        told.append(TEXTS.say("left", request, time=_duration(stage.seconds_left)))
    if stage.reward is not None:
        told.append(TEXTS.say("reward", request, reward=stage.reward))
    value = stage.total if stage.state == "done" else stage.done
    bar = f'<progress max="{stage.total}" value="{value}" aria-label="{html.escape(name)}"></progress>'
    return f'<div class="ws-stage"><span>{html.escape(name)}</span>{bar}<span>{" · ".join(told)}</span></div>'


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _line(text: str) -> str:
    return f'<p class="ws-note">{html.escape(text)}</p>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in head)
    lines = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="ws-table"><table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'
