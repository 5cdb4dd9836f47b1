//! HTTP for requests to AWS, with the authorities that the program contains: its image has none.

use std::{fs, path::Path, sync::Arc, time::Duration};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::Request,
};
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as Tcp},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::time::timeout;

/// How long a response to the libraries may take to begin.
const LONGEST: Duration = Duration::from_secs(5);

/// Sends requests of this program and of the libraries that get its credentials.
#[derive(Clone, Debug)]
pub(in crate::controller) struct Transport {
    client: Client<HttpsConnector<Tcp>, SdkBody>,
}

impl Transport {
    /// Returns a transport that trusts the authorities of the file too, if there is one.
    ///
    /// # Errors
    ///
    /// Why the file cannot be used.
    pub(in crate::controller) fn new(authorities: Option<&Path>) -> Result<Self, String> {
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots(authorities)?)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            // Pod Identity and the metadata of nodes are reached without TLS.
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client })
    }

    /// Sends a request whose response begins within a time.
    ///
    /// # Errors
    ///
    /// Why there is no response.
    pub(super) async fn send(
        &self,
        request: HttpRequest,
        longest: Duration,
    ) -> Result<HttpResponse, ConnectorError> {
        send(self.client.clone(), request, longest).await
    }
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    let Some(file) = file else {
        return Ok(roots);
    };
    let unusable = |error: String| format!("cannot read {}: {error}", file.display());
    let text = fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| unusable(error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        return Err(unusable("it has no certificate".to_owned()));
    }
    Ok(roots)
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.client.clone();
        HttpConnectorFuture::new(async move { send(client, request, LONGEST).await })
    }
}

async fn send(
    client: Client<HttpsConnector<Tcp>, SdkBody>,
    request: Request,
    longest: Duration,
) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x();
    let request = request.map_err(|error| ConnectorError::user(error.into()))?;
    let response = timeout(longest, client.request(request)).await;
    let response = response.map_err(|late| ConnectorError::timeout(late.into()))?;
    let response = response.map_err(|error| ConnectorError::io(error.into()))?;
    let response = HttpResponse::try_from(response.map(SdkBody::from_body_1_x));
    response.map_err(|error| ConnectorError::other(error.into(), None))
}
