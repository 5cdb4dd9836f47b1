//! Requests to services of AWS: credentials, signatures and TLS. It speaks the JSON protocol of AWS
//! (<https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>).

mod credentials;
mod regions;
mod transport;

use std::{
    path::PathBuf,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http::{Method, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;

use self::credentials::Identity;
pub(super) use self::{
    regions::{RegionalOptions, Regions},
    transport::Transport,
};
use crate::controller::{context::lock, error::said};

/// How many characters of an error are logged: it may repeat the request.
const SHOWN: usize = 1000;

/// A service of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AwsService {
    /// Its name in signatures, such as `monitoring`.
    pub(super) name: &'static str,
    /// What its public host names begin with, such as `api.ecr`.
    pub(super) host: &'static str,
    /// The prefix of its operations.
    pub(super) target: &'static str,
    /// The version of the JSON protocol.
    pub(super) json: &'static str,
    /// How many bytes an answer may have.
    pub(super) largest: usize,
}

/// Where a service of AWS is, and as whom to ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsOptions {
    /// The region.
    pub region: String,
    /// Its URL; `None` for the public one of the region.
    pub endpoint: Option<Uri>,
    /// The role that the operator assumes, if not its own.
    pub role_arn: Option<String>,
    /// The file with the certificates of more authorities that may have signed that of the service.
    pub ca_file: Option<PathBuf>,
}

/// A service of AWS in one region.
#[derive(Debug)]
pub(super) struct AwsApi {
    service: AwsService,
    options: AwsOptions,
    identity: Identity,
    /// The transport, as soon as it has been needed: the file may come later than the operator.
    transport: Mutex<Option<Transport>>,
    /// How long a response may take to begin.
    patience: Duration,
}

/// How long a response may take to begin where nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AwsFailure {
    /// There are no credentials.
    Credentials(String),
    /// The service cannot be reached.
    Unreachable(String),
    /// It has not answered in time.
    Late,
    /// The service refuses the request, or has an error.
    Refused {
        /// The status of HTTP.
        status: StatusCode,
        /// The name of the error, such as `ThrottlingException`.
        code: String,
        /// The name and the message.
        detail: String,
    },
    /// The answer is not what it should be.
    Answer(String),
}

/// An error of the service.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default, rename = "__type")]
    kind: String,
    #[serde(default)]
    message: String,
    /// Some services spell it so, and some give both.
    #[serde(default, rename = "Message")]
    other: String,
}

impl AwsApi {
    /// Returns a service, which need not be there yet.
    pub(super) fn new(service: AwsService, options: AwsOptions) -> Self {
        Self {
            identity: Identity::new(options.region.clone(), options.role_arn.clone()),
            service,
            options,
            transport: Mutex::default(),
            patience: PATIENCE,
        }
    }

    /// Returns the service with another limit for how long a response may take to begin.
    pub(super) fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Carries out an operation, and returns its answer.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub(super) async fn call(&self, operation: &str, body: Vec<u8>) -> Result<Vec<u8>, AwsFailure> {
        let transport = self.transport().map_err(AwsFailure::Unreachable)?;
        let credentials = self.identity.credentials(&transport).await?;
        let request = self.request(operation, body, credentials);
        let request = request.map_err(AwsFailure::Answer)?;
        let response = transport.send(request, self.patience).await;
        let response = response.map_err(|error| AwsFailure::Unreachable(said(&error)))?;
        let status = StatusCode::from_u16(response.status().as_u16());
        let status = status.map_err(|error| AwsFailure::Answer(error.to_string()))?;
        let body = Limited::new(response.into_body(), self.service.largest);
        let body = body.collect().await;
        let body = body.map_err(|error| AwsFailure::Answer(said(&*error)))?;
        let body = body.to_bytes();
        if status.is_success() {
            return Ok(body.to_vec());
        }
        let (failure, is_of_credentials) = refused(status, &body);
        if is_of_credentials {
            self.identity.forget().await;
        }
        Err(failure)
    }

    fn transport(&self) -> Result<Transport, String> {
        let mut transport = lock(&self.transport);
        if let Some(transport) = &*transport {
            return Ok(transport.clone());
        }
        let new = Transport::new(self.options.ca_file.as_deref())?;
        Ok(transport.insert(new).clone())
    }

    /// Returns the signed request of an operation.
    fn request(
        &self,
        operation: &str,
        body: Vec<u8>,
        credentials: Credentials,
    ) -> Result<HttpRequest, String> {
        let uri = self.uri();
        let mut request = http::Request::builder()
            .method(Method::POST)
            .uri(&uri)
            .header(
                CONTENT_TYPE,
                format!("application/x-amz-json-{}", self.service.json),
            )
            .header(
                "x-amz-target",
                format!("{}.{operation}", self.service.target),
            )
            .body(())
            .map_err(|error| error.to_string())?;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.options.region)
            .name(self.service.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let headers = request.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new("POST", &uri, headers, SignableBody::Bytes(&body));
        let signed = signable.and_then(|signable| sign(signable, &params));
        let (instructions, _) = signed.map_err(|error| said(&error))?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let request = request.map(|()| SdkBody::from(body));
        HttpRequest::try_from(request).map_err(|error| said(&error))
    }

    fn uri(&self) -> String {
        match &self.options.endpoint {
            // A path without a slash at its end is one of a file.
            Some(endpoint) => format!("{}/", endpoint.to_string().trim_end_matches('/')),
            None => {
                let (host, region) = (self.service.host, &self.options.region);
                let suffix = dns_suffix(region);
                format!("https://{host}.{region}.{suffix}/")
            }
        }
    }
}

/// Returns the domain of the partition of a region (<https://docs.aws.amazon.com/general/latest/gr/rande.html>). Those of
/// isolated partitions are given as endpoints.
fn dns_suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else if region.starts_with("eusc-") {
        "amazonaws.eu"
    } else {
        "amazonaws.com"
    }
}

/// The errors of requests whose credentials the service does not take.
const OF_CREDENTIALS: [&str; 5] = [
    "AccessDenied",
    "ExpiredToken",
    "InvalidClientTokenId",
    "InvalidSignature",
    "UnrecognizedClient",
];

/// Returns the failure, and whether the credentials are the reason.
fn refused(status: StatusCode, body: &[u8]) -> (AwsFailure, bool) {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    // The name may have a namespace before it, and a URL after it.
    let name = refusal.kind.rsplit('#').next().unwrap_or_default();
    let code = name.split(':').next().unwrap_or_default();
    let message = if refusal.message.is_empty() {
        &refusal.other
    } else {
        &refusal.message
    };
    let message: String = message.chars().take(SHOWN).collect();
    let is_it = |name: &&str| code.starts_with(*name);
    let is_of_credentials = OF_CREDENTIALS.iter().any(is_it);
    let failure = AwsFailure::Refused {
        status,
        code: code.to_owned(),
        detail: format!("HTTP status {status}: {code}: {message}"),
    };
    (failure, is_of_credentials)
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
