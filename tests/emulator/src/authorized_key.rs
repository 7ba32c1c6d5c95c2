//! Authorized keys: throw-away key pairs, and the file that `yc iam key create` writes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ring::signature::{KeyPair as _, RsaKeyPair};
use serde::Serialize as _;
use serde_json::json;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::clock;

/// A private key of a kind that is no use for PS256: PKCS#8, elliptic curve P-256.
pub const EC_PRIVATE_KEY: &str = include_str!("../data/ec-p256.pem");

/// The key pairs at hand. They were made for these tests and open nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrivateKey {
    /// RSA, 2048 bits; the key of the seeded administrator.
    Rsa2048,
    /// Another one of 2048 bits, which no seeded account has.
    OtherRsa2048,
    /// RSA, 4096 bits.
    Rsa4096,
}

impl PrivateKey {
    /// PKCS#8 in PEM.
    pub fn pem(self) -> &'static str {
        match self {
            Self::Rsa2048 => include_str!("../data/rsa-2048.pem"),
            Self::OtherRsa2048 => include_str!("../data/rsa-2048-other.pem"),
            Self::Rsa4096 => include_str!("../data/rsa-4096.pem"),
        }
    }

    fn public_pem(self) -> &'static str {
        match self {
            Self::Rsa2048 => include_str!("../data/rsa-2048.pub.pem"),
            Self::OtherRsa2048 => include_str!("../data/rsa-2048-other.pub.pem"),
            Self::Rsa4096 => include_str!("../data/rsa-4096.pub.pem"),
        }
    }

    /// Source: `yandex/cloud/iam/v1/key.proto`.
    fn algorithm(self) -> &'static str {
        match self {
            Self::Rsa2048 | Self::OtherRsa2048 => "RSA_2048",
            Self::Rsa4096 => "RSA_4096",
        }
    }

    /// The public half as ring wants it.
    pub(crate) fn public_key(self) -> Vec<u8> {
        pair(self.pem()).public_key().as_ref().to_vec()
    }
}

/// Reads an RSA key in PEM.
pub(crate) fn pair(pem: &str) -> RsaKeyPair {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).expect("base64 in PEM");
    RsaKeyPair::from_pkcs8(&der).expect("an RSA key")
}

/// An authorized key of a service account, with both halves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuthorizedKey {
    /// Resource ID: the `kid` of a JWT.
    pub id: String,
    /// The account it belongs to: the `iss` of a JWT.
    pub service_account_id: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// `RSA_2048` or `RSA_4096`.
    pub key_algorithm: String,
    /// PEM.
    pub public_key: String,
    /// PEM after a line that is not PEM, as `yc` writes it.
    pub private_key: String,
    pub(crate) pair: PrivateKey,
}

impl AuthorizedKey {
    pub(crate) fn new(id: &str, service_account_id: &str, pair: PrivateKey, now: DateTime<Utc>) -> Self {
        Self {
            id: id.to_owned(),
            service_account_id: service_account_id.to_owned(),
            created_at: now,
            key_algorithm: pair.algorithm().to_owned(),
            public_key: pair.public_pem().to_owned(),
            private_key: format!("PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <{id}>\n{}", pair.pem()),
            pair,
        }
    }

    /// The file that `yc iam key create --output` writes: JSON with an indent of three spaces.
    /// Source: yandex-cloud/go-sdk, pkg/iamkey/key.go and its test data.
    pub fn file(&self) -> String {
        let fields = json!({
            "id": self.id,
            "service_account_id": self.service_account_id,
            "created_at": clock::in_seconds(self.created_at),
            "key_algorithm": self.key_algorithm,
            "public_key": self.public_key,
            "private_key": self.private_key,
        });
        let mut text = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"   "));
        fields.serialize(&mut serializer).expect("a value can be written");
        String::from_utf8(text).expect("JSON is UTF-8")
    }

    /// The same file with `<` and `>` written as `\u003c` and `\u003e`, as Go's JSON encoder does.
    pub fn escaped_file(&self) -> String {
        self.file().replace('<', "\\u003c").replace('>', "\\u003e")
    }
}
