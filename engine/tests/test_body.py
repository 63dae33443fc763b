import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

from kinflow.bodies.keypoint_names import NAMES
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.bodies.parts import NUM_PARTS
from kinflow.bodies.tables import keypoint_table
from kinflow.core.body import pose_skeleton
from kinflow.core.points import levers, point_rows, pose_points
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import BODY_MIRROR, JOINT_NAMES, PARENTS
from kinflow.errors import InvalidInputError


@pytest.fixture(scope="module")
def parameters():
    generator = torch.Generator().manual_seed(3)

    def r(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return 0.6 * r(100, 3), 0.4 * r(100, 23, 3), r(100, 10), r(100, 3)


def smplx_twin(body64):
    """smplx.SMPL fed with this body's own arrays."""
    smplx = pytest.importorskip("smplx")
    data = {
        "v_template": body64.v_template.numpy(),
        "shapedirs": body64.shapedirs.numpy(),
        "f": body64.faces.numpy(),
        "posedirs": body64.posedirs.T.reshape(-1, 3, 207).numpy(),
        "J_regressor": body64.J_regressor.numpy(),
        "weights": body64.lbs_weights.numpy(),
        "kintree_table": np.array([PARENTS, range(24)]),
    }
    from smplx.utils import Struct

    return smplx.SMPL(
        model_path="",
        data_struct=Struct(**data),
        batch_size=100,
        num_betas=10,
        dtype=torch.float64,
        vertex_ids=None
        or {
            name: 0
            for name in (
                "nose",
                "reye",
                "leye",
                "rear",
                "lear",
                "LBigToe",
                "LSmallToe",
                "LHeel",
                "RBigToe",
                "RSmallToe",
                "RHeel",
                "lthumb",
                "lindex",
                "lmiddle",
                "lring",
                "lpinky",
                "rthumb",
                "rindex",
                "rmiddle",
                "rring",
                "rpinky",
            )
        },
    )


def test_forward_equals_smplx_for_100_random_poses_and_shapes(body, body64, parameters):
    root, pose, betas, transl = parameters
    twin = smplx_twin(body64)
    want = twin(global_orient=root, body_pose=pose.flatten(1), betas=betas, transl=transl)
    vertices, joints = body64(root, pose, betas, transl)
    assert (vertices - want.vertices).norm(dim=-1).max() < 1e-5
    assert (joints - want.joints[:, :24]).norm(dim=-1).max() < 1e-5
    vertices, joints = body(root.float(), pose.float(), betas.float(), transl.float())
    assert (vertices - want.vertices).norm(dim=-1).max() < 1e-5


def posed(body64, keypoint_set, rotations, betas):
    table = keypoint_table(body64.arrays, keypoint_set, body64.backend)
    return pose_points(xp, table, pose_skeleton(xp, body64.table, rotations, betas))


def test_jacobians_of_joints_and_vertices_equal_autograd(body64, parameters):
    rotations = axis_angle_to_matrix(xp, torch.cat((parameters[0][:2, None], parameters[1][:2]), 1))
    betas = parameters[2][:2]
    points = posed(body64, "blazepose33", rotations, betas)
    which = torch.arange(33).repeat_interleave(3)
    slopes = torch.eye(3, dtype=torch.float64).repeat(33, 1).expand(2, -1, -1)
    rows = point_rows(xp, levers(xp, body64.table, points), which, slopes)
    rows = rows.unflatten(1, (33, 3))
    # a turn of a subtree in the world is a local turn of its joint, seen from the parent
    world = points.skeleton.world
    parent = torch.cat((torch.eye(3).double().expand(2, 1, 3, 3), world[:, list(PARENTS[1:])]), 1)
    turns = torch.einsum("bpxjy,bjyz->bpxjz", rows[..., :72].unflatten(-1, (24, 3)), parent)

    def places(w, b):
        return posed(body64, "blazepose33", axis_angle_to_matrix(xp, w) @ rotations, b).places

    by_w, by_b = torch.autograd.functional.jacobian(
        places, (torch.zeros(2, 24, 3, dtype=torch.float64), betas)
    )
    for i in range(2):
        assert (by_w[i][:, :, i] - turns[i]).abs().max() < 1e-8
        assert (by_b[i][:, :, i] - rows[i, ..., 72:82]).abs().max() < 1e-8
    assert torch.equal(rows[..., 82:], torch.eye(3).double().expand(2, 33, 3, 3))


def test_chosen_points_equal_the_full_mesh(body64, parameters):
    root, pose, betas, _ = (p[:5] for p in parameters)
    vertices, joints = body64(root, pose, betas)
    rotations = axis_angle_to_matrix(xp, torch.cat((root[:, None], pose), 1))
    places = posed(body64, "body25", rotations, betas).places
    wanted = keypoint_regressor(body64, "body25")(joints, vertices)
    assert torch.allclose(places, wanted, atol=1e-12)


def test_joint_regressor_is_sparse_non_negative_and_sums_to_one(body64):
    assert (body64.J_regressor >= 0).all()
    assert torch.allclose(body64.J_regressor.sum(1), torch.ones(24, dtype=torch.float64), atol=1e-6)
    assert (body64.J_regressor > 0).sum() < 3000


def test_at_most_four_weights_a_vertex(body64):
    assert ((body64.lbs_weights > 0).sum(1) <= 4).all()
    assert torch.allclose(
        body64.lbs_weights.sum(1), torch.ones(body64.num_vertices, dtype=torch.float64), atol=1e-6
    )


def test_a_mirrored_pose_gives_the_mirrored_mesh_within_a_millimetre(body64, parameters):
    from kinflow.bodies.arrays import DEFAULT_BODY
    from kinflow.tensorfile import read_tensors

    mirror = torch.from_numpy(read_tensors(DEFAULT_BODY)[0]["mirror"].astype(np.int64))
    pose, betas = parameters[1][:10], parameters[2][:10]
    flipped = pose[:, list(BODY_MIRROR)] * torch.tensor([1.0, -1, -1], dtype=torch.float64)
    a, _ = body64(None, pose, betas)
    b, _ = body64(None, flipped, betas)
    assert (b[:, mirror] * torch.tensor([-1.0, 1, 1], dtype=torch.float64) - a).norm(
        dim=-1
    ).max() < 1e-3


def test_rest_pose_is_a_true_t_pose_of_about_170_cm(body64):
    j = dict(zip(JOINT_NAMES, body64.J_template.numpy(), strict=True))
    arm = j["left_wrist"] - j["left_shoulder"]
    leg = j["left_ankle"] - j["left_hip"]
    assert arm[0] / np.linalg.norm(arm) > 0.999
    assert -leg[1] / np.linalg.norm(leg) > 0.999
    assert abs(float(np.ptp(body64.v_template.numpy()[:, 1])) - 1.70) < 0.02
    assert np.allclose(j["pelvis"], [0, -0.2233, 0.0282], atol=2e-3)
    nose = keypoint_regressor(body64, "coco17")(body64.J_template[None], body64.v_template[None])[
        0, 0
    ]
    assert nose[2] > j["head"][2] + 0.05, "the face looks along +Z"


def test_every_shape_component_has_a_name_and_changes_what_it_says(body64):
    assert len(body64.shape_names) == 10
    eye = torch.eye(10, dtype=torch.float64)
    stature = np.ptp(body64(None, None, eye)[0].numpy()[:, :, 1], axis=1) - np.ptp(
        body64.v_template.numpy()[:, 1]
    )
    assert abs(stature[0] - 0.102) < 0.01
    assert (np.abs(stature[1:]) < 0.01).all(), "only Size changes the stature"


def test_parts_cover_every_vertex_left_and_right_alike(body64):
    labels = body64.parts.numpy()
    assert set(labels) == set(range(1, NUM_PARTS + 1))
    counts = np.bincount(labels)
    for part in range(3, 15, 2):
        assert abs(int(counts[part]) - int(counts[part + 1])) < 0.02 * counts[part]


@pytest.mark.parametrize("keypoint_set", NAMES)
def test_keypoint_sets_are_left_right_symmetric_on_the_template(body64, keypoint_set):
    regressor = keypoint_regressor(body64, keypoint_set)
    points = regressor(body64.J_template[None], body64.v_template[None])[0]
    for row, name in enumerate(regressor.names):
        other = name.replace("left", "@").replace("right", "left").replace("@", "right")
        twin = points[regressor.names.index(other)] * torch.tensor(
            [-1.0, 1, 1], dtype=torch.float64
        )
        assert (points[row] - twin).norm() < 0.006, name


def test_wrong_shapes_are_typed_errors(body):
    for arguments in (
        {"body_pose": torch.zeros(1, 22, 3)},
        {"betas": torch.zeros(1, 11)},
        {"global_orient": torch.zeros(2, 3), "betas": torch.zeros(3, 10)},
    ):
        with pytest.raises(InvalidInputError):
            body(**arguments)
