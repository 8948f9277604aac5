from dataclasses import replace

import pytest
from recording import ENDED, write_log
from recording import EVENTS as ALL

from tuning.log import journal
from tuning.log.events import Ended
from tuning.log.journal import Journal

INTERRUPTED = Ended("interrupted", time=1)
EVENTS = [event for event in ALL if "nan" not in repr(event)]  # which no event with one equals


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events.jsonl"


def test_what_is_there_is_read_once_and_what_comes_after_it(log):
    found = Journal(log)
    assert found.read(closed=False) == []
    write_log(log, EVENTS[:3])
    assert found.read(closed=False) == EVENTS[:3]
    assert found.read(closed=False) == []
    write_log(log, EVENTS[3:])
    assert found.read(closed=False) == EVENTS[3:]
    found.rewind()
    assert found.read(closed=True) == EVENTS


def test_a_line_that_is_not_yet_whole_waits(log):
    found = Journal(log)
    whole = write_log(log, EVENTS[:2]).read_bytes()
    log.write_bytes(whole[:-10])
    assert found.read(closed=True) == EVENTS[:1]
    log.write_bytes(whole)
    assert found.read(closed=True) == EVENTS[1:2]


def test_an_end_waits_until_nothing_can_follow(log):
    found = Journal(write_log(log, [*EVENTS[:2], ENDED]))
    assert found.read(closed=False) == EVENTS[:2]
    assert found.read(closed=False) == []
    assert found.read(closed=True) == [ENDED]
    assert found.read(closed=True) == []


def test_an_end_that_something_followed_is_void(log):
    found = Journal(write_log(log, [*EVENTS[:2], INTERRUPTED]))
    assert found.read(closed=False) == EVENTS[:2]
    write_log(log, [*EVENTS[2:4], INTERRUPTED, EVENTS[4], ENDED])
    assert found.read(closed=True) == [*EVENTS[2:5], ENDED]


@pytest.mark.parametrize("size", [1, 300, 3000])
def test_a_long_log_is_read_in_pieces(log, monkeypatch, size):
    monkeypatch.setattr(journal, "CHUNK", size)
    ends = replace(ENDED, note="x" * 5000)  # more than a piece
    found = Journal(write_log(log, [*EVENTS[:5], ends, *EVENTS[5:], ends]))
    pieces = []
    while piece := found.read(closed=True):
        pieces.append(piece)
    assert len(pieces) > 1
    assert [event for piece in pieces for event in piece] == [*EVENTS, ends]
