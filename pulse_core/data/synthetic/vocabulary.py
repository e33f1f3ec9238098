"""Words of the synthetic catalogue: kinds of product, their variants, and the syllables of invented brands."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of product: its name in titles, its group, the sizes it is sold in, and its middle price in dollars."""

    name: str
    group: str
    sizes: tuple[str, ...]
    price: float


def _kinds(group: str, sizes: str, text: str) -> tuple[Kind, ...]:
    """Kinds of one group from "name price" parted by "|"; `sizes` are shared, an empty one means none."""
    cut = tuple(part.strip() for part in sizes.split("|"))
    pairs = (entry.strip().rsplit(" ", 1) for entry in text.split("|"))
    return tuple(Kind(name, group, cut, float(price)) for name, price in pairs)


KINDS = {
    "luxury": (
        *_kinds(
            "care",
            "1.7 oz|3.4 Fl Oz|8.5 fl. oz.|2 oz",
            "Hand Cream 22|Face Serum 58|Body Lotion 34|Eye Cream 46"
            "|Cleanser 28|Face Mask 32|Shampoo 30|Conditioner 30",
        ),
        *_kinds("makeup", "|0.3 oz|0.46 Fl Oz|", "Lipstick 24|Foundation 42|Mascara 26|Eyeliner 21|Nail Lacquer 11"),
        *_kinds("tool", "||1 Count", "Hair Dryer 120|Makeup Brush 27|Facial Cleansing Brush 79"),
    ),
    "pantry": (
        *_kinds(
            "food",
            "12 oz|Pack of 6|8.5 Ounce|16 Ounce",
            "Granola 6|Crackers 4|Pasta Sauce 5|Snack Bars 7|Trail Mix 8|Soup 3|Popcorn 4",
        ),
        *_kinds("drink", "20 Count|12 Fl Oz|Pack of 12|", "Tea 6|Ground Coffee 11|Sparkling Water 8|Drink Mix 7"),
        *_kinds(
            "home", "50 oz|Pack of 3|24 Count|", "Dish Soap 5|Laundry Detergent 13|Surface Wipes 6|Air Purifier 45"
        ),
    ),
    "games": (
        *_kinds(
            "game",
            "PS4|Xbox One|Nintendo Switch|PC",
            "Racing Game 39|Puzzle Game 19|Adventure Game 44"
            "|Role-Playing Game 52|Fighting Game 46|Strategy Game 37|Platformer 29",
        ),
        *_kinds(
            "gear",
            "for PS4|for Xbox One|for Switch|for PC",
            "Controller 48|Gaming Headset 66|Gaming Mouse 38|Keyboard 72|Charging Dock 24|Racing Wheel 110",
        ),
    ),
}
"""Domain -> its kinds. No name holds a driver's keyword."""

VARIANTS = {
    "care": "Silk|Pearl|Almond|Oat|Olive|Rice|Aloe|Marine|Honey|Fig|Shea|Cedar|Willow|Quartz|Clay|Birch",
    "makeup": "Rosewood|Plum|Nude|Coral|Ivory|Sienna|Mocha|Ruby|Opal|Sand|Blush|Umber|Garnet|Topaz",
    "tool": "Nova|Arc|Lumen|Onda|Vela|Tern|Orbit|Sola|Lyra|Kite",
    "food": "Maple|Sea Salt|Cinnamon|Cranberry|Cheddar|Rosemary|Coconut|Peanut|Tomato|Garlic|Walnut|Apple|Lemon",
    "drink": "Peach|Ginger|Mint|Lime|Hazelnut|Vanilla|Mango|Berry|Citrus|Jasmine|Cherry|Cocoa",
    "home": "Lemon|Ocean|Pine|Linen|Meadow|Rain|Eucalyptus|Citrus|Cotton|Sage",
    "game": "Emberfall|Tidewatch|Ironvale|Starhollow|Duskrunner|Frostgate|Sunken Crown|Paper Dragons|Night Circuit"
    "|Copper Sky|Lost Orchard|Glass Harbor|Thornkeep|Skyforge|Moon Alley|Red Meridian",
    "gear": "X1|X2|Falcon|Vortex|Titan|Comet|Raptor|Zen|Atlas|Pulsar|Drift|Apex",
}
"""Group -> shades, flavours, product lines and names of games, parted by "|"."""

BRAND_STARTS = {
    "luxury": "Vel|Auri|Lumi|Cas|Ori|Sera|Mira|Elo|Dav|Flor|Isa|Nuv|Clar|Tess|Bel|Ama|Lio|Rive|Jos|Gla|Pey|Ondi",
    "pantry": "Tarn|Mill|Oak|Hearth|Bram|Cobb|Dale|Fern|Gree|Hollo|Ives|Juni|Kett|Lark|Mead|Nor|Pell|Quil|Rusk|Stow",
    "games": "Kest|Nord|Zar|Hex|Bly|Crag|Dyn|Fenn|Grim|Jax|Kry|Lok|Myr|Neb|Oxi|Pix|Quan|Rog|Syn|Tal|Vex|Wyr",
}
BRAND_ENDS = {
    "luxury": "mora|elle|ienne|andre|ovia|issa|eau|anza|ette|inelle|uvo|aria",
    "pantry": "wick|field|brook|stead|bury|more|ham|dale|well|combe|ford|hill",
    "games": "rin|wire|forge|tek|byte|hollow|storm|core|ion|mar|dax|light",
}
BRAND_TAILS = {
    "luxury": "Beauty|Paris|& Co|Skin",
    "pantry": "Foods|& Sons|Kitchen|Farm",
    "games": "Studios|Labs|Interactive|& Co",
}
"""A third of the brands carry a second word; the ampersands become entities, as in real dumps."""

CATEGORIES = {"luxury": "Luxury Beauty", "pantry": "Prime Pantry", "games": "Video Games"}
GROUP_CATEGORIES = {
    "care": "Skin & Hair Care", "makeup": "Makeup", "tool": "Tools & Accessories", "food": "Food", "drink": "Beverages",
    "home": "Household", "game": "Games", "gear": "Accessories",
}  # fmt: skip
