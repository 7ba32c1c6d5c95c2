//! Parts of the known secrets in a text, also where the text holds them in another notation.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// So many characters in a row of a secret are masked.
const PART: usize = 16;

/// Shorter secrets, in bytes, occur in ordinary text, and are not masked.
pub(super) const SHORTEST: usize = 6;

/// How characters are escaped.
#[derive(Clone, Copy)]
enum Escape {
    /// `%41`.
    Percent,
    /// `\u0041`, `\"` and the like.
    Json,
}

/// The ways in which escapes are nested, the outer one first. Each is tried alone, since what is an escape of one kind
/// may be part of the secret itself.
const NESTED: &[&[Escape]] = &[
    &[Escape::Percent],
    &[Escape::Json],
    &[Escape::Percent, Escape::Percent],
    &[Escape::Percent, Escape::Json],
    &[Escape::Json, Escape::Percent],
    &[Escape::Json, Escape::Json],
    &[Escape::Json, Escape::Json, Escape::Json],
];

impl Escape {
    fn mark(self) -> char {
        match self {
            Self::Percent => '%',
            Self::Json => '\\',
        }
    }
}

/// The parts of all known secrets, as hashes, so that no copy of a secret stays in memory.
///
/// White space is left out of secrets and texts, and letters are compared without case.
pub(super) struct Index {
    hasher: RandomState,
    /// The hashes of every [`PART`] bytes in a row, and of the whole of a shorter secret.
    parts: HashSet<u64>,
    /// The lengths of the parts.
    lengths: Vec<usize>,
    /// Whether a part may end in four bytes of this hash: most positions of a text need no more than that.
    ends: Vec<bool>,
}

impl Index {
    pub(super) fn new(secrets: &[SecretString]) -> Self {
        let (hasher, ends) = (RandomState::new(), vec![false; 1 << 16]);
        let mut index = Self { hasher, parts: HashSet::new(), lengths: Vec::new(), ends };
        for secret in secrets {
            let units = Plain::new(secret.expose_secret()).map(|unit| unit.byte.to_ascii_lowercase());
            let bytes = Zeroizing::new(units.collect::<Vec<u8>>());
            let length = bytes.len().min(PART);
            if length < SHORTEST {
                continue;
            }
            for part in bytes.windows(length) {
                index.parts.insert(index.hasher.hash_one(part));
                let end = part[length - 4..].iter().fold(0, |end, byte| shifted(end, *byte));
                index.ends[slot(end)] = true;
            }
            if !index.lengths.contains(&length) {
                index.lengths.push(length);
            }
        }
        index
    }

    /// Where the text holds parts of secrets: ranges that are in order and do not touch each other.
    ///
    /// The time is linear in the length of the text, and the memory in the number of ranges.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        if self.parts.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        Scanner::new(self).scan(Plain::new(text), &mut found);
        for escapes in NESTED {
            if !text.contains(escapes[0].mark()) {
                continue;
            }
            let mut units: Box<dyn Iterator<Item = Unit> + '_> = Box::new(Plain::new(text));
            for escape in *escapes {
                units = Box::new(Unescaped::new(units, *escape));
            }
            Scanner::new(self).scan(units, &mut found);
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in found {
            add_range(&mut merged, range);
        }
        merged
    }
}

/// Adds a range that does not begin before the last one, which it is joined with where they touch.
fn add_range(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.start <= range.start && range.start <= last.end => last.end = last.end.max(range.end),
        _ => ranges.push(range),
    }
}

/// The last four bytes with one more.
fn shifted(end: u32, byte: u8) -> u32 {
    end << 8 | u32::from(byte)
}

fn slot(end: u32) -> usize {
    (end.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

/// A byte that a text stands for, and where the text has it.
#[derive(Clone, Copy)]
struct Unit {
    byte: u8,
    start: usize,
    end: usize,
}

/// The bytes of a text without its white space.
struct Plain<'a> {
    text: &'a str,
    at: usize,
    char_start: usize,
    char_end: usize,
}

impl<'a> Plain<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, char_start: 0, char_end: 0 }
    }
}

impl Iterator for Plain<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        while self.at == self.char_end {
            let next = self.text[self.at..].chars().next()?;
            self.char_start = self.at;
            self.char_end += next.len_utf8();
            if next.is_whitespace() {
                self.at = self.char_end;
            }
        }
        let byte = self.text.as_bytes()[self.at];
        self.at += 1;
        Some(Unit { byte, start: self.char_start, end: self.char_end })
    }
}

/// The bytes of another iterator with the escapes of one kind decoded, without the white space that they stand for.
struct Unescaped<I> {
    inner: I,
    escape: Escape,
    ahead: [Unit; 6],
    length: usize,
}

impl<I: Iterator<Item = Unit>> Unescaped<I> {
    fn new(inner: I, escape: Escape) -> Self {
        Self { inner, escape, ahead: [Unit { byte: 0, start: 0, end: 0 }; 6], length: 0 }
    }

