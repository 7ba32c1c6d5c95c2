//! Commands on several IDs: several requests at once, and what they result in.

use crate::error::{Error, Result};
use crate::keys::concurrent;

/// Runs the work for every ID, several at once, and returns the results in the order of the IDs.
pub async fn for_each<T>(ids: &[String], work: impl AsyncFn(&str) -> Result<T>) -> Vec<Result<T>> {
    concurrent::for_each(ids, async |id: &String| work(id).await).await
}

/// What succeeded and what failed.
///
/// # Errors
/// There is a single result, and it is an error.
pub fn split<T>(mut results: Vec<Result<T>>) -> Result<(Vec<T>, Vec<Error>)> {
    if results.len() == 1 {
        return results.remove(0).map(|value| (vec![value], Vec::new()));
    }
    let mut values = Vec::new();
    let mut failures = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => failures.push(error),
        }
    }
    Ok((values, failures))
}
