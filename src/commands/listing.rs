//! Printing a list: this side fetches the pages, and a thread of its own reads, renders and writes them.

use std::pin::pin;

use chrono::Utc;
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::http::Response;
use crate::output::Printer;
use crate::output::list::{List, ListPrinter, PageError, Printed};

/// Prints a list of `resources`. `call` requests the page of this size that this token names; an empty token names the
/// first; `about` adds to its errors what failed. The next page is requested as soon as the token is known, while the
/// page before is printed.
///
/// # Errors
/// A request fails, a response is not a page, or standard output cannot be written. Pages that were read before are
/// printed all the same.
pub async fn print(
    list: List,
    resources: &str,
    page_size: u32,
    call: impl AsyncFn(&str, &str) -> Result<Response>,
    about: impl Fn(Error) -> Error,
    context: &Context<'_>,
) -> Result<()> {
    let follows = list.follow;
    let printer = context.printer.clone();
    let (responses, to_print) = mpsc::channel(1);
    let (next_tokens, mut tokens) = mpsc::channel(1);
    let (filter, _running) = context.printer.start_list_filter()?;
    let work = move || print_pages(printer.list(list, filter), to_print, &next_tokens);
    let printing = Printer::on_thread(work)?;

    let page_size = page_size.to_string();
    let mut token = String::new();
    // On a terminal a list that is printed page by page shows itself how far it is.
    let shows_pages = !context.env.terminal.stdout || !context.printer.prints_pages();
    let (mut page, mut waiting) = (1, None);
    let failure = loop {
        // Printing ends early when it fails, or when nobody reads standard output any more.
        match select(pin!(call(&page_size, &token)), pin!(responses.closed())).await {
            Either::Right(_) => break None,
            Either::Left((Err(error), _)) => break Some(error),
            Either::Left((Ok(response), _)) => {
                // The list may be printed on the same terminal now.
                waiting = None;
                if responses.send(response).await.is_err() {
                    break None;
                }
            }
        }
        match tokens.recv().await {
            Some(next) => {
                token = next;
                page += 1;
                if shows_pages {
                    let text = format!("reading {resources}: page {page}");
                    waiting = Some(context.log.counting(&text));
                }
            }
            None => break None,
        }
    };
    drop((responses, waiting));
    let result = printing.await.unwrap_or_else(|error| Err(Failure::Output(error)));
    match (failure, result) {
        (Some(error), _) | (None, Err(Failure::Page(error))) => Err(about(error)),
        (None, Err(Failure::Output(error))) => Err(error),
        (None, Ok(Some(Printed { count, cut_off: true }))) => {
            let next = if follows { "raise --limit, or list all with --all" } else { "leave --no-paginate out" };
            context.log.note(&format!("there are more {resources} than the {count} shown; {next}"));
            Ok(())
        }
        (None, Ok(_)) => Ok(()),
    }
}

/// Prints a list whose items are here, as received from a server or in the same form.
///
/// # Errors
/// The filter fails, or standard output cannot be written.
pub async fn print_items(list: List, items: &[Value], context: &Context<'_>) -> Result<()> {
    let printer = context.printer.clone();
    let (filter, _running) = context.printer.start_list_filter()?;
    let body = json!({ list.items: items }).to_string();
    let print = move || -> Result<()> {
        let mut printer = printer.list(list, filter);
        let page = printer.read(body.as_bytes(), Utc::now());
        let page = page.map_err(|error| Error::internal(format!("the list is malformed: {error:?}")))?;
        printer.print(page).map(drop)
    };
    Printer::on_thread(print)?.await?
}

/// Why a list was not printed to its end.
enum Failure {
    /// A response is not a page.
    Page(Error),
    /// The filter failed, or standard output cannot be written.
    Output(Error),
}

/// Prints the pages until the last one, and sends the token of the next page before a page is printed. Returns `None`
/// when no more responses came although there was another page.
fn print_pages(
    mut printer: ListPrinter,
    mut responses: mpsc::Receiver<Response>,
    next_tokens: &mpsc::Sender<String>,
) -> Result<Option<Printed>, Failure> {
    while let Some(response) = responses.blocking_recv() {
        let page = printer.read(response.body(), response.clock.time()).map_err(|error| {
            Failure::Page(match error {
                PageError::NotJson => response.foreign_error(),
                PageError::NoItems(name) => Error::internal(format!("the server's response has no list '{name}'")),
                PageError::Endless(message) => Error::internal(message),
            })
        })?;
        if let Some(token) = page.next() {
            // Nobody waits for it when the command was interrupted.
            let _ = next_tokens.blocking_send(token.to_owned());
        }
        if let Some(printed) = printer.print(page).map_err(Failure::Output)? {
            return Ok(Some(printed));
        }
    }
    Ok(None)
}
