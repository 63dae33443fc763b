"""A clip on the timeline: one floor, feet that stay, markers, sparse keys, frames fitted again."""

from dataclasses import replace
from itertools import pairwise
from time import perf_counter

import bpy
import numpy as np
import pytest
from conftest import SAMPLES, shown_photo, shown_vertices
from made_clip import FIRST, FLOOR, FRAMES, GRAVITY, STILL, made_observation, made_result

from addon import compat, session
from addon.operators.clip_job import key_of
from addon.scene import (
    body,
    camera,
    clip_picture,
    keypoints,
    keys,
    latent,
    motion,
    pose,
    sparse,
    touches,
)
from addon.scene.choice import chosen
from addon.scene.clip import Fitted, Refitted, said_of
from addon.scene.frames import Viewpoint
from kinflow.bodies.arrays import default_body_arrays
from kinflow.records import CONTACT_NAMES


def key_clip(results=None, paths=(str(SAMPLES / "punch.png"),), **options):
    """-> the rig."""
    results = results or [made_result(row) for row in range(FRAMES)]
    seen = [None if r is None else made_observation(i) for i, r in enumerate(results)]
    bpy.context.scene.frame_set(FIRST)
    session.sequence = Fitted(list(paths), results, seen)
    assert bpy.ops.kinflow.apply_sequence(motion=True, **options) == {"FINISHED"}
    return bpy.context.active_object


def at(frame, rig):
    bpy.context.scene.frame_set(frame)
    bpy.context.view_layer.update()
    return shown_vertices(rig)


def keys_of(rig):
    """All keys (frame, value) by bone, property and index."""
    found = {}
    for bone in rig.pose.bones:
        for name, count in (("rotation_quaternion", 4), ("location", 3)):
            for index in range(count):
                curve = compat.curve_of(rig, bone.path_from_id(name), index)
                if curve is not None:
                    points = [tuple(point.co) for point in curve.keyframe_points]
                    found[bone.name, name, index] = np.array(points)
    return found


def refit(rows, change, **options):
    """Takes changed results of some rows, as `finish` of a refit does."""
    person, key = chosen(bpy.context).person, session_key()
    results = [change(session.clips[key].versions[person.version][row]) for row in rows]
    session.refitted = Refitted(key, rows[0], results)
    assert bpy.ops.kinflow.apply_span(**options) == {"FINISHED"}


def session_key():
    return key_of(chosen(bpy.context))


def bent(result):
    body_pose = result.body_pose.copy()
    body_pose[17] += 0.4
    return replace(result, body_pose=body_pose)


def marks(scene):
    return sorted((m.frame, m.name) for m in scene.timeline_markers)


def test_a_clip_stands_in_one_world_and_a_foot_that_stays_does_not_slide():
    rig = key_clip()
    shown = [at(FIRST + row, rig) for row in STILL]
    foot = np.flatnonzero(default_body_arrays().weight_joints[:, 0] == 10)
    sole = foot[np.argsort(shown[0][foot, 2])[:20]]
    moved = np.abs(np.stack(shown)[:, sole] - shown[0][sole]).max()
    assert moved < 1e-3, "the foot slid"
    assert abs(shown[0][sole, 2].min()) < 2e-3, "the floor is at Z = 0"
    # each frame in its place: nothing is lifted by its own lowest point
    view = Viewpoint.of_camera(np.array(camera.camera_of(shown_photo()).matrix_world))
    for row in (0, 14, FRAMES - 1):
        at(FIRST + row, rig)
        head = np.array(rig.matrix_world @ rig.pose.bones["pelvis"].head)
        np.testing.assert_allclose(head, view.points(made_result(row).joints[0]), atol=1e-3)
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end) == (FIRST, FIRST + FRAMES - 1)
    assert body.is_body(bpy.context.active_object)


