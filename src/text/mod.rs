//! Rules and encodings of text that need nothing else of this program.

pub mod digest;
pub mod duration;
pub mod escape;
pub mod ids;
pub mod percent;
