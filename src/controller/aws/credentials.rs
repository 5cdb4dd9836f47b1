//! Who the operator is for AWS.

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig, sts::AssumeRoleProvider};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use tokio::sync::Mutex;

use super::{AwsFailure, transport::Transport};
use crate::controller::error::said;

/// How long before they expire credentials are replaced: a request that has begun with them still ends.
const EARLY: Duration = Duration::from_mins(5);
/// The name of its sessions in the trail of the account.
const SESSION: &str = "ecs-operator";

/// The credentials of the operator: those of its pod, by IRSA or Pod Identity, of its environment, or of the node. With a
/// role, these assume it.
#[derive(Debug)]
pub(super) struct Identity {
    region: String,
    role_arn: Option<String>,
    /// Where they come from, and the last ones. Concurrent requests wait for one answer.
    state: Mutex<(Option<SharedCredentialsProvider>, Option<Credentials>)>,
}

impl Identity {
    pub(super) fn new(region: String, role_arn: Option<String>) -> Self {
        Self {
            region,
            role_arn,
            state: Mutex::default(),
        }
    }

    /// Returns credentials that are valid for some minutes.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub(super) async fn credentials(
        &self,
        transport: &Transport,
    ) -> Result<Credentials, AwsFailure> {
        let mut state = self.state.lock().await;
        let (provider, last) = &mut *state;
        if let Some(last) = last.as_ref().filter(|last| is_valid(last)) {
            return Ok(last.clone());
        }
        let known = match provider {
            Some(known) => known,
            None => provider.insert(self.provider(transport).await?),
        };
        let credentials = known.provide_credentials().await;
        let credentials = credentials.map_err(|error| AwsFailure::Credentials(said(&error)))?;
        Ok(last.insert(credentials).clone())
    }

    /// Forgets credentials that a service does not take.
    pub(super) async fn forget(&self) {
        self.state.lock().await.1 = None;
    }

    #[cfg(test)]
    pub(super) fn set(&mut self, provider: SharedCredentialsProvider) {
        self.state.get_mut().0 = Some(provider);
    }

    async fn provider(
        &self,
        transport: &Transport,
    ) -> Result<SharedCredentialsProvider, AwsFailure> {
        let connector = SharedHttpConnector::new(transport.clone());
        let config: SdkConfig = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .load()
            .await;
        if let Some(role) = &self.role_arn {
            let assumed = AssumeRoleProvider::builder(role)
                .session_name(SESSION)
                .configure(&config);
            return Ok(SharedCredentialsProvider::new(assumed.build().await));
        }
        let none = || AwsFailure::Credentials("there is no provider".to_owned());
        config.credentials_provider().ok_or_else(none)
    }
}

fn is_valid(credentials: &Credentials) -> bool {
    let soon = SystemTime::now() + EARLY;
    credentials.expiry().is_none_or(|end| end > soon)
}