def test_without_a_floor_the_lowest_point_of_the_whole_clip_is_on_it():
    results = [replace(made_result(row), floor=None) for row in range(FRAMES)]
    rig = key_clip(results)
    heights = [at(FIRST + row, rig)[:, 2].min() for row in range(FRAMES)]
    assert abs(min(heights)) < 2e-3 and max(heights) > 0.02


def test_sliders_follow_the_frames_of_a_clip():
    rig = key_clip()
    for row in (3, 25):
        at(FIRST + row, rig)
        posed = pose.read_body_pose(rig)
        np.testing.assert_allclose(latent.decode(rig, latent.latent(rig)), posed, atol=5e-3)


def test_every_frame_has_a_key_and_sparse_keys_stay_within_their_tolerance():
    every = key_clip()
    assert {len(found) for found in keys_of(every).values()} == {FRAMES}
    rig = key_clip(keys="SPARSE", angle=np.radians(1), distance=0.005)
    counts = {len(found) for found in keys_of(rig).values()}
    assert len(counts) == 1 and 2 <= counts.pop() < FRAMES / 2
    place = rig.location - every.location
    for row in range(FRAMES):
        at(FIRST + row, rig)
        heads = [
            np.array([o.matrix_world @ bone.head for bone in o.pose.bones]) for o in (rig, every)
        ]
        apart = np.linalg.norm(heads[0] - heads[1] - np.array(place), axis=1).max()
        assert apart < 0.0055


def test_sparse_keys_are_where_a_motion_turns_and_lines_between_them_are_near_it():
    rows = np.arange(60)
    angles = np.where(rows < 30, rows, 60 - rows) * 0.03 + 0.001 * np.sin(rows)
    turns = np.stack((np.cos(angles / 2), np.sin(angles / 2), 0 * angles, 0 * angles), -1)[:, None]
    track = sparse.Track(rows, turns, np.zeros((60, 3)), lambda turns, places: places[:, None])
    kept = sparse.needed(track, sparse.Tolerance(np.radians(1), 0.01))
    assert kept[0] == 0 and kept[-1] == 59 and min(abs(k - 30) for k in kept) <= 1
    assert len(kept) < 8
    for a, b in pairwise(kept):
        if b - a > 1:
            dots = np.abs((track.between(a, b)[0] * turns[a + 1 : b]).sum(-1)).clip(0, 1)
            assert 2 * np.arccos(dots).max() <= np.radians(1)


def test_contacts_are_markers_and_a_second_run_replaces_its_own_alone():
    scene = bpy.context.scene
    scene.timeline_markers.new("Left Foot Down", frame=2)
    wanted = [(FIRST + STILL.start, "Left Foot Down"), (FIRST + STILL.stop, "Left Foot Up")]
    mine = [(2, "Left Foot Down")]
    key_clip()
    assert marks(scene) == sorted(mine + wanted), "the gap of one frame is closed"
    key_clip()
    assert marks(scene) == sorted(mine + wanted)
    assert bpy.ops.kinflow.contact_markers() == {"FINISHED"} and marks(scene) == mine
    assert bpy.ops.kinflow.contact_markers() == {"FINISHED"}
    assert marks(scene) == sorted(mine + wanted)


def test_heel_and_ball_are_one_foot_and_a_frame_without_anybody_is_no_contact():
    bare = np.zeros(len(CONTACT_NAMES), np.float32)
    results = [replace(made_result(0), contacts=bare.copy()) for _ in range(6)]
    for row, name in ((1, "right_heel"), (2, "right_ball"), (4, "right_ball"), (5, "seat")):
        results[row].contacts[CONTACT_NAMES.index(name)] = 0.7
    assert touches.is_down(results, "right_foot").tolist() == [0, 1, 1, 1, 1, 0]
    results[3] = None
    assert touches.is_down(results, "right_foot").tolist() == [0, 1, 1, 0, 1, 0]
    assert (5, "Seat Down") in touches.events(results)


