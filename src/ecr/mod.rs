//! What ECR does with the images of a repository: which of them its lifecycle policy takes, and what its scans find.

mod image;
mod lifecycle;
mod scan;

pub use image::{Repository, RepositoryImage, StorageClass};
pub use lifecycle::{Action, Fate, LifecyclePolicy, When};
pub use scan::{
    Decision, FindingSeverity, OnMissing, Scan, ScanFinding, ScanPage, ScanRules, ScanState,
};
