import pytest

from chassis.errors import Unavailable
from gateway import limits
from gateway.limits import Limiter
from chassis.places import Places


def test_burst_then_rate():
    now = [0.0]
    limiter = Limiter(2, 5, lambda: now[0])
    assert [limiter.wait("a") for _ in range(6)] == [0, 0, 0, 0, 0, 0.5]
    assert limiter.wait("b") == 0
    now[0] = 0.5
    assert limiter.wait("a") == 0
    assert limiter.wait("a") > 0
    now[0] = 100
    assert [bool(limiter.wait("a")) for _ in range(6)] == [False] * 5 + [True]


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "KEPT", 100)
    limiter = Limiter(1, 1)
    for number in range(1000):
        limiter.wait(str(number))
    assert len(limiter._buckets) == 100


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
