//! Tables of the documents as plain text.

/// The cells of the rows of the first table below a heading, less the row of column names.
pub fn table<'a>(page: &'a str, heading: &str) -> impl Iterator<Item = Vec<String>> + use<'a> {
    let section = page.split_once(heading).map_or("", |(_, section)| section);
    let rows = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(cells)
}

fn cells(row: &str) -> Vec<String> {
    // A bar in a cell stands behind a backslash.
    const BAR: &str = "\u{1}";
    let row = row.replace(r"\|", BAR);
    row.trim_matches('|').split('|').map(|cell| plain(cell.trim()).replace(BAR, "|")).collect()
}

/// A cell without marks for links, code and emphasis.
fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once('[') {
        text.push_str(before);
        let parts = link.split_once("](").and_then(|(name, target)| Some((name, target.split_once(')')?.1)));
        if let Some((name, behind)) = parts {
            text.push_str(name);
            rest = behind;
        } else {
            text.push('[');
            rest = link;
        }
    }
    text.push_str(rest);
    text.replace(['`', '*'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_table_lose_their_marks() {
        let page = "# A\n\n## B\n\nText.\n\n| X | Y |\n|---|---|\n| `a` \\| **b** | see [the c](d.md#e) [f] |\n| | g |\n\n| h |\n";
        let rows: Vec<_> = table(page, "## B").collect();
        assert_eq!(rows, [["a | b", "see the c [f]"], ["", "g"]]);
        assert_eq!(table(page, "## Z").count(), 0);
    }
}
