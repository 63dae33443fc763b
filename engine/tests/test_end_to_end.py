import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kinflow import Camera, fit, observe
from kinflow.cli import main
from kinflow.core.metrics import mpjpe, pa_mpjpe

SAMPLES = Path(__file__).parents[2] / "blender_tests" / "samples"
PHOTOS = Path(__file__).parents[3] / "shared" / "photos"


def test_the_rendered_sample_is_fitted_to_under_80_mm(sample_photo):
    truth = json.loads(sample_photo.with_suffix(".json").read_text())
    camera = Camera(**truth["camera"])
    result = fit(observe(sample_photo), camera=camera)[0]
    assert pa_mpjpe(result.joints, np.array(truth["joints"])) < 0.080
    assert mpjpe(result.joints, np.array(truth["joints"])) < 0.120


def test_half_a_person_is_fitted_and_unseen_limbs_follow_the_prior():
    result = fit(observe(SAMPLES / "astronaut.jpg"))[0]
    assert result.status in ("converged", "max_iterations")
    assert result.keypoint_error_px < 15 and np.isfinite(result.vertices).all()


def test_command_line_fits_and_reports(tmp_path, capsys, sample_photo):
    assert main(["fit", str(sample_photo), "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.strip().splitlines()[-1])["people"] == 1
    assert {p.name for p in tmp_path.iterdir()} == {
        "punch.0.npz",
        "punch.overlay.png",
        "punch.sheet.png",
        "report.csv",
        "journal.sqlite",
    }


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "/nowhere.jpg"],
        ["body", "info", "/nowhere.pkl"],
        ["prior", "sample", "x.npz", "--prior", "nonsense"],
    ],
)
def test_failures_exit_with_1_and_a_sentence(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--json"]) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err and captured.err.strip()


def test_a_photo_of_nobody_is_a_sentence_and_not_a_success(tmp_path, capsys):
    from PIL import Image

    Image.new("RGB", (300, 300), (90, 120, 90)).save(tmp_path / "wall.png")
    assert main(["fit", str(tmp_path / "wall.png"), "--out", str(tmp_path / "o")]) == 1
    assert "No person was found" in capsys.readouterr().err


def test_doctor_finds_everything_in_order():
    assert (
        subprocess.run(
            [sys.executable, "-m", "kinflow.cli", "doctor"], capture_output=True
        ).returncode
        == 0
    )


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the real photographs are not on this machine")
def test_people_in_real_photographs_are_fitted():
    people = observe([PHOTOS / "241.jpg", PHOTOS / "474.jpg"])
    assert len(people) >= 3
    results = fit(people)
    share = [r.keypoint_error_px / o.height_px() for r, o in zip(results, people, strict=True)]
    assert np.median(share) < 0.02
