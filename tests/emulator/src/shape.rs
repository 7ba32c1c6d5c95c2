//! Identifiers and secrets of the right shape.
//! Source: IAM concepts pages on access keys, ephemeral keys and IAM tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};

const RESOURCE: &[u8] = b"0123456789abcdefghijklmnopqrstuv";
const KEY: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// `aje` and 17 characters: any IAM resource, also the ID of an ephemeral key.
pub(crate) fn resource_id() -> String {
    format!("aje{}", draw(RESOURCE, 17))
}

/// `b1g` and 17 characters: a cloud or a folder.
pub(crate) fn cloud_id() -> String {
    format!("b1g{}", draw(RESOURCE, 17))
}

/// 25 characters that begin `YCAJE`.
pub(crate) fn static_key_id() -> String {
    format!("YCAJE{}", draw(KEY, 20))
}

/// 40 characters that begin `YC`.
pub(crate) fn static_secret() -> String {
    format!("YC{}", draw(KEY, 38))
}

/// 43 characters that begin `YC`.
pub(crate) fn ephemeral_secret() -> String {
    format!("YC{}", draw(KEY, 41))
}

/// `t1.`, base64url, a dot and 86 characters of base64url.
pub(crate) fn iam_token() -> String {
    format!("t1.9euelZq{}.{}", base64url(120), base64url(64))
}

/// About 285 characters that begin `s1.`, with a dot before the signature as in an IAM token.
pub(crate) fn session_token() -> String {
    format!("s1.9muil{}.{}", base64url(142), base64url(64))
}

/// An OAuth token of a Yandex account: `y0_` and characters of base64url.
pub(crate) fn oauth_token() -> String {
    format!("y0_{}", base64url(42))
}

/// The shape of a JWT: what GitHub gives a job to ask for tokens with.
pub(crate) fn request_token() -> String {
    format!("eyJ{}.eyJ{}.{}", base64url(30), base64url(90), base64url(64))
}

pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `trace:span:parent:flags`, as `yc` prints it.
pub(crate) fn trace_id() -> String {
    let hex = || format!("{:016x}", u64::from_be_bytes(random()));
    let trace = hex();
    format!("{trace}:{}:{trace}:1", hex())
}

fn draw(alphabet: &[u8], count: usize) -> String {
    let mut bytes = vec![0; count];
    fill(&mut bytes);
    bytes.into_iter().map(|byte| char::from(alphabet[usize::from(byte) % alphabet.len()])).collect()
}

fn base64url(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    fill(&mut buffer);
    URL_SAFE_NO_PAD.encode(buffer)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the system gives random bytes");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_the_documented_lengths() {
        assert_eq!(resource_id().len(), 20);
        assert_eq!(static_key_id().len(), 25);
        assert_eq!(static_secret().len(), 40);
        assert_eq!(ephemeral_secret().len(), 43);
        assert_eq!(session_token().len(), 285);
        let token = iam_token();
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[2].len(), 86);
    }
}
