"""Versions of everything that `build.py` installs."""

BPY, BPY_PYTHON = "5.0.1", (3, 11)
OTHER_BPY = ("4.2.23", "4.5.15")
OLDEST_BLENDER = (4, 2)
# what `lock` resolves, for Python 3.11 to 3.14; the engine and the add-on install what it wrote
TORCH = "2.13.0"
ENGINE_PINS = (
    # bpy's wheels are built with numpy 1.26; later Pythons have no wheel of it
    "numpy==1.26.4 ; python_version < '3.12'",
    "numpy==2.4.6 ; python_version >= '3.12'",
    f"torch=={TORCH}",
    "opencv-python==4.11.0.86",
    "pillow==13.0.0",
    "tyro==1.0.17",
    "threadpoolctl==3.8.0",
    "array-api-compat==1.16.0",
    "platformdirs==4.14.8",
    "scipy==1.17.1",
    "tqdm==4.70.1",
    "pygltflib==1.16.5",
    "ai-edge-litert==2.3.0",
    # the last that pip installs beyond Python 3.10: uv does not heed upper limits of Pythons
    "backports-strenum==1.2.8",
)
CUDA_PREFIXES = ("nvidia-", "cuda-", "triton")
MINORS = (11, 12, 13, 14)
SYSTEMS = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-pc-windows-msvc",
    "aarch64-apple-darwin",
)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
UV = "uv==0.13.9"
RAY = "ray==2.60.0"  # for the slow tests alone
PYTEST = "pytest==9.2.0"
BLENDER_NEEDS = ("array-api-compat", "platformdirs")  # pure wheels that the zip carries
# what the tests in other Blenders need beside it, to write glTF
GLTF_NEEDS = (
    *("pygltflib", "dataclasses-json", "deprecated", "marshmallow", "mypy-extensions"),
    *("packaging", "typing-extensions", "typing-inspect", "wrapt"),
)
TEST_PINS = (
    PYTEST,
    "hypothesis==6.170.15",
    "safetensors==0.8.0",
    "smplx==0.1.28",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    "ruff==0.17.6",
    "mypy==2.4.1",
)
EPOCH = (2026, 1, 1, 0, 0, 0)
