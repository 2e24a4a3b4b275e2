"""EfficientNet-Lite0, up to its last feature map.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", in the Lite form that
Google made for int8: no squeeze-and-excite, ReLU6 for swish, and a stem and a head that do not scale
(https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).
"""

from skuscan_models.inverted_residuals import Layout, Stage

EFFICIENTNET_LITE0 = Layout(
    name="efficientnet-lite0",
    stem=32,
    stages=(
        Stage(repeats=1, kernel=3, stride=1, expansion=1, channels=16),
        Stage(repeats=2, kernel=3, stride=2, expansion=6, channels=24),
        Stage(repeats=2, kernel=5, stride=2, expansion=6, channels=40),
        Stage(repeats=3, kernel=3, stride=2, expansion=6, channels=80),
        Stage(repeats=3, kernel=5, stride=1, expansion=6, channels=112),
        Stage(repeats=4, kernel=5, stride=2, expansion=6, channels=192),
        Stage(repeats=1, kernel=3, stride=1, expansion=6, channels=320),
    ),
    head=1280,
    ceiling=6.0,
)