def test_frames_that_were_filled_and_gaps_are_said():
    results = [made_result(row, "filled" if 3 <= row < 6 else "converged") for row in range(12)]
    results[8] = results[9] = None
    key_clip(results)
    message = bpy.context.scene.kinflow.message
    assert "not seen in 3 frames" in message and "frames 13 to 14" in message
    assert said_of([made_result(0)]) == []


def test_a_refit_changes_the_keys_of_its_frames_and_nothing_else_and_undo_takes_it_back():
    rig = key_clip()
    bpy.ops.ed.undo_push(message="clip")
    before, rows = keys_of(rig), range(10, 16)
    bpy.context.scene.frame_set(FIRST + 12)
    refit(rows, bent)
    bpy.ops.ed.undo_push(message="refit")
    after = keys_of(rig)
    frames = before["pelvis", "location", 0][:, 0]
    outside = (frames < FIRST + rows[0]) | (frames > FIRST + rows[-1])
    for name, known in before.items():
        np.testing.assert_array_equal(after[name][:, 0], frames)
        np.testing.assert_array_equal(after[name][outside], known[outside])
        if name[0] not in ("left_elbow", "right_elbow"):
            np.testing.assert_allclose(after[name], known, atol=1e-5)
    curve = "left_elbow", "rotation_quaternion", 1
    assert np.abs(after[curve] - before[curve])[~outside, 1].max() > 0.05
    assert chosen(bpy.context).person.version == 1
    bpy.ops.ed.undo()
    rig = body.find_bodies()[0]
    for name, found in keys_of(rig).items():
        np.testing.assert_array_equal(found, before[name])
    person = shown_photo().kinflow.people[0]
    assert person.version == 0
    clip = session.clips[session_key()]
    np.testing.assert_array_equal(clip.versions[0][12].body_pose, made_result(12).body_pose)


def test_a_refit_of_sparse_keys_leaves_frames_beside_it_where_they_were():
    rig = key_clip(keys="SPARSE", angle=np.radians(3), distance=0.03)
    beside = [FIRST + row for row in range(FRAMES) if not 10 <= row < 16]
    before = [at(frame, rig) for frame in beside]
    refit(range(10, 16), bent)
    for frame, points in zip(beside, before, strict=True):
        np.testing.assert_allclose(at(frame, rig), points, atol=1e-4)


def test_a_pinned_contact_is_kept_with_the_person_and_freed():
    key_clip()
    refit(range(9, 12), bent, contact="left_foot", first=FIRST + 9, last=FIRST + 11)
    (pin,) = chosen(bpy.context).person.contacts
    assert (pin.contact, pin.first, pin.last) == ("left_foot", FIRST + 9, FIRST + 11)
    assert "Left Foot is pinned" in bpy.context.scene.kinflow.message
    assert bpy.ops.kinflow.free_contact() == {"FINISHED"}
    assert not len(chosen(bpy.context).person.contacts)


def test_keypoints_follow_the_frames_and_keep_what_was_moved():
    key_clip()
    scene, person = bpy.context.scene, chosen(bpy.context).person
    scene.frame_set(FIRST + 4)
    points, confidence = keypoints.read(person)
    np.testing.assert_array_equal(points, made_observation(4).keypoints)
    person.keypoints[3].x += 7
    scene.frame_set(FIRST + 5)
    np.testing.assert_array_equal(keypoints.read(person)[0], made_observation(5).keypoints)
    scene.frame_set(FIRST + 4)
    assert person.keypoints[3].x == points[3, 0] + 7
    scene.frame_set(FIRST + 400)
    assert not keypoints.read(person)[1].any() and confidence.all()


def test_a_clip_that_is_known_no_more_says_what_to_do():
    key_clip()
    session.clips.clear()
    with pytest.raises(RuntimeError, match="Key it again with Photos to Keyframes"):
        bpy.ops.kinflow.refit_span()
    assert not bpy.ops.kinflow.refit.poll() and not bpy.ops.kinflow.fit.poll()


