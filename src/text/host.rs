//! Names of hosts, which are ASCII: others have to be given in the form that DNS has them in.

use idna::punycode;
use percent_encoding::percent_decode_str;

use super::quote;

/// Checks that the host of a URL, or of a `HOST:PORT`, is ASCII.
///
/// Source: RFC 5890, section 2.3.2.1, for the form with `xn--`; RFC 3492 for what follows it.
///
/// # Errors
/// It is not; the message is a rule that shows the host as it has to be written.
pub fn check_ascii(address: &str) -> Result<(), String> {
    // What the parser of URLs leaves out. Source: URL Standard, basic URL parser.
    let address = address.trim_matches(|c: char| c <= ' ').replace(['\t', '\n', '\r'], "");
    let authority = without_scheme(&address).trim_start_matches(['/', '\\']);
    let authority = authority.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    let host = &*percent_decode_str(host).decode_utf8_lossy();
    if host.is_ascii() {
        return Ok(());
    }
    // The dots are those of RFC 3490, section 3.1.
    let labels: Option<Vec<_>> = host.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).map(label).collect();
    Err(match labels {
        Some(labels) => {
            format!("must have a host in ASCII; write {} as {}", quote::bare(host), quote::bare(&labels.join(".")))
        }
        None => format!("must have a host in ASCII, but has {}", quote::bare(host)),
    })
}

/// What follows the scheme, which the parser of URLs finds without its slashes too; of a `HOST:PORT` it is the port.
fn without_scheme(address: &str) -> &str {
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    match address.split_once(':') {
        Some((scheme, rest)) if !scheme.is_empty() && scheme.chars().all(fits) => rest,
        _ => address,
    }
}

fn label(label: &str) -> Option<String> {
    let lower = label.to_lowercase();
    if lower.is_ascii() { Some(lower) } else { Some(format!("xn--{}", punycode::encode_str(&lower)?)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_not_ascii_is_shown_as_dns_has_it() {
        for (address, host, ascii) in [
            ("https://пример.рф:443/a?b", "пример.рф", "xn--e1afmkfd.xn--p1ai"),
            ("ПРИМЕР.example", "ПРИМЕР.example", "xn--e1afmkfd.example"),
            ("http://user:p@bücher。example", "bücher。example", "xn--bcher-kva.example"),
            ("https:Bücher", "Bücher", "xn--bcher-kva"),
            ("ht\ttps:\\/Bücher", "Bücher", "xn--bcher-kva"),
            (" //Bücher/x", "Bücher", "xn--bcher-kva"),
            ("https://B%C3%BCcher", "Bücher", "xn--bcher-kva"),
        ] {
            let rule = format!("must have a host in ASCII; write {host} as {ascii}");
            assert_eq!(check_ascii(address), Err(rule));
        }
        for address in ["https://xn--e1afmkfd.xn--p1ai", "host:1", "", "https://host/ж", "[::1]:1", "https://ж@host"]
        {
            assert_eq!(check_ascii(address), Ok(()), "{address}");
        }
    }
}
