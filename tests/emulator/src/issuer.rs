//! Issuers outside the cloud: their keys, the key sets that they publish, and the tokens that they sign.
//! Source: RFC 7515, RFC 7517, RFC 7519.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use serde_json::{Map, Value, json};

use crate::authorized_key::{self, PrivateKey};
use crate::{Emulator, shape};

/// GitHub's issuer. Source: GitHub docs, OIDC reference.
pub const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";
/// Another issuer outside the cloud, as a company may have one.
pub const EXTERNAL_ISSUER: &str = "https://issuer.example.com";
/// The audience of [`Emulator::external_token`].
pub const EXTERNAL_AUDIENCE: &str = "https://cloud.example.com";

/// Which key an issuer signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IssuerKey {
    Github,
    External,
}

impl IssuerKey {
    fn of(issuer: &str) -> Self {
        if issuer == GITHUB_ISSUER { Self::Github } else { Self::External }
    }

    fn id(self) -> &'static str {
        match self {
            Self::Github => "github-1",
            Self::External => "external-1",
        }
    }

    fn pem(self) -> &'static str {
        match self {
            Self::Github => include_str!("../data/issuer-github.pem"),
            Self::External => include_str!("../data/issuer-external.pem"),
        }
    }
}

/// The key set that an issuer publishes.
pub(crate) fn key_set(issuer: &str) -> Value {
    let key = IssuerKey::of(issuer);
    let pair = authorized_key::pair(key.pem());
    let public: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
    let (n, e) = (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e));
    json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.id(), "n": n, "e": e}]})
}

/// A token of an issuer outside the cloud, to be changed before it is signed: see [`Emulator::external`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ExternalToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    forged: bool,
}

impl ExternalToken {
    pub(crate) fn new(issuer: &str, subject: &str, audience: &str, now: DateTime<Utc>) -> Self {
        let mut token = Self { header: Map::new(), claims: Map::new(), forged: false };
        for (name, value) in [("typ", "JWT"), ("alg", "RS256"), ("kid", IssuerKey::of(issuer).id())] {
            token.header.insert(name.to_owned(), value.into());
        }
        token
            .claim("jti", shape::uuid())
            .claim("iss", issuer)
            .claim("sub", subject)
            .claim("aud", audience)
            .claim("iat", now.timestamp())
            .claim("exp", (now + TimeDelta::minutes(5)).timestamp())
    }

    /// Sets `iss`; an issuer other than [`GITHUB_ISSUER`] signs with the key of [`EXTERNAL_ISSUER`].
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.header.insert("kid".to_owned(), IssuerKey::of(issuer).id().into());
        self.claim("iss", issuer)
    }

    /// Sets `aud`: text or an array.
    pub fn audience(self, audience: impl Into<Value>) -> Self {
        self.claim("aud", audience)
    }

    /// Sets `iat`.
    pub fn issued_at(self, time: DateTime<Utc>) -> Self {
        self.claim("iat", time.timestamp())
    }

    /// Sets `exp`. Default: five minutes from now.
    pub fn expires_at(self, time: DateTime<Utc>) -> Self {
        self.claim("exp", time.timestamp())
    }

    /// Sets a claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Removes a claim.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets an entry of the header, such as `alg` or `kid`.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Signs with a key that is not the issuer's.
    pub fn forged(mut self) -> Self {
        self.forged = true;
        self
    }

    /// Signs it.
    pub fn sign(self) -> String {
        let issuer = self.claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let pem = if self.forged { PrivateKey::OtherRsa2048.pem() } else { IssuerKey::of(issuer).pem() };
        let part = |fields: &Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::from(fields.clone()).to_string());
        let text = format!("{}.{}", part(&self.header), part(&self.claims));
        let pair = authorized_key::pair(pem);
        let mut signature = vec![0; pair.public().modulus_len()];
        let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.expect("an RSA key can sign");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Issuers outside the cloud.
impl Emulator {
    /// A token of [`EXTERNAL_ISSUER`] for [`EXTERNAL_AUDIENCE`], good for five minutes.
    pub fn external_token(&self, subject: &str) -> String {
        self.external(subject).sign()
    }

    /// The same before it is signed, so that a test can make it wrong.
    pub fn external(&self, subject: &str) -> ExternalToken {
        ExternalToken::new(EXTERNAL_ISSUER, subject, EXTERNAL_AUDIENCE, self.now())
    }

    /// The key set (JWKS) that an issuer publishes: [`GITHUB_ISSUER`] has its own, all others share one.
    pub fn key_set(&self, issuer: &str) -> Value {
        key_set(issuer)
    }
}
