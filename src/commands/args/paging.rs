//! The flags that every `list` takes: how many items, and how many a page.

use clap::{Args, value_parser};
use serde_json::Value;

use crate::api::pages::{MAX_PAGE_SIZE, Pages};
use crate::error::Result;

/// How many items are listed.
#[derive(Debug, Args)]
pub struct Paging {
    /// Maximum number of items to list; 0: no limit
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: u64,
    /// List all items, without a limit
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Maximum number of items per request (1 to 1000)
    #[arg(long, value_name = "N", default_value_t = MAX_PAGE_SIZE, value_parser = value_parser!(u32).range(1..=1000))]
    page_size: u32,
}

impl Paging {
    /// The pages that hold all items, up to the limit. A page is requested with no more items than are shown.
    pub fn unfiltered<F: AsyncFn(&str, &str) -> Result<Value>>(
        &self,
        call: F,
        items: &'static str,
    ) -> Pages<'static, F> {
        let pages = self.matching(call, items, &|_| true);
        let page_size = u32::try_from(pages.limit).map_or(self.page_size, |limit| self.page_size.min(limit));
        Pages { page_size, ..pages }
    }

    /// The pages that hold the items that `keep` accepts, up to the limit.
    pub fn matching<'a, F: AsyncFn(&str, &str) -> Result<Value>>(
        &self,
        call: F,
        items: &'static str,
        keep: &'a dyn Fn(&Value) -> bool,
    ) -> Pages<'a, F> {
        let limit = match self.limit {
            0 => usize::MAX,
            _ if self.all => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        Pages { call, items, limit, page_size: self.page_size, follow: true, keep }
    }
}
