//! SHA-256 in hexadecimal.

use ring::digest::{SHA256, digest};

/// The SHA-256 of `bytes` in lower-case hexadecimal: 64 characters.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// The SHA-256 of the parts, joined by newlines: a file name for values that must not, or cannot, be one.
pub fn fingerprint(parts: &[&str]) -> String {
    sha256_hex(parts.join("\n").as_bytes())
}

/// `bytes` in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]].map(char::from);
    bytes.iter().flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_sha_256_of_the_joined_parts() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256_hex(b""), empty);
        assert_eq!(fingerprint(&["a", "b"]), sha256_hex(b"a\nb"));
        assert_eq!(hex(&[0, 15, 255]), "000fff");
    }
}
