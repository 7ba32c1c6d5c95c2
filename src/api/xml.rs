//! The XML of the services that speak the protocols of AWS: STS and Object Storage.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// A document with more elements than this is not a response of a service: one of STS with credentials has about ten.
const MAX_LEAVES: usize = 1000;

/// The elements of an XML document that hold text alone, by their names without prefixes.
pub struct Leaves(Vec<(String, String)>);

impl Leaves {
    /// The elements of a document; `None` when it is not XML, or has more than [`MAX_LEAVES`] elements.
    pub fn read(xml: &[u8]) -> Option<Self> {
        let xml = std::str::from_utf8(xml).ok()?;
        let mut reader = Reader::from_str(xml);
        let mut leaves = Vec::new();
        // The text since the start of the element that was begun last; `None` when that has ended.
        let mut text: Option<String> = None;
        loop {
            match reader.read_event().ok()? {
                Event::Start(_) => text = Some(String::new()),
                Event::End(end) => {
                    if let Some(text) = text.take() {
                        if leaves.len() == MAX_LEAVES {
                            return None;
                        }
                        leaves.push((end.local_name().into_inner().to_owned(), text));
                    }
                }
                Event::Text(part) => text = text.map(|text| text + &part.xml10_content()),
                Event::CData(part) => text = text.map(|text| text + &part.xml10_content()),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().ok()? {
                        Some(character) => character.to_string(),
                        None => resolve_xml_entity(&reference.xml10_content())?.to_owned(),
                    };
                    text = text.map(|text| text + &resolved);
                }
                Event::Eof => return (!leaves.is_empty()).then_some(Self(leaves)),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    /// The text of the first element of this name that has any.
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut leaves = self.0.iter().filter(|(leaf, text)| leaf == name && !text.is_empty());
        leaves.next().map(|(_, text)| text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_are_found_whatever_their_prefixes_and_depth() {
        let xml = "<?xml version='1.0'?><!-- x --><a:R xmlns:a='u'><a:Code>1 &lt; 2 &#38; &#x33;</a:Code>\
                   <M><![CDATA[<b>]]> t</M><E/><Id></Id></a:R>";
        let leaves = Leaves::read(xml.as_bytes()).unwrap();
        assert_eq!(leaves.text("Code"), Some("1 < 2 & 3"));
        assert_eq!(leaves.text("M"), Some("<b> t"));
        assert_eq!((leaves.text("R"), leaves.text("Id"), leaves.text("E")), (None, None, None));
        for no_xml in ["", "{}", "text", "<a>&unknown;</a>", "<a></b>"] {
            assert!(Leaves::read(no_xml.as_bytes()).is_none_or(|leaves| leaves.text("a").is_none()), "{no_xml}");
        }
    }

    #[test]
    fn a_document_of_very_many_elements_is_not_read() {
        let document = |leaves: usize| format!("<R>{}</R>", "<a>b</a>".repeat(leaves));
        assert!(Leaves::read(document(MAX_LEAVES).as_bytes()).is_some());
        assert!(Leaves::read(document(MAX_LEAVES + 1).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn reading_never_panics(body in proptest::collection::vec(any::<u8>(), 0..60), text in "[<>/&;#a!\\[\\]-]{0,30}") {
            let _ = Leaves::read(&body);
            let _ = Leaves::read(text.as_bytes());
        }
    }
}
