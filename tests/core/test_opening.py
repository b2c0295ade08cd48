"""Something large that is opened beside the work."""

import threading

import pytest

from core.util.errors import SteerError
from core.util.opening import Opening


def test_who_has_no_patience_goes_on_without_it_until_it_is_there():
    may_open = threading.Event()
    opening = Opening(lambda: may_open.wait() and "large", patience=0.0)
    assert opening.get() is None
    may_open.set()
    while (found := opening.get()) is None:
        pass
    assert found == "large"


def test_who_is_patient_waits_for_it():
    assert Opening(lambda: "large", patience=None).get() == "large"


def test_what_cannot_be_had_is_never_there_and_a_mistake_is_no_secret():
    def refused():
        raise SteerError("there is no connection")

    assert Opening(refused, patience=None).get() is None
    with pytest.raises(ZeroDivisionError):
        Opening(lambda: 1 / 0, patience=None).get()
