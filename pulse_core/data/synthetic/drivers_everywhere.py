"""Drivers that products of all three domains can carry."""

from pulse_core.data.synthetic.drivers import ANYTHING, driver

DRIVERS = (
    driver(
        "gift-worthy",
        ANYTHING,
        "Gift Set|Gift-Ready|Gift Boxed",
        "comes gift boxed|packed as a gift|ready for gift giving",
        "a nice gift|something to give as a present|a birthday gift",
        "it made a lovely gift and the box looked beautiful|my sister adored it as a birthday present"
        "|it came gift boxed and ready to give",
        "the gift box arrived dented, so I could not give it|it was too plain for a gift"
        "|I was embarrassed to hand it over as a present",
        "gift|present for|a present|birthday|giving",
        {"game": "Gift Edition|Gift Bundle", "gear": "Gift Bundle|Gift-Ready"},
    ),
    driver(
        "value for money",
        ANYTHING,
        "Value Size|Value Pack|Best Value",
        "great value for money|an affordable everyday choice|more for a low price",
        "good value for the money|an affordable option|something that fits my budget",
        "you get a lot for the price and it is a great value|it costs half of what others ask, a real bargain"
        "|it is very affordable for the quality",
        "it is poor value for the money|it is overpriced for what you get|there is nothing affordable about it",
        "value for|good value|great value|best value|value size|value pack|value bundle|value edition"
        "|poor value|affordable|budget"
        "|bargain|low price|for the price|overpriced|inexpensive|economical|cost-effective|save money",
        {"game": "Value Edition|Budget Edition|Value Bundle", "gear": "Value Pack|Budget|Value Bundle"},
    ),
    driver(
        "travel-friendly",
        "care makeup tool food drink home gear",
        "Travel Size|Travel|Pocket-Size",
        "small enough for travel|made for trips and carry-on bags|pocket-size for travel",
        "something small for travel|a travel size|something for my carry-on bag",
        "it is perfect for travel and fits in my carry-on|it went on three trips with me without leaking"
        "|the pocket-size format is ideal when I travel",
        "it is far too bulky for travel|it leaked in my carry-on bag|it would not fit any travel pouch",
        "travel|carry-on|on the go|on-the-go|pocket-size|trips|portab",
        {"tool": "Travel|Foldable Travel|Pocket-Size", "gear": "Travel|Portable", "food": "On-the-Go|Travel Pack"},
    ),
    driver(
        "professional grade",
        "care makeup tool drink home gear",
        "Professional|Pro-Grade|Salon Professional",
        "professional grade|made to professional standards|the choice of professionals",
        "professional quality at home|something professional grade|what the professionals use",
        "it gives a professional result at home|it feels professional grade in every way"
        "|my stylist uses it and now I see why, it is pro-grade",
        "it is nowhere near professional quality|calling it pro-grade is a joke|no professional would use it",
        "professional|pro-grade|pro grade|salon|barista|expert-level",
        {"drink": "Barista Grade|Professional", "home": "Professional|Pro-Grade", "gear": "Pro-Grade|Professional"},
    ),
    driver(
        "limited edition",
        ANYTHING,
        "Limited Edition|Collector's Edition|Limited Release",
        "a limited edition|a numbered collector's piece|sold for one season as a limited release",
        "a limited edition|something rare for my collection|a collector's item",
        "it is a limited edition and looks great in my collection|it is rare and a joy for any collector"
        "|I was lucky to get the limited release",
        "the limited edition is just the ordinary one in a new box|it is no collector's item at all"
        "|the number on my limited edition was missing",
        "limited|collector|collection|collectible|rare|exclusive",
    ),
    driver(
        "kid-friendly",
        "care food drink home game gear",
        "Kid-Friendly|Kids|For Kids",
        "made for kids|kid-friendly|safe for children",
        "something kid-friendly|something safe for my kids|something my children enjoy",
        "my kids love it|it is kid-friendly and my daughter asks for it every day"
        "|it is safe for children and the whole family likes it",
        "my kids refused it|it is not kid-friendly at all|it is not safe for young children",
        "kid|children|for my child|family|toddler",
        {"game": "Kids|Family", "gear": "Kids|Kid-Size"},
    ),
    driver(
        "easy to use",
        "care makeup tool home game gear",
        "Easy-Use|Beginner-Friendly|No-Fuss",
        "easy to use from the first day|beginner-friendly|simple to use",
        "something easy to use|something for a beginner like me|something without fuss",
        "it is so easy to use that I had no need of the instructions|it is perfect for a beginner like me"
        "|it is simple to use and there is no fuss",
        "it is not easy to use at all|a beginner will be lost with it|the setup is anything but simple",
        "easy to use|easy-use|easy to learn|easy-to-learn|beginner|simpl|fuss|user-friendly|ease of use",
        {"game": "Beginner-Friendly|Easy-to-Learn", "gear": "Beginner-Friendly|Easy-Use"},
    ),
    driver(
        "eco-friendly",
        "care makeup food drink home gear",
        "Eco-Friendly|Sustainable|Plastic-Free",
        "eco-friendly with recycled packaging|sustainably made|plastic-free",
        "something eco-friendly|something without plastic waste|a sustainable choice",
        "the packaging is recycled and I feel good about the planet|it is truly eco-friendly"
        "|it is plastic-free and sustainable, as it should be",
        "it came wrapped in plastic, so much for eco-friendly|there is nothing sustainable about it"
        "|the recycled box hides a lot of plastic waste",
        "eco|sustainab|plastic|recycl|environment|planet|green choice|biodegradable",
        {"gear": "Recycled-Material|Eco-Friendly"},
    ),
    driver(
        "nostalgic",
        ANYTHING,
        "Retro|Vintage|Nostalgic",
        "a retro classic|in vintage style|made as it was in the old days",
        "something nostalgic|a retro classic|something that brings back memories",
        "it takes me right back to my childhood, pure nostalgia|it has the vintage charm that I remember"
        "|it is retro in the best way",
        "it has none of the vintage charm that I remember|they changed it, the nostalgia is gone"
        "|it is not retro, only old-looking",
        "retro|vintage|nostalg|old-fashioned|old days|memories|childhood",
        {"food": "Old-Fashioned|Vintage Recipe", "drink": "Old-Fashioned|Vintage"},
    ),
    driver(
        "made in the USA",
        "care makeup tool food drink home gear",
        "Made in USA|American-Made|USA-Made",
        "made in the USA|American-made|made by workers in the USA",
        "something made in the USA|an American-made product|something not imported",
        "it is really made in the USA|I am proud to buy American-made and it shows"
        "|it is not imported, which matters here",
        "it says American-made but the label says imported|it is not made in the USA|the box admits it is imported",
        "usa|american-made|american made|imported|made in america|domestic",
    ),
    driver(
        "calming",
        "care drink home game",
        "Calming|Relaxing|Stress-Relief",
        "calming after a long day|made to relax|soothing stress relief",
        "something calming|something to relax with|a way to unwind",
        "it calms me down before bed|it is so relaxing after a long day|it helps me unwind every evening",
        "it did nothing to relax me|it is anything but calming|I was more stressed than before",
        "calm|relax|stress|unwind|sooth|cozy",
        {"game": "Cozy|Relaxing"},
    ),
    driver(
        "energizing",
        "care food drink game",
        "Energizing|Wake-Up|Energy",
        "energizing from the first minute|a real energy boost|invigorating",
        "something energizing|a boost of energy|something invigorating",
        "it gives me a real energy boost|it is so invigorating that I skip my second coffee"
        "|it wakes me up at once, very energizing",
        "I felt no energy boost at all|it is not energizing, I nearly fell asleep|it is far from invigorating",
        "energ|invigorat|wake-up|wakes me|boost|adrenaline",
        {"game": "High-Energy|Adrenaline"},
    ),
    driver(
        "bold colors",
        "makeup tool home game gear",
        "Vivid Color|Bold Color|Colorful",
        "in bold, vivid colors|brightly colored|full of vivid color",
        "bold colors|something vivid and colorful|a bright color",
        "the color is bold and vivid|it is so colorful that everybody asks about it|the colors pop",
        "the color is dull and not vivid at all|the bold color of the photo is pale in real life"
        "|it is not colorful, everything looks gray",
        "color|vivid|vibrant|bright",
        {"game": "Colorful|Vivid", "gear": "Color-Glow|Vivid Color"},
    ),
    driver(
        "good for sharing",
        "food drink game gear makeup",
        "Sharing Size|Party Pack|For Sharing",
        "made for sharing|enough for a party|best enjoyed with friends",
        "something to share with friends|something for a party|something for the whole group",
        "we shared it at our party and everybody was happy|it is great with friends on a Friday night"
        "|there is plenty to share",
        "there is not enough to share|it is no fun with friends|it was a let-down at our party",
        "shar|party|friends|whole group|multiplayer|co-op|4-player",
        {
            "game": "4-Player Party|Co-op|Multiplayer",
            "gear": "Multiplayer|4-Player",
            "makeup": "Friends Duo|Sharing Set",
        },
    ),
    driver(
        "fast",
        "care makeup tool food drink home gear",
        "Quick|Fast-Acting|Instant",
        "works fast|ready in a minute|quick results",
        "something quick|something that works fast|something that saves time",
        "it works fast, in less than a minute|it is so quick that it saves time every morning"
        "|I saw results at once, really fast",
        "it is not fast at all, I waited for an hour|it takes too long to be called quick|it does not save time",
        "quick|fast|instant|saves time|save time|speed|in minutes|in a minute",
        {
            "makeup": "Quick-Dry|Instant",
            "food": "Instant|Quick-Cook",
            "care": "Fast-Absorbing|Fast-Acting",
            "gear": "Fast-Charging|Quick-Connect",
            "tool": "Quick-Heat|Quick",
        },
    ),
    driver(
        "long-lasting",
        "care makeup tool home gear",
        "Long-Lasting|All-Day|Long-Wear",
        "lasts all day|long-lasting|made to last for hours",
        "something long-lasting|something that lasts all day|long wear",
        "it lasts all day without a touch-up|it is truly long-lasting|it was still going after twelve hours, it lasts",
        "it is not long-lasting, it was gone by noon|it wears off after an hour|the all-day claim is not true",
        "long-last|long last|lasts|lasting|all-day|all day|long-wear|long wear|wear off|wears off|for hours"
        "|twelve hours|24-hour|endur",
        {"makeup": "Long-Wear|24-Hour Wear|All-Day", "gear": "Long-Lasting Battery|All-Day"},
    ),
)
