//! Several requests at once, and never more than the server should have to bear.

use std::ops::ControlFlow;

use futures_util::{StreamExt, stream};

/// The maximum number of requests in flight.
const MAX_IN_FLIGHT: usize = 8;

/// Does the work for every item, several at once, and returns the results in the order of the items.
pub async fn for_each<I, T>(items: &[I], work: impl AsyncFn(&I) -> T) -> Vec<T> {
    let mut results = Vec::with_capacity(items.len());
    let collect = |position, result| {
        results.push((position, result));
        ControlFlow::<()>::Continue(())
    };
    until(items, work, collect).await;
    results.sort_by_key(|(position, _)| *position);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Does the work for the items, several at once, until `inspect` ends it; work that has begun is then given up.
/// `inspect` gets the position of the item and the result, as each is done.
pub async fn until<I, T, B>(
    items: &[I],
    work: impl AsyncFn(&I) -> T,
    mut inspect: impl FnMut(usize, T) -> ControlFlow<B>,
) -> Option<B> {
    let work = &work;
    let numbered = stream::iter(items).enumerate().map(|(position, item)| async move { (position, work(item).await) });
    let mut results = numbered.buffer_unordered(MAX_IN_FLIGHT);
    while let Some((position, result)) = results.next().await {
        if let ControlFlow::Break(found) = inspect(position, result) {
            return Some(found);
        }
    }
    None
}
