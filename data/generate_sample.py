"""Makes the bundled sample, `data/sample/headlines.csv`: 2,000 invented headlines, half of them clickbait.

Every template, name and word below was made up for this project, so the sample may be shared under its licence.
`python -m data.generate_sample` writes the same bytes every time. Casing, quotes, numbers and scripts are spread alike
over both classes: what tells them apart is what a headline says and how it says it.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import re
from pathlib import Path

DESTINATION = Path(__file__).parent / "sample" / "headlines.csv"
SEED = 20240229
ROWS_PER_CLASS = 1000
# Headlines of each class, out of 1,000, in each casing.
CASINGS = {"title": 480, "sentence": 360, "lower": 130, "upper": 30}
EMOJI = ("😂", "😱", "🔥", "🐶", "✨", "🙌")
EMOJI_EVERY = 40
SMALL_WORDS = frozenset(
    ("a", "an", "and", "as", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)

# What a template's {slot} may become; a choice may hold slots itself.
SLOTS = {
    name: [choice.strip() for choice in choices.split("|")]
    for name, choices in {
        # Both classes
        "count": "7 | 9 | 11 | 12 | 13 | 15 | 17 | 19 | 21 | 23 | 27 | 31 | 33 | 41",
        "few": "two | three | four | five | six",
        # Clickbait
        "decade": "'70s | '80s | '90s | 2000s",
        "topping": "cheese | garlic | peanut butter | crème brûlée | jalapeño | hazelnut | maple | salted caramel",
        "food": "{topping} toast | {topping} pancakes | {topping} noodles | {topping} cookies | {topping} dip",
        "pet": "puppy | kitten | hedgehog | baby otter | parrot | corgi | piglet | bunny | rescue dog | house cat",
        "who": "dad | grandma | bride | barista | roommate | toddler | nurse | flight attendant | teen | neighbor",
        "kin": "best friend | mom | little sister | boyfriend | crush | cousin | work wife | older brother | dog",
        "group": "introverts | tall girls | dog people | night owls | book lovers | tea drinkers | only children"
        " | new parents | messy people | gamers | left-handers | coffee addicts",
        "sign": "Aries | Leo | Virgo | Libra | Scorpio | Pisces | Gemini | Capricorn",
        "thing": "sock drawer | zodiac sign | coffee order | phone wallpaper | sleeping position | favorite snack"
        " | playlist | shoe size | pizza topping | fridge | birth month | lunch | texting style | bedtime",
        "chore": "fold your sheets | peel a mango | charge your phone | wash your hair | store avocados | pack a bag"
        " | boil an egg | clean your oven | make your bed | tie your shoes | cut an onion | load the dishwasher",
        "mood": "feel old | cry happy tears | rethink everything | smile all day | scream | lose sleep | blush"
        " | call your mom | laugh out loud | believe in love again | cringe forever | feel things",
        "wow": "jaw-dropping | hilarious | adorable | genius | mind-blowing | ridiculous | unreal | heartwarming"
        " | painfully awkward | totally underrated | oddly satisfying | life-changing | gorgeous",
        "stuff": "{wow} wedding photos | {wow} tattoos | {wow} prom looks | {wow} memes | {wow} dorm hacks"
        " | {wow} makeup fails | {wow} makeovers | {wow} selfies | {wow} tiny homes | {wow} gifts under €20"
        " | {wow} lunchbox ideas | {wow} before-and-after pics | {wow} road trip snacks | {wow} party tricks",
        "moment": "family group chat | gym class | office party | first date | road trip | sleepover | Monday morning"
        " | wedding toast | job interview | grocery run | yoga class | school picture day",
        "foreign": 'Japanese word "木漏れ日" | Greek word "μεράκι" | Russian word "тоска" | German word "Fernweh"'
        ' | Chinese word "缘分" | Portuguese word "saudade" | Swedish word "mysigt"',
        "diet": "sugar | coffee | gluten | social media | shampoo | takeout | her phone | makeup | alarm clocks",
        # News
        "year": "1908 | 1936 | 1957 | 1974 | 1988 | 1999 | 2003 | 2011",
        "amount": "2.4 | 3.8 | 5 | 7.25 | 11 | 16 | 28 | 43 | 65 | 120 | 310 | 740",
        "first": "Ilvane | Torbek | Renée | Oskarin | Maribela | Jürgan | Anouska | Desmir | Fátyma | Corwyn | Pelle",
        "last": "Halvorsund | Okundaye-Brack | Dravitch | Muñezal | Teverin | Ashgrovel | Quillard | Brönnersen"
        " | Tallowick | Sandovarre | Pendrassy | Whitlocke-Ames",
        "person": "{first} {last}",
        "country": "Valdania | Ostravia | Kesteria | Northern Morava | Talvania | Soreno | Belmarch"
        " | Karvenia (Карвения) | Thalassia (Θαλασσία) | Minakawa (南川) | San Benédito | Grönmark",
        "city": "Port Ellis | Marrowgate | Kaldenburg | São Tirso | Lindqvist Bay | Vessara | Dunmorrow | Hochfeld"
        " | Zelenivka Heights | Río Pardo | East Corrin | Thornaby Falls",
        "office": "finance ministry | parliament | central bank | interior ministry | supreme court | senate panel"
        " | election commission | trade envoy | prime minister | cabinet | foreign ministry | opposition bloc",
        "policy": "pension overhaul | farm subsidies | grain tariffs | border treaty | housing levy | fuel tax"
        " | budget deficit | fishing quotas | arms embargo | water rights | rail nationalization | data privacy law",
        "firm": "Norvane Steel | Halcyra Energy | Brightmoor Rail | Ketterwell Bank | Ostrel Pharma | Dunvale Mining"
        " | Seldane Airways | Pellucid Chips | Corvane Motors | Tressel Foods",
        "quake": "earthquake | mudslide | ferry accident | refinery fire | train derailment | mine collapse"
        " | factory explosion | cyclone | bus crash | bridge failure | flash flood | warehouse blaze",
        "club": "{city} United | {city} Rovers | {city} Athletic | {city} Wanderers | {city} Falcons",
        "cup": "league final | qualifier | playoff opener | quarterfinal | derby | regional championship",
        "crime": "embezzlement | arson | wire fraud | bribery | tax evasion | manslaughter | smuggling | perjury",
        "science": "coral reefs | glacier melt | malaria vaccine | lunar soil | bird migration | dark matter"
        " | gene therapy | soil bacteria | wind turbines | deep-sea vents",
        "union": "dockworkers | teachers | bus drivers | nurses | pilots | miners | postal workers | rail signalers",
        "craft": "composer | novelist | former governor | chess champion | architect | bishop | physicist | sculptor",
        "rate": "0.75 | 1.5 | 2.25 | 3 | 4.5 | 6 | 8.75 | 12 | 14.2 | 19",
        "age": "67 | 71 | 74 | 78 | 83 | 86 | 89 | 92 | 97 | 101",
        "speed": "90 | 100 | 110 | 120 | 135 | 140 | 160",
        "quarter": "first-quarter | second-quarter | third-quarter | fourth-quarter | full-year | half-year",
        "day": "Monday | Tuesday | Wednesday | Thursday | Friday | Saturday | Sunday",
        "verdict": '"productive" | "unlawful" | "regrettable" | "premature" | "balanced" | "a last resort"',
    }.items()
}

CLICKBAIT = """
{count} {stuff} that will make you {mood}
{count} {stuff} only {group} will understand
You won't believe what this {who} did with {food}
This {who} tried {food} for a week, and what happened next will make you {mood}
What does your {thing} say about you and your {kin}?
Can we guess your age from your {thing} and your {thing}?
Which {food} are you, based on your {thing}?
We know your {thing} based on your {sign} energy, and it's scary
Quiz: how well do you really know your {kin}'s {thing}?
{group}, you've been doing it wrong: the right way to {chore}
Here's the {wow} trick that changes how you {chore}
{count} reasons {group} make the best partners ever
{count} things you'll totally get if you grew up with a {pet} in the {decade}
This {pet} meeting a {pet} will make you {mood}
Watch this {pet} crash a {moment} and try not to {mood}
A {who} gave up {diet} for {count} days... and wow
I quit {diet} for {count} days and here's what nobody tells {group}
Tell us your {thing} and we'll reveal your soulmate's {sign} placement
{count} times your {kin} was the real star of the {moment}
{count} struggles every {sign} knows way too well
If these {stuff} don't make you {mood}, you're a robot
Literally just {count} {stuff} you need right now
The {foreign} perfectly describes your {moment}
{group} are obsessed with the {foreign} and you will be too
Nobody can agree on how to {chore}, and it's tearing {group} apart
This {wow} {food} recipe is all you need this weekend
{count} {food} hacks that are actually {wow}
Are you more of a {pet} or a {pet}? Take this quiz to find out
How {sign} are you, judging by your {thing}?
{count} signs you and your {kin} are basically the same person
This {who}'s reaction to {food} is everything
"I can't even": {count} {stuff} that broke the internet
{few} {stuff} you'll want to send to your {kin} immediately
The one thing {group} never tell you about your {thing}
So this is why your {kin} always wants {food} at 3 a.m.
When your {kin} finds out you can't {chore}
{count} {wow} ways to {chore}, ranked
{count} "totally normal" things {group} do at a {moment}
Your {thing} and {thing} will reveal which {decade} heartthrob you should date
A {who} turned an old van into a {wow} home, and you'll want to move in
These {stuff} will instantly make you {mood}
OMG, someone taught a {pet} to {chore} and it's so {wow}
Everyone is talking about this {who}'s {wow} {moment} outfit
Only true {group} can score more than {count} on this {food} test
{count} messages from your {kin} that will make you {mood}
Here's what happens to your body when you eat {food} for {count} days
The {wow} reason you should never {chore} before bed
Stop everything: this {pet} just discovered {food}
"""

NEWS = """
{country}'s {office} rejects {policy} after {count}-hour debate
{office} in {country} approves {policy} despite protests
{city} {quake} kills at least {count}, officials say
{quake} near {city} leaves {count} dead, dozens missing
Rescuers search for survivors of {city} {quake}
{firm} posts {quarter} loss of €{amount} million
{firm} to cut {count}00 jobs at {city} plant
{firm} agrees to buy {firm} unit for ${amount} billion
{firm} shares fall {rate}% on weak {quarter} outlook
{club} beat {club} 3-1 in {cup}
{club} sack coach {person} after {cup} defeat
{person} scores late as {club} reach {cup}
{craft} {person} dies at {age}
{person}, {craft} and exile from {country}, dead at {age}
Court in {city} convicts {person} of {crime}
{person} sentenced to {count} years for {crime} in {country}
Jury acquits former {firm} chief {person} of {crime}
Prosecutors charge {few} in {city} {crime} inquiry
Study links {science} to warming seas off {country}
Researchers in {city} report progress on {science}
Space agency of {country} delays launch of {science} probe
Storm warning issued for {city} as winds top {speed} km/h
Drought cuts {country} wheat harvest by {rate} percent
Heavy snow closes airports in {city} and {city}
{country} and {country} resume talks over {policy}
{country} recalls envoy from {country}, calls {policy} {verdict}
Envoy calls {country} talks on {policy} {verdict}
{office} of {country} calls strike by {union} {verdict}
{union} strike in {city} enters week {count}
{union} in {country} ratify wage deal worth €{amount} million
{person} wins runoff to become president of {country}
{person} resigns from {country}'s {office}, calls {policy} {verdict}
Polls close in {country} vote on {policy}
Relief agency: {amount} million displaced in {country}
Health officials in {city} confirm {count} cholera cases
Regulators fine {firm} ${amount} million over {policy} breach
Central bank of {country} holds rates at {rate} percent, cites inflation
Bomb blast in {city} market wounds {count}
Police in {city} arrest {count} in {crime} raids
Rebels seize {city} as {country} ceasefire collapses
{country} troops withdraw from {city} on {day}
Audit finds €{amount} million missing from {city} {policy} fund
Archaeologists near {city} unearth tomb missed by {year} survey of {country}
Fire at {city} port destroys {count} vessels, no injuries reported
{country} exports rise {rate}% on demand for steel
{office} hearing on {policy} set for {day}, {country} says
Who will lead {country}? {few} candidates file after {person} resigns
Analysis: can {country} afford {policy} at {rate}% inflation?
Will {firm} survive its €{amount} million {crime} case? {city} creditors vote
Former minister {person} questioned in {country} {crime} case
"""


def make_headlines() -> list[tuple[str, int]]:
    """Returns the sample's rows, `(title, label)`, shuffled: always the same ones."""
    rng = random.Random(SEED)
    seen: set[str] = set()
    rows = []
    for label, templates in ((1, CLICKBAIT), (0, NEWS)):
        rows += [(title, label) for title in _one_class(rng, templates.strip().split("\n"), bool(label), seen)]
    rng.shuffle(rows)
    return rows


