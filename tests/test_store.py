import threading

import pytest

from tuning.log.store import Store


@pytest.fixture(params=["path", "uri"])
def store(request, tmp_path):
    folder = tmp_path / "not" / "yet"
    return Store(str(folder) if request.param == "path" else folder.as_uri())


def test_bytes_are_kept_under_a_name(store, tmp_path):
    store.write("00003.pt", b"\x00\xff")
    assert store.exists("00003.pt") and store.read("00003.pt") == b"\x00\xff"
    assert (tmp_path / "not" / "yet" / "00003.pt").read_bytes() == b"\x00\xff"


def test_there_is_nothing_under_a_name_that_was_never_written(store):
    assert store.read("00003.pt") is None and not store.exists("00003.pt")


def test_the_names_are_those_of_what_is_there(store):
    assert store.names() == set()
    for name in ("a.pt", "b.pt"):
        store.write(name, b"x")
    store.delete("a.pt")
    assert store.names() == {"b.pt"}


def test_a_write_replaces_what_was_there_and_leaves_nothing_beside_it(store, tmp_path):
    for content in (b"old, and longer", b"new"):
        store.write("a.pt", content)
    assert store.read("a.pt") == b"new"
    assert [path.name for path in (tmp_path / "not" / "yet").iterdir()] == ["a.pt"]


def test_a_write_that_fails_leaves_what_was_there(store):
    store.write("a.pt", b"old")
    with pytest.raises(TypeError):
        store.write("a.pt", [1, 2])
    assert store.read("a.pt") == b"old"


def test_a_name_that_was_deleted_or_never_written_can_be_deleted(store):
    store.write("a.pt", b"x")
    store.write("b.pt", b"y")
    store.delete("a.pt")
    store.delete("a.pt")
    assert (store.read("a.pt"), store.read("b.pt")) == (None, b"y")


def test_a_store_opened_again_holds_the_same(store):
    store.write("a.pt", b"x")
    assert Store(store.uri).read("a.pt") == b"x"


def test_a_reader_never_sees_half_a_write(store):
    contents = [bytes([i]) * 200_000 for i in range(4)]
    store.write("a.pt", contents[0])
    threads = [threading.Thread(target=lambda c=c: [store.write("a.pt", c) for _ in range(20)]) for c in contents]
    for thread in threads:
        thread.start()
    seen = set()
    while any(thread.is_alive() for thread in threads):
        seen.add(store.read("a.pt"))
    for thread in threads:
        thread.join()
    assert seen <= set(contents)


def test_a_store_that_cannot_be_made_says_so_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Store(str(tmp_path / "file" / "below"))
