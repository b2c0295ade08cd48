"""The space of what people type."""

from gymnasium import spaces

MAX_CHARACTERS = 20_000


class AnyText(spaces.Text):
    """Unicode text of up to `MAX_CHARACTERS` characters; samples are printable ASCII."""

    def contains(self, x: object) -> bool:
        """Whether `x` is a text that is not too long, in whatever script."""
        return isinstance(x, str) and self.min_length <= len(x) <= self.max_length


def text_space() -> AnyText:
    """Space of one message, headline or conversation."""
    return AnyText(max_length=MAX_CHARACTERS, min_length=0)
