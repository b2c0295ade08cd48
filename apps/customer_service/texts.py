"""The texts of the chat, in English, Chinese and German."""

from apps.customer_service.rewards import FIXED_ACTIONS, FixedAction
from apps.customer_service.views import ChatTurn
from apps.customer_service.wording import WORDS
from core.platform.apps.texts import Texts
from core.platform.http.languages import HasHeaders

TEXTS = Texts(
    "customer_service",
    {
        "title": ("Customer service", "客户服务", "Kundenservice"),
        "summary": (
            "Ask like a customer: the bot answers from the help articles with its source, asks back, or hands over.",
            "像顾客一样提问：机器人依据帮助文章作答并给出来源，必要时追问或转人工。",
            "Fragen Sie wie ein Kunde: Der Bot antwortet aus den Hilfeartikeln mit Quelle, fragt nach oder übergibt.",
        ),
        "waiting": (
            "{count:,} customers wait for a person",
            "{count:,} 位顾客等待人工客服",
            "Warten auf einen Menschen: {count}",
        ),
        "chat": ("Chat", "对话", "Chat"),
        "empty": (
            "Ask your question: the answer comes from the help articles, with its source.",
            "请提出您的问题：回答依据帮助文章，并注明来源。",
            "Stellen Sie Ihre Frage: Die Antwort kommt aus den Hilfeartikeln, mit ihrer Quelle.",
        ),
        "placeholder": (
            "How can we help? Type your question and press Enter.",
            "需要什么帮助？输入问题后按回车键。",
            "Wie können wir helfen? Frage eingeben, dann Enter drücken.",
        ),
        "send": ("Send", "发送", "Senden"),
        "person": ("Talk to a person", "转人工", "Mit einem Menschen sprechen"),
        "undo": ("Undo last message", "撤回上一条", "Letzte Nachricht zurücknehmen"),
        "restart": ("New chat", "新对话", "Neuer Chat"),
        "conversations": ("Your conversations", "您的对话", "Ihre Gespräche"),
        "no_conversations": (
            "None yet. What you ask is kept here, so that you can come back to it.",
            "暂无对话。您的提问会保存在这里，方便随时继续。",
            "Noch keine. Was Sie fragen, bleibt hier, damit Sie darauf zurückkommen können.",
        ),
        "untitled": ("Nothing said yet", "尚无内容", "Noch nichts geschrieben"),
        "delete": ("Delete", "删除", "Löschen"),
        "delete_for_good": ("Delete for good", "永久删除", "Endgültig löschen"),
        "deleted": ("The conversation is deleted.", "对话已删除。", "Das Gespräch ist gelöscht."),
        "earlier": ("Earlier replies", "之前的回复", "Frühere Antworten"),
        "try": ("For example", "例如", "Zum Beispiel"),
        "decision": ("What the bot decided", "机器人的决定", "Was der Bot entschieden hat"),
        "no_decision": (
            "Ask something: here you will see what the bot decided, how sure it is, and the articles behind it.",
            "提问之后，这里会显示机器人的决定、把握程度以及所依据的文章。",
            "Fragen Sie etwas: Hier steht dann, was der Bot entschieden hat, wie sicher und warum.",
        ),
        "action.answer": ("answered from an article", "依据文章回答", "aus einem Artikel beantwortet"),
        "action.ask_back": ("asked back", "追问", "nachgefragt"),
        "action.hand_over": ("handed over to a person", "转人工", "an einen Menschen übergeben"),
        "action.decline": ("outside what it can help with", "超出服务范围", "außerhalb dessen, wobei er helfen kann"),
        "action.greeting": ("greeted", "问候", "gegrüßt"),
        "action.thanks": ("took the thanks", "回应感谢", "auf den Dank geantwortet"),
        "action.goodbye": ("said goodbye", "道别", "sich verabschiedet"),
        "action.about_bot": ("said what it is", "介绍自己", "gesagt, was er ist"),
        "action.acknowledgement": ("nodded", "回应", "bestätigt"),
        "sure": ("{share:.0%} sure", "把握 {share:.0%}", "zu {share:.0%} sicher"),
        "lost": ("no article was sure enough", "没有把握足够的文章", "kein Artikel war sicher genug"),
        "sources": ("Source", "来源", "Quelle"),
        "choices": ("It may be about", "可能与以下内容有关", "Es könnte gehen um"),
        "page": ("Read it on its page ↗", "查看原网页 ↗", "Auf der Seite lesen ↗"),
        "no_sources": ("No article was used.", "未使用文章。", "Kein Artikel wurde benutzt."),
        **{action: (words["en"], words["zh"], words["de"]) for action, words in WORDS.items()},
        "passed_on": (
            "Passed on to the colleague who looks after you.",
            "已转给正在为您服务的同事。",
            "An die Person weitergegeben, die sich um Sie kümmert.",
        ),
        "action.passed_on": ("passed on to a person", "已转给人工客服", "an einen Menschen weitergegeben"),
        "colleague": ("A colleague", "人工客服", "Ein Mensch aus dem Team"),
        "bot": ("The bot", "机器人", "Der Bot"),
        "customer": ("The customer", "顾客", "Der Kunde"),
        "inbox": ("Inbox: {count:,} wait for a person", "收件箱：{count:,} 位等待人工", "Posteingang: {count} warten"),
        "inbox_empty": (
            "Nobody waits. Whom the bot hands over stands here, with what was said.",
            "无人等待。机器人转来的对话会显示在这里。",
            "Niemand wartet. Wen der Bot übergibt, steht hier, mit allem, was gesagt wurde.",
        ),
        "inbox_pick": (
            "Pick a conversation: you read it here, answer, and give it back to the bot.",
            "选择一个对话：在此阅读、回复，然后交还给机器人。",
            "Wählen Sie ein Gespräch: Hier lesen, antworten und es dem Bot zurückgeben.",
        ),
        "waits": ("waits", "等待中", "wartet"),
        "answered": ("answered", "已回复", "beantwortet"),
        "looked_after": ("{agent} looks after it", "由 {agent} 负责", "{agent} kümmert sich"),
        "write_answer": (
            "Your answer to the customer",
            "给顾客的回复",
            "Ihre Antwort an den Kunden",
        ),
        "answer": ("Send answer", "发送回复", "Antwort senden"),
        "take_over": ("Take over", "接手", "Übernehmen"),
        "give_back": ("Give back to the bot", "交还给机器人", "Dem Bot zurückgeben"),
        "taken_over": (
            "You look after this conversation: the bot is silent in it.",
            "此对话现由您负责，机器人不再回复。",
            "Sie kümmern sich um dieses Gespräch: Der Bot schweigt darin.",
        ),
        "given_back": ("The bot talks again.", "机器人已恢复回复。", "Der Bot spricht wieder."),
        "may_help": ("Articles that may help", "可能有用的文章", "Artikel, die helfen könnten"),
        "wants_person": (
            "I would like to talk to a person.",
            "我想找人工客服。",
            "Ich möchte mit einem Menschen sprechen.",
        ),
        "thanks_up": ("Thank you - noted as helpful.", "谢谢，已记录为有帮助。", "Danke - als hilfreich vermerkt."),
        "thanks_down": (
            "Thank you - noted; this helps the bot to learn.",
            "谢谢，已记录，将帮助机器人改进。",
            "Danke - vermerkt; daraus lernt der Bot.",
        ),
    },
)


def worded(turn: ChatTurn, request: HasHeaders | None) -> ChatTurn:
    """The turn with a text in any case: what the bot does without words is put in the language of the request."""
    if turn.text or turn.action is None:
        return turn
    return turn.model_copy(update={"text": TEXTS.say(turn.action, request)})


def act_of(text: str) -> FixedAction | None:
    """What the bot did when it said `text` in any language; None where it answered."""
    return next((action for action in FIXED_ACTIONS if text in WORDS[action].values()), None)
