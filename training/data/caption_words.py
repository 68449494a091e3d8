"""Vocabulary of ``caption_qa``. The rules depend on these lists only, so they can be edited freely."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """Meaning of a noun form.

    Attributes:
        name: singular, as used in questions and answers.
        many: plural, as used in questions.
        kind: key of NOUN_LINES.
        plural: whether this form is plural.
    """

    name: str
    many: str
    kind: str
    plural: bool


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# "name plural: other singular forms / other plural forms;", with name and plural as used in questions and answers.
NOUN_LINES = {
    "animal": """
        dog dogs: puppy pup doggy greyhound retriever poodle terrier collie labrador lab dalmatian doberman pitbull
        husky beagle bulldog rottweiler spaniel dachshund chihuahua sheepdog hound pug mutt corgi shepherd canine /
        puppies pups greyhounds retrievers poodles terriers collies labradors labs dalmatians huskies hounds beagles
        bulldogs canines; cat cats: kitten kitty / kittens; horse horses: pony stallion mare colt bronco / ponies
        stallions broncos; bird birds: seagull pigeon duck swan goose parrot eagle gull crow pelican / seagulls
        pigeons ducks swans geese parrots gulls pelicans flamingos; bull bulls: steer; cow cows: calf / cattle calves;
        sheep sheep: lamb / lambs; goat goats; monkey monkeys: chimpanzee; elephant elephants; camel camels; squirrel
        squirrels; rabbit rabbits: bunny / bunnies; animal animals: pet creature / pets creatures
    """,
    "person": """
        man men: guy gentleman dude / guys gentlemen dudes; woman women: lady bride / ladies brides; boy boys; girl
        girls; baby babies: infant / infants; child children: kid toddler youngster / kids toddlers youngsters; person
        people: adult someone individual teenager teen / adults persons individuals teenagers teens folks friends
    """,
    "role": """
        player players: teammate goalie pitcher batter catcher quarterback footballer referee / teammates opponents;
        surfer surfers: kayaker wakeboarder waterskier boarder swimmer diver / kayakers swimmers; skier skiers:
        snowboarder / snowboarders; skateboarder skateboarders: skater rollerblader / skaters; rider riders: biker
        bicyclist cyclist motorcyclist bicycler racer / bikers bicyclists cyclists motorcyclists racers; climber
        climbers: hiker backpacker / hikers backpackers; worker workers: officer policeman fireman firefighter soldier
        vendor waiter cowboy clown photographer artist musician guitarist singer performer dancer athlete runner
        jogger wrestler boxer mother father mom dad owner groom fisherman student friend jockey male female gymnast
        cheerleader / officers policemen firemen soldiers vendors cowboys clowns photographers artists musicians
        singers performers dancers athletes runners joggers wrestlers boxers bridesmaids students jockeys males
        females cheerleaders parents
    """,
    "crowd": """
        group groups: couple family crowd team band audience class pack bunch others onlookers spectators fans /
        couples families crowds teams bands
    """,
    "clothing": """
        shirt shirts: tshirt blouse / tshirts; jacket jackets: parka windbreaker / parkas; coat coats; dress dresses:
        gown / gowns; hat hats: beanie / beanies; cap caps; helmet helmets: hardhat; skirt skirts; sweater sweaters;
        sweatshirt sweatshirts: hoodie; vest vests: lifejacket / lifejackets; suit suits: tuxedo / tuxedos; swimsuit
        swimsuits: bikini / bikinis; wetsuit wetsuits; scarf scarves; tie ties; apron aprons; costume costumes; outfit
        outfits; uniform uniforms; jersey jerseys; bandana bandanas: bandanna / bandannas; headband headbands; mask
        masks; collar collars; muzzle muzzles; harness harnesses; robe robes; wig wigs; backpack backpacks
    """,
    "pair": """
        shorts shorts; pants pants: trousers; jeans jeans; trunks trunks; boots boots; shoes shoes: sneakers; socks
        socks; gloves gloves; goggles goggles; sunglasses sunglasses; glasses glasses; overalls overalls
    """,
    "thing": """
        ball balls: tennisball basketball football volleyball softball baseball / basketballs footballs tennisballs;
        frisbee frisbees: disc disk / discs; stick sticks: branch twig / branches twigs; toy toys: teddybear /
        teddybears; rope ropes; bone bones; bat bats; racket rackets: racquet / racquets; camera cameras; sign signs;
        cup cups: mug / mugs; drink drinks: beverage beer soda / beverages beers; bottle bottles; flag flags; umbrella
        umbrellas; newspaper newspapers; book books; bag bags: purse handbag / purses; bucket buckets: pail / pails;
        cigarette cigarettes; microphone microphones; paddle paddles: oar / oars; phone phones: cellphone /
        cellphones; guitar guitars; violin violins; hose hoses; shovel shovels; sword swords; gun guns: rifle /
        rifles; basket baskets; balloon balloons; flower flowers; tire tires; hurdle hurdles; log logs; tunnel
        tunnels; tent tents; kite kites; leash leashes; fence fences; wall walls; building buildings; house houses;
        sprinkler sprinklers; table tables; obstacle obstacles; window windows
    """,
    "vehicle": """
        bike bikes: bicycle / bicycles; motorcycle motorcycles: motorbike dirtbike / motorbikes dirtbikes; skateboard
        skateboards; snowboard snowboards; surfboard surfboards: bodyboard; scooter scooters; unicycle unicycles;
        tricycle tricycles; wave waves; raft rafts; atv atvs; sled sleds: sledge toboggan; boat boats: canoe kayak
        rowboat / canoes kayaks rowboats; car cars: suv jeep / jeeps; truck trucks; bus buses; train trains; cart
        carts; rollercoaster rollercoasters
    """,
    "place": """
        beach beaches: shore shoreline seashore; sand sands: dune / dunes; water waters; ocean oceans: sea surf; lake
        lakes: pond; river rivers: stream creek rapids; pool pools; puddle puddles; fountain fountains; snow snows;
        ice ices: rink; grass grasses: lawn; field fields: meadow pasture; yard yards: backyard / backyards; garden
        gardens; park parks; skatepark skateparks; playground playgrounds; woods woods: forest jungle / forests;
        street streets; road roads: highway; sidewalk sidewalks; path paths: trail pathway / trails; track tracks:
        racetrack; mountain mountains: mountainside mountaintop; hill hills: hillside slope / slopes; cliff cliffs;
        rock rocks: boulder / boulders; mud muds; dirt dirts; desert deserts; bench benches; couch couches: sofa; bed
        beds; chair chairs; swing swings; slide slides: waterslide; trampoline trampolines; ramp ramps; stage stages;
        dock docks: pier; bridge bridges; stairs stairs: steps staircase; tree trees; city cities; restaurant
        restaurants: cafe diner; store stores: shop supermarket; kitchen kitchens; court courts; stadium stadiums;
        parkinglot parkinglots; air airs: midair
    """,
}

# Compounds that are joined to one word, including some whose result is not a known noun.
COMPOUNDS = {
    "t shirt": "tshirt", "tee shirt": "tshirt", "dirt bike": "dirtbike", "motor bike": "motorbike",
    "bathing suit": "swimsuit", "swim suit": "swimsuit", "wet suit": "wetsuit", "swim trunks": "trunks",
    "swimming trunks": "trunks", "bathing suits": "swimsuits", "cell phone": "phone", "skate board": "skateboard",
    "surf board": "surfboard", "boogie board": "bodyboard", "body board": "bodyboard", "snow board": "snowboard",
    "life jacket": "lifejacket", "life vest": "lifejacket", "life jackets": "lifejackets",
    "swimming pool": "pool", "wading pool": "pool", "kiddie pool": "pool", "water slide": "waterslide",
    "mid air": "midair", "parking lot": "parkinglot", "skate park": "skatepark", "skating park": "skatepark",
    "skateboard park": "skatepark", "stuffed animal": "teddybear", "stuffed animals": "teddybears",
    "stuffed toy": "teddybear", "teddy bear": "teddybear", "teddy bears": "teddybears", "polar bear": "polarbear",
    "soap bubbles": "bubbles", "snow ball": "snowball", "hot dog": "hotdog", "hot dogs": "hotdogs",
    "sand box": "sandbox", "roller coaster": "rollercoaster", "tire swing": "swing", "rope swing": "swing",
    "swing set": "swingset", "inner tube": "innertube", "beach ball": "ball", "bounce house": "bouncehouse",
    "fire hydrant": "hydrant", "four wheeler": "atv", "hula hoop": "hoop", "sand dune": "dune",
    "sand dunes": "dunes", "steering wheel": "wheel", "playing field": "field", "climbing wall": "wall",
    "hot tub": "tub", "train station": "station", "subway train": "train", "train track": "railway",
    "train tracks": "railway", "railroad tracks": "railway", "race track": "racetrack", "race car": "racecar",
    "park bench": "bench", "water fountain": "fountain", "tree branch": "branch", "tree limb": "limb",
    "rock climber": "climber", "rock climbers": "climbers", "baseball cap": "cap", "baseball hat": "hat",
    "face paint": "facepaint", "ski lift": "lift", "chair lift": "lift", "guinea pig": "pig", "ice cream": "icecream",
    "football field": "field", "soccer field": "field", "baseball field": "field", "tennis court": "court",
    "basketball court": "court", "tennis ball": "tennisball", "tennis balls": "tennisballs",
    "toy car": "toycar", "video camera": "camera",
}  # fmt: skip

COLORS = {
    name: name
    for name in ("black", "white", "brown", "red", "blue", "yellow", "green", "orange", "pink", "purple", "gray", "tan")
} | {"grey": "gray", "beige": "tan"}
# Pairs of colors of one thing that are accepted as an answer.
PAIRS = frozenset(
    f"{one} and {other}"
    for one, others in {
        "black": "white brown red tan yellow blue",
        "blue": "white red yellow",
        "brown": "white",
        "gray": "white",
        "green": "white yellow",
        "red": "white",
        "tan": "white",
    }.items()
    for other in others.split()
)
# Ambiguous colors and patterns: no question is asked about the color of things that have them.
VAGUE = _set(
    "golden gold silver cream maroon teal turquoise navy aqua khaki colorful colourful multicolored rainbow reddish "
    "peach blond blonde striped plaid checkered spotted patterned camouflage colored multi flowered floral dot bright "
    "reflective toned"
)
# Words after a color which show that it belongs to a part only.
PARTS = _set("haired eyed skinned faced nosed headed trimmed tipped clad shirted suited dressed eared")
# Nouns whose color may belong to something else, such as a dog's snout.
UNCOLORED = _set("muzzle animal")
MARKS = _set("spots markings patches paws chest belly spotted spot patch marks legs feet face stripes")

NUMBERS = {
    word: i for i, word in enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 2)
}
NUMBERS |= {str(i): i for i in range(2, 11)}
OTHERS = _set("another other others second third opposing fellow different")
# Words with the endings of verbs that are not verbs.
NO_VERBS = _set("building clothing railing wedding string ring ceiling evening morning parking swing king thing")
# Words that make the number of people unknown.
CROWDED = _set("crowd audience others spectators onlookers fans several many")
ARTICLES = _set("a an the this that his her its their one each some these those several many both") | OTHERS
ADJECTIVES = _set(
    "little small young large big old older elderly tall short long dark light furry fluffy shaggy wet dry dirty muddy "
    "snowy grassy sandy rocky wooded wooden plastic metal leather denim jean hooded knit winter straw tennis soccer "
    "hockey rubber inflatable huge tiny giant cute happy smiling shirtless bald bearded asian african american german "
    "golden muzzled hairy curly long haired colored striped plaid heavy thick thin shallow deep crowded busy "
    "paved empty open lush green cement concrete stone brick steep skinny fat chubby barefoot lone single same "
    "matching bright neon sleeved sleeve button up army polo flannel fleece puffy ski swimming baseball basketball "
    "football cowboy santa police sports sport chew squeaky stuffed toy border boxer bull pit racing very indoor "
    "outdoor nearby fenced beautiful sunny calm frozen foamy choppy rough muscular male female teenage middle aged "
    "adult blond blonde brunette redheaded orange frilly fuzzy medium sized flat wide narrow tan cement city "
    "pet full high low upside heavyset overweight playful sleeping running jumping swimming wrestling costumed "
    "collared leashed wild pretty professional japanese chinese indian mountain road bmx dirty toned sand beach"
)
# Words that can follow a noun only if it is the head of its phrase.
FOLLOWERS = _set(
    ". , and or is are was were in on at with by near through across along over under behind beside between into onto "
    "from to of for while as who that which has have wearing holding up down off out around against toward towards "
    "outside inside together above below past about after before during next has being has not can dressed covered "
    "beneath underneath among amongst amid alongside atop upon there where whilst when but both all so does do very "
    "happily playfully quickly gets goes makes takes tries carries carrying holds hold carry wears wear has "
    "trying making taking going getting doing attempts prepares performs performing attempting attached made filled "
    "surrounded outdoors indoors alone away like held tied then it he she they his her its their this the a an "
    "hits gather points puts take enjoys bites follows gives shows reaches touches uses gathered helps try flips "
    "without go make enjoy raises retrieves begins appears leads get just perform pours crosses passes peeks fetches "
    "participate returns grinds dribbles shoots stops frolics wrapped stretches emerges bounces opens share follow "
    "bends pounces tug raise grabs lands bares lifts listens teaches picks suspended underwater partially whose skips "
    "move interact moves lift romp turns tussle drops faces pretends lunges tugs surrounding prepare nips admire "
    "using buried followed coming comes starts straddles feeds steers airborne overlooking"
)
ADVERBS = _set("happily playfully quickly is are was were who that which being seen also just busily up")

# "name = other forms", with the plain form, which follows plural subjects, first. Names are used as answers.
VERB_LINES = """
    holding = hold holds held; carrying = carry carries; running = run runs ran sprint sprints sprinting bounds
    bounding trot trots trotting; jogging = jog jogs; walking = walk walks walked stroll strolls strolling; jumping
    = jump jumps jumped leap leaps leaping hop hops hopping; sitting = sit sits sat seated; standing = stand stands
    stood; lying = lie lies lay lays laying; sleeping = sleep sleeps asleep nap napping naps; swimming = swim swims
    swam; playing = play plays; climbing = climb climbs climbed scale scaling scales; riding = ride rides rode
    biking cycling bicycling; eating = eat eats; drinking = drink drinks; fishing = fish fishes; skateboarding =
    skateboard skateboards; surfing = surf surfs; skiing = ski skis; snowboarding = snowboard snowboards; skating =
    skate skates; rollerblading = rollerblade rollerblades; sledding = sled sleds; dancing = dance dances; singing =
    sing sings; reading = read reads; writing = write writes; painting = paint paints; smiling = smile smiles grin
    grins grinning; laughing = laugh laughs; crying = cry cries; talking = talk talks chat chats chatting speak
    speaks speaking; posing = pose poses posed; kneeling = kneel kneels; crouching = crouch crouches squat squats
    squatting crouched; crawling = crawl crawls; digging = dig digs; barking = bark barks; chewing = chew chews
    gnawing gnaw gnaws; licking = lick licks; sniffing = sniff sniffs smelling smells; fighting = fight fights;
    wrestling = wrestle wrestles; hugging = hug hugs embrace embraces embracing; kissing = kiss kisses; kicking =
    kick kicks; throwing = throw throws toss tosses tossing; catching = catch catches; sliding = slide slides;
    swinging = swing swings; flying = fly flies; hiking = hike hikes; racing = race races; kayaking = kayak kayaks;
    rowing = row rows; paddling = paddle paddles; splashing = splash splashes; diving = dive dives; cooking = cook
    cooks; working = work works; smoking = smoke smokes; pushing = push pushes; pulling = pull pulls; chasing =
    chase chases; leaning = lean leans; looking = look looks staring stare stares gazing gaze gazes; watching =
    watch watches; waving = wave waves; shaking = shake shakes; rolling = roll rolls; wading = wade wades; floating
    = float floats; falling = fall falls; spinning = spin spins; driving = drive drives; waiting = wait waits;
    juggling = juggle juggles; hanging = hang hangs; balancing = balance balances; resting = rest rests relax
    relaxes relaxing
