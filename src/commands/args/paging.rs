//! The flags that every `list` takes: how many items, and how many a page.

use clap::{Args, value_parser};

use crate::api::pages::MAX_PAGE_SIZE;

/// How many items are listed.
#[derive(Debug, Args)]
pub struct Paging {
    /// Maximum number of items to list; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: u64,
    /// List all items, the same as --limit 0
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Maximum number of items per request (1 to 1000)
    #[arg(long, value_name = "N", default_value_t = MAX_PAGE_SIZE, value_parser = value_parser!(u32).range(1..=1000))]
    page_size: u32,
}

impl Paging {
    /// The maximum number of items; `None`: no limit.
    pub fn limit(&self) -> Option<usize> {
        match self.limit {
            _ if self.all => None,
            0 => None,
            limit => Some(usize::try_from(limit).unwrap_or(usize::MAX)),
        }
    }

    /// The number of items per request; when every item is shown, a page has no more items than are shown.
    pub fn page_size(&self, shows_every_item: bool) -> u32 {
        match self.limit().map(u32::try_from) {
            Some(Ok(limit)) if shows_every_item => self.page_size.min(limit),
            _ => self.page_size,
        }
    }
}
