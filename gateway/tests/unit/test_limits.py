import pytest

from gateway import limits
from gateway.limits import Limiter


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


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("10.2.3.4", "10.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:10.2.3.4", "10.2.3.4"),
        ("", ""),
        ("somewhere", "somewhere"),
    ],
)
def test_a_network_of_ipv6_is_one_place(address, place):
    assert limits.place(address) == place