"""
SPORTS = _set("soccer football tennis basketball baseball hockey volleyball rugby cricket softball golf badminton")
PLAYING = _set("playing play plays game player players team teams match")
PLAYED = _set("soccer football tennis basketball baseball hockey volleyball guitar violin drums")

# Verbs with objects -> words that may come before the object.
OBJECTS = {
    "riding": ("on", "in"),
    "holding": ("up", "onto"),
    "carrying": (),
    "chasing": ("after",),
    "catching": (),
    "throwing": (),
    "kicking": (),
    "climbing": ("up",),
    "pushing": (),
    "pulling": (),
    "reading": (),
    "playing with": (),
    "jumping over": (),
}
# Words between "playing" and the game; after the words in GAME, names of balls are games.
BEFORE_GAMES = _set("a the game of his her some")
GAME = _set("play plays playing of")
# Objects that can be ridden; HANDLED adds those that can be climbed or held.
RIDDEN = _set(
    "bike motorcycle skateboard snowboard surfboard scooter unicycle tricycle wave raft atv sled boat bus train cart "
    "rollercoaster horse bull camel elephant swing"
)
HANDLED = (RIDDEN - {"swing"}) | _set("rock mountain hill tree cliff")
NO_ACTIONS = frozenset({"holding", "carrying"})  # usually accompany another action
# Incompatible actions: each STILL action excludes all others here; each MOVING action excludes all STILL ones.
STILL = _set("sitting standing lying sleeping kneeling crouching hanging")
MOVING = _set(
    "running jogging walking jumping swimming climbing riding skateboarding surfing skiing snowboarding skating "
    "rollerblading sledding dancing crawling sliding flying hiking racing kayaking rowing diving driving wading "
    "rolling"
)
WEAK = _set("looking watching smiling posing resting")  # usually accompany another action
# Verbs that need an object, so that "who is pulling" is not asked.
PARTIAL = _set(
    "pulling pushing catching chasing leaning shaking hanging licking chewing throwing kicking hugging driving"
)
HEADWEAR = _set("hat cap helmet bandana headband wig")
UNCOUNTABLE = frozenset({"snow", "water"})
PEOPLE = _set("man woman boy girl child baby")
# Broader name -> names that it may include; a caption with one does not contradict a caption with the other.
FINER = {
    "person": PEOPLE,
    "child": _set("boy girl baby"),
    "animal": _set("dog cat horse bird bull cow sheep goat monkey elephant camel squirrel rabbit"),
    "toy": _set("ball frisbee stick bone rope"),
    "hat": frozenset({"cap"}),
    "water": _set("ocean lake river pool fountain puddle"),
    "grass": _set("field yard park garden"),
    "playing": frozenset(f"playing {what}" for what in PLAYED),
} | dict.fromkeys(("player", "surfer", "skier", "skateboarder", "rider", "climber", "worker"), PEOPLE)
WHERE = {
    "beach": "on the beach", "sand": "on the sand", "water": "in the water", "ocean": "in the ocean",
    "lake": "in a lake", "river": "in a river", "pool": "in a pool", "fountain": "in a fountain",
    "puddle": "in a puddle", "snow": "in the snow", "ice": "on the ice", "grass": "on the grass",
    "field": "in a field", "yard": "in a yard", "garden": "in a garden", "park": "in a park",
    "playground": "on a playground", "woods": "in the woods", "street": "on the street", "road": "on the road",
    "sidewalk": "on the sidewalk", "path": "on a path", "track": "on a track", "mountain": "on a mountain",
    "hill": "on a hill", "cliff": "on a cliff", "rock": "on a rock", "mud": "in the mud", "dirt": "on the dirt",
    "desert": "in the desert", "bench": "on a bench", "couch": "on a couch", "bed": "on a bed",
    "chair": "in a chair", "swing": "on a swing", "slide": "on a slide", "trampoline": "on a trampoline",
    "ramp": "on a ramp", "stage": "on a stage", "dock": "on a dock", "bridge": "on a bridge",
    "stairs": "on the stairs", "tree": "in a tree", "boat": "in a boat", "car": "in a car",
    "restaurant": "in a restaurant", "store": "in a store", "kitchen": "in a kitchen", "court": "on a court",
    "skatepark": "in a skate park",
}  # fmt: skip
PLACING = _set("in on through across along")
# Places for which "at" means in or on, not only near.
AT = _set("beach pool park playground skatepark restaurant store court")
# Groups of places that can be in one photo; a place in no group can be with any other.
GROUPS = tuple(
    frozenset(names.split())
    for names in (
        "water ocean lake river pool fountain puddle",
        "beach sand",
        "grass field yard garden park",
        "street road sidewalk path track dirt mud bridge",
        "snow ice mountain hill",
        "rock cliff mountain hill",
        "woods path tree",
    )
)
# Names that are recognised but too rare to be used as an answer.
SELDOM = _set(
    "robe overalls wig tie skirt boots bus tent gun flower bone kite balloon cigarette animal leash bed bench chair"
)
