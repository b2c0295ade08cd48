"""One version of the bot: a reply to a conversation."""

from collections.abc import Sequence

from transformers import AutoTokenizer

from apps.customer_service.engine import Asked, Reply, SupportEngine
from apps.customer_service.rewards import MAX_ASKS
from apps.customer_service.task import CustomerService
from core.data.duplicates import same_text
from core.models.weights import resolve
from core.platform.inference.engine import Engine
from core.rl.explore import Explorer
from core.util.text_input import check_text

MAX_MESSAGE = 4_000


class SupportModel:
    """Replies to the conversations of many customers at once; keeps nothing of them.

    Args:
        task: Task as its run was trained.
        engine: Engine that computes.
    """

    def __init__(self, task: CustomerService, engine: Engine[SupportEngine]) -> None:
        self.task, self.engine, self.articles = task, engine, task.data.articles
        self._tokenizer = AutoTokenizer.from_pretrained(resolve(task.settings.encoder.name))

    async def reply(self, earlier: list[str], message: str, explorer: Explorer | None = None) -> Reply:
        """Decide what to do about a conversation.

        Args:
            earlier: Messages of the customer since the last answer, oldest first.
            message: Newest message.
            explorer: Picks the action by its probability; without one, the best is taken.

        Raises:
            SteerError: The message is empty, too long, or not text, or too many requests wait.
        """
        message = check_text(message, max_length=MAX_MESSAGE, what="a message")
        messages = (*earlier[-MAX_ASKS:], message)
        # Nobody is asked a third time, nor the same again who says the same again.
        may_ask = len(earlier) < MAX_ASKS and same_text(message) not in map(same_text, earlier)
        return await self.engine.answer(SupportEngine.replies, Asked(messages, may_ask, explorer or Explorer()))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, as the policy's encoder counts them."""
        return [len(ids) for ids in self._tokenizer(list(texts))["input_ids"]]
