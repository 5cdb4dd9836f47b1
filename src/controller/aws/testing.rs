//! Services of AWS for tests.

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};

use super::{AwsApi, AwsOptions, AwsService};

/// Returns a service with credentials that come from nowhere.
pub(in crate::controller) fn with_credentials(service: AwsService, options: AwsOptions) -> AwsApi {
    let token = Some("token".to_owned());
    let credentials = Credentials::new("AKID", "secret", token, None, "test");
    let mut api = AwsApi::new(service, options);
    api.identity
        .set(SharedCredentialsProvider::new(credentials));
    api
}
