//! Rules and encodings of text, which use no other module of the program.

pub mod digest;
pub mod duration;
pub mod escape;
pub mod form;
pub mod host;
pub mod ids;
pub mod page_trail;
pub mod path;
pub mod percent;
pub mod plain;
pub mod quote;
pub mod similar;
pub mod wrap;
