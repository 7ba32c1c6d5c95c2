//! Arguments that several commands take.

pub mod paging;
pub mod request_file;
