"""The bot: a reply to a conversation."""

from collections.abc import Sequence

from transformers import AutoTokenizer

from apps.customer_service.engine import Asked, SupportEngine, source
from apps.customer_service.environment import MAX_ASKS
from apps.customer_service.replies import Reply, Source
from apps.customer_service.task import CustomerService
from core.models.weights import resolve
from core.platform.inference.engine import Engine
from core.rl.explore import Explorer
from core.training.loader import open_task
from core.training.run import Run
from core.training.task import Task
from core.util.text_input import check_text

MAX_MESSAGE = 4_000


class SupportService:
    """Replies to the conversations of many customers at once; keeps nothing of them.

    Args:
        task: with the settings that the policy was trained with.
        engine: that computes, see `apps.customer_service.engine`.
    """

    def __init__(self, task: Task, engine: Engine[SupportEngine]) -> None:
        assert isinstance(task, CustomerService)
        self.task, self.engine = task, engine
        self._known = {article.id: article for article in task.desk.articles}
        self._tokenizer = AutoTokenizer.from_pretrained(resolve(task.settings.encoder.name))

    async def reply(self, earlier: list[str], message: str, explorer: Explorer | None = None) -> Reply:
        """Decide what to do about a conversation.

        Args:
            earlier: the customer's messages since the last answer, oldest first.
            message: the newest.
            explorer: picks the action by its probability; without one, the best is taken.

        Raises:
            SteerError: the message is empty, too long, or not text, or too many requests wait.
        """
        message = check_text(message, max_length=MAX_MESSAGE, what="a message")
        messages = (*earlier[-MAX_ASKS:], message)
        may_ask = len(earlier) < MAX_ASKS  # nobody is asked a third time
        return await self.engine.answer(SupportEngine.replies, Asked(messages, may_ask, explorer or Explorer()))

    def sources(self, articles: Sequence[str]) -> list[Source]:
        """The articles of some ids, without those that are no longer there."""
        return [source(self._known[article]) for article in articles if article in self._known]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, as the policy's encoder counts them."""
        return [len(ids) for ids in self._tokenizer(list(texts))["input_ids"]]


def open_service(run: Run, engine: Engine[SupportEngine]) -> SupportService:
    """The service of the bot that `run` holds.

    Raises:
        SteerError: it holds none.
    """
    return SupportService(open_task(CustomerService, run), engine)
