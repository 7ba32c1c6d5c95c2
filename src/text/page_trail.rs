//! The pages of a list that were requested, so that a list that does not end is noticed.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The number of empty pages in a row after which a list is given up.
const MAX_EMPTY: u32 = 10;

/// The pages of one list so far; it remembers eight bytes a page.
#[derive(Debug, Default)]
pub struct PageTrail {
    tokens: HashSet<u64>,
    empty_in_a_row: u32,
}

impl PageTrail {
    /// Takes note of a page with this many items that is followed by the page of this token.
    ///
    /// # Errors
    /// The list does not end; the message is about the server.
    pub fn follow(&mut self, items: usize, token: &str) -> Result<(), String> {
        let mut hasher = DefaultHasher::new();
        token.hash(&mut hasher);
        if !self.tokens.insert(hasher.finish()) {
            return Err("the server names a page of the list that came before".to_owned());
        }
        self.empty_in_a_row = if items == 0 { self.empty_in_a_row + 1 } else { 0 };
        if self.empty_in_a_row == MAX_EMPTY {
            return Err(format!("the server returned {MAX_EMPTY} empty pages of the list in a row"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_came_before_is_an_error() {
        let mut trail = PageTrail::default();
        assert_eq!((trail.follow(1, "a"), trail.follow(1, "b"), trail.follow(0, "c")), (Ok(()), Ok(()), Ok(())));
        let message = "the server names a page of the list that came before";
        assert_eq!((trail.follow(1, "a"), trail.follow(1, "c")), (Err(message.to_owned()), Err(message.to_owned())));
    }

    #[test]
    fn ten_empty_pages_in_a_row_are_an_error_and_nine_are_not() {
        let mut trail = PageTrail::default();
        for page in 0..40 {
            assert_eq!(trail.follow(usize::from(page % 10 == 9), &page.to_string()), Ok(()), "{page}");
        }
        for page in 40..49 {
            assert_eq!(trail.follow(0, &page.to_string()), Ok(()), "{page}");
        }
        let message = "the server returned 10 empty pages of the list in a row";
        assert_eq!(trail.follow(0, "49"), Err(message.to_owned()));
    }
}
