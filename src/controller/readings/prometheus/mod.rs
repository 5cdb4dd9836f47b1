//! Metrics that Prometheus has (<https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>).

use std::{error::Error, fs, path::PathBuf, sync::Mutex};

use http::{
    HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Limited};
use kube::{Client, Config, client::Body};
use serde::Deserialize;

use super::{
    asked::LONGEST,
    failure::{Failure, Value},
};
use crate::controller::{context::lock, error::said};

/// Where Prometheus is, and how to get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusOptions {
    /// Its URL.
    pub url: http::Uri,
    /// The file with the bearer token, if it needs one. It is read for each query, so the token may change.
    pub token_file: Option<PathBuf>,
    /// The file with the certificates of the authorities that may have signed its own. It is read again too.
    pub ca_file: Option<PathBuf>,
}

/// How many bytes an answer may have: one value has few.
const LARGEST: usize = 64 * 1024;
/// How many characters of an error are logged: it may repeat the query.
const SHOWN: usize = 1000;

/// A Prometheus. Its files are read when they are needed: they may come later than the operator.
pub(in crate::controller) struct Prometheus {
    options: PrometheusOptions,
    /// The client, as soon as it has been needed.
    client: Mutex<Option<Client>>,
}

/// The answer to an instant query.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Series>),
    Scalar(Sample),
}

#[derive(Deserialize)]
struct Series {
    value: Sample,
}

/// The time and the value, which is a text, because JSON has no infinity.
type Sample = (f64, String);

const NO_ACCESS: &str = "the operator has no token for it";
const REFUSED: &str = "it answers with an error";
const NOT_A_NUMBER: &str = "the value is no finite number";
const SEVERAL: &str = "the query has several series, and should have one";
const NOTHING: &str = "the query has no value";

impl Prometheus {
    /// Returns a Prometheus, which need not be there yet.
    #[must_use]
    pub(in crate::controller) const fn new(options: PrometheusOptions) -> Self {
        Self {
            options,
            client: Mutex::new(None),
        }
    }

    /// Returns the value of a query.
    ///
    /// # Errors
    ///
    /// Why it has not one value.
    pub(super) async fn value(&self, query: &str) -> Value {
        let client = self.client().map_err(|error| unreachable(&error))?;
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", query)
            // Prometheus gives up too, and more than one series is an error anyway.
            .append_pair("timeout", &format!("{}s", LONGEST.as_secs()))
            .append_pair("limit", "2")
            .finish();
        let mut request = http::Request::builder()
            .method(Method::POST)
            .uri("/api/v1/query")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body.into_bytes()))
            .map_err(|error| unreachable(&error))?;
        if let Some(token) = self.token()? {
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        let response = client.send(request).await;
        let response = response.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| Failure::new(REFUSED, said(&*error)))?;
        value(status, &body.to_bytes())
    }

    /// Returns the client. The one of the API server does all that is needed: TLS, and files that change.
    fn client(&self) -> kube::Result<Client> {
        let mut client = lock(&self.client);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let mut config = Config::new(self.options.url.clone());
        config.default_retry = false;
        config.connect_timeout = Some(LONGEST);
        // The image has no authorities, and an empty list is no reason not to connect without TLS.
        config.root_cert = Some(Vec::new());
        config.root_cert_file.clone_from(&self.options.ca_file);
        Ok(client.insert(Client::try_from(config)?).clone())
    }

    /// Returns the header with the token, without the end of line that a file may have.
    fn token(&self) -> Result<Option<HeaderValue>, Failure> {
        let Some(file) = &self.options.token_file else {
            return Ok(None);
        };
        let token = fs::read_to_string(file);
        let token = token.map_err(|error| {
            let detail = format!("cannot read {}: {error}", file.display());
            Failure::new(NO_ACCESS, detail)
        })?;
        let header = HeaderValue::try_from(format!("Bearer {}", token.trim()));
        // The error does not show the token.
        let mut header = header.map_err(|error| Failure::new(NO_ACCESS, error))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

fn unreachable(error: &(dyn Error + 'static)) -> Failure {
    Failure::new("it cannot be reached", said(error))
}

/// Returns the only value of an answer.
fn value(status: StatusCode, body: &[u8]) -> Value {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        let detail = format!("HTTP status {status}, and no answer of Prometheus: {error}");
        Failure::new(REFUSED, detail)
    })?;
    if answer.error.is_some() || !status.is_success() {
        let error = answer.error.unwrap_or_default();
        let error: String = error.chars().take(SHOWN).collect();
        let detail = format!("HTTP status {status}: {error}");
        return Err(Failure::new(REFUSED, detail));
    }
    let (_, text) = match answer.data {
        Some(Data::Scalar(sample)) => sample,
        Some(Data::Vector(mut series)) => match (series.pop(), series.is_empty()) {
            (Some(only), true) => only.value,
            (None, _) => return Err(Failure::empty(NOTHING)),
            (Some(_), false) => return Err(Failure::new(SEVERAL, SEVERAL)),
        },
        None => return Err(Failure::new(REFUSED, "an answer without data")),
    };
    let number = text.parse().ok();
    number
        .filter(|number: &f64| number.is_finite())
        .ok_or(Failure::empty(NOT_A_NUMBER))
}

#[cfg(test)]
mod tests;
