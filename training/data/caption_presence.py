"""Things that ``caption_qa`` asks about with "is there", and words that make the answer uncertain."""

from __future__ import annotations

# Name -> words; if a caption of a photo has one of them, the thing may be present even if it is not named.
PRESENT = {
    "dog": """
        animal animals pet creature
    """,
    "horse": """
        animal animals rider riders cowboy rodeo jockey jockeys bull bronco polo carriage race
    """,
    "bird": """
        animal animals wings feather flock
    """,
    "man": """
        people person adult adults someone couple family crowd group team audience player players others male
        males boy boys he his him officer policeman soldier worker workers band cowboy clown surfer skier
        rider climber spectators fans friends
    """,
    "woman": """
        people person adult adults someone couple family crowd group team audience player players others
        female females girl girls she her mother officer worker workers band surfer skier rider climber
        spectators fans friends
    """,
    "boy": """
        people person someone family crowd group team audience player players others male males man men teen
        teenager child children kid kids toddler baby student students he his him surfer skateboarder rider
        climber young
    """,
    "girl": """
        people person someone family crowd group team audience player players others female females woman
        women teen teenager child children kid kids toddler baby student students she her surfer rider climber
        young cheerleaders dancers
    """,
    "baby": """
        child children kid kids toddler toddlers stroller family infant
    """,
    "ball": """
        tennis soccer football basketball baseball volleyball rugby cricket golf softball hockey game sport
        sports toy player players team catch fetch goal court balls bowling polo play playing object
    """,
    "frisbee": """
        toy disc disk object ring catch plate play playing
    """,
    "stick": """
        branch log wood bat pole toy object bone twig
    """,
    "bike": """
        bicycle biker bikers cyclist cyclists bicyclist bicyclists rider riders motorcycle motorbike dirtbike
        bmx cycling motocross ride riding rides race racing wheel tricycle unicycle scooter vehicle
    """,
    "motorcycle": """
        bike bikes biker bikers rider riders motocross dirtbike motorbike moped scooter atv vehicle vehicles
        race racing motorcyclist ride riding rides
    """,
    "skateboard": """
        skateboarder skateboarders skateboarding skater skating skate skatepark board ramp trick tricks
        rollerblades scooter
    """,
    "surfboard": """
        surfer surfers surfing surf surfs board boogie bodyboard wave waves ocean
    """,
    "boat": """
        water lake ocean river sea ship sail raft kayak canoe paddle paddling rowing dock pier harbor sailing
        kayaking rafting rapids
    """,
    "guitar": """
        instrument instruments music musician musicians band playing plays stage concert performing performs
        singing singer
    """,
    "snow": """
        ski skis skiing skier skiers sled sledding snowboard snowboarder snowboarding snowy ice icy winter
        snowball mountain mountains frozen snowmobile cold
    """,
    "water": """
        ocean sea lake river pond pool beach surf wave waves stream creek puddle swim swimming swims wet boat
        fountain splash splashing splashes sprinkler wading hose rain surfing surfer raft kayak dock shore
        waterfall dives diving fishing bathtub bath tub kayaking rapids canoe snorkeling squirt spray bridge
        drinking swimsuit bikini wetsuit mud muddy
    """,
    "beach": """
        sand sandy ocean sea shore water surf waves wave coast surfer surfing desert dunes dune lake
    """,
    "pool": """
        water swim swimming swims swimmer diving dives tub splash splashing float lake floating
    """,
}
