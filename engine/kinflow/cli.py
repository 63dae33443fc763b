"""The command line `kinflow ...`. Every command has --json, a machine-readable last line."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from .errors import KinflowError


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command."""

    json: bool = False
    """Print one machine-readable line at the end."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Setup(Common):
    """Get the detector's models into the user's cache and note this Python for the Blender add-on."""

    wheel: Path | None = None
    """A wheel of mediapipe 0.10.21 at hand, instead of fetching it."""


@dataclass(frozen=True, kw_only=True)
class Doctor(Common):
    """Check versions, device, assets, detector, write access and ports."""


@dataclass(frozen=True, kw_only=True)
class Observe(Common):
    """Find the people in photos and write an observation.json each."""

    photos: Annotated[list[Path], tyro.conf.Positional] = field(default_factory=list)
    out: Path = Path("out")
    fov: float | None = None
    """Horizontal field of view in degrees, where the photo does not say."""


@dataclass(frozen=True, kw_only=True)
class Fit(Common):
    """Fit bodies to the people in photos: an .npz a person, overlays, one table."""

    photos: Annotated[list[Path], tyro.conf.Positional] = field(default_factory=list)
    out: Path = Path("out")
    prior: str = "light"
    body: Path | None = None
    """The user's own SMPL file instead of the free body."""
    losses: tuple[str, ...] = ("ka", "ba")
    overlay: bool = True
    fov: float | None = None


@dataclass(frozen=True, kw_only=True)
class PriorSample(Common):
    """Sample poses from a prior into an .npz (body_pose, axis-angle)."""

    out: Annotated[Path, tyro.conf.Positional] = Path("samples.npz")
    prior: str = "light"
    n: int = 200
    temperature: float = 1.0
    sheet: Path | None = None
    """Also draw a contact sheet."""


@dataclass(frozen=True, kw_only=True)
class BodyInfo(Common):
    """Say what a body file holds."""

    file: Annotated[Path | None, tyro.conf.Positional] = None


@dataclass(frozen=True, kw_only=True)
class BodyConvert(Common):
    """Write a body file as a clean, pickle-free .npz in SMPL's layout."""

    file: Annotated[Path, tyro.conf.Positional]
    out: Annotated[Path, tyro.conf.Positional]


@dataclass(frozen=True, kw_only=True)
class Serve(Common):
    """Run the engine for a client that listens on this machine; its one-time token is read from standard input.

    Started by `kinflow.Engine` and by the Blender add-on; it ends when its standard input closes.
    """

    connect: int
    """Port of the client on 127.0.0.1."""
    idle: float = 0.0
    """End after so many seconds without a request; 0: never."""


@dataclass(frozen=True, kw_only=True)
class Overlay(Common):
    """Draw fits over their photo."""

    photo: Annotated[Path, tyro.conf.Positional]
    fits: Annotated[list[Path], tyro.conf.Positional]
    out: Path = Path("overlay.png")


@dataclass(frozen=True, kw_only=True)
class Compare(Common):
    """Compare a fit with a known truth (a .json with `joints` in the camera's frame)."""

    fit: Annotated[Path, tyro.conf.Positional]
    truth: Annotated[Path, tyro.conf.Positional]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _progress(label: str):
    """A progress callback that writes one line, renewed in place on a terminal."""
    terminal = sys.stderr.isatty()
    last = 0.0

    def show(fraction: float, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.1 if terminal else 5.0):
            return
        last = now
        end = "\r" if terminal else "\n"
        print(f"{label} {100 * fraction:3.0f}%  {message:<20}", end=end, file=sys.stderr, flush=True)

    yield show
    if terminal:
        print(" " * 60, end="\r", file=sys.stderr)


def _setup(command: Setup) -> dict[str, Any]:
    from .paths import engine_note
    from .perception.bundle import make_bundle

    bundle = make_bundle(command.wheel, _say)
    engine_note().write_text(json.dumps({"python": sys.executable}), "utf-8")
    return {"bundle": str(bundle), "python": sys.executable}


def _doctor(command: Doctor) -> dict[str, Any]:
    from .doctor import run_checks

    checks = run_checks()
    for check in checks:
        _say(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.detail}" + ("" if check.ok else f" -> {check.remedy}"))
    if not all(check.ok for check in checks):
        raise KinflowError("Not everything is in order.", "See the lines above.")
    return {"checks": {check.name: check.detail for check in checks}}


