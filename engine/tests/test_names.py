"""Which photo's results are called what."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from systems import posix

from kinflow import KinflowError
from kinflow.batch.journal import Journal
from kinflow.batch.sources import list_sources, read_frames
from kinflow.batch.work import Finished


def _files(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    return paths


def _stems(sources) -> list[str]:
    return [source.stem for source in sources]


def test_folders_patterns_and_twice_the_same_name_give_distinct_outputs(tmp_path):
    _files(tmp_path, "a/1.jpg", "a/2.png", "a/notes.txt", "b/1.jpg", "b/2.png")
    sources = list_sources([tmp_path / "a", tmp_path / "*" / "1.jpg"])
    assert _stems(sources) == ["1", "2", "1-2"] and [s.index for s in sources] == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        (("a/p.jpg", "b/p.jpg"), ["p", "p-2"]),
        (("a.jpg", "a.png", "a-2.jpg"), ["a", "a-3", "a-2"]),
        (("a-2.jpg", "a.jpg", "a.png"), ["a-2", "a", "a-3"]),
        (("A.jpg", "a.png"), ["A", "a-2"]),
        (("caf\u00e9.jpg", "cafe\u0301.png"), ["caf\u00e9", "cafe\u0301-2"]),
    ],
)
def test_no_two_photos_share_a_name_not_even_on_a_disk_that_ignores_case(tmp_path, names, stems):
    assert _stems(list_sources(_files(tmp_path, *names))) == stems


def test_a_name_that_leaves_no_room_for_a_suffix_is_cut_short(tmp_path):
    (source,) = list_sources(_files(tmp_path, "\u00e9" * 120 + ".jpg"))
    assert len(os.fsencode(source.stem)) <= 200 and source.stem.startswith("\u00e9")


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".wmv", "WMV2"), (".flv", "FLV1"), (".MP4", "mp4v")]
)
def test_videos_of_other_endings_are_frames_too(tmp_path, suffix, codec):
    path = tmp_path / f"v{suffix}"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25, (64, 48))
    for grey in (0, 90, 180):
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    sources = list_sources([path])
    assert [source.frame for source in sources] == [0, 1, 2]
    assert all(image.shape == (48, 64, 3) for image in read_frames(sources))


def test_folders_show_the_photos_of_phones(tmp_path):
    _files(tmp_path, "a/1.HEIC", "a/2.avif", "a/3.heif", "a/4.jpg", "a/5.pdf")
    assert _stems(list_sources([tmp_path / "a"])) == ["1", "2", "3", "4"]


def test_one_photo_under_two_paths_is_one_photo(tmp_path, monkeypatch):
    (path,) = _files(tmp_path, "p.jpg")
    monkeypatch.chdir(tmp_path)
    assert len(list_sources([path, Path("p.jpg"), Path("../") / tmp_path.name / "p.jpg"])) == 1


def test_a_folder_keeps_a_photos_name_whoever_comes_later(tmp_path):
    first, second = _files(tmp_path, "b/p.jpg", "a/p.jpg")
    with Journal(tmp_path / "out", {}) as journal:
        assert _stems(journal.name(list_sources([first]))) == ["p"]
    with Journal(tmp_path / "out", {}) as journal:
        assert _stems(journal.name(list_sources([second, first]))) == ["p-2", "p"]


def test_the_same_relative_name_in_two_folders_is_two_photos(tmp_path, monkeypatch):
    _files(tmp_path, "a/p.jpg", "b/p.jpg")
    stems = []
    for folder in ("a", "b", "a"):
        monkeypatch.chdir(tmp_path / folder)
        with Journal(tmp_path / "out", {}) as journal:
            stems += _stems(journal.name(list_sources([Path("p.jpg")])))
    assert stems == ["p", "p-2", "p"]


def test_results_beside_the_photos_are_no_photos_and_replace_none(tmp_path):
    (photo, _mine) = _files(tmp_path, "a.jpg", "a.overlay.png")
    with Journal(tmp_path, {}) as journal:
        named = journal.name(list_sources([tmp_path]))
        assert _stems(named) == ["a-2", "a.overlay"]
        finished = Finished([[named[0].key]], {f"{named[0].stem}.overlay.png": b"drawn"})
        journal.commit({named[0].key: finished}, named[:1])
        again = journal.name(list_sources([tmp_path]))
        assert [s.path for s in again] == [s.path for s in named] and photo.exists()
        assert [s.index for s in again] == [0, 1]


def test_what_is_not_there_is_said_before_anything_starts(tmp_path):
    (good,) = _files(tmp_path, "good.jpg")
    (tmp_path / "empty").mkdir()
    for wrong, sentence in (
        (tmp_path / "god.jpg", "There is no file"),
        (tmp_path / "nothing*", "No photo matches"),
        (tmp_path / "empty", "holds no photo"),
    ):
        with pytest.raises(KinflowError, match=sentence):
            list_sources([good, wrong])
    with pytest.raises(KinflowError, match="There is no file"):
        list_sources([good], [tmp_path / "keypoints.json"])
    with pytest.raises(KinflowError, match="No photo was given"):
        list_sources([])


@posix
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.jpg")
    with pytest.raises(KinflowError, match="no file"):
        list_sources([tmp_path / "x.jpg"])


def test_a_folder_that_cannot_be_read_is_a_sentence(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(KinflowError, match="Permission denied"):
        list_sources([tmp_path])
