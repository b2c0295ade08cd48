"""The language of a short text."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args

Language = Literal["en", "de", "zh", "es", "fr", "other"]
"""Languages that are told apart; `other` is written in letters that none of them has."""

# A needless doubt costs little: what may be English is taken for English.
_SURE = 0.8
_OTHER_LETTERS = re.compile(r"[\u0370-\u1dff\u3040-\u30ff\uac00-\ud7af]")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
# Alone, these say too little for statistics of letters.
_TELLING: Mapping[Language, str] = {
    "de": "hallo servus moin tschüss tschau danke dir dankeschön bitte guten tag morgen abend",
    "es": "hola buenas buenos días tardes gracias adiós muchas vale de acuerdo por favor",
    "fr": "bonjour bonsoir salut merci beaucoup d'accord au revoir s'il vous plaît ça va",
}


def language_of(text: str) -> Language:
    """The language of a text; English where that is not sure.

    The more similar languages come out as the nearest one: Italian mostly as Spanish, Dutch as German.

    Args:
        text: Text of any length; a word is enough where it is telling.
    """
    if len(_OTHER_LETTERS.findall(text)) > len(text) / 4:
        return "other"
    if "¿" in text or "¡" in text:
        return "es"
    words = set(_WORD.findall(text.lower().replace("’", "'")))
    for telling_language, telling in _TELLING.items():
        if words and words <= set(telling.split()):
            return telling_language
    language, probability = _identifier().classify(text)
    return language if probability > _SURE else "en"


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # its tables take half a second to read

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([language for language in get_args(Language) if language != "other"])
    return identifier
