"""MobileNetV3, large and small, in the minimalistic form, up to the last feature map.

Howard et al. 2019, "Searching for MobileNetV3", tables 1 and 2. The minimalistic form is the authors' own for
accelerators and int8: kernels of 3x3 only, ReLU for hard swish, no squeeze-and-excite
(https://github.com/tensorflow/models/tree/master/research/slim/nets/mobilenet).
"""

from skuscan_models.inverted_residuals import Layout, Stage

MOBILENET_V3_LARGE = Layout(
    name="mobilenet-v3-large-minimalistic",
    stem=16,
    stages=(
        Stage(repeats=1, kernel=3, stride=1, expansion=1, channels=16),
        Stage(repeats=1, kernel=3, stride=2, expansion=4, channels=24),
        Stage(repeats=1, kernel=3, stride=1, expansion=3, channels=24),
        Stage(repeats=3, kernel=3, stride=2, expansion=3, channels=40),
        Stage(repeats=1, kernel=3, stride=2, expansion=6, channels=80),
        Stage(repeats=1, kernel=3, stride=1, expansion=2.5, channels=80),
        Stage(repeats=2, kernel=3, stride=1, expansion=2.3, channels=80),
        Stage(repeats=2, kernel=3, stride=1, expansion=6, channels=112),
        Stage(repeats=3, kernel=3, stride=2, expansion=6, channels=160),
    ),
    head=960,
    ceiling=None,
)

MOBILENET_V3_SMALL = Layout(
    name="mobilenet-v3-small-minimalistic",
    stem=16,
    stages=(
        Stage(repeats=1, kernel=3, stride=2, expansion=1, channels=16),
        Stage(repeats=1, kernel=3, stride=2, expansion=72 / 16, channels=24),
        Stage(repeats=1, kernel=3, stride=1, expansion=88 / 24, channels=24),
        Stage(repeats=1, kernel=3, stride=2, expansion=4, channels=40),
        Stage(repeats=2, kernel=3, stride=1, expansion=6, channels=40),
        Stage(repeats=2, kernel=3, stride=1, expansion=3, channels=48),
        Stage(repeats=1, kernel=3, stride=2, expansion=6, channels=96),
        Stage(repeats=2, kernel=3, stride=1, expansion=6, channels=96),
    ),
    head=576,
    ceiling=None,
)