    /// The byte that the next units stand for, and their number.
    fn decode(&self) -> (u8, usize) {
        let bytes = self.ahead.map(|unit| unit.byte);
        let hex = |range: Range<usize>| {
            let digits = bytes[..self.length].get(range)?;
            digits.iter().try_fold(0, |value, digit| Some(value << 4 | u32::from(hex_digit(*digit)?)))
        };
        let ascii = |value: Option<u32>| value.and_then(|value| u8::try_from(value).ok());
        match (self.escape, bytes[0], bytes[1]) {
            (Escape::Percent, b'%', _) => ascii(hex(1..3)).map_or((b'%', 1), |byte| (byte, 3)),
            (Escape::Json, b'\\', b'u') => {
                ascii(hex(2..6).filter(|value| *value < 0x80)).map_or((b'\\', 1), |byte| (byte, 6))
            }
            (Escape::Json, b'\\', b'n' | b'r' | b't' | b'b' | b'f') if self.length > 1 => (b'\n', 2),
            (Escape::Json, b'\\', b'\\' | b'/' | b'"') if self.length > 1 => (bytes[1], 2),
            (_, byte, _) => (byte, 1),
        }
    }
}

impl<I: Iterator<Item = Unit>> Iterator for Unescaped<I> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        loop {
            while self.length < self.ahead.len()
                && let Some(unit) = self.inner.next()
            {
                self.ahead[self.length] = unit;
                self.length += 1;
            }
            if self.length == 0 {
                return None;
            }
            let (byte, used) = self.decode();
            let (start, end) = (self.ahead[0].start, self.ahead[used - 1].end);
            self.ahead.copy_within(used..self.length, 0);
            self.length -= used;
            if !byte.is_ascii_whitespace() {
                return Some(Unit { byte, start, end });
            }
        }
    }
}

/// Looks for parts in a text as it is, and in what it stands for if it is base64 or hex, from whatever digit on.
struct Scanner<'a> {
    plain: Detector<'a>,
    base64: [Detector<'a>; 4],
    hex: [Detector<'a>; 2],
}

impl<'a> Scanner<'a> {
    fn new(index: &'a Index) -> Self {
        let detector = |_| Detector::new(index);
        Self { plain: Detector::new(index), base64: [0; 4].map(detector), hex: [0; 2].map(detector) }
    }

    fn scan(mut self, units: impl Iterator<Item = Unit>, found: &mut Vec<Range<usize>>) {
        let (mut base64, mut hex) = (Digits::default(), Digits::default());
        for unit in units {
            self.plain.feed(unit, found);
            match base64.pair(unit, base64_digit) {
                Pair::Of(position, before, digit, start) => {
                    for (offset, detector) in self.base64.iter_mut().enumerate() {
                        let byte = match (position + offset) % 4 {
                            0 => continue,
                            1 => before << 2 | digit >> 4,
                            2 => before << 4 | digit >> 2,
                            _ => before << 6 | digit,
                        };
                        detector.feed(Unit { byte, start, end: unit.end }, found);
                    }
                }
                Pair::First => {}
                Pair::None => self.base64.iter_mut().for_each(Detector::clear),
            }
            match hex.pair(unit, hex_digit) {
                Pair::Of(position, before, digit, start) => {
                    self.hex[position % 2].feed(Unit { byte: before << 4 | digit, start, end: unit.end }, found);
                }
                Pair::First => {}
                Pair::None => self.hex.iter_mut().for_each(Detector::clear),
            }
        }
    }
}

/// The run of digits of a base that the text is in.
#[derive(Default)]
struct Digits {
    position: usize,
    before: Option<(u8, usize)>,
}

enum Pair {
    /// The position of the second digit in its run, both digits, and where the first one stands.
    Of(usize, u8, u8, usize),
    /// The first digit of a run.
    First,
    /// This is not a digit.
    None,
}

impl Digits {
    fn pair(&mut self, unit: Unit, value: fn(u8) -> Option<u8>) -> Pair {
        let Some(digit) = value(unit.byte) else {
            *self = Self::default();
            return Pair::None;
        };
        match self.before.replace((digit, unit.start)) {
            Some((before, start)) => {
                self.position += 1;
                Pair::Of(self.position, before, digit, start)
            }
            None => Pair::First,
        }
    }
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Looks for parts in a row of bytes.
struct Detector<'a> {
    index: &'a Index,
    /// The last bytes, in lower case, and where each begins in the text.
    bytes: Vec<u8>,
    starts: Vec<usize>,
    end: u32,
}

impl<'a> Detector<'a> {
    fn new(index: &'a Index) -> Self {
        Self { index, bytes: Vec::new(), starts: Vec::new(), end: 0 }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
    }

    fn feed(&mut self, unit: Unit, found: &mut Vec<Range<usize>>) {
        if self.bytes.len() == 64 * PART {
            self.bytes.drain(..63 * PART);
            self.starts.drain(..63 * PART);
        }
        let byte = unit.byte.to_ascii_lowercase();
        self.bytes.push(byte);
        self.starts.push(unit.start);
        self.end = shifted(self.end, byte);
        if !self.index.ends[slot(self.end)] {
            return;
        }
        for length in &self.index.lengths {
            let Some(from) = self.bytes.len().checked_sub(*length) else { continue };
            if self.index.parts.contains(&self.index.hasher.hash_one(&self.bytes[from..])) {
                add_range(found, self.starts[from]..unit.end);
            }
        }
    }
}