def _expand(photos: list[Path]) -> list[Path]:
    suffixes = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
    found: list[Path] = []
    for path in photos:
        found += sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes) if path.is_dir() else [path]
    if not found:
        raise KinflowError("No photo was given.", "Name photos or folders of photos.")
    return found


def _observe_all(photos: list[Path], fov: float | None) -> tuple[list, dict[int, str]]:
    """Observations of all photos (with .photo set) and the reason for each that failed."""
    from dataclasses import replace

    from .perception import observe

    people, failed = [], {}
    with _progress("finding people") as show:
        for index, path in enumerate(photos):
            show(index / len(photos), path.name)
            try:
                found = observe(path, fov_degrees=fov)
            except KinflowError as error:
                failed[index] = str(error)
                continue
            if not found:
                failed[index] = f"No person was found in {path}. Try a photo with a larger, clearer person."
            people += [replace(o, photo=index) for o in found]
    return people, failed


def _stems(photos: list[Path]) -> list[str]:
    """A distinct name for each photo's outputs."""
    seen: dict[str, int] = {}
    names = []
    for path in photos:
        number = seen[path.stem] = seen.get(path.stem, 0) + 1
        names.append(path.stem if number == 1 else f"{path.stem}-{number}")
    return names


def _observe(command: Observe) -> dict[str, Any]:
    photos = _expand(command.photos)
    people, failed = _observe_all(photos, command.fov)
    command.out.mkdir(parents=True, exist_ok=True)
    for index, stem in enumerate(_stems(photos)):
        own = [o.to_json() for o in people if o.photo == index]
        if own:
            (command.out / f"{stem}.observation.json").write_text(json.dumps(own, indent=1), "utf-8")
    for reason in failed.values():
        _say(reason)
    return {"people": len(people), "failed": {str(photos[i]): r for i, r in failed.items()}}


