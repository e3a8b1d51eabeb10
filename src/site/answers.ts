/** What the demos' small model knows: a little about water, in prose of its own. */

/** Each with words that a question about it has. The first of them are suggested on the page. */
export const ANSWERS = [
  {
    question: 'How does a sluice work?',
    words: /sluice|gate\b|weir|penstock/i,
    text: `A sluice is a door for water. Two posts stand in the bank, a plank of oak or a plate of iron slides between them, and a screw or a rack on top lifts it by a hand’s breadth at a time. That is the whole machine. It has hardly changed in two thousand years, because there is very little about it that could be improved.

What makes it clever is that it opens from below. Water leaves where the pressure is greatest, under the edge of the gate, so a lift of three fingers lets out more than one would believe: the jet runs off flat and glassy for a few steps before it remembers that it is a stream and begins to tumble. Double the depth behind the gate and the flow doesn’t double, it grows by the square root of two. Millers knew that long before anybody wrote it down; they said that a full pond is patient and an empty one is greedy.

A good keeper never opens a sluice all at once. A wave that sets out from a gate travels down the whole valley, and whoever stands in a ford an hour’s walk below will meet it. So the gate goes up a little, then there is a pause for a look at the water, and then a little more. Closing is done the same way — slowly, so that the fish notice.

And when the river brings more than anyone asked for? Then the gate is opened wide and left alone. A sluice is there to keep water for those who come later, but it must never pretend that it can hold a flood. The best ones have a low place beside them, a sill of stone, where what is too much goes over the side by itself. Nobody has to be awake for that.`,
  },
  {
    question: 'Why do rivers wander?',
    words: /wander|meander|bend|curve|straight|river/i,
    text: `Put a river into a straight bed and it will spend the next hundred years getting out of it. It begins with almost nothing: a root, a stone, a bank that is softer on the left than on the right. The water is nudged a little to one side, and from then on the bend does the rest.

In a bend the fast water swings to the outside, as tea does when it is stirred. It presses against the outer bank and eats it away from below. What it takes there it carries across the bottom, for down at the bed the current runs the other way, inwards, and lays it down on the inner side, where the water is slow and tired. So the steep bank becomes steeper, the beach becomes wider, and the bend moves outwards and a step downstream, year by year. On an old map of the Saône or of the Tisza one can lay a ruler and measure it: as far as a cow wanders in an afternoon, says one surveyor’s note, only that the river needs a generation.

Something curious follows. Rivers of all sizes make bends of the same shape. From one bend to the next it is about eleven times the width of the stream, whether it is the Mississippi or a rill of melting snow on a glacier that one could step over. Nobody tells them. It is simply the length at which a swing to the left has used up its strength and a swing to the right pays.

In the end two bends come so close that only a neck of meadow is left between them. Then there is a wet winter, the neck gives way in a night, and the river has a short cut. The old loop lies there like a bracket that somebody forgot to close — a lake now, quiet, full of water lilies and of pike — and a little further down, at a root, or at a stone, the whole thing begins again.`,
  },
  {
    question: 'What does a lock-keeper do all day?',
    words: /lock|keeper|canal|boat|barge|work|job/i,
    text: `She is up before the first barge, because the first barge is up before everybody. At half past five the upper gates are dripping, the mist lies exactly as high as the water does, and somewhere behind the bend an engine is talking to itself. There is time for one cup of coffee, not for two.

Then it is always the same, and never quite. The lower gates stand open, the barge comes in with a hand’s breadth to spare on either side, a rope goes twice around the bollard and is held, not tied: a knot in a lock is how boats are sunk. The gates close behind it. She walks across them, for they are also her bridge, and winds up the paddles of the upper gate by a quarter. The water comes in from below with a sound like a long breath. A quarter more. In eight minutes forty tons of gravel have risen by the height of a house, and nobody has lifted anything.

Between two boats there is the level. That is the real work, although nobody sees it: she writes it down at seven, at noon and at seven, with a pencil, in a column which others began in 1911. A finger too low, and the loaded boats will touch bottom by the poplars; a finger too high, and the cellar of the inn at Łęgowo is wet again. So she lets a little through to the next keeper, telephones him first, and he does the same with the next. A whole canal is kept by people who pass on water with a word of warning.

In the afternoon come the hired yachts, with advice from the captain and screams from the bow. In the evening, a heron. It has learned that a lock which empties leaves stunned little fish at its gate, and it waits there, on one leg, at ten to eight. “He is on the payroll,” she says, and closes the paddles for the night.`,
  },
  {
    question: 'Why is a water meadow flooded in winter?',
    words: /meadow|flood|winter|ditch|grass|field/i,
    text: `It looks like a mistake: in January, when every other farmer wants his land dry, somebody goes out in high boots and lets the river in. But he has thought about it. Water that comes out of chalk has ten degrees all the year round. Spread thinly over the grass, and kept moving, it is a blanket.

“Kept moving” is the art. Standing water kills grass in a week; it drowns the roots and then it freezes. So a water meadow is ploughed into long low ridges like the back of a ribbed fish, and along the crest of each runs a little channel that grows narrower towards its end. Because it grows narrower it overflows all along its length, evenly, on both sides. The water slides down through the grass, a finger deep, and is caught in a drain between two ridges; the drains meet, grow wider, and lead it all back to the river a few fields below. It comes back clearer than it went. What it carried lies around the roots.

The people who looked after this were called drowners. They had no instrument but a spade, and turned a whole valley by it: a sod put in here, another one taken out there, so that no blade stood dry and none stood still. “On at a trot and off at a gallop” was the rule. It has to be learned by foot.

Towards the end of March the hatches are closed and the meadow drains in a day. The grass is then a month ahead of the neighbours’, just when the hay in the barn has come to its end, and the ewes with their lambs are let in for a few weeks. In May the water is turned on again for three days, and by midsummer there is hay, as if nothing had happened. Somebody once reckoned that it was hard work for what it gave. That may be so. But nightingales like it, and snipe.`,
  },
]