def sample_bytes() -> bytes:
    """Returns the whole CSV, header included, as it is committed."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("title", "label"))
    writer.writerows(make_headlines())
    return text.getvalue().encode("utf-8")


def _one_class(rng: random.Random, templates: list[str], emoji: bool, seen: set[str]) -> list[str]:
    casings = [name for name, share in CASINGS.items() for _ in range(share)]
    rng.shuffle(casings)
    titles: list[str] = []
    while len(titles) < ROWS_PER_CLASS:
        # Templates take turns, so that each of them is in the training rows and in the held-out ones.
        title = _fill(rng, templates[len(titles) % len(templates)])
        # Before quotes, emoji and casing: headlines that differ in nothing else are the same to most encoders.
        if title.casefold() in seen:
            continue
        seen.add(title.casefold())
        if emoji and len(titles) % EMOJI_EVERY == 0:
            title += f" {rng.choice(EMOJI)}"
        if rng.random() < 0.5:
            title = re.sub(r'"([^"]*)"', "“\\1”", title).replace("'", "’")
        titles.append(_cased(title, casings[len(titles)]))
    return titles


def _fill(rng: random.Random, template: str) -> str:
    while slot := re.search(r"\{(\w+)\}", template):
        # What a headline already says is not said twice: no country that talks with itself.
        choices = [choice for choice in SLOTS[slot[1]] if choice not in template]
        template = template[: slot.start()] + rng.choice(choices) + template[slot.end() :]
    return template


def _cased(title: str, casing: str) -> str:
    if casing == "lower":
        return title.lower()
    if casing == "upper":
        return title.upper()
    if casing == "title":
        words = (word if word in SMALL_WORDS else _capitalized(r"^\W*[^\W\d_]", word) for word in title.split(" "))
        title = " ".join(words)
    # Past a leading number too, or a listicle in sentence case would look like one in lower case.
    return _capitalized(r"^[\W\d]*[^\W\d_]", title)


def _capitalized(start: str, text: str) -> str:
    return re.sub(start, lambda found: found[0].upper(), text)


def main(argv: list[str] | None = None) -> None:
    """Writes the sample to `--output`, by default over the committed file."""
    parser = argparse.ArgumentParser(prog="python -m data.generate_sample", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--output", type=Path, default=DESTINATION, help="the CSV to write (default: %(default)s)")
    output = parser.parse_args(argv).output
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(sample_bytes())


if __name__ == "__main__":
    main()
