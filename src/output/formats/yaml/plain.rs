//! Which strings can be plain scalars of YAML: written without quotes, and read back as the same string.

/// Whether the plain text would be read as syntax of YAML.
pub(super) fn has_syntax(text: &str) -> bool {
    text.starts_with(['#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' '])
        || text.starts_with("---")
        || text.starts_with("...")
        || matches!(text.as_bytes(), [b'-' | b'?' | b':'] | [b'-' | b'?' | b':', b' ', ..])
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
}

/// Whether the plain text would be read as something else than a string, by the rules of YAML 1.1 or 1.2 or those
/// of a widely used parser.
///
/// Source: yaml.org/type for bool, float, int, merge, null, timestamp and value; the core schema of YAML 1.2.2.
pub(super) fn has_other_type(text: &str) -> bool {
    const WORDS: [&str; 17] = [
        "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "+.inf", "-.inf", "=",
        "<<",
    ];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
        || text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
            && (is_number(text) || is_timestamp(text))
}

fn is_number(text: &str) -> bool {
    // Parsers ignore underscores at any position.
    let text = text.replace('_', "");
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    is_in_other_base(unsigned) || is_decimal(unsigned) || is_base_60(unsigned)
}

fn is_in_other_base(text: &str) -> bool {
    let Some((radix, digits)) = [("0b", 2), ("0o", 8), ("0x", 16)].into_iter().find_map(|(prefix, radix)| {
        let start = text.get(..2)?;
        start.eq_ignore_ascii_case(prefix).then(|| (radix, &text[2..]))
    }) else {
        return false;
    };
    digits.strip_prefix(['+', '-']).unwrap_or(digits).chars().all(|c| c.is_digit(radix))
}

fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (text, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    is_digits(whole)
        && is_digits(fraction)
        && is_digits(exponent)
        && !(whole.is_empty() && fraction.is_empty())
        && !exponent.is_empty()
}

/// `190:20:30.15`, a number to YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let Some((first, rest)) = whole.split_once(':') else { return false };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    is_digits(first)
        && rest.split(':').all(|part| is_digits(part) && part.parse::<u8>().is_ok_and(|n| n < 60) && part.len() <= 2)
        && (fraction.is_empty() || is_digits(fraction))
}

/// `2001-12-14t21:59:43.10-05:00`, `2001-12-14 21:59:43.10 -5`, `2002-12-14`; the calendar is not checked.
fn is_timestamp(text: &str) -> bool {
    let mut rest = Scanner(text);
    if !(rest.take_digits(4, 4)
        && rest.take_one_of(&['-'])
        && rest.take_digits(1, 2)
        && rest.take_one_of(&['-'])
        && rest.take_digits(1, 2))
    {
        return false;
    }
    if rest.0.is_empty() {
        return true;
    }
    if !rest.take_one_of(&['T', 't']) && !rest.take_blanks() {
        return false;
    }
    if !(rest.take_digits(1, 2)
        && rest.take_one_of(&[':'])
        && rest.take_digits(1, 2)
        && rest.take_one_of(&[':'])
        && rest.take_digits(1, 2))
    {
        return false;
    }
    if rest.take_one_of(&['.', ',']) {
        rest.take_digits(0, usize::MAX);
    }
    rest.take_blanks();
    if rest.take_one_of(&['+', '-']) {
        if !rest.take_digits(1, 2) {
            return false;
        }
        if rest.take_one_of(&[':']) && !rest.take_digits(2, 2) {
            return false;
        }
    } else {
        rest.take_one_of(&['Z', 'z']);
    }
    rest.0.is_empty()
}

/// The rest of a text that is being parsed.
struct Scanner<'a>(&'a str);

impl Scanner<'_> {
    /// Takes one of these characters, if it is next.
    fn take_one_of(&mut self, choices: &[char]) -> bool {
        let rest = self.0.strip_prefix(choices);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Takes the digits that are next, if their number is in this range.
    fn take_digits(&mut self, least: usize, most: usize) -> bool {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let fits = (least..=most).contains(&count);
        if fits {
            self.0 = &self.0[count..];
        }
        fits
    }

    /// Takes spaces and tabs.
    fn take_blanks(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let any = rest.len() < self.0.len();
        self.0 = rest;
        any
    }
}
