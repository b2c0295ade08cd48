"""How items look: cards with generated covers (the data have no posters), and the strip of likes."""

from collections.abc import Callable, Collection, Sequence
from html import escape
from zlib import crc32

from apps.recommender.service import Item, Recommended, asked

Say = Callable[..., str]
SHOWN_LIKES = 12

_PLAIN_HUE = 215
_SMALL_WORDS = frozenset(("a", "an", "and", "at", "de", "for", "in", "la", "le", "les", "of", "on", "or", "the", "to"))

CSS = """
body { --rec-muted: var(--neutral-500); }
body.dark { --rec-muted: var(--neutral-400); }
[id^="rec-"] .html-container { padding: 0; }
#rec-status { scroll-margin-top: .5rem; }
#rec-status:focus { outline: none; }
.rec-start { align-items: flex-start; }
.rec-chips { gap: .35rem !important; flex-wrap: wrap; }
.rec-chips button { flex: 0 1 auto !important; min-width: 0 !important; white-space: normal; text-align: left;
  border-radius: 999px; font-weight: 500; }
.rec-grid { display: grid !important; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr));
  gap: 1rem !important; align-items: stretch !important; }
.rec-card { background: var(--block-background-fill); border: 1px solid var(--border-color-primary);
  border-radius: 14px; overflow: hidden; gap: 0 !important; justify-content: space-between; min-width: 0 !important;
  transition: box-shadow .15s, transform .15s; }
.rec-card:has(.rec-absent) { display: none; }
.rec-card:hover, .rec-card:focus-within { box-shadow: 0 6px 20px #0000002e; transform: translateY(-2px); }
.rec-cover { position: relative; height: 132px; display: flex; align-items: center; justify-content: center;
  color: #fff; background: radial-gradient(circle at 78% 18%, hsl(var(--b) 75% 62% / .75), transparent 55%),
  linear-gradient(150deg, hsl(var(--a) 52% 40%), hsl(var(--b) 58% 20%)); }
.rec-cover b { font-size: 2.3rem; font-weight: 700; letter-spacing: .06em; color: #fff; text-shadow: 0 2px 10px #0006; }
.rec-cover span { position: absolute; right: .6rem; bottom: .45rem; font-size: .78rem; color: #ffffffd9; }
.rec-body { padding: .65rem .75rem .4rem; color: var(--body-text-color); }
.rec-body h3 { margin: 0; font-size: .95rem; line-height: 1.3; font-weight: 650; color: var(--body-text-color);
  overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical;
  overflow: hidden; }
.rec-body .rec-tags { margin: .15rem 0 .55rem; font-size: .78rem; color: var(--rec-muted); }
.rec-body .rec-reason { font-size: .82rem; line-height: 1.35; margin: .55rem 0 .3rem; overflow-wrap: anywhere; }
.rec-match { height: 4px; border-radius: 4px; background: var(--border-color-primary); overflow: hidden; }
.rec-match i { display: block; height: 100%; border-radius: 4px; background: var(--rec-muted); }
.rec-actions { padding: 0 .6rem .65rem; gap: .4rem !important; flex-wrap: nowrap !important; }
.rec-actions button { min-width: 0 !important; padding-inline: .3rem; white-space: nowrap; }
.rec-status { display: flex; flex-wrap: wrap; align-items: baseline; gap: .2rem .8rem; margin: .3rem 0 .2rem;
  color: var(--body-text-color); }
.rec-status h2 { margin: 0; font-size: 1.2rem; overflow-wrap: anywhere; color: var(--body-text-color); }
.rec-status span { color: var(--rec-muted); overflow-wrap: anywhere; }
.rec-head { align-items: center; flex-wrap: nowrap; }
.rec-head > button { flex: 0 0 auto !important; min-width: 0 !important; }
.rec-mark { align-self: center; border: 1px solid var(--border-color-primary); border-radius: 6px; padding: .1rem .5rem;
  font-size: .75rem; font-weight: 650; color: var(--body-text-color); }
.rec-profile button { min-width: 0 !important; }
.rec-profile button[disabled] { background: var(--button-secondary-background-fill); opacity: .5; }
.rec-confirm { border: 1px solid var(--border-color-primary); border-radius: 14px; padding: .8rem 1rem !important; }
.rec-confirm button { min-width: 0 !important; }
.rec-side { border: 1px solid var(--border-color-primary); border-radius: 14px; padding: .9rem 1rem;
  background: var(--block-background-fill); color: var(--body-text-color); }
.rec-side h4 { margin: 0 0 .6rem; font-size: .8rem; letter-spacing: .04em; text-transform: uppercase;
  color: var(--rec-muted); }
.rec-side ol { list-style: none; margin: 0; padding: 0; }
.rec-side li { display: flex; align-items: center; gap: .6rem; padding: .28rem 0; font-size: .88rem; line-height: 1.3; }
.rec-side li.rec-new { font-weight: 650; }
.rec-side small { color: var(--rec-muted); }
.rec-dot { flex: none; width: 1.7rem; height: 1.7rem; border-radius: 7px; color: #fff; font-size: .62rem;
  font-weight: 700; display: grid; place-items: center;
  background: linear-gradient(150deg, hsl(var(--a) 52% 40%), hsl(var(--b) 58% 22%)); }
@media (max-width: 480px) {
  .rec-grid { grid-template-columns: 1fr 1fr; gap: .6rem !important; }
  .rec-cover { height: 84px; }
  .rec-actions { flex-direction: column; }
  .rec-actions button { width: 100%; }
}
.rec-terms, .rec-terms p, .rec-terms span { margin: 0; font-size: .75rem !important; line-height: 1.5;
  color: var(--rec-muted) !important; }
"""

