"""What is sold: kinds of goods with their flavours, sizes, claims and prices."""

from dataclasses import dataclass
from enum import Enum

from skuscan_models.synthetic.canvas import Colour


class Kind(Enum):
    """The shape of a package."""

    BOX = "box"
    CARTON = "carton"
    BAG = "bag"
    POUCH = "pouch"
    CAN = "can"
    BOTTLE = "bottle"


@dataclass(frozen=True)
class Flavour:
    """One variety of a product: what it says, what it shows, the colour that goes with it."""

    words: str
    pictogram: str
    colour: Colour
    second: str = ""  # a second pictogram; empty: none


@dataclass(frozen=True)
class Theme:
    """One kind of goods."""

    nouns: tuple[str, ...]
    kinds: tuple[Kind, ...]
    sizes: tuple[str, ...]
    flavours: tuple[Flavour, ...]
    claims: tuple[str, ...]
    extras: tuple[str, ...]  # pictograms that go with any flavour
    price_minor: tuple[int, int]  # least and greatest price


def _flavours(*rows: tuple[str, str, Colour] | tuple[str, str, Colour, str]) -> tuple[Flavour, ...]:
    return tuple(Flavour(*row) for row in rows)


_FRUIT = _flavours(
    ("Apple", "apple", (118, 182, 58)),
    ("Orange", "orange", (246, 140, 30)),
    ("Lemon", "lemon", (248, 212, 40)),
    ("Lime", "lime", (126, 190, 50)),
    ("Strawberry", "strawberry", (226, 44, 70)),
    ("Raspberry", "raspberry", (206, 36, 104)),
    ("Blackberry", "blackberry", (92, 44, 110)),
    ("Blueberry", "blueberry", (66, 90, 176)),
    ("Cherry", "cherry", (160, 16, 46)),
    ("Banana", "banana", (250, 206, 60)),
    ("Grape", "grapes", (116, 58, 146)),
    ("Pear", "pear", (170, 196, 70)),
    ("Peach", "peach", (250, 150, 104)),
    ("Mango", "mango", (252, 166, 36)),
    ("Pineapple", "pineapple", (240, 190, 40)),
    ("Coconut", "coconut", (96, 188, 200)),
    ("Kiwi", "kiwi", (112, 168, 50)),
    ("Melon", "melon", (236, 84, 92)),
    ("Grapefruit", "grapefruit", (240, 104, 88)),
)
_SAVOURY = _flavours(
    ("Sea Salt", "wave", (52, 112, 186)),
    ("Paprika", "paprika", (214, 66, 32)),
    ("Hot Chili", "chili", (190, 20, 28)),
    ("Cheese & Onion", "cheese", (240, 180, 40), "onion"),
    ("Sour Cream", "splash", (92, 158, 206), "sprig"),
    ("Tomato", "tomato", (222, 52, 40)),
    ("Roast Chicken", "hen", (206, 134, 54)),
    ("Mushroom", "mushroom", (132, 96, 70)),
    ("Sweet Corn", "corn", (244, 198, 50)),
    ("Garden Herbs", "sprig", (62, 134, 64)),
    ("Honey Glaze", "honey", (236, 158, 32)),
    ("Green Olive", "olive", (110, 126, 44)),
    ("Prawn", "shrimp", (242, 126, 112)),
    ("Lime & Chili", "lime", (132, 186, 44), "chili"),
    ("Pumpkin", "pumpkin", (232, 120, 30)),
)
_SWEET = _flavours(
    ("Milk Chocolate", "chocolate", (120, 70, 42), "milk"),
    ("Hazelnut", "nut", (164, 104, 54)),
    ("Vanilla", "vanilla", (236, 206, 130)),
    ("Salted Caramel", "caramel", (204, 128, 46)),
    ("Honey", "honey", (244, 172, 36)),
    ("Almond", "almond", (188, 132, 84)),
    ("Coconut", "coconut", (86, 184, 196)),
    ("Cinnamon", "cinnamon", (160, 82, 44)),
    ("Strawberry", "strawberry", (228, 54, 84)),
    ("Cherry", "cherry", (164, 20, 54)),
    ("Banana", "banana", (248, 204, 66)),
    ("Mint", "leaf", (64, 172, 140)),
    ("Coffee", "coffee", (88, 56, 40)),
    ("Orange Peel", "orange", (242, 132, 30)),
    ("Blueberry", "blueberry", (72, 92, 174)),
    ("Cookie", "biscuit", (202, 148, 84)),
)
_TEA = _flavours(
    ("Green Leaf", "leaf", (96, 160, 70)),
    ("Earl Grey", "lavender", (82, 92, 150), "lemon"),
    ("Rose Petal", "rose", (214, 74, 116)),
    ("Camomile", "flower", (236, 196, 74)),
    ("Lemon Ginger", "ginger", (226, 182, 60), "lemon"),
    ("Peppermint", "sprig", (56, 156, 118)),
    ("Wild Berry", "raspberry", (172, 36, 92), "blueberry"),
    ("Black Morning", "teapot", (130, 52, 40)),
    ("Orange Spice", "orange", (232, 122, 36), "cinnamon"),
    ("Lavender Night", "moon", (104, 84, 168), "lavender"),
    ("Apple Cinnamon", "apple", (186, 62, 44), "cinnamon"),
    ("Honey Vanilla", "honey", (238, 176, 62), "vanilla"),
    ("Peach Garden", "peach", (246, 150, 110)),
)
_GRAIN = _flavours(
    ("Whole Wheat", "wheat", (206, 152, 66)),
    ("Golden Corn", "corn", (246, 198, 48)),
    ("Oat & Honey", "honey", (230, 162, 50), "wheat"),
    ("Cocoa", "chocolate", (112, 66, 42)),
    ("Red Berries", "strawberry", (216, 44, 70), "raspberry"),
    ("Apple Crunch", "apple", (132, 180, 62)),
    ("Hazelnut", "nut", (158, 102, 58)),
    ("Almond", "almond", (190, 138, 92)),
    ("Banana Split", "banana", (250, 208, 66), "chocolate"),
    ("Coconut", "coconut", (84, 180, 190)),
    ("Blueberry", "blueberry", (76, 96, 178)),
    ("Pumpkin Seed", "pumpkin", (226, 126, 40)),
    ("Tropical", "pineapple", (244, 172, 40), "mango"),
)
_COFFEE = _flavours(
    ("Espresso", "coffee", (72, 42, 30)),
    ("Mild Morning", "sun", (240, 176, 56), "cup"),
    ("Decaf", "moon", (70, 96, 150), "coffee"),
    ("Mountain Roast", "mountain", (96, 124, 150)),
    ("Vanilla", "vanilla", (232, 202, 130)),
    ("Hazelnut", "nut", (158, 98, 52)),
    ("Caramel", "caramel", (206, 130, 50)),
    ("Dark Flame", "flame", (178, 44, 30)),
    ("Chocolate", "chocolate", (106, 60, 40)),
    ("Cinnamon", "cinnamon", (170, 92, 54)),
    ("Coconut", "coconut", (90, 176, 180)),
    ("Organic Leaf", "leaf", (92, 152, 74)),
)
_HOME = _flavours(
    ("Ocean", "wave", (26, 116, 190)),
    ("Alpine", "mountain", (88, 146, 190)),
    ("Lavender", "lavender", (138, 104, 184)),
    ("Citrus", "lemon", (244, 208, 44)),
    ("Orange", "orange", (244, 138, 36)),
    ("Forest", "tree", (46, 118, 74)),
    ("Cotton Cloud", "cloud", (124, 186, 226)),
    ("Rose", "rose", (218, 74, 122)),
    ("Fresh Lime", "lime", (130, 190, 56)),
    ("Sunshine", "sun", (250, 186, 40)),
    ("Winter", "snowflake", (72, 146, 214)),
    ("Night", "moon", (56, 60, 128)),
    ("Camomile", "flower", (236, 200, 96)),
    ("Coconut", "coconut", (98, 186, 176)),
)
_PET = _flavours(
    ("Chicken", "hen", (214, 138, 54)),
    ("Beef", "cow", (168, 44, 44)),
    ("Salmon", "salmon", (240, 124, 96)),
    ("Ocean Fish", "fish", (56, 124, 184)),
    ("Lamb", "sheep", (116, 150, 92)),
    ("Rabbit", "rabbit", (150, 120, 100)),
    ("Duck", "duck", (236, 184, 50)),
    ("Shrimp", "shrimp", (238, 128, 120)),
    ("Carrot & Peas", "carrot", (240, 132, 44), "peas"),
    ("Egg", "egg", (244, 196, 70)),
    ("Cheese", "cheese", (240, 186, 60)),
    ("Pumpkin", "pumpkin", (226, 122, 40)),
)
_SOUP = _flavours(
    ("Tomato", "tomato", (218, 50, 40)),
    ("Chicken", "hen", (222, 160, 66)),
    ("Mushroom", "mushroom", (140, 104, 78)),
    ("Pumpkin", "pumpkin", (234, 126, 36)),
    ("Green Pea", "peas", (110, 172, 66)),
    ("Sweet Corn", "corn", (246, 200, 54)),
    ("Carrot", "carrot", (242, 130, 40)),
    ("Onion", "onion", (178, 126, 78)),
    ("Fish", "fish", (70, 132, 186)),
    ("Paprika", "paprika", (196, 46, 32)),
    ("Prawn", "shrimp", (238, 128, 104)),
    ("Herbs", "sprig", (70, 142, 66)),
    ("Beef", "cow", (136, 58, 46)),
)

