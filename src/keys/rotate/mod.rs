//! Replacing a static key: a new key is created, shown to work, delivered, and the old one deleted. Whatever interrupts
//! that, the journal and the server tell how to go on.

mod abandon;
mod destination;
pub mod journal;
mod run;
mod step;
pub mod target;
mod verify;

pub use abandon::abandon;
pub use run::{Request, resume, start};
