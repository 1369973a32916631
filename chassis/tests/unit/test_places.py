"""Places: nobody who waits for one slow unit takes all the threads."""

from __future__ import annotations

import threading

import pytest

from chassis.errors import Unavailable
from chassis.places import Places


def test_places_are_given_back_whatever_happens():
    places = Places(3, 2)
    for _ in range(5):
        with pytest.raises(KeyError), places.one("a"):
            raise KeyError
    with places.one("a"), places.one("a"):
        with pytest.raises(Unavailable), places.one("a"):
            pass
        with places.one("b"), pytest.raises(Unavailable), places.one("b"):
            pass


def test_stream_holds_its_place_until_its_end():
    places = Places(1, 1)
    pieces = places.held("a", iter([1, 2]))
    assert next(pieces) == 1
    with pytest.raises(Unavailable), places.one("a"):
        pass
    pieces.close()
    with places.one("a"):
        pass


def test_a_full_unit_is_waited_for():
    places = Places(4, 1, patience=5)
    places.take("a")
    back = threading.Timer(0.1, lambda: places.give_back("a"))
    back.start()
    with places.one("a"):
        pass
    back.join()


def test_who_waits_counts_too():
    places = Places(3, 1, patience=0.3)
    places.take("slow")
    refused = threading.Event()

    def wait():
        with pytest.raises(Unavailable), places.one("slow"):
            pass
        refused.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    with places.one("quick"):
        pass
    assert refused.wait(5)
    waiting.join()
    with places.one("quick"):
        pass
