"""The drawn pictures by name, each with its natural colour."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from skuscan_models.synthetic import pictures_nature as nature
from skuscan_models.synthetic import pictures_pantry as pantry
from skuscan_models.synthetic import pictures_produce as produce
from skuscan_models.synthetic.canvas import Colour
from skuscan_models.synthetic.pen import Pen

PICTOGRAMS: Mapping[str, tuple[Callable[[Pen, Colour], None], Colour]] = MappingProxyType(
    {
        "apple": (produce.apple, (206, 44, 44)),
        "pear": (produce.pear, (178, 196, 66)),
        "orange": (produce.citrus, (246, 146, 30)),
        "lemon": (produce.citrus, (250, 214, 50)),
        "lime": (produce.citrus, (140, 190, 54)),
        "grapefruit": (produce.citrus, (238, 100, 92)),
        "strawberry": (produce.strawberry, (222, 42, 54)),
        "raspberry": (produce.berries, (214, 48, 98)),
        "blackberry": (produce.berries, (70, 40, 92)),
        "blueberry": (produce.blueberry, (74, 92, 168)),
        "cherry": (produce.cherry, (178, 20, 44)),
        "banana": (produce.banana, (248, 212, 70)),
        "grapes": (produce.grapes, (120, 62, 140)),
        "peach": (produce.peach, (250, 164, 96)),
        "mango": (produce.mango, (250, 176, 50)),
        "pineapple": (produce.pineapple, (236, 180, 60)),
        "coconut": (produce.coconut, (116, 78, 50)),
        "kiwi": (produce.kiwi, (142, 190, 64)),
        "melon": (produce.melon, (232, 62, 74)),
        "tomato": (produce.tomato, (220, 50, 38)),
        "chili": (produce.chili, (210, 28, 30)),
        "paprika": (produce.paprika, (214, 60, 36)),
        "onion": (produce.onion, (198, 142, 86)),
        "mushroom": (produce.mushroom, (168, 118, 80)),
        "corn": (produce.corn, (248, 204, 62)),
        "peas": (produce.peas, (120, 180, 64)),
        "carrot": (produce.carrot, (240, 126, 36)),
        "olive": (produce.olive, (112, 122, 44)),
        "pumpkin": (produce.pumpkin, (236, 128, 34)),
        "crisp": (produce.potato, (236, 186, 84)),
        "wheat": (pantry.wheat, (222, 170, 72)),
        "grains": (pantry.grains, (240, 224, 180)),
        "coffee": (pantry.coffee, (104, 62, 36)),
        "chocolate": (pantry.chocolate, (104, 60, 38)),
        "nut": (pantry.nut, (164, 104, 56)),
        "almond": (pantry.almond, (186, 122, 70)),
        "honey": (pantry.honey, (246, 178, 46)),
        "vanilla": (pantry.vanilla, (250, 240, 206)),
        "caramel": (pantry.caramel, (206, 134, 54)),
        "cinnamon": (pantry.cinnamon, (158, 92, 52)),
        "biscuit": (pantry.biscuit, (214, 160, 92)),
        "cheese": (pantry.cheese, (246, 196, 66)),
        "egg": (pantry.egg, (250, 190, 50)),
        "cup": (pantry.cup, (70, 130, 170)),
        "bowl": (pantry.bowl, (58, 120, 168)),
        "milk": (pantry.milk, (250, 248, 240)),
        "splash": (pantry.splash, (250, 244, 226)),
        "ginger": (pantry.ginger, (216, 174, 112)),
        "sprig": (pantry.sprig, (84, 150, 66)),
        "teapot": (pantry.teapot, (180, 80, 70)),
        "cow": (nature.cow, (246, 242, 236)),
        "hen": (nature.hen, (214, 140, 72)),
        "fish": (nature.fish, (92, 146, 186)),
        "salmon": (nature.fish, (240, 132, 104)),
        "shrimp": (nature.shrimp, (244, 140, 110)),
        "cat": (nature.cat, (222, 156, 84)),
        "dog": (nature.dog, (196, 150, 100)),
        "sheep": (nature.sheep, (246, 240, 228)),
        "rabbit": (nature.rabbit, (176, 160, 150)),
        "duck": (nature.duck, (250, 214, 74)),
        "bee": (nature.bee, (250, 196, 46)),
        "leaf": (nature.leaf, (96, 162, 70)),
        "flower": (nature.flower, (250, 246, 240)),
        "rose": (nature.rose, (216, 60, 96)),
        "lavender": (nature.lavender, (142, 106, 184)),
        "tree": (nature.tree, (52, 118, 72)),
        "mountain": (nature.mountain, (98, 126, 160)),
        "wave": (nature.wave, (36, 122, 190)),
        "drop": (nature.drop, (64, 156, 218)),
        "sun": (nature.sun, (252, 198, 52)),
        "moon": (nature.moon, (244, 220, 130)),
        "flame": (nature.flame, (232, 84, 32)),
        "snowflake": (nature.snowflake, (150, 206, 240)),
        "star": (nature.star, (246, 190, 50)),
        "bubbles": (nature.bubbles, (110, 190, 226)),
        "cloud": (nature.cloud, (150, 200, 232)),
        "feather": (nature.feather, (226, 216, 200)),
    }
)


def draw_pictogram(pen: Pen, name: str, colour: Colour | None = None) -> None:
    """Draw a pictogram in the pen's square, in its natural colour or another."""
    function, natural = PICTOGRAMS[name]
    function(pen, colour or natural)
