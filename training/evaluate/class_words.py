"""Keywords for each activity class; a caption that contains one of them counts as naming the class."""

_TENNIS = "tennis racket rackets racquet racquets court courts player players ball balls serve serves serving"
_WAVE = "wave waves waving hand hands arm arms raised raises raising"
_WORDS = {
    "apply eye makeup": "makeup mascara lipstick cosmetics face faces eye eyes eyelashes eyebrow brush brushes mirror "
    "hair paint painted painting applying",
    "bend": "bend bends bending bent lean leans leaning crouch crouches crouching stretch stretches stretching",
    "fight": "fight fights fighting wrestle wrestles wrestling wrestlers punch punches punching hit hits hitting kick "
    "kicks kicking push pushes pushing boxing karate",
    "jumping jack": "jump jumps jumping jumped leap leaps leaping hop hops hopping exercise exercises exercising",
    "no fight": "people men street sidewalk road crowd crowded group walk walks walking stand stands standing building "
    "city",
    "tennis backhand": _TENNIS,
    "tennis backhand slice": _TENNIS,
    "tennis backhand volley": _TENNIS,
    "tennis forehand": _TENNIS,
    "tennis forehand volley": _TENNIS,
    "tennis serve": _TENNIS,
    "tennis smash": _TENNIS,
    "wave one hand": _WAVE,
    "wave two hands": _WAVE,
}

CLASS_WORDS = {label: frozenset(words.split()) for label, words in _WORDS.items()}
