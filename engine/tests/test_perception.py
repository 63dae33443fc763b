import numpy as np
import pytest
from PIL import Image

from kinflow import observe
from kinflow.errors import PhotoError
from kinflow.perception.landmarks import Look
from kinflow.perception.observe import masks_of
from kinflow.perception.photos import as_photo, read_photo
from kinflow.perception.regions import Region
from kinflow.perception.views import summary


def gradient(height=60, width=90):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack((x * 2, y * 3, (x + y)), -1).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(tmp_path, orientation):
    upright = Image.fromarray(gradient())
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for operation in undo.get(orientation, []):
        stored = stored.transpose(operation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "p.png", exif=exif)
    photo = read_photo(tmp_path / "p.png")
    assert np.array_equal(photo.rgb, gradient())
    assert (photo.camera.width, photo.camera.height) == (90, 60)
    assert photo.turned == (orientation != 1)


def test_exif_focal_length_is_used(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 50
    Image.fromarray(gradient()).save(tmp_path / "p.jpg", exif=exif)
    assert read_photo(tmp_path / "p.jpg").camera.fx == pytest.approx(50 / 36 * 90)


@pytest.mark.parametrize(
    "name,mode",
    [
        ("g.png", "L"),
        ("a.png", "RGBA"),
        ("p.png", "P"),
        ("i.png", "I;16"),
        ("c.jpg", "CMYK"),
        ("w.webp", "RGB"),
        ("t.tiff", "RGB"),
        ("b.bmp", "1"),
    ],
)
def test_odd_formats_become_8_bit_rgb(tmp_path, name, mode):
    if mode == "I;16":
        image = Image.fromarray(gradient()[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(gradient()).convert(mode)
    image.save(tmp_path / name)
    photo = read_photo(tmp_path / name)
    assert photo.rgb.dtype == np.uint8 and photo.rgb.shape == (60, 90, 3)
    if mode == "I;16":
        assert np.abs(photo.rgb[..., 0].astype(int) - gradient()[..., 0]).max() <= 1


def test_names_with_spaces_and_umlauts_are_read(tmp_path):
    path = tmp_path / "Fräulein Müller (1)  .png"
    Image.fromarray(gradient()).save(path)
    assert read_photo(path).rgb.shape == (60, 90, 3)


@pytest.mark.parametrize(
    "payload", [b"", b"just text", b"\xff\xd8\xff\xe0 cut", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_photo_is_a_typed_error(tmp_path, payload):
    (tmp_path / "x.jpg").write_bytes(payload)
    with pytest.raises(PhotoError):
        read_photo(tmp_path / "x.jpg")


def test_truncated_photos_are_typed_errors(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)).save(
        tmp_path / "p.jpg"
    )
    raw = (tmp_path / "p.jpg").read_bytes()
    (tmp_path / "t.jpg").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(PhotoError):
        read_photo(tmp_path / "t.jpg")


def test_a_decompression_bomb_is_refused_by_its_claimed_size(tmp_path):
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    body = zlib.compress(b"\0" * 100)
    data += (
        struct.pack(">I", len(body))
        + b"IDAT"
        + body
        + struct.pack(">I", zlib.crc32(b"IDAT" + body))
    )
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(PhotoError, match="megapixels"):
        read_photo(tmp_path / "bomb.png")


def test_folders_and_missing_files_are_plain_sentences(tmp_path):
    with pytest.raises(PhotoError, match="folder"):
        read_photo(tmp_path)
    with pytest.raises(PhotoError, match="no file"):
        read_photo(tmp_path / "none.jpg")


def test_the_sample_person_is_found_with_mask_and_landmarks(sample_photo):
    people = observe(sample_photo)
    assert len(people) == 1
    o = people[0]
    assert o.keypoint_set == "blazepose33" and o.confidence.mean() > 0.6
    assert o.mask.shape == (o.camera.height, o.camera.width) and 0.03 < o.mask.mean() < 0.4
    assert o.world_landmarks.shape == (33, 3)


def test_a_photo_without_people_gives_nobody():
    assert observe(np.full((240, 320, 3), 128, np.uint8)) == []


def test_a_box_restricts_the_search(sample_photo):
    box = observe(sample_photo)[0].box
    again = observe(sample_photo, boxes=np.array([box]))
    assert (
        len(again) == 1
        and np.abs(again[0].keypoints - observe(sample_photo)[0].keypoints).mean() < 15
    )


@pytest.fixture(scope="module")
def upright_joints(sample_photo):
    from kinflow import fit

    result = fit(observe(sample_photo), device="cpu")[0]
    return result.camera.project(result.joints)


@pytest.mark.parametrize(
    ("orientation", "stored_as"),
    [
        (1, None),
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_90),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_a_photo_turned_by_exif_fits_like_the_upright_one(
    tmp_path, sample_photo, upright_joints, orientation, stored_as
):
    from kinflow import fit

    image = Image.open(sample_photo).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    (image if stored_as is None else image.transpose(stored_as)).save(
        tmp_path / "turned.png", exif=exif
    )
    result = fit(observe(tmp_path / "turned.png"), device="cpu")[0]
    assert np.abs(result.camera.project(result.joints) - upright_joints).max() < 0.5


def test_what_several_people_claim_is_whose_it_is_most_surely():
    region, ones = Region(np.array([128.0, 128]), 256.0), np.ones(33)
    people = []
    for strength, columns in ((8.0, slice(0, 150)), (2.0, slice(100, 256))):
        plane = np.full((256, 256), -30.0)
        plane[:, columns] = strength
        at = np.random.default_rng(0).uniform(0, 255, (33, 2))
        one = Look(region, at, ones, ones, np.zeros((33, 3)), plane, 1.0, region)
        people.append(summary([one, one]))
    first, second = masks_of(as_photo(gradient(256, 256), None), people)
    assert first[:, :148].all() and not first[:, 152:].any()
    assert second[:, 152:].all() and not second[:, :148].any()
