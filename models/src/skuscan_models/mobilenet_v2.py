"""MobileNetV2, up to its last feature map.

Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2, width 1.
"""

from skuscan_models.inverted_residuals import Layout, Stage

MOBILENET_V2 = Layout(
    name="mobilenet-v2",
    stem=32,
    stages=(
        Stage(repeats=1, kernel=3, stride=1, expansion=1, channels=16),
        Stage(repeats=2, kernel=3, stride=2, expansion=6, channels=24),
        Stage(repeats=3, kernel=3, stride=2, expansion=6, channels=32),
        Stage(repeats=4, kernel=3, stride=2, expansion=6, channels=64),
        Stage(repeats=3, kernel=3, stride=1, expansion=6, channels=96),
        Stage(repeats=3, kernel=3, stride=2, expansion=6, channels=160),
        Stage(repeats=1, kernel=3, stride=1, expansion=6, channels=320),
    ),
    head=1280,
    ceiling=6.0,
)
