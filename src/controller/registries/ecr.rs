//! Private registries of ECR (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>).

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{DigestFailure, RegistryOptions, checked};
use crate::{
    controller::aws::{AwsFailure, AwsService, RegionalOptions, Regions},
    image::{EcrRegistry, TaggedImage},
};

/// ECR among the services of AWS. What a scan has found in an image may be long.
const SERVICE: AwsService = AwsService {
    name: "ecr",
    host: "api.ecr",
    target: "AmazonEC2ContainerRegistry_V20150921",
    json: "1.1",
    largest: 8 * 1024 * 1024,
};

/// How long a response may take to begin. Whoever waits for it does not wait as long: one that is late would otherwise be
/// taken for a host that cannot be reached.
const PATIENCE: Duration = Duration::from_secs(15);

/// The registries of ECR in all regions.
#[derive(Debug)]
pub(super) struct Ecr(Regions);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    image_details: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    image_digest: String,
}

impl Ecr {
    pub(super) fn new(options: RegistryOptions) -> Self {
        let RegistryOptions {
            ecr_endpoint,
            role_arn,
            ca_file,
            ..
        } = options;
        Self(Regions::new(
            SERVICE,
            RegionalOptions {
                endpoint: ecr_endpoint,
                role_arn,
                ca_file,
                patience: Some(PATIENCE),
            },
        ))
    }

    /// Returns the digest of an image.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub(super) async fn digest(
        &self,
        registry: &EcrRegistry,
        image: &TaggedImage,
    ) -> Result<String, DigestFailure> {
        let question = json!({
            "registryId": registry.account,
            "repositoryName": image.repository,
            "imageIds": [{"imageTag": image.tag}],
        });
        let answer = self.call(&registry.region, "DescribeImages", &question);
        digest_in(&answer.await?)
    }

    /// Carries out an operation in a region.
    pub(super) async fn call(
        &self,
        region: &str,
        operation: &str,
        question: &Value,
    ) -> Result<Vec<u8>, DigestFailure> {
        let api = self.0.get(region);
        let api = api.ok_or_else(|| DigestFailure::Refused("no region of AWS".to_owned()))?;
        let answer = api.call(operation, question.to_string().into_bytes());
        answer.await.map_err(failure)
    }
}

/// Returns the digest in an answer. That of an image for several platforms is the digest of its index.
fn digest_in(answer: &[u8]) -> Result<String, DigestFailure> {
    let found: Found =
        serde_json::from_slice(answer).map_err(|error| DigestFailure::Answer(error.to_string()))?;
    let image = found.image_details.first().ok_or(DigestFailure::NotFound)?;
    checked(&image.image_digest)
}

fn failure(failure: AwsFailure) -> DigestFailure {
    match failure {
        AwsFailure::Credentials(why) => {
            tracing::warn!(why, "no credentials for ECR");
            DigestFailure::Credentials
        }
        AwsFailure::Unreachable(why) => {
            tracing::warn!(why, "ECR cannot be reached");
            DigestFailure::Unreachable
        }
        AwsFailure::Late => DigestFailure::Late,
        AwsFailure::Refused { code, detail, .. } => {
            tracing::warn!(detail, "ECR refuses a request");
            match &*code {
                "ImageNotFoundException" | "RepositoryNotFoundException" => DigestFailure::NotFound,
                _ => DigestFailure::Refused(code),
            }
        }
        AwsFailure::Answer(why) => DigestFailure::Answer(why),
    }
}

#[cfg(test)]
impl Ecr {
    /// Returns the registries of one region, at another URL and with credentials that come from nowhere.
    pub(super) fn testing(region: &str, url: &str) -> Self {
        use crate::controller::aws::{AwsOptions, testing::with_credentials};
        let (endpoint, role_arn, ca_file) = (url.parse().ok(), None, None);
        let options = RegionalOptions {
            endpoint: None,
            role_arn: None,
            ca_file: None,
            patience: None,
        };
        let regions = Regions::new(SERVICE, options);
        let options = AwsOptions {
            region: region.to_owned(),
            endpoint,
            role_arn,
            ca_file,
        };
        let api = with_credentials(SERVICE, options).patient(PATIENCE);
        regions.set(region, api);
        Self(regions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_digest_or_a_reason() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let read = |answer: &serde_json::Value| digest_in(answer.to_string().as_bytes());
        let image = |digest: &str| json!({"imageDetails": [{"imageDigest": digest}]});
        assert_eq!(read(&image(&digest)), Ok(digest));
        let none = json!({"imageDetails": []});
        assert_eq!(read(&none), Err(DigestFailure::NotFound));
        assert!(matches!(
            read(&image("sha256:0a")),
            Err(DigestFailure::Answer(_))
        ));
        assert!(matches!(
            digest_in(b"<html>"),
            Err(DigestFailure::Answer(_))
        ));
    }

    #[test]
    fn an_error_is_about_the_image_or_about_the_operator() {
        let refused = |code: &str| {
            failure(AwsFailure::Refused {
                status: http::StatusCode::BAD_REQUEST,
                code: code.to_owned(),
                detail: "HTTP status 400".to_owned(),
            })
        };
        for code in ["ImageNotFoundException", "RepositoryNotFoundException"] {
            assert_eq!(refused(code), DigestFailure::NotFound);
        }
        let denied = DigestFailure::Refused("AccessDeniedException".to_owned());
        assert_eq!(refused("AccessDeniedException"), denied);
    }
}