def test_frames_without_anybody_cannot_be_fitted_again_and_say_so():
    results = [made_result(row) if row != 9 else None for row in range(20)]
    key_clip(results)
    with pytest.raises(RuntimeError, match="nobody was found"):
        bpy.ops.kinflow.refit_span(first=FIRST + 7, last=FIRST + 12)


def numbered(folder, numbers):
    image = bpy.data.images.new("frame", 64, 48)
    image.file_format = "PNG"
    paths = []
    for number in numbers:
        image.filepath_raw = str(folder / f"walk_{number:04d}.png")
        image.save()
        paths.append(image.filepath_raw)
    return paths


def shown_number(background, frame):
    """The picture of a sequence that Blender shows."""
    bpy.context.scene.frame_set(frame)
    user = background.image_user
    inside = min(max(frame - user.frame_start + 1, 1), user.frame_duration)
    return inside + user.frame_offset


@pytest.mark.parametrize("numbers,step", [(range(7, 15), 1), (range(3, 19, 2), 1), (range(8), 3)])
def test_the_clip_is_behind_its_camera_frame_by_frame(tmp_path, numbers, step):
    paths = numbered(tmp_path, numbers)
    key_clip([made_result(row) for row in range(8)], paths, step=step)
    (background,) = camera.camera_of(shown_photo()).data.background_images
    assert background.image.source == "SEQUENCE"
    for row, number in enumerate(numbers):
        for late in range(step):
            assert shown_number(background, FIRST + step * row + late) == number


def test_files_that_are_no_one_sequence_stay_a_still():
    assert clip_picture.file_numbers(["a/x1.png", "b/x2.png"], 2) is None
    assert clip_picture.file_numbers(["a.mp4"], 3) == [1, 2, 3]
    key_clip()
    (background,) = camera.camera_of(shown_photo()).data.background_images
    assert background.image.source == "FILE"


def test_three_hundred_frames_are_keyed_in_a_moment():
    view = Viewpoint.above_floor(GRAVITY, FLOOR)
    results = [made_result(row % FRAMES) for row in range(300)]
    bpy.ops.kinflow.add_body()
    rig = bpy.context.active_object
    begin = perf_counter()
    keys.write(rig, motion.Motion.of(results, [view] * 300, np.zeros(3)), np.arange(300))
    # key by key it takes half a minute
    assert perf_counter() - begin < 5


def test_a_clip_is_fitted_pinned_and_fitted_again_by_the_engine(tmp_path):
    image = bpy.data.images.load(str(SAMPLES / "punch.png"))
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float32).reshape(height, width, 4)
    names = [f"walk_{row:02d}.png" for row in range(6)]
    for row, name in enumerate(names):
        out = bpy.data.images.new("frame", width, height)
        out.pixels[:] = np.roll(pixels, 4 * row, axis=1).ravel()
        out.filepath_raw, out.file_format = str(tmp_path / name), "PNG"
        out.save()
    bpy.context.scene.frame_set(1)
    files = [{"name": name} for name in names]
    fit = bpy.ops.kinflow.fit_sequence
    assert fit("EXEC_DEFAULT", directory=str(tmp_path), files=files) == {"FINISHED"}
    rig, scene = bpy.context.active_object, bpy.context.scene
    person = chosen(bpy.context).person
    assert "6 frames keyed" in scene.kinflow.message and len(person.keypoints) == 33
    before = keys_of(rig)
    clip = session.clips[session_key()]
    assert bpy.ops.kinflow.pin_contact(contact="left_hand", first=2, last=3) == {"FINISHED"}
    assert len(clip.versions) == 2 and clip.versions[1][2].contacts[2] == pytest.approx(1)
    scene.frame_set(3)
    point = person.keypoints[15]
    done = bpy.ops.kinflow.move_keypoint(index=15, x=point.x + 60, y=point.y - 60)
    assert done == {"FINISHED"} and person.version == 2
    after = keys_of(rig)
    assert all(np.array_equal(after[name][:, 0], before[name][:, 0]) for name in before)
    assert any(np.abs(after[name] - before[name]).max() > 0.01 for name in before)
