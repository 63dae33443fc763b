"""ONNX models of the user's choice: small ones whose right answer is known."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from kinflow import KinflowError, observe
from kinflow.errors import DetectorError
from kinflow.perception import networks
from kinflow.perception.model_people import load_models
from kinflow.perception.models import read_card

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WIDTH, HEIGHT = 96, 128
DOTS = {0: (60, 40), 1: (100, 150), 2: (30, 200)}  # colour channel -> x, y in the photo


def save(folder, name, nodes, weights, outputs):
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
    infos = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs.items()
    ]
    graph = helper.make_graph(
        nodes, name, [image], infos, [numpy_helper.from_array(v, k) for k, v in weights.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.save(model, folder / f"{name}.onnx")


def card(folder, name, text):
    (folder / f"{name}.toml").write_text(
        f'model = "{name}.onnx"\ninput = [{WIDTH}, {HEIGHT}]\npadding = 1.0\n{text}'
    )
    return folder / f"{name}.toml"


def colour_weights(count=17):
    """Keypoint k answers to colour channel k % 3 alone."""
    weight = np.full((count, 3, 1, 1), -1.0, np.float32)
    weight[np.arange(count), np.arange(count) % 3] = 1.0
    return weight / 255


@pytest.fixture
def photo():
    image = np.zeros((256, 192, 3), np.uint8)
    for channel, (x, y) in DOTS.items():
        image[y - 3 : y + 3, x - 3 : x + 3, channel] = 255
    return image


def check_dots(person):
    for k in range(17):
        assert np.linalg.norm(person.keypoints[k] - DOTS[k % 3]) < 3.0, k
    assert person.confidence.min() > 0.8


@pytest.mark.parametrize("runtime", ["opencv", "onnxruntime"])
@pytest.mark.parametrize("head", ["heatmap", "simcc"])
def test_keypoints_of_both_heads_come_back_in_photo_pixels(tmp_path, photo, head, runtime):
    if runtime == "onnxruntime":
        pytest.importorskip("onnxruntime")
    conv = helper.make_node("Conv", ["image", "w"], ["maps"], kernel_shape=[1, 1])
    if head == "heatmap":
        save(tmp_path, "pose", [conv], {"w": colour_weights()}, {"maps": [1, 17, HEIGHT, WIDTH]})
        outputs = ""
    else:
        nodes = [
            conv,
            helper.make_node("ReduceMax", ["maps"], ["simcc_x"], axes=[2], keepdims=0),
            helper.make_node("ReduceMax", ["maps"], ["simcc_y"], axes=[3], keepdims=0),
        ]
        save(
            tmp_path,
            "pose",
            nodes,
            {"w": colour_weights()},
            {"simcc_x": [1, 17, WIDTH], "simcc_y": [1, 17, HEIGHT]},
        )
        outputs = 'outputs = ["simcc_x", "simcc_y"]'
    toml = card(
        tmp_path, "pose", f'kind = "keypoints"\nhead = "{head}"\nruntime = "{runtime}"\n{outputs}'
    )
    (person,) = observe(photo, models=[toml])
    assert person.keypoint_set == "coco17"
    check_dots(person)
    assert person.camera.width == 192 and person.camera.height == 256


def test_boxes_of_a_model_lead_the_keypoints(tmp_path, photo):
    rows = np.array(
        [[[5, 10, 80, 120, 0.9, 0], [0, 0, 20, 20, 0.1, 0], [0, 0, 30, 30, 0.8, 7]]], np.float32
    )
    nodes = [
        helper.make_node("ReduceSum", ["image"], ["sum"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["rows", "nothing"], ["dets"]),
    ]
    save(
        tmp_path,
        "boxes",
        nodes,
        {"rows": rows, "zero": np.zeros(1, np.float32)},
        {"dets": [1, 3, 6]},
    )
    save(
        tmp_path,
        "pose",
        [helper.make_node("Conv", ["image", "w"], ["maps"], kernel_shape=[1, 1])],
        {"w": colour_weights()},
        {"maps": [1, 17, HEIGHT, WIDTH]},
    )
    models = [
        card(tmp_path, "boxes", 'kind = "boxes"\nruntime = "onnxruntime"'),
        card(tmp_path, "pose", 'kind = "keypoints"\nhead = "heatmap"'),
    ]
    (person,) = observe(photo, models=models)  # a weak row and another class are no people
    np.testing.assert_allclose(person.box, [10, 20, 160, 240], atol=0.5)
    check_dots(person)


def test_parts_of_a_model_take_the_names_of_its_card(tmp_path, photo):
    weight = np.concatenate(
        (np.zeros((1, 3, 1, 1), np.float32), np.eye(3, dtype=np.float32)[:, :, None, None])
    )
    bias = np.array([50, 0, 0, 0], np.float32)
    save(
        tmp_path,
        "parts",
        [helper.make_node("Conv", ["image", "w", "b"], ["classes"], kernel_shape=[1, 1])],
        {"w": weight, "b": bias},
        {"classes": [1, 4, HEIGHT, WIDTH]},
    )
    save(
        tmp_path,
        "pose",
        [helper.make_node("Conv", ["image", "w"], ["maps"], kernel_shape=[1, 1])],
        {"w": colour_weights()},
        {"maps": [1, 17, HEIGHT, WIDTH]},
    )
    labels = '[labels]\n1 = "head"\n2 = "torso"\n3 = "left_foot"\n'
    models = [
        card(tmp_path, "pose", 'kind = "keypoints"\nhead = "heatmap"'),
        card(tmp_path, "parts", 'kind = "parts"\n' + labels),
    ]
    (person,) = observe(photo, models=models)
    assert person.parts.shape == photo.shape[:2]
    assert [int(person.parts[y, x]) for x, y in DOTS.values()] == [1, 2, 13]
    assert person.parts[128, 160] == 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('kind = "dogs"', "kind"),
        ('kind = "keypoints"\nhead = "magic"', "head"),
        ('kind = "keypoints"\nstd = [1, 0, 1]', "std"),
        ('kind = "keypoints"\ncolor = "rgb"', "color"),
        ('kind = "parts"', "labels"),
        ('kind = "parts"\n[labels]\n1 = "tail"', "labels"),
        ("kind = ", "TOML"),
    ],
)
def test_a_wrong_card_is_a_typed_error_that_names_the_field(tmp_path, text, word):
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(KinflowError, match=word):
        read_card(card(tmp_path, "m", text))


def test_a_damaged_model_is_a_typed_error(tmp_path, photo):
    (tmp_path / "pose.onnx").write_bytes(b"no model at all")
    with pytest.raises(KinflowError, match="cannot be loaded"):
        observe(photo, models=[card(tmp_path, "pose", 'kind = "keypoints"')])


def keypoint_card(folder, text="", node=None, weights=None, shape=(1, 17, HEIGHT, WIDTH)):
    node = node or helper.make_node("Conv", ["image", "w"], ["maps"], kernel_shape=[1, 1])
    weights = {"w": colour_weights()} if weights is None else weights
    save(folder, "pose", [node], weights, {"maps": list(shape)})
    return card(folder, "pose", f'kind = "keypoints"\nhead = "heatmap"\n{text}')


@pytest.mark.parametrize("runtime", ["opencv", "onnxruntime"])
def test_a_model_that_ends_the_process_that_reads_it_is_a_typed_error(tmp_path, photo, runtime):
    # OpenCV's importer looks for the missing weights at an address of its own making
    node = helper.make_node("Conv", ["image", "missing"], ["maps"], kernel_shape=[1, 1])
    path = keypoint_card(tmp_path, f'runtime = "{runtime}"', node)
    code = (
        "import sys, numpy as np; from kinflow import KinflowError, observe\n"
        "try: observe(np.zeros((256, 192, 3), np.uint8), models=[sys.argv[1]])\n"
        "except KinflowError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120
    )
    assert "cannot be loaded" in done.stdout, (done.returncode, done.stderr[-500:])


def test_a_model_that_asks_for_too_much_memory_is_a_typed_error(tmp_path, photo, monkeypatch):
    monkeypatch.setattr("kinflow.perception.networks.MAX_MEMORY_MB", 1500)
    huge = helper.make_node("ConstantOfShape", ["shape"], ["maps"])
    shape = {"shape": np.array([1, 17, 16384, 16384], np.int64)}
    path = keypoint_card(tmp_path, 'runtime = "onnxruntime"', huge, shape, (1, 17, 16384, 16384))
    with pytest.raises(DetectorError, match="cannot be loaded"):
        observe(photo, models=[path])


@pytest.mark.parametrize(
    ("node", "weights"),
    [
        (("ReduceSum", ["image"], ["maps"]), {}),
        (("Conv", ["image", "w"], ["maps"]), {"w": colour_weights(9)}),
        (("ArgMax", ["image"], ["maps"]), {}),
        (
            ("Slice", ["image", "a", "b", "c"], ["maps"]),
            {"a": np.array([0]), "b": np.array([0]), "c": np.array([1])},
        ),
        (("Log", ["minus"], ["maps"]), {"minus": -np.ones((1, 17, 4, 4), np.float32)}),
    ],
)
def test_outputs_of_no_head_are_nobody_or_a_typed_error(tmp_path, photo, node, weights):
    path = keypoint_card(tmp_path, 'runtime = "onnxruntime"', helper.make_node(*node), weights)
    try:
        assert observe(photo, models=[path]) == []
    except DetectorError as error:
        assert error.hint


def test_onnxruntime_is_taken_where_it_is_installed(tmp_path, photo, monkeypatch):
    path = keypoint_card(tmp_path)
    (network,) = load_models([path]).values()
    assert network.runtime == "onnxruntime"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (network,) = load_models([path]).values()
    assert network.runtime == "opencv"
    with pytest.raises(DetectorError, match=r"kinflow\[onnx\]"):
        load_models([keypoint_card(tmp_path, 'runtime = "onnxruntime"')])


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("kind = [1]", "kind"),
        ('kind = "keypoints"\nkeypoint_set = ["coco17"]', "keypoint_set"),
        ('kind = "keypoints"\nscore = "high"', "score"),
        ('kind = "keypoints"\nmean = [nan, 0, 0]', "mean"),
        ('kind = "keypoints"\noutputs = 3', "outputs"),
        ('kind = "parts"\nlabels = [1]', "labels"),
        ('kind = "parts"\n[labels]\n1 = [2]', "labels"),
        ('kind = "parts"\n[labels]\n-1 = "head"', "labels"),
    ],
)
def test_a_field_of_a_wrong_kind_is_named(tmp_path, line, word):
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(DetectorError, match=f"'{word}'"):
        read_card(card(tmp_path, "m", line))


def test_where_a_system_bounds_no_memory_a_model_is_loaded_all_the_same(monkeypatch):
    resource = pytest.importorskip("resource")

    def refuse(kind, limits):  # as macOS does of the address space
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    networks._bound_memory(1 << 30)
