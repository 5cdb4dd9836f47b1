//! An emulator of AWS beside a control plane. An operator is who its service account is for AWS, as with IRSA.

use std::fs;

use ecs_operator_testbed::{ControlPlane, Moto};
use http::{Method, Request};
use kube::{Client, Config, client::Body};
use serde_json::Value;

/// A running emulator, which ends before the folder of the control plane is removed.
pub struct Aws {
    /// Its URL.
    pub url: String,
    /// The file with its authority.
    pub authorities: String,
    /// The variables of an operator.
    pub environment: Vec<String>,
    moto: Moto,
}

impl Aws {
    pub async fn start(plane: &ControlPlane) -> Self {
        let pki = plane.folder().join("pki");
        let (certificate, key) = (
            pki.join("kube-apiserver.crt"),
            pki.join("kube-apiserver.key"),
        );
        let folder = plane.folder().join("aws");
        let moto = Moto::start(&folder, &certificate, &key).await.unwrap();
        let token = folder.join("token");
        fs::write(&token, "token").unwrap();
        Self {
            environment: vec![
                "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/operator".to_owned(),
                format!("AWS_WEB_IDENTITY_TOKEN_FILE={}", token.display()),
                format!("AWS_ENDPOINT_URL_STS={}", moto.url),
                "AWS_EC2_METADATA_DISABLED=true".to_owned(),
            ],
            authorities: pki.join("ca.crt").display().to_string(),
            url: moto.url.clone(),
            moto,
        }
    }

    /// Calls an operation of ECR.
    pub async fn ecr(&self, operation: &str, body: Value) -> Value {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let client = self.client();
        call(&client, ("ecr", &target), &body).await.unwrap()
    }

    /// A client of the emulator.
    pub fn client(&self) -> Client {
        let mut config = Config::new(self.url.parse().unwrap());
        config.root_cert = Some(Vec::new());
        config.root_cert_file = Some(self.authorities.clone().into());
        Client::try_from(config).unwrap()
    }
}

/// Calls an operation of a service, whose target in the JSON protocol it is.
pub async fn call(
    client: &Client,
    (service, target): (&str, &str),
    body: &Value,
) -> kube::Result<Value> {
    // The emulator takes any signature, which says for which service a request is.
    let signature = format!(
        "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let request = Request::builder()
        .method(Method::POST)
        .uri("/")
        .header("authorization", signature)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", target)
        .body(Body::from(body.to_string().into_bytes()))
        .unwrap();
    let response = client.send(request).await?;
    let status = response.status();
    let answer = response.into_body().collect_bytes().await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(status.is_success(), "{target}: {status}: {answer}");
    Ok(serde_json::from_str(&answer).unwrap_or_default())
}
