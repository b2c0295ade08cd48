"""The pages' texts are there in every language, and a visitor gets their own."""

from string import Formatter
from types import SimpleNamespace

import pytest

from apps.customer_service.texts import TEXTS as CHAT
from apps.finance_monitor.texts import TEXTS as MONITOR
from core.platform.apps.spec import installed_apps
from core.platform.auth.login_page import TEXTS as LOGIN
from core.platform.http.languages import LANGUAGES
from core.platform.pages.layout import TEXTS as FRAME
from core.platform.pages.start_page import TEXTS as START

ON_CARDS = ("title", "summary", "open_alerts")
CARDS = [(spec.name, spec.texts.texts) for spec in installed_apps()]
SHOWN = {
    **{f"{texts.scope}.{key}": said for texts in (CHAT, FRAME, START) for key, said in texts.texts.items()},
    **{f"{app}.{key}": texts[key] for app, texts in CARDS for key in ON_CARDS if key in texts},
}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def asks_for(languages: str) -> SimpleNamespace:
    return SimpleNamespace(headers={"accept-language": languages})


@pytest.mark.parametrize("key", SHOWN)
def test_the_chat_and_what_stands_around_it_say_everything_in_every_language(key):
    said = SHOWN[key]
    assert len(said) == len(LANGUAGES)
    assert all(text.strip() for text in said)
    assert len({frozenset(fields(text)) for text in said}) == 1


def test_the_login_says_everything_in_every_language():
    assert set(LOGIN) == set(LANGUAGES)
    assert len({frozenset(texts) for texts in LOGIN.values()}) == 1


@pytest.mark.parametrize(
    ("languages", "said"),
    [
        ("de", "Senden"),
        ("de-AT,de;q=0.9,en;q=0.8", "Senden"),
        ("zh-CN,zh;q=0.9", "发送"),
        ("fr-FR,de;q=0.5", "Send"),
        ("", "Send"),
    ],
)
def test_a_visitor_is_answered_in_the_language_of_their_browser(languages, said):
    assert CHAT.say("send", asks_for(languages)) == said


def test_what_has_no_german_is_said_in_english():
    assert MONITOR.say("live", asks_for("de")) == "Live"
    assert MONITOR.translations()["de"]["finance_monitor.live"] == "Live"
