//! Registries with the protocol of the Open Container Initiative
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>), asked as nobody in particular: they answer what
//! everybody may know.

use std::{path::PathBuf, sync::Mutex};

use aws_smithy_runtime_api::client::{
    http::HttpConnector as _,
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use http::{
    Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE},
};
use http_auth::parse_challenges;
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;

use super::{DigestFailure, checked};
use crate::{
    controller::{aws::Transport, context::lock, error::said},
    image::TaggedImage,
    translate::hex_digest,
};

/// The manifests that a tag may name. An index comes first: its digest is for all platforms.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// How many bytes a manifest has at most: registries need not take larger ones.
const LARGEST: usize = 4 * 1024 * 1024;
/// How many bytes the answer with a token may have.
const LARGEST_TOKEN: usize = 64 * 1024;
/// The header with the digest.
const DIGEST: &str = "docker-content-digest";

/// The registries.
#[derive(Debug)]
pub(super) struct Oci {
    ca_file: Option<PathBuf>,
    transport: Mutex<Option<Transport>>,
}

/// The answer of a server for tokens
/// (<https://distribution.github.io/distribution/spec/auth/token/#token-response-fields>).
#[derive(Deserialize)]
struct Tokens {
    token: Option<String>,
    access_token: Option<String>,
}

impl Oci {
    pub(super) fn new(ca_file: Option<PathBuf>) -> Self {
        Self {
            ca_file,
            transport: Mutex::default(),
        }
    }

    /// Returns the digest of an image.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub(super) async fn digest(
        &self,
        image: &TaggedImage,
        is_plain: bool,
    ) -> Result<String, DigestFailure> {
        let scheme = if is_plain { "http" } else { "https" };
        let uri = format!(
            "{scheme}://{}/v2/{}/manifests/{}",
            image.host(),
            image.repository,
            image.tag
        );
        let mut response = self.send(Method::HEAD, &uri, None).await?;
        let mut token = None;
        if response.status().as_u16() == StatusCode::UNAUTHORIZED {
            token = Some(self.token(&response, image, is_plain).await?);
            response = self.send(Method::HEAD, &uri, token.as_deref()).await?;
        }
        succeeded(&response)?;
        if let Some(digest) = response.headers().get(DIGEST) {
            return checked(digest);
        }
        let response = self.send(Method::GET, &uri, token.as_deref()).await?;
        succeeded(&response)?;
        let manifest = body(response, LARGEST).await?;
        Ok(format!("sha256:{}", hex_digest(manifest, 64)))
    }

    /// Gets a token with which everybody may pull an image, from where the registry says.
    async fn token(
        &self,
        refusal: &HttpResponse,
        image: &TaggedImage,
        is_plain: bool,
    ) -> Result<String, DigestFailure> {
        let challenge = refusal.headers().get(WWW_AUTHENTICATE.as_str());
        let uri = token_url(challenge.unwrap_or_default(), image, is_plain)?;
        let response = self.send(Method::GET, &uri, None).await?;
        succeeded(&response)?;
        let answer = body(response, LARGEST_TOKEN).await?;
        // What the parser says could repeat a part of the token.
        let tokens = serde_json::from_slice::<Tokens>(&answer).ok();
        let token = tokens.and_then(|tokens| tokens.token.or(tokens.access_token));
        token.ok_or_else(|| DigestFailure::Answer("it has no token".to_owned()))
    }

    async fn send(
        &self,
        method: Method,
        uri: &str,
        token: Option<&str>,
    ) -> Result<HttpResponse, DigestFailure> {
        let invalid =
            |error: &(dyn std::error::Error + 'static)| DigestFailure::Answer(said(error));
        let mut request = http::Request::builder()
            .method(method)
            .uri(uri)
            .header(ACCEPT, MANIFESTS.join(", "));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(SdkBody::empty());
        let request = request.map_err(|error| invalid(&error))?;
        let request = HttpRequest::try_from(request).map_err(|error| invalid(&error))?;
        let transport = self.transport()?;
        transport.call(request).await.map_err(|error| {
            tracing::warn!(error = said(&error), "a registry cannot be reached");
            DigestFailure::Unreachable
        })
    }

    fn transport(&self) -> Result<Transport, DigestFailure> {
        let mut transport = lock(&self.transport);
        if let Some(transport) = &*transport {
            return Ok(transport.clone());
        }
        let new = Transport::new(self.ca_file.as_deref()).map_err(|error| {
            tracing::warn!(error, "registries cannot be asked");
            DigestFailure::Unreachable
        })?;
        Ok(transport.insert(new).clone())
    }
}

