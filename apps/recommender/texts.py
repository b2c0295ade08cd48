"""The texts in English and Chinese, the page's in the words of the shop; the start page's, in German too."""

from collections.abc import Callable, Sequence
from string import Template
from typing import Any, Literal

from apps.recommender.config import Words
from apps.recommender.wishes.wish import Condition
from core.platform.apps.texts import Texts
from core.platform.http.languages import HasHeaders

TEXTS = Texts(
    "recommender",
    {
        "title": ("Recommender", "推荐系统", "Empfehlungen"),
        "summary": (
            "Ten films for a visitor, varied and with a reason for each; every like changes the list at once.",
            "为访客推荐十部电影：内容多样，并说明理由；每次点赞都会立即更新列表。",
            "Zehn Filme für jeden Besuch, abwechslungsreich und begründet; jedes Gefällt-mir ändert die Liste sofort.",
        ),
    },
)

# $item, $items and $item_zh are what the shop calls them; a Chinese noun has no plural.
_PAGE = {
    "taste": ("Describe your taste", "描述您的口味"),
    "taste_hint": (
        "As you would tell a friend: what you want, what not, from when, or like which one but newer",
        "像对朋友说的那样：想要什么、不要什么、哪个年代、或像哪一个但更新",
    ),
    "search": ("Find $items that you like", "查找您喜欢的$item_zh"),
    "search_hint": ("Words of a title, then Enter", "输入名称中的词，然后按回车"),
    "demo": ("Try it as somebody else", "以他人身份试用"),
    "demo_mark": ("Demo", "演示"),
    "demo_hint": (
        "A visitor whom the data know. Nothing that you do here is kept or enters your own list.",
        "这是数据中已有的访客。您在此的操作不会保存，也不会影响您自己的列表。",
    ),
    "user": ("Visitor whom the data know", "数据中已有的访客"),
    "user_hint": ("With what they like; or type an id", "附其喜好；也可输入编号"),
    "all_seen": ("There are no more $items that were neither seen nor hidden.", "已没有未看过且未隐藏的$item_zh。"),
    "like": ("Like", "喜欢"),
    "hide": ("Not for me", "不感兴趣"),
    "others": ("Show me others", "换一批"),
    "undo": ("Undo", "撤销"),
    "back": ("Back to my list", "返回我的列表"),
    "forget": ("Forget me", "忘记我"),
    "forget_ask": (
        "Delete all {count} likes and hides? This cannot be undone.",
        "删除全部 {count} 条喜欢与隐藏记录？此操作无法撤销。",
    ),
    "forget_sure": ("Delete", "删除"),
    "forget_not": ("Keep them", "保留"),
    "history": ("What you like", "您喜欢的$item_zh"),
    "history_of": ("What visitor {user} likes", "访客 {user} 喜欢的$item_zh"),
    "no_history": ("The $items that you like appear here.", "您喜欢的$item_zh会显示在这里。"),
    "more": ("and {count} more", "以及另外 {count} 项"),
    "hidden": ("{count} hidden", "已隐藏 {count} 项"),
    "for_user": ("For visitor {user}", "为访客 {user} 推荐"),
    "for_words": ("For “{words}”", "根据“{words}”推荐"),
    "for_likes": ("For you", "为您推荐"),
    "for_newcomer": ("Well-loved $items of many kinds", "各类广受喜爱的$item_zh"),
    "newcomer_hint": ("Like one, and the list becomes yours.", "点一个“喜欢”，列表就会成为您的专属推荐。"),
    "after_like": ("Updated because you liked {title}", "已更新：您喜欢了“{title}”"),
    "after_hide": ("Updated: you will not see {title} again", "已更新：不再显示“{title}”"),
    "after_undo": ("Your last like or hide is undone", "已撤销您最近一次操作"),
    "after_forget": ("Everything that you did here is deleted", "您在此的所有记录已删除"),
    "none_found": ("No $item has “{title}” in its title.", "没有名称包含“{title}”的$item_zh。"),
    "match": ("match", "匹配度"),
    "reason.liked": ("Because you liked {about}", "因为您喜欢“{about}”"),
    "heard": ("Heard: {about}", "已理解：{about}"),
    "unmet": ("No $item is also: {about}", "没有同时满足此项的$item_zh：{about}"),
    "fewer": ("No more $items are all of that.", "没有更多符合全部要求的$item_zh。"),
    "partly_read": ("Not every word of that was understood here.", "未能理解其中的每个词。"),
    "not_understood": (
        "Nothing here is near to what you wrote; these are what many people like.",
        "这里没有与您所写内容相近的$item_zh；以下是许多人喜欢的。",
    ),
    "asked.or": (" or ", "或"),
    "asked.and": (", ", "，"),
    "asked.not": ("not {about}", "不要{about}"),
    "asked.words": ("about “{about}”", "含“{about}”的"),
    "asked.decade": ("{low}s", "{low}年代"),
    "asked.year": ("{low}", "{low}年"),
    "asked.years": ("{low} to {high}", "{low}至{high}年"),
    "asked.since": ("since {low}", "{low}年起"),
    "asked.until": ("until {high}", "{high}年及以前"),
    "asked.prices": ("{low} to {high}", "{low}至{high}"),
    "asked.at_least": ("{low} or more", "{low}及以上"),
    "asked.at_most": ("{high} or less", "{high}及以下"),
    "reason.like": ("Like {about}", "与“{about}”相似"),
    "reason.asked": ("As you asked: {about}", "如您所愿：{about}"),
    "reason.words": ("Matches “{about}”", "符合“{about}”"),
    "reason.described": ("Close to what you described", "与您的描述相近"),
    "reason.tag": ("For your taste in {about}", "符合您对{about}的喜好"),
    "reason.popular": ("Loved by many", "深受众人喜爱"),
    "reason.different": ("Something different: {about}", "换换口味：{about}"),
    "terms": (
        "Visitors of the data are known by their ids only; covers are drawn by this page.",
        "数据中的访客仅以编号表示；封面由本页面生成。",
    ),
}
_TAG = "tag."