_GRAMS = ("100 g", "250 g", "500 g", "1 kg")
_MILLILITRES = ("250 ml", "500 ml", "750 ml", "1 L")

THEMES: tuple[Theme, ...] = (
    Theme(
        ("Juice", "Nectar", "Smoothie"),
        (Kind.CARTON, Kind.BOTTLE, Kind.CAN),
        _MILLILITRES,
        _FRUIT,
        ("100% FRUIT", "NO SUGAR ADDED", "VITAMIN C", "COLD PRESSED"),
        ("leaf", "splash", "drop"),
        (99, 449),
    ),
    Theme(
        ("Sparkling", "Soda", "Lemonade", "Iced Tea"),
        (Kind.CAN, Kind.BOTTLE),
        ("330 ml", "500 ml", "1 L", "1.5 L"),
        _FRUIT,
        ("ZERO SUGAR", "REAL FRUIT", "ICE COLD", "NEW"),
        ("bubbles", "drop", "leaf"),
        (69, 299),
    ),
    Theme(
        ("Potato Crisps", "Tortilla Chips", "Crackers", "Pop Snack"),
        (Kind.BAG, Kind.CAN, Kind.BOX),
        ("40 g", "90 g", "150 g", "300 g"),
        _SAVOURY,
        ("EXTRA CRUNCH", "OVEN BAKED", "NEW TASTE", "SHARING BAG"),
        ("crisp", "star", "flame"),
        (79, 399),
    ),
    Theme(
        ("Tea", "Infusion", "Tea Bags"),
        (Kind.BOX, Kind.POUCH, Kind.CAN),
        ("20 bags", "25 bags", "50 bags", "100 g"),
        _TEA,
        ("ORGANIC", "HAND PICKED", "CAFFEINE FREE", "SINCE 1894"),
        ("leaf", "teapot", "cup"),
        (189, 799),
    ),
    Theme(
        ("Coffee", "Ground Coffee", "Whole Beans", "Capsules"),
        (Kind.POUCH, Kind.BAG, Kind.BOX, Kind.CAN),
        ("200 g", "250 g", "500 g", "1 kg"),
        _COFFEE,
        ("FAIR TRADE", "ARABICA 100%", "SLOW ROASTED", "INTENSITY 8"),
        ("coffee", "cup"),
        (349, 1499),
    ),
    Theme(
        ("Cereal", "Granola", "Muesli", "Porridge"),
        (Kind.BOX, Kind.POUCH, Kind.BAG),
        ("300 g", "375 g", "500 g", "750 g"),
        _GRAIN,
        ("HIGH FIBRE", "WHOLE GRAIN", "NO PALM OIL", "FREE TOY"),
        ("bowl", "wheat", "splash"),
        (199, 599),
    ),
    Theme(
        ("Biscuits", "Cookies", "Wafers", "Cake Mix"),
        (Kind.BOX, Kind.BAG, Kind.POUCH),
        ("120 g", "200 g", "400 g", "600 g"),
        _SWEET,
        ("BUTTER RICH", "NEW RECIPE", "FAMILY PACK", "VEGAN"),
        ("biscuit", "wheat", "splash"),
        (99, 499),
    ),
    Theme(
        ("Chocolate", "Pralines", "Cocoa Drink", "Ice Cream"),
        (Kind.BOX, Kind.POUCH, Kind.CARTON),
        _GRAMS,
        _SWEET,
        ("70% COCOA", "FINEST", "GIFT BOX", "SWISS STYLE"),
        ("chocolate", "star", "milk"),
        (149, 1299),
    ),
    Theme(
        ("Yoghurt Drink", "Milk", "Oat Drink", "Kefir"),
        (Kind.CARTON, Kind.BOTTLE),
        _MILLILITRES,
        _FRUIT + _SWEET[:6],
        ("HIGH PROTEIN", "LACTOSE FREE", "CALCIUM", "FARM FRESH"),
        ("splash", "cow", "milk"),
        (89, 349),
    ),
    Theme(
        ("Soup", "Noodles", "Stew", "Broth"),
        (Kind.CAN, Kind.CARTON, Kind.POUCH, Kind.BOX),
        ("60 g", "400 g", "500 ml", "800 g"),
        _SOUP,
        ("3 MINUTES", "NO MSG", "HOME STYLE", "CHUNKY"),
        ("bowl", "sprig", "flame"),
        (89, 399),
    ),
    Theme(
        ("Pasta Sauce", "Ketchup", "Dressing", "Dip"),
        (Kind.BOTTLE, Kind.POUCH, Kind.CAN),
        ("190 g", "250 ml", "350 g", "500 ml"),
        _SAVOURY,
        ("SLOW COOKED", "GLUTEN FREE", "CHEF'S CHOICE", "EXTRA"),
        ("tomato", "sprig", "olive"),
        (129, 499),
    ),
    Theme(
        ("Rice", "Lentils", "Couscous", "Pasta"),
        (Kind.BOX, Kind.BAG, Kind.POUCH),
        ("250 g", "500 g", "1 kg", "2 kg"),
        _SOUP,
        ("READY IN 8 MIN", "LONG GRAIN", "STONE MILLED", "ORGANIC"),
        ("grains", "wheat", "bowl"),
        (99, 499),
    ),
    Theme(
        ("Laundry Liquid", "Softener", "Washing Powder"),
        (Kind.BOTTLE, Kind.BOX, Kind.POUCH),
        ("20 washes", "40 washes", "1.5 L", "3 kg"),
        _HOME,
        ("COLD WASH", "STAIN POWER", "SENSITIVE", "2 IN 1"),
        ("bubbles", "drop", "star"),
        (399, 1699),
    ),
    Theme(
        ("Shampoo", "Shower Gel", "Soap", "Hand Cream"),
        (Kind.BOTTLE, Kind.BOX, Kind.POUCH),
        ("200 ml", "300 ml", "400 ml", "750 ml"),
        _HOME,
        ("PH NEUTRAL", "SILICONE FREE", "FOR ALL HAIR", "24 H"),
        ("drop", "leaf", "bubbles"),
        (149, 899),
    ),
    Theme(
        ("Cat Food", "Cat Snacks", "Cat Dinner"),
        (Kind.CAN, Kind.POUCH, Kind.BOX, Kind.BAG),
        ("85 g", "400 g", "1 kg", "3 kg"),
        _PET,
        ("NO GRAIN", "WITH TAURINE", "ADULT", "IN JELLY"),
        ("cat",),
        (59, 1299),
    ),
    Theme(
        ("Dog Food", "Dog Biscuits", "Dog Dinner"),
        (Kind.BAG, Kind.CAN, Kind.BOX, Kind.POUCH),
        ("150 g", "400 g", "2 kg", "5 kg"),
        _PET,
        ("REAL MEAT", "PUPPY", "STRONG BONES", "SENIOR"),
        ("dog",),
        (89, 1999),
    ),
)
