"""What was worked out before: bounded by its bytes, and those used longest ago give way."""

from gateway.caching.remembered import Remembered

ROOM = 3 * 1_024


def test_those_used_longest_ago_give_way() -> None:
    remembered: Remembered[str, int] = Remembered(ROOM)
    for number, name in enumerate("abc"):
        remembered.put(name, number, 768)
    assert remembered.get("a") == 0
    remembered.put("d", 3, 768)
    assert [remembered.get(name) for name in "abcd"] == [0, None, 2, 3]


def test_one_that_is_larger_than_all_others_pushes_out_as_many_as_it_must() -> None:
    remembered: Remembered[str, int] = Remembered(ROOM)
    for name in "abc":
        remembered.put(name, 0, 768)
    remembered.put("d", 1, 1_792)
    assert (len(remembered), remembered.get("c"), remembered.get("d")) == (2, 0, 1)


def test_what_is_more_than_there_may_be_pushes_out_nothing() -> None:
    remembered: Remembered[str, int] = Remembered(ROOM)
    remembered.put("a", 0, 1)
    remembered.put("b", 1, ROOM)
    assert (remembered.get("a"), remembered.get("b")) == (0, None)


def test_what_is_known_is_not_counted_twice() -> None:
    remembered: Remembered[str, int] = Remembered(ROOM)
    for _ in range(10):
        remembered.put("a", 0, 768)
    remembered.put("b", 1, 768)
    remembered.put("c", 2, 768)
    assert len(remembered) == 3
