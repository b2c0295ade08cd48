"""A least-recently-used cache for results that are computed in batches."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LRUCache(Generic[Key, Value]):
    """A cache for work that is done in batches; threads may share it, and copies of its owner do.

    Args:
        max_size: Largest number of entries; the one that was not asked for the longest goes first.
    """

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size
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
            keys: Any number of keys, repeated or not.
            compute: Function that maps those not known yet, each once, to their values in order; not called for none.
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
            while len(self._kept) > self.max_size:
                self._kept.popitem(last=False)
