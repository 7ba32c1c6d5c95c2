//! Random changes of inputs.

/// The longest input.
const LONGEST: usize = 16 * 1024;

/// Pieces that many formats give a meaning to.
const PIECES: &[&str] = &[
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "\u{feff}",
    "\0",
    "\u{1b}[31m",
    "\u{202e}",
    "ж",
    "\u{10ffff}",
    "'",
    "\"",
    "\\",
    "\\u0000",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    "</",
    "<![CDATA[",
    "]]>",
    "&#0;",
    "&amp;",
    ":",
    ";",
    "#",
    "=",
    ",",
    "|",
    "*",
    "&a",
    "*a",
    "!!",
    "---\n",
    "%",
    "%00",
    "%zz",
    "://",
    "@",
    "[::1]",
    "127.0.0.1",
    "localhost",
    ".",
    "..",
    "/",
    "?",
    "-",
    "0",
    "-1",
    "1e999",
    "18446744073709551616",
    "0.1",
    "null",
    "true",
    "NaN",
    "inf",
    "9999-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "-----BEGIN PRIVATE KEY-----",
    "-----END CERTIFICATE-----",
    "t1.",
    "eyJ",
    "YC",
    "AQVN",
    "$",
    "`",
    "${",
    "~",
    "''",
    "\"\"\"",
    "'''",
    "[[",
    "]]",
    "  ",
    "==",
    "\u{b}",
    "\u{85}",
    "\u{2028}",
    "xn--",
    "ä",
];

/// Changes inputs at random.
pub struct Mutator {
    random: fastrand::Rng,
    /// Words of the seeds.
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// For a target with these seeds.
    pub fn new(seeds: &[&str]) -> Self {
        let random = fastrand::Rng::new();
        let words = seeds.iter().flat_map(|seed| seed.split_inclusive(|c: char| !c.is_alphanumeric()));
        let words: Vec<_> = words.filter(|word| word.len() < 200).map(|word| word.as_bytes().to_vec()).collect();
        Self { random, words }
    }

    /// One of the inputs, changed in up to eight places.
    pub fn change(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = inputs.get(self.below(inputs.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(8) {
            self.change_once(&mut input, inputs);
        }
        input.truncate(LONGEST);
        input
    }

    fn change_once(&mut self, input: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let (start, end) = self.range(input.len());
        match self.below(10) {
            0 if start < input.len() => input[start] ^= 1 << self.below(8),
            1 if start < input.len() => input[start] = self.random.u8(..),
            2 => drop(input.drain(start..end)),
            3 => drop(input.splice(start..start, [self.random.u8(..)])),
            4 => {
                // Many of the same thing show what takes more time or stack than it should.
                let piece = input[start..end].to_vec();
                let most = LONGEST.saturating_sub(input.len()) / piece.len().max(1);
                let times = if self.below(20) == 0 { most } else { self.below(most.min(8) + 1) };
                drop(input.splice(start..start, piece.repeat(times)));
            }
            5 => {
                let other = inputs.get(self.below(inputs.len())).cloned().unwrap_or_default();
                let (from, to) = self.range(other.len());
                drop(input.splice(start..end, other[from..to].iter().copied()));
            }
            6 => input.truncate(start),
            7 if !self.words.is_empty() => {
                let at = self.below(self.words.len());
                let word = self.words[at].clone();
                drop(input.splice(start..end.min(start + word.len()), word));
            }
            _ => {
                let piece = PIECES[self.below(PIECES.len())].as_bytes();
                let end = if self.random.bool() { start } else { end.min(start + piece.len()) };
                drop(input.splice(start..end, piece.iter().copied()));
            }
        }
    }

    /// A short range within this length, most of the time.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let start = self.below(length + 1);
        let longest = if self.below(4) == 0 { length } else { 16 };
        (start, (start + self.below(longest + 1)).min(length))
    }

    /// A number below this one; 0 when that is 0.
    fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { self.random.usize(..limit) }
    }
}
