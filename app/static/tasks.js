// What the page offers, as data.

export const IMAGES = [
  { file: "dog.jpg", label: "A dog on a meadow", question: "What is the dog doing?" },
  { file: "room.jpg", label: "A table in a room", question: "What is on the table?" },
  { file: "beach.jpg", label: "A boat at sunset", question: "What is on the water?" },
];

export const VIDEOS = [
  { file: "jumping.webm", label: "Jumping jacks", question: "What is the person doing?" },
  { file: "waving.webm", label: "Waving with both hands", question: "What colour is the shirt?" },
];

export const TEXTS = [
  "She didn't know that the old lighthouse still worked.",
  "Time flies like an arrow; fruit flies like a banana.",
  "Can you can a can? Mr. Lee's three brothers surely could!",
];

export const TASKS = [
  {
    id: "caption", tab: "Describe an image", path: "caption", media: "image", streams: true, verb: "Describe",
    summary: "Give it a picture and it writes a sentence about it.",
  },
  {
    id: "vqa", tab: "Ask about an image", path: "vqa", media: "image", asks: true, verb: "Ask",
    summary: "Give it a picture and a question, and it picks an answer.",
  },
  {
    id: "pos", tab: "Tag words", path: "pos", verb: "Tag",
    summary: "Write something in English and every word gets its part of speech.",
  },
  {
    id: "activity", tab: "Name an activity", path: "activity", media: "video", verb: "Recognise",
    summary: "Give it a short clip and it says what is being done.",
  },
  {
    id: "video-caption", tab: "Describe a video", path: "video-caption", media: "video", streams: true, verb: "Describe",
    summary: "Give it a short clip and it writes a sentence about it.",
  },
  {
    id: "video-qa", tab: "Ask about a video", path: "video-qa", media: "video", asks: true, verb: "Ask",
    summary: "Give it a short clip and a question, and it picks an answer.",
  },
];

export const ACCEPT = {
  image: { types: "image/jpeg,image/png,image/webp,image/gif,image/bmp", names: "JPEG, PNG, WebP, GIF or BMP" },
  video: { types: "video/*,image/gif,.mkv,.ts", names: "mp4, webm, mov, mkv, avi, mpeg-ts or gif" },
};

// Penn Treebank tags: family (which gives the colour) and meaning.
export const TAGS = {
  NN: ["noun", "noun"], NNS: ["noun", "plural noun"], NNP: ["noun", "proper noun"],
  NNPS: ["noun", "plural proper noun"], FW: ["noun", "foreign word"],
  VB: ["verb", "verb, base form"], VBD: ["verb", "verb, past tense"], VBG: ["verb", "verb, -ing form"],
  VBN: ["verb", "verb, past participle"], VBP: ["verb", "verb, present"],
  VBZ: ["verb", "verb, third person present"], MD: ["verb", "modal verb"],
  JJ: ["adjective", "adjective"], JJR: ["adjective", "comparative adjective"],
  JJS: ["adjective", "superlative adjective"], CD: ["adjective", "number"],
  RB: ["adverb", "adverb"], RBR: ["adverb", "comparative adverb"], RBS: ["adverb", "superlative adverb"],
  RP: ["adverb", "particle"], WRB: ["adverb", "question adverb"],
  PRP: ["pronoun", "pronoun"], PRP$: ["pronoun", "possessive pronoun"], WP: ["pronoun", "question pronoun"],
  WP$: ["pronoun", "possessive question pronoun"], EX: ["pronoun", "existential there"],
  DT: ["determiner", "determiner"], PDT: ["determiner", "predeterminer"], WDT: ["determiner", "question determiner"],
  IN: ["link", "preposition or conjunction"], TO: ["link", "to"], CC: ["link", "coordinating conjunction"],
  POS: ["link", "possessive ending"],
};
