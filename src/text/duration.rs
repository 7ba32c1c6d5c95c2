//! Durations, in the notation of flags and in that of protobuf JSON.

use std::time::Duration;

use super::quote;

/// Parses a duration such as `15m`, `1h30m`, `1.5h`, `3600s` or `90d`.
///
/// # Errors
/// The text is not a number with a unit; the message says what is wrong and gives examples.
pub fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{} (write a number with its unit, e.g. 15m, 1h30m, 3600s)", quote::reason(error)))
}

/// The duration as protobuf JSON: seconds and an `s`, with 0, 3, 6 or 9 fraction digits.
///
/// Source: yandex-cloud/go-sdk, `pkg/options/retry/duration.go`.
pub fn to_protobuf(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match duration.subsec_nanos() {
        0 => format!("{seconds}s"),
        n if n % 1_000_000 == 0 => format!("{seconds}.{:03}s", n / 1_000_000),
        n if n % 1_000 == 0 => format!("{seconds}.{:06}s", n / 1_000),
        n => format!("{seconds}.{n:09}s"),
    }
}

/// The duration for messages, e.g. `1h 30m`.
pub fn human(duration: Duration) -> impl std::fmt::Display {
    humantime::format_duration(duration)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_forms_are_parsed() {
        let forms = [
            ("15m", 900),
            ("1h30m", 5400),
            ("90m", 5400),
            ("1.5h", 5400),
            ("3600s", 3600),
            ("12h", 43200),
            ("90d", 7_776_000),
        ];
        for (text, seconds) in forms {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn a_malformed_duration_is_refused_with_examples() {
        for text in ["", "1", "h", "1x", "-1h", "1h-", "١h", "1h 1", "99999999999999999999h"] {
            let error = parse(text).unwrap_err();
            assert!(error.ends_with(" (write a number with its unit, e.g. 15m, 1h30m, 3600s)"), "{text}: {error}");
        }
    }

    #[test]
    fn fractions_have_the_digits_of_protobuf_json() {
        let cases = [
            (Duration::from_secs(3600), "3600s"),
            (Duration::from_millis(1500), "1.500s"),
            (Duration::from_micros(1_000_001), "1.000001s"),
            (Duration::from_nanos(1), "0.000000001s"),
        ];
        for (duration, text) in cases {
            assert_eq!(to_protobuf(duration), text);
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,24}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_printed_duration_can_be_parsed_again(seconds in 0u64..10_000_000, millis in 0u32..1000) {
            let duration = Duration::new(seconds, millis * 1_000_000);
            prop_assert_eq!(parse(&human(duration).to_string()), Ok(duration));
        }

        #[test]
        fn protobuf_form_keeps_every_nanosecond(seconds in 0u64..100_000, nanos in 0u32..1_000_000_000) {
            let text = to_protobuf(Duration::new(seconds, nanos));
            let (whole, fraction) = text.trim_end_matches('s').split_once('.').unwrap_or((text.trim_end_matches('s'), ""));
            prop_assert_eq!(whole.parse::<u64>(), Ok(seconds));
            prop_assert_eq!(format!("{fraction:0<9}").parse::<u32>(), Ok(nanos));
        }
    }
}