def _fit(command: Fit) -> dict[str, Any]:
    import csv

    import numpy as np
    from PIL import Image

    from .bodies.files import load_body
    from .drawing.overlay import overlay
    from .fitting.fit import fit
    from .flows.prior import load_prior
    from .perception.photos import read_photo

    photos = _expand(command.photos)
    body, prior = load_body(command.body), load_prior(command.prior)
    people, failed = _observe_all(photos, command.fov)
    with _progress("fitting") as show:
        results = fit(people, body=body, prior=prior, losses=command.losses, device=command.device, seed=command.seed, progress=show)
    command.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, stem in enumerate(_stems(photos)):
        own = [(o, r) for o, r in zip(people, results, strict=True) if o.photo == index]
        for number, (person, result) in enumerate(own):
            result.save(command.out / f"{stem}.{number}.npz")
            share = result.keypoint_error_px / max(1.0, person.height_px())
            rows.append([str(photos[index]), number, result.status, f"{result.keypoint_error_px:.3f}", f"{share:.4f}",
                         "" if result.mask_iou is None else f"{result.mask_iou:.3f}", len(result.hypotheses), result.message])  # fmt: skip
        if own and command.overlay:
            Image.fromarray(overlay(read_photo(photos[index]).rgb, [r for _, r in own])).save(command.out / f"{stem}.overlay.png")
        if index in failed:
            rows.append([str(photos[index]), "", "failed", "", "", "", "", failed[index]])
            _say(failed[index])
    with open(command.out / "report.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["photo", "person", "status", "keypoint_error_px", "error_of_height", "mask_iou", "hypotheses", "message"])
        writer.writerows(rows)
    good = [r for r in results if r.status in ("converged", "max_iterations")]
    if good:
        _say(
            f"{len(good)} people in {len(photos) - len(failed)} photos, median keypoint error {np.median([r.keypoint_error_px for r in good]):.1f} px"
        )
    return {"people": len(good), "failed": {str(photos[i]): r for i, r in failed.items()}}


def _serve(command: Serve) -> dict[str, Any]:
    from .service.__main__ import run

    run(command.connect, command.idle)
    return {}


def _overlay(command: Overlay) -> dict[str, Any]:
    from PIL import Image

    from .drawing.overlay import overlay
    from .perception.photos import read_photo
    from .records import FitResult

    fits = [FitResult.load(path) for path in command.fits]
    Image.fromarray(overlay(read_photo(command.photo).rgb, fits)).save(command.out)
    return {"out": str(command.out)}


def _compare(command: Compare) -> dict[str, Any]:
    import numpy as np

    from .metrics import mpjpe, pa_mpjpe
    from .records import FitResult

    fit = FitResult.load(command.fit)
    try:
        truth = np.array(json.loads(command.truth.read_text("utf-8"))["joints"], float)
    except (OSError, ValueError, KeyError) as error:
        raise KinflowError(f"{command.truth} is no truth file: {error}.", "Give a .json with 'joints'.") from error
    numbers = {"mpjpe_mm": round(1e3 * float(mpjpe(fit.joints, truth)), 1), "pa_mpjpe_mm": round(1e3 * pa_mpjpe(fit.joints, truth), 1)}
    print(f"  against its truth: MPJPE {numbers['mpjpe_mm']} mm, PA-MPJPE {numbers['pa_mpjpe_mm']} mm")
    return numbers


def _sample(command: PriorSample) -> dict[str, Any]:
    import numpy as np

    from .flows.prior import load_prior
    from .rotations import matrix_to_axis_angle

    poses = load_prior(command.prior).sample(command.n, command.temperature, command.seed)
    np.savez(command.out, body_pose=matrix_to_axis_angle(poses).numpy())
    if command.sheet:
        from PIL import Image

        from .drawing.figures import pose_sheet

        Image.fromarray(pose_sheet(poses)).save(command.sheet)
    return {"out": str(command.out), "n": command.n}


def _body_info(command: BodyInfo) -> dict[str, Any]:
    from .bodies.files import load_body

    body = load_body(command.file)
    info = {"name": body.name or str(command.file), "vertices": body.num_vertices, "faces": len(body.faces), "betas": body.num_betas,
            "licence": body.licence, "shape_names": list(body.shape_names)}  # fmt: skip
    for key, value in info.items():
        _say(f"{key}: {value}")
    return info


def _body_convert(command: BodyConvert) -> dict[str, Any]:
    import numpy as np

    from .bodies.files import load_body

    body = load_body(command.file)
    names = ("v_template", "shapedirs", "J_regressor", "lbs_weights")
    parents = body.parents.numpy()
    np.savez_compressed(
        command.out, **{n: getattr(body, n).numpy() for n in names}, weights=body.lbs_weights.numpy(),
        posedirs=body.posedirs.T.reshape(body.num_vertices, 3, 207).numpy(), f=body.faces.numpy().astype(np.uint32),
        kintree_table=np.stack((parents, np.arange(24))).astype(np.int64),
    )  # fmt: skip
    return {"out": str(command.out)}


def _train(command: Any) -> dict[str, Any]:
    from .training.prior import train_prior

    return {"out": str(train_prior(command, _say))}


def _train_options() -> type:
    """Options of `prior train`. Looked up late, because they stand beside what loads torch."""
    from .training.prior import TrainPrior

    return TrainPrior


_COMMANDS: dict[str, Any] = {
    "setup": (Setup, _setup), "doctor": (Doctor, _doctor), "observe": (Observe, _observe), "fit": (Fit, _fit),
    "serve": (Serve, _serve),
    "overlay": (Overlay, _overlay), "compare": (Compare, _compare),
    "prior": {"sample": (PriorSample, _sample), "train": (None, _train)},
    "body": {"info": (BodyInfo, _body_info), "convert": (BodyConvert, _body_convert)},
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs a command. Exit code 0 only if all that was asked for succeeded, 2 for wrong arguments."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    table: Any = _COMMANDS
    prog = "kinflow"
    while isinstance(table, dict):
        if not words or words[0] not in table:
            asked = f"There is no command '{words[0]}'. " if words and words[0] not in ("-h", "--help") else ""
            print(f"{asked}Usage: {prog} {{{','.join(table)}}} ... (each with --help)", file=sys.stderr)
            return 0 if words and words[0] in ("-h", "--help") else 2
        prog += f" {words[0]}"
        table, words = table[words[0]], words[1:]
    kind, function = table
    return _run(tyro.cli(kind or _train_options(), args=words, prog=prog), function)


def _run(command: Common, function: Callable[[Any], dict[str, Any]]) -> int:
    try:
        answer = function(command)
    except KinflowError as error:
        _say(str(error))
        if command.json:
            print(json.dumps({"ok": False, "error": {"code": error.code, "message": error.message, "hint": error.hint}}))
        return 1
    ok = not answer.get("failed")
    if command.json:
        print(json.dumps({"ok": ok} | answer))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
