//! What a user gives for what files leave open.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    cloud_formation::Templates, compose::Projects, container_list::Images, copilot::Workspace,
    ecspresso::Deployments, jsonnet::Folders, placeholder::Fill,
    terraform::configuration::Configurations,
};

/// What stands for the region if it is not given.
pub(super) const REGION: &str = "<AWS_REGION>";

/// The values of placeholders, of a template's parameters, and of what only its deployment would say.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// Values for placeholders (`--set`), and for what a template refers to by the same name.
    pub fill: Fill,
    /// Values for the parameters of templates (`--parameter`), as they would be given to a deployment.
    pub parameters: BTreeMap<String, String>,
    /// The name of the stack that a template makes; that of the file if it is not given.
    pub stack_name: Option<String>,
    /// The environment of AWS Copilot whose members replace those of a manifest.
    pub environment: Option<String>,
    /// Images by the names of their containers (`--image`), in place of those of the task definitions.
    pub images: Images,
    /// The AWS region.
    pub region: Option<String>,
    /// The AWS account.
    pub account_id: Option<String>,
    /// The AWS partition; `aws` if it is not given.
    pub partition: Option<String>,
    /// The configurations of Terraform that the input has, which are made of several files.
    pub(crate) configurations: Arc<Configurations>,
    /// The templates that the input has, which nest and import each other.
    pub(crate) templates: Arc<Templates>,
    /// What configurations of ecspresso say of the services in other files.
    pub(crate) deployments: Arc<Deployments>,
    /// What is beside manifests of Copilot.
    pub(crate) workspace: Arc<Workspace>,
    /// Which files of Compose have parameters of the Amazon ECS CLI.
    pub(crate) projects: Arc<Projects>,
    /// Where files of Jsonnet find what they import.
    pub(crate) jsonnet: Arc<Folders>,
}

impl From<Fill> for Values {
    fn from(fill: Fill) -> Self {
        Self {
            fill,
            ..Self::default()
        }
    }
}

impl Values {
    /// Returns the region, or what stands for it.
    pub(super) fn region(&self) -> &str {
        self.region.as_deref().unwrap_or(REGION)
    }

    /// Returns the account, or what stands for it.
    pub(super) fn account_id(&self) -> &str {
        self.account_id.as_deref().unwrap_or("<ACCOUNT_ID>")
    }

    /// Returns the partition.
    pub(super) fn partition(&self) -> &str {
        self.partition.as_deref().unwrap_or("aws")
    }

    /// All names of values that are given, each once.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        let parameters = self.parameters.keys();
        let others = parameters.filter(|name| !self.fill.contains_key(*name));
        self.fill.keys().chain(others)
    }
}
