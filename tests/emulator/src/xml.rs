//! XML as AWS services write it.

use hyper::StatusCode;

use crate::reply::Reply;

/// The namespace of STS. Source: AWS Security Token Service API reference, `AssumeRole`, sample response.
pub(crate) const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// The namespace of S3. Source: Object Storage docs, S3 API reference, `listBuckets`.
pub(crate) const S3: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A whole document whose root has the namespace.
pub(crate) fn reply(root: &str, namespace: &str, content: &[String]) -> Reply {
    let content = content.concat();
    Reply::new(StatusCode::OK, "text/xml", format!("<{root} xmlns=\"{namespace}\">{content}</{root}>"))
}

/// An element that holds others.
pub(crate) fn element(name: &str, content: &[String]) -> String {
    format!("<{name}>{}</{name}>", content.concat())
}

/// An element that holds text.
pub(crate) fn text(name: &str, text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<{name}>{escaped}</{name}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_elements_are_not() {
        assert_eq!(element("A", &[text("B", "1 < 2 & 3 > 2")]), "<A><B>1 &lt; 2 &amp; 3 &gt; 2</B></A>");
    }
}