/// Returns where everybody gets a token to pull an image, according to a challenge
/// (<https://distribution.github.io/distribution/spec/auth/token/>).
fn token_url(
    challenge: &str,
    image: &TaggedImage,
    is_plain: bool,
) -> Result<String, DigestFailure> {
    let refused = || DigestFailure::of_status(StatusCode::UNAUTHORIZED);
    let challenges = parse_challenges(challenge).map_err(|_| refused())?;
    let mut challenges = challenges.iter();
    let bearer = challenges.find(|it| it.scheme.eq_ignore_ascii_case("bearer"));
    let parameters = &bearer.ok_or_else(refused)?.params;
    let parameter = |name: &str| {
        let mut parameters = parameters.iter();
        let (_, value) = parameters.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value.to_unescaped())
    };
    let realm = parameter("realm").ok_or_else(refused)?;
    if !realm.starts_with("https://") && !(is_plain && realm.starts_with("http://")) {
        let why = "its tokens come without TLS";
        return Err(DigestFailure::Answer(why.to_owned()));
    }
    let pull = || format!("repository:{}:pull", image.repository);
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(service) = parameter("service") {
        query.append_pair("service", &service);
    }
    query.append_pair("scope", &parameter("scope").unwrap_or_else(pull));
    let separator = if realm.contains('?') { '&' } else { '?' };
    Ok(format!("{realm}{separator}{}", query.finish()))
}

fn succeeded(response: &HttpResponse) -> Result<(), DigestFailure> {
    let status = StatusCode::from_u16(response.status().as_u16());
    let status = status.map_err(|error| DigestFailure::Answer(error.to_string()))?;
    if status.is_success() {
        Ok(())
    } else {
        Err(DigestFailure::of_status(status))
    }
}

async fn body(response: HttpResponse, largest: usize) -> Result<Vec<u8>, DigestFailure> {
    let body = Limited::new(response.into_body(), largest).collect().await;
    let body = body.map_err(|error| DigestFailure::Answer(said(&*error)))?;
    Ok(body.to_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_from_where_the_registry_says_but_not_without_tls() {
        let image = TaggedImage::read("ghcr.io/shop/web:1").expect("it has no digest");
        let url = |challenge: &str, is_plain| token_url(challenge, &image, is_plain).ok();
        let whole = r#"Bearer realm="https://auth.example.com/token",service="a b",scope="repository:shop/web:pull""#;
        let expected =
            "https://auth.example.com/token?service=a+b&scope=repository%3Ashop%2Fweb%3Apull";
        assert_eq!(url(whole, false).as_deref(), Some(expected));
        let short = r#"bearer Realm="https://auth.example.com/token?a=b""#;
        let expected = "https://auth.example.com/token?a=b&scope=repository%3Ashop%2Fweb%3Apull";
        assert_eq!(url(short, false).as_deref(), Some(expected));
        let plain = r#"Bearer realm="http://auth/token""#;
        assert_eq!(url(plain, false), None);
        assert!(url(plain, true).is_some());
        for challenge in [
            "",
            "Basic realm=\"registry\"",
            "Bearer",
            "Bearer realm=",
            "\u{0}",
        ] {
            assert_eq!(url(challenge, true), None, "{challenge:?}");
        }
    }
}
