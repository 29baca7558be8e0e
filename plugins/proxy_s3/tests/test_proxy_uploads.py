"""The digest of an upload is that of its object, however long its parts and in whatever order."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from roar_proxy_s3.proxy import uploads
from roar_proxy_s3.proxy.uploads import Upload

CONTENT = random.Random(8).randbytes(400_000)
HERE = Path.cwd()


@given(
    lengths=st.lists(st.integers(0, 60_000), min_size=1, max_size=6),
    seed=st.integers(),
    retried=st.booleans(),
)
def test_parts_of_any_length_in_any_order(lengths: list[int], seed: int, retried: bool) -> None:
    chance, upload, numbers = random.Random(seed), Upload(HERE), range(1, len(lengths) + 1)
    contents = {n: CONTENT[sum(lengths[: n - 1]) : sum(lengths[:n])] for n in numbers}
    waiting, under_way = list(numbers), {}
    if retried:
        # Its first half arrives, and then it is sent again.
        broken = upload.begin(len(lengths), lengths[-1])
        assert broken is not None
        broken.update(contents[len(lengths)][: lengths[-1] // 2])
    while waiting or under_way:
        if waiting and (not under_way or chance.random() < 0.5):
            number = waiting.pop(chance.randrange(len(waiting)))
            under_way[number] = upload.begin(number, lengths[number - 1]), contents[number]
        else:
            number = chance.choice(list(under_way))
            part, left = under_way.pop(number)
            assert part is not None
            part.update(left[:20_000])
            if left[20_000:]:
                under_way[number] = part, left[20_000:]
            else:
                part.end()
                upload.add(number, part, lengths[number - 1])
    size, digest, _ = upload.whole(list(numbers))
    upload.close()
    whole = b"".join(contents.values())
    assert (size, digest) == (len(whole), blake3(whole).hexdigest())


def test_numbers_may_have_gaps(tmp_path: Path) -> None:
    upload = Upload(tmp_path)
    for number, content in ((9, b"last"), (2, b"first, and longer")):
        part = upload.begin(number, len(content))
        assert part is not None
        part.update(content)
        part.end()
        upload.add(number, part, len(content))
    found = upload.whole([2, 9])[1]
    upload.close()
    assert found == blake3(b"first, and longerlast").hexdigest()
    assert not list(tmp_path.iterdir())


def test_what_is_kept_has_bounds_and_what_is_lost_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_MOST_KEPT", 100_000)
    upload = Upload(tmp_path)
    for number, size in ((3, 60_000), (2, 90_000), (1, 80_000)):
        part = upload.begin(number, size)
        assert part is not None
        part.update(bytes(size))
        part.end()
        upload.add(number, part, size)
    found = upload.whole([1, 2, 3])
    upload.close()
    assert found == (230_000, None, uploads.OTHER_SHAPE)
    assert upload.whole([1, 2, 4])[2] == uploads.UNSEEN