/** For any other question. */
const ELSE = `I’m a very small model: a few pages of prose behind a local port, with a clock that makes me speak at the pace of a large one. I know nothing about that, I’m afraid. What I know about is water.

Here is something about water, then. If you drop a stick from a bridge, run down to the next bridge and look, the stick will come; that much everybody has tried. But if you stop half-way to tie your shoe, it comes all the same. The river doesn’t wait for a look before it carries something on. Whoever stands at the second bridge sees the stick, and so does whoever comes to the third one later, as long as it hasn’t passed.

What one would like is a river on which nothing has passed for good: where somebody who was away for a minute could say “I have seen everything up to the yellow leaf”, and it would all come by once more from the leaf on, in order and only once, until it had caught up with the present and simply went on.

Rivers can’t do that. They have no memory, which is why they always look so young. A sluice can, though, in its way: it keeps what comes and gives it to those who ask, each at the time that suits them, and above the gate the water goes on arriving exactly as before. You may close the shutters, walk out of the room, and come back through another door. The level is where it has to be.

You could try it with this sentence, for example — there is a button for it. Reload the page while I’m in the middle of — no, go on, do it now — and see whether I have lost my thread. And if you would like to hear about something with more moss on it, ask me how a sluice works, or what a lock-keeper does all day.`

/** The text for a question. */
export function answerTo(question: string): string {
  const exact = ANSWERS.find((answer) => answer.question === question)
  return (exact ?? ANSWERS.find(({ words }) => words.test(question)))?.text ?? ELSE
}

/**
 * A text in pieces about as large as a model's tokens: words with the space in front, long ones in
 * parts, punctuation by itself. Put together they are the text.
 */
export function piecesOf(text: string): string[] {
  return text.match(/\s*\p{L}{1,9}|\s*[^\s\p{L}]+|\s+/gu) ?? []
}
