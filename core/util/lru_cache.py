"""Results kept for the keys that were asked for last."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LRUCache(Generic[Key, Value]):
    """A cache for work that is done in batches; threads may share it, and so do copies of what holds it.

    Args:
        most: entries that are kept; the one that was not asked for the longest goes first.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    def __deepcopy__(self, memo: dict[int, Any]) -> "LRUCache[Key, Value]":
        return self

    def get(self, keys: Sequence[Key], compute: Callable[[list[Key]], Iterable[Value]]) -> list[Value]:
        """The value of each key.

        Args:
            keys: any number, repeated or not.
            compute: maps those that are not known yet, each once, to their values in order; not called for none.
        """
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        new = [key for key in dict.fromkeys(keys) if key not in found]
        if new:
            computed = dict(zip(new, compute(new), strict=True))
            self._keep(computed)
            found |= computed
        return [found[key] for key in keys]

    def _keep(self, computed: dict[Key, Value]) -> None:
        with self._lock:
            self._kept.update(computed)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
