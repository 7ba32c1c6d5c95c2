//! The line ends of an edited text: `toml_edit` writes every line with a line feed alone.

/// The text with the line ends that its lines have in the original. Of a line that is not there, that of the first one.
pub(super) fn as_in(original: &str, text: &str) -> String {
    let old: Vec<_> = original.split_inclusive('\n').collect();
    let new: Vec<_> = text.split_inclusive('\n').map(without_end).collect();
    let is_same = |(new, old): (&&str, &&str)| *new == without_end(old);
    let above = new.iter().zip(&old).take_while(|(new, old)| is_same((new, old))).count();
    let left = new.len().min(old.len()) - above;
    let below = new.iter().rev().zip(old.iter().rev()).take(left).take_while(|(new, old)| is_same((new, old))).count();
    let usual = old.first().map_or("\n", |line| end(line));
    let mut result = String::with_capacity(original.len().max(text.len()));
    for (at, line) in new.iter().enumerate() {
        let counterpart = if at < above || new.len() == old.len() {
            old.get(at)
        } else if at >= new.len() - below {
            old.get(at + old.len() - new.len())
        } else {
            None
        };
        result.push_str(line);
        if at + 1 < new.len() || text.ends_with('\n') {
            result.push_str(counterpart.map(|line| end(line)).filter(|end| !end.is_empty()).unwrap_or(usual));
        }
    }
    result
}

fn without_end(line: &str) -> &str {
    line.strip_suffix("\r\n").or_else(|| line.strip_suffix('\n')).unwrap_or(line)
}

fn end(line: &str) -> &str {
    &line[without_end(line).len()..]
}

#[cfg(test)]
mod tests {
    use super::as_in;

    #[test]
    fn a_line_keeps_its_end() {
        let original = "a\r\nb\n\r\nc\r\n";
        assert_eq!(as_in(original, "a\nb\n\nc\n"), original);
        assert_eq!(as_in(original, "a\nB\n\nc\n"), "a\r\nB\n\r\nc\r\n");
        assert_eq!(as_in(original, "a\nb\nnew\n\nc\n"), "a\r\nb\nnew\r\n\r\nc\r\n");
        assert_eq!(as_in(original, "a\nc\n"), "a\r\nc\r\n");
        assert_eq!(as_in("a\r\nb", "a\nb\nc\n"), "a\r\nb\r\nc\r\n");
        assert_eq!(as_in("a\r\n", ""), "");
    }
}
