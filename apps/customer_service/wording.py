"""What the bot says in words of its own, in the languages in which it answers."""

from collections.abc import Mapping

from apps.customer_service.rewards import FixedAction
from core.data.languages import Language

# Customers who write in other letters than these languages have are answered in English.
WORDS: Mapping[FixedAction, Mapping[Language, str]] = {
    "ask_back": {
        "en": "I want to be sure that I understand. Is it about one of these, or can you say a little more?",
        "zh": "为了准确理解您的问题：是否与以下某项有关？或者请再详细说明一下。",
        "de": "Ich möchte Sie richtig verstehen: Geht es um eines von diesen Themen, oder können Sie etwas mehr dazu "
        "schreiben?",
        "es": "Quiero estar seguro de entenderle: ¿se trata de alguno de estos temas, o puede contarme un poco más?",
        "fr": "Je veux être sûr de bien comprendre : s'agit-il de l'un de ces sujets, ou pouvez-vous préciser un peu ?",
    },
    "hand_over": {
        "en": "This is one for a colleague. I am handing you over together with what you wrote, "
        "so you need not repeat yourself.",
        "zh": "这个问题需要同事来处理。我已将您写的内容一并转交，您无需重复说明。",
        "de": "Darum kümmert sich am besten jemand aus dem Team. Ich gebe weiter, was Sie geschrieben haben; Sie "
        "müssen nichts wiederholen.",
        "es": "De esto se ocupa mejor una persona del equipo. Le paso lo que ha escrito, así no tendrá que repetirlo.",
        "fr": "Un collègue est mieux placé pour vous répondre. Je lui transmets ce que vous avez écrit, vous n'aurez "
        "pas à vous répéter.",
    },
    "decline": {
        "en": "That is outside what I can help with. I can answer questions that our help articles are about.",
        "zh": "这超出了我的服务范围。我可以回答帮助文章所涉及的问题。",
        "de": "Dabei kann ich leider nicht helfen. Ich beantworte Fragen, um die es in unseren Hilfeartikeln geht.",
        "es": "En eso no puedo ayudarle. Respondo a las preguntas que tratan nuestros artículos de ayuda.",
        "fr": "Je ne peux pas vous aider sur ce point. Je réponds aux questions que traitent nos articles d'aide.",
    },
    "greeting": {
        "en": "Hello! What can I do for you? Tell me in a sentence, and I look it up in our help articles.",
        "zh": "您好！有什么可以帮您？请用一句话告诉我，我会在帮助文章中查找。",
        "de": "Guten Tag! Was kann ich für Sie tun? Schreiben Sie es in einem Satz, dann sehe ich in unseren "
        "Hilfeartikeln nach.",
        "es": "¡Hola! ¿En qué puedo ayudarle? Dígamelo en una frase y lo busco en nuestros artículos de ayuda.",
        "fr": "Bonjour ! Que puis-je faire pour vous ? Dites-le en une phrase, et je cherche dans nos articles d'aide.",
    },
    "thanks": {
        "en": "You're welcome! Is there anything else?",
        "zh": "不客气！还有其他问题吗？",
        "de": "Gern geschehen! Haben Sie noch eine Frage?",
        "es": "¡De nada! ¿Puedo ayudarle en algo más?",
        "fr": "Je vous en prie ! Avez-vous une autre question ?",
    },
    "goodbye": {
        "en": "Goodbye, and come back whenever there is something.",
        "zh": "再见！有需要随时再来。",
        "de": "Auf Wiedersehen! Melden Sie sich gern, wenn etwas ist.",
        "es": "¡Hasta pronto! Vuelva cuando lo necesite.",
        "fr": "Au revoir, et revenez dès que vous en avez besoin.",
    },
    "about_bot": {
        "en": "I am a computer program, not a person: I answer from our help articles, and name the one that I used. "
        'Would you rather write with a person? Then press "Talk to a person", or just say so.',
        "zh": "我是计算机程序，不是真人：我依据帮助文章作答，并注明所用的文章。"
        "如果您更想与真人交流，请点击“转人工”，或直接告诉我。",
        "de": "Ich bin ein Computerprogramm und kein Mensch: Ich antworte aus unseren Hilfeartikeln und nenne den, den "
        "ich benutzt habe. Möchten Sie lieber mit einem Menschen schreiben? Dann sagen Sie es einfach.",
        "es": "Soy un programa, no una persona: respondo con nuestros artículos de ayuda e indico cuál he usado. "
        "¿Prefiere escribir con una persona? Dígamelo sin más.",
        "fr": "Je suis un programme et non une personne : je réponds avec nos articles d'aide et j'indique lequel. "
        "Vous préférez écrire à une personne ? Dites-le simplement.",
    },
    "acknowledgement": {
        "en": "All right. I am here if there is anything else.",
        "zh": "好的。如有其他问题，我随时在。",
        "de": "Alles klar. Ich bin da, falls noch etwas ist.",
        "es": "De acuerdo. Aquí estoy si necesita algo más.",
        "fr": "Très bien. Je reste là s'il y a autre chose.",
    },
}

_IN_ENGLISH: Mapping[Language, str] = {
    "zh": "我们的文章（英文）是这样写的：",
    "de": "Dazu steht in unseren Artikeln, auf Englisch:",
    "es": "Nuestros artículos, en inglés, dicen lo siguiente:",
    "fr": "Voici ce que disent nos articles, en anglais :",
    "other": "Our articles, which are in English, say:",
}


def worded_in(language: Language, action: FixedAction) -> str:
    """What the bot says when it does something else than answer."""
    words = WORDS[action]
    return words.get(language, words["en"])


def quoted_in(language: Language, english: str) -> str:
    """An answer in English for who writes in another language."""
    return f"{_IN_ENGLISH[language]}\n{english}"
