"""Words of English, German, Spanish, French and Chinese that turn a sentence into a query.

They are spelled as `folded` spells them. A word that another language has for something else counts only where the
language of the sentence is its own (`OWN_NEGATIONS`).
"""

import re
from collections.abc import Mapping

from core.data.languages import Language

_EN_NOT = (
    r"no more|no|not|never|none of|nothing|without|except(?: for)?|excluding|other than|apart from|rather than|"
    r"instead of|avoid|hate|dislike|nor|neither|non|(?:do|does|did|is|are|was|wo|would|could)n't|cannot|can't stand"
)
_DE_NOT = r"kein(?:e[nrsm]?)?|nicht|nichts|ohne|ausser|niemals|hasse|statt|weder"
_ES_NOT = r"nada(?: de)?|excepto|salvo|nunca|tampoco|ningun[ao]?|odio|en vez de"
_FR_NOT = r"pas|sans|aucune?|sauf|jamais|rien|deteste|plutot que"
_BUT_NOT = r"(?:anything|everything|all) (?:but|except)|alles ausser|todo menos|tout sauf"
_ZH_NOT = "不要|不想要?|不看|不是|不喜欢|不含|不带|别|没有|除了|非|讨厌|拒绝"

NEGATION = re.compile(rf"\b(?:{_BUT_NOT}|{_EN_NOT}|{_DE_NOT}|{_ES_NOT}|{_FR_NOT})\b|{_ZH_NOT}")
OWN_NEGATIONS: Mapping[Language, re.Pattern[str]] = {
    "en": re.compile(r"\b(?:do|does|did|is|are|wo)nt\b"),
    "es": re.compile(r"\b(?:sin|menos|ni)\b"),
    "fr": re.compile(r"\bni\b"),
}
# Chinese puts it behind: 恐怖片以外.
EXCEPT_BEFORE = re.compile(r"([^,.;、¬|]*?)(?:以外|之外|除外)")
# What looks like a negation, and is none.
NO_NEGATION = re.compile(
    r"\b(?:not (?:only|just)|nothing but|why not|nicht nur|nichts als|no solo|nada mas que|pas seulement|rien que)\b"
    r"|不只|不仅"
)
# Behind these, what was said not to be wanted has ended.
CONTRAST = re.compile(
    r"\b(?:but|however|instead|aber|sondern|dafur|pero|sino|mais)\b|\bjust\b|\bonly\b|但是?|而是?|不过"
    r"|\b(?:and|und|y|et) (?=(?:something|some|an?|etwas|eine?n?|algo|una?|une|quelque|with|mit|con|avec|from|aus)\b)"
)
CLAUSE_END = re.compile(r"[,.;:!?…、。\n]")
ALTERNATIVE = re.compile(r"\s*(?:\b(?:or|nor|oder|noch|o|ou|ni)\b\s*(?:an? |eine? |una? |une )?|或者?|还是)\s*")

LIKE = re.compile(
    r"\b(?:like|similar to|in the (?:style|vein|spirit) of|reminds? me of|along the lines of|fans? of|wie|ahnlich|"
    r"im stil von|como|parecid[oa]s? a|similar(?:es)? a|al estilo de|comme|semblables? a|similaires? a|"
    r"dans le (?:style|genre) de|du (?:style|genre) de)\s+|(?:像|类似于?|和|跟|与)\s*"
)
_NEWER = (
    r"newer|(?:more|plus) recent(?:er|es?)?|later|neuer(?:e[sr]?)?|junger(?:e[sr]?)?|mas (?:nuev|reciente)\w*|"
    r"更新|新一[点些]"
)
_OLDER = (
    r"older|earlier|alter(?:e[sr]?)?|fruher(?:e[sr]?)?|mas (?:antigu|viej)\w*|plus (?:ancien|vieu)\w*|"
    r"更老|更早|老一[点些]"
)
_CHEAPER = (
    r"cheaper|less expensive|billiger(?:e[sr]?)?|gunstiger(?:e[sr]?)?|mas barat\w*|moins cher\w*|更便宜|便宜一[点些]"
)
# Where nothing else says so, the limit is that of an item which the sentence names.
COMPARED: Mapping[str, re.Pattern[str]] = {
    name: re.compile(rf"(?<![a-z])(?:even |noch |aun |encore )?(?:{words})(?![a-z])(?: (?:than|als|que))?")
    for name, words in (("newer", _NEWER), ("older", _OLDER), ("cheaper", _CHEAPER))
}
ANOTHER_NAME = re.compile(r"\s*(?:,|\b(?:and|or|und|oder|y|o|et|ou)\b|和|、)\s*")
THAN = re.compile(rf"\b(?:{_NEWER}|{_OLDER}|{_CHEAPER}) (?:than|als|que)\s+|比\s*")

# Behind the name of an item stands one of these, or nothing.
_AFTER_NAME = """
    but and or newer older cheaper more less even just only with without from in set made that which please too
    aber und oder neuer alter billiger mehr weniger nur mit ohne aus bitte pero y o mas menos solo con sin de
    por mais et ou plus moins seulement avec sans s'il
"""
AFTER_NAME = frozenset(_AFTER_NAME.split())

EXPENSIVE = r"expensive|dear|pricey|teuer\w*|car[oa]s?|chere?s?|贵"
CHEAP = r"cheap|inexpensive|affordable|billig\w*|gunstig\w*|preiswert\w*|barat[oa]s?|economic[oa]s?|bon marche|便宜"

# Words that say nothing of an item, beside scikit-learn's English ones.
_FILLERS = """
    like likes love loved want wants wanted would please something anything some any kind kinds sort set made
    one ones thing things stuff recommend recommendation show give find watch see seen looking look need prefer
    really very good great nice best favourite favorite fan fans similar style tonight today time new list too
    much don't isn't i'd i'm it's let's me my can't bit quite scare easily get us hi hello ich du wir mir uns
    mich mochte mag will hatte gern gerne bitte etwas was das der die den dem des ein eine einen einem einer
    eines und oder aber auch mit von vom aus im in ist sind war gibt es uber fur zum zur auf an wie guter gute
    gutes guten schon schone so sehr nur noch mehr als ware sollte sein zeig zeige such suche jahr jahre jahren
    yo mi quiero quisiera busco dame algo cualquier cosa una uno unos unas un el la los las lo de del al y o
    pero con por favor para que son en sobre como buena buenas bueno buenos muy mas ver anos ano hay je j'aime
    tu nous moi veux voudrais cherche donne quelque chose une le les l' d' et ou mais avec pour qui est sont
    dans sur comme bon bonne bons bonnes tres plus voir s'il vous plait annees annee au aux ce c'est
"""
FILLERS = frozenset(_FILLERS.split())
HAN_FILLERS = re.compile(
    "我们?|想要?|看|要|给|来|一[部个些款本首下点]|有没有|有|请|推荐|关于|好看|那种|这种|那样|一样|类似|之类|类型?|最|好|"
    "也|和|或者?|在|是|都|什么|吗|呢|吧|的|了|点|些|部|个|适合|你|帮|找|喜欢|就|很|比较|年|拍|出"
)