class ShopTexts(Texts):
    """Texts whose keys `tag.NAME` are tags: as the shop translates them, or else as they are."""

    def say(self, key: str, request: HasHeaders | None, **values: Any) -> str:
        """See `Texts.say`."""
        if key.startswith(_TAG) and key not in self.texts:
            return key.removeprefix(_TAG)
        return super().say(key, request, **values)


def asked(conditions: Sequence[Condition], say: Callable[..., str]) -> str:
    """What conditions of a wish are, in words.

    Args:
        conditions: Conditions of a wish.
        say: Gives a text of the page.
    """
    return say("asked.and").join(_asked(each, say) for each in conditions)


def _asked(condition: Condition, say: Callable[..., str]) -> str:
    if condition.kind == "tags":
        about = say("asked.or").join(say(f"{_TAG}{name}") for name in condition.names)
    elif condition.kind == "words":
        about = say("asked.words", about=say("asked.or").join(condition.names))
    else:
        about = say(f"asked.{_limits(condition)}", low=_number(condition, "low"), high=_number(condition, "high"))
    return say("asked.not", about=about) if condition.is_unwanted else about


def _limits(condition: Condition) -> str:
    low, high, are_years = condition.low, condition.high, condition.kind == "years"
    if low is None:
        return "until" if are_years else "at_most"
    if high is None:
        return "since" if are_years else "at_least"
    if not are_years:
        return "prices"
    return "year" if low == high else "decade" if low % 10 == 0 and high == low + 9 else "years"


def _number(condition: Condition, end: Literal["low", "high"]) -> str:
    value = condition.low if end == "low" else condition.high
    return "" if value is None else f"{value:.0f}" if condition.kind == "years" else f"{value:,.2f}"


def shop_texts(words: Words, scope: str) -> ShopTexts:
    """The page's texts with what the shop calls an item.

    Args:
        words: Names that the shop has for an item.
        scope: Name of the workspace.
    """
    named = {name: _plain(getattr(words, name)) for name in ("item", "items", "item_zh")}
    texts = {key: (_filled(english, named), _filled(chinese, named)) for key, (english, chinese) in _PAGE.items()}
    tags = {f"{_TAG}{name}": (_plain(name), _plain(chinese)) for name, chinese in words.tags_zh.items()}
    return ShopTexts(scope, {**texts, **tags})


def _filled(text: str, named: dict[str, str]) -> str:
    return Template(text).substitute(named)


def _plain(text: str) -> str:
    """Text that `str.format` leaves as it is."""
    return text.replace("{", "{{").replace("}", "}}")