# Stands in the place of a card on a list of fewer items.
ABSENT = '<span class="rec-absent"></span>'


def card(item: Recommended, say: Say) -> str:
    """A card's picture and words; its buttons are the page's own."""
    shown = item.item
    tags = ", ".join(say(f"tag.{name}") for name in shown.tags[:3])
    about = say(f"tag.{item.reason.about}") if item.reason.kind in ("tag", "different") else item.reason.about
    about = asked(item.reason.conditions, say) or about
    reason = escape(say(f"reason.{item.reason.kind}", about=about))
    share = round(100 * item.score)
    price = "" if shown.price is None else f"{shown.price:,.2f}"
    facts = " · ".join(escape(fact) for fact in (_year(shown), tags, price) if fact)
    return (
        f'<article><div class="rec-cover" style="{_hues(shown)}" aria-hidden="true">'
        f"<b>{escape(initials(shown.title))}</b><span>{_year(shown)}</span></div>"
        f'<div class="rec-body"><h3>{escape(shown.title)}</h3><p class="rec-tags">{facts}</p>'
        f'<div class="rec-match" role="img" aria-label="{say("match")} {share}%" title="{say("match")} {share}%">'
        f'<i style="width:{max(share, 3)}%"></i></div><p class="rec-reason">{reason}</p></div></article>'
    )


def status(headline: str, notes: Sequence[str], *, is_demo: bool, say: Say) -> str:
    """The line above the list: for whom it is, and what has just changed it."""
    mark = f'<b class="rec-mark">{escape(say("demo_mark"))}</b>' if is_demo else ""
    lines = "".join(f"<span>{escape(note)}</span>" for note in notes if note)
    return f'<div class="rec-status" role="status">{mark}<h2>{escape(headline)}</h2>{lines}</div>'


def history_strip(title: str, likes: Sequence[Item], new: Collection[str], hidden: int, say: Say) -> str:
    """The visitor's likes, newest first.

    Args:
        title: Heading that says whose they are.
        likes: Items that the visitor likes.
        new: Ids of the items that stand out, as they were liked in this visit.
        hidden: Number of items that the visitor does not want to see.
        say: Gives a text of the page.
    """
    rows = "".join(
        f'<li class="{"rec-new" if item.id in new else ""}">'
        f'<span class="rec-dot" style="{_hues(item)}" aria-hidden="true">{escape(initials(item.title))}</span>'
        f"<span>{escape(item.title)} <small>{_year(item)}</small></span></li>"
        for item in likes[:SHOWN_LIKES]
    )
    notes = [say("more", count=len(likes) - SHOWN_LIKES)] if len(likes) > SHOWN_LIKES else []
    notes += [say("hidden", count=hidden)] if hidden else []
    body = f"<ol>{rows}</ol>" if rows else f"<small>{say('no_history')}</small>"
    return f'<div class="rec-side"><h4>{escape(title)}</h4>{body}<small>{" · ".join(notes)}</small></div>'


def initials(title: str) -> str:
    """Up to three initials of a title's main words: "The Lord of the Rings" gives LR."""
    words = [word for word in title.split("(")[0].replace(":", " ").split() if word[0].isalnum()]
    main = [word for word in words if word.lower() not in _SMALL_WORDS] or words or [title]
    return "".join(word[0].upper() for word in main[:3])


def _year(item: Item) -> str:
    return "" if item.year is None else str(item.year)


def _hues(item: Item) -> str:
    """The first two tags of an item make its cover's gradient."""
    hues = [crc32(tag.encode()) % 360 for tag in item.tags[:2]] or [_PLAIN_HUE]
    # Items of the same tags shall not look all the same, so the id turns the wheel a little.
    turn = crc32(item.id.encode()) % 31 - 15
    return f"--a:{hues[0] + turn};--b:{hues[-1] + 40 + turn}"
